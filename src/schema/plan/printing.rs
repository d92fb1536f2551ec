//! What printing a type as JSON needs, laid out for it: made once, when the first message of the
//! type is printed, and never asked for a name again.
//!
//! Records are found by their whole tag, so that a wrong wire type is an unknown field without
//! being looked at; names stand ready between comma and colon.

use std::sync::OnceLock;

use super::{Cardinality, Enum, Field, Kind, Message};
use crate::schema::policy::FieldNames;

/// Texts up to this long are copied at once, which is cheaper than copying what they are long.
pub(crate) const SHORT: usize = 32;
/// Tags below are found by index, the others by search.
const LOW_TAGS: u32 = 1 << 11;
/// Enum numbers below have their name at hand.
const LOW_NUMBERS: i32 = 1 << 8;
/// Fields below have a bit in the first word of what was seen.
const LOW_BITS: u16 = 64;
/// The wire type of lengths.
const LEN: u32 = 2;

/// How the members of a message are printed.
#[derive(Debug)]
pub(crate) struct Printing {
    /// By tag: one more than the index of the member; 0 where there is none.
    low: Box<[u16]>,
    /// Tag and index of the members that have a high tag, ascending.
    high: Box<[(u32, u16)]>,
    /// One for each field.
    members: Box<[Member]>,
}

/// How one field is printed.
#[derive(Debug)]
pub(crate) struct Member {
    /// Type.
    pub(crate) kind: Kind,
    /// Singular, repeated or map.
    pub(crate) cardinality: Cardinality,
    /// Whether its values may stand in one record.
    pub(crate) packs: bool,
    /// Whether its default is left out.
    pub(crate) implicit: bool,
    /// What must be seen once only; the members of a oneof have it in common.
    pub(crate) once: u16,
    /// The same as a bit, if there is one.
    pub(crate) bit: u64,
    /// The tag of its records, as it stands in the type.
    pub(crate) tag: u32,
    /// `,"name":`, and the opening bracket of a list or map.
    camel: Rendered,
    proto: Rendered,
}

/// Bytes of JSON that stand ready to be copied.
#[derive(Debug)]
pub(crate) struct Rendered {
    short: [u8; SHORT],
    len: usize,
    /// The whole, if it is long.
    long: Option<Box<[u8]>>,
}

/// The quoted names of an enum's low numbers; empty where a number has none.
#[derive(Debug, Default)]
pub(crate) struct Names(OnceLock<Box<[Rendered]>>);

// === impl Printing ===

impl Printing {
    pub(super) fn new(message: &Message) -> Self {
        let mut tags: Vec<(u32, u16)> = Vec::with_capacity(message.fields.len());
        for (index, field) in (0..u16::MAX).zip(&message.fields) {
            tags.push((tag(field), index));
            if packs(field) {
                tags.push((field.number << 3 | LEN, index));
            }
        }
        tags.sort_unstable();
        let first_high = tags.partition_point(|(tag, _)| *tag < LOW_TAGS);
        let high = tags.split_off(first_high).into_boxed_slice();
        let len = tags.last().map_or(0, |(tag, _)| tag + 1);
        let mut low: Box<[u16]> = (0..len).map(|_| 0).collect();
        for (tag, index) in tags {
            if let Some(slot) = usize::try_from(tag).ok().and_then(|tag| low.get_mut(tag)) {
                *slot = index + 1;
            }
        }
        let mut of_oneof = vec![None; message.oneofs.len()];
        let members = (0..u16::MAX)
            .zip(&message.fields)
            .map(|(index, field)| {
                let shared = field
                    .oneof
                    .and_then(|oneof| of_oneof.get_mut(usize::from(oneof)));
                let once = shared.map_or(index, |first| *first.get_or_insert(index));
                Member::new(field, once)
            })
            .collect();
        Self { low, high, members }
    }

    /// Index and form of the member that a record with this tag belongs to.
    #[inline]
    pub(crate) fn find(&self, tag: u32) -> Option<(usize, &Member)> {
        let slot = usize::try_from(tag).ok().and_then(|tag| self.low.get(tag));
        let index = match slot {
            Some(slot) => usize::from(*slot).checked_sub(1)?,
            None => self.find_high(tag)?,
        };
        Some((index, self.members.get(index)?))
    }

    #[cold]
    fn find_high(&self, tag: u32) -> Option<usize> {
        let at = self.high.binary_search_by_key(&tag, |(tag, _)| *tag).ok()?;
        self.high.get(at).map(|(_, index)| usize::from(*index))
    }

    /// The members, in the order of the fields.
    #[inline]
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// What of a field is seen once only.
    pub(crate) fn once(&self, index: usize) -> u16 {
        self.members.get(index).map_or(0, |member| member.once)
    }
}

fn tag(field: &Field) -> u32 {
    field.number << 3 | wire_type(field.kind)
}

fn packs(field: &Field) -> bool {
    field.cardinality == Cardinality::Repeated && field.kind.packable()
}

fn wire_type(kind: Kind) -> u32 {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => 1,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => 5,
        Kind::String | Kind::Bytes | Kind::Message(_) => LEN,
        Kind::Group(_) => 3,
        Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Bool
        | Kind::Enum(_) => 0,
    }
}

// === impl Member ===

impl Member {
    fn new(field: &Field, once: u16) -> Self {
        let bracket = match field.cardinality {
            Cardinality::Singular => "",
            Cardinality::Repeated => "[",
            Cardinality::Map => "{",
        };
        let key = |name: &str| Rendered::new(&[b",", &*quote(name), b":", bracket.as_bytes()]);
        Self {
            kind: field.kind,
            cardinality: field.cardinality,
            packs: packs(field),
            implicit: field.cardinality == Cardinality::Singular
                && !field.presence
                && field.oneof.is_none(),
            once,
            bit: if once < LOW_BITS { 1 << once } else { 0 },
            tag: tag(field),
            camel: key(&field.json_name),
            proto: key(&field.name),
        }
    }

    /// A comma, the name, a colon, and the opening bracket of a list or map.
    #[inline]
    pub(crate) fn key(&self, names: FieldNames) -> &Rendered {
        match names {
            FieldNames::Camel => &self.camel,
            FieldNames::Proto => &self.proto,
        }
    }
}

// === impl Rendered ===

impl Rendered {
    /// Nothing.
    pub(crate) const NOTHING: &'static Self = &Self::of(b"");
    /// What stands between values.
    pub(crate) const COMMA: &'static Self = &Self::of(b",");
    /// What stands between a key and its value.
    pub(crate) const COLON: &'static Self = &Self::of(b":");
    /// A boolean.
    pub(crate) const TRUE: &'static Self = &Self::of(b"true");
    /// A boolean.
    pub(crate) const FALSE: &'static Self = &Self::of(b"false");

    const fn of(text: &[u8]) -> Self {
        let mut short = [0; SHORT];
        let (place, _) = short.split_at_mut(text.len());
        place.copy_from_slice(text);
        Self {
            short,
            len: text.len(),
            long: None,
        }
    }

    fn new(parts: &[&[u8]]) -> Self {
        let whole = parts.concat();
        let mut short = [0; SHORT];
        match short.get_mut(..whole.len()) {
            Some(place) => {
                place.copy_from_slice(&whole);
                Self {
                    short,
                    len: whole.len(),
                    long: None,
                }
            }
            None => Self {
                short,
                len: 0,
                long: Some(whole.into()),
            },
        }
    }

    /// The bytes, and how many of them count; those of a long text stand apart.
    #[inline]
    pub(crate) fn short(&self) -> (&[u8; SHORT], usize) {
        (&self.short, self.len)
    }

    /// The whole, if it is too long for [`Self::short`].
    #[inline]
    pub(crate) fn long(&self) -> Option<&[u8]> {
        self.long.as_deref()
    }

    fn is_empty(&self) -> bool {
        self.len == 0 && self.long.is_none()
    }
}

/// A JSON string, quotes included.
fn quote(text: &str) -> Vec<u8> {
    // Writing a string to memory does not fail.
    serde_json::to_vec(text).unwrap_or_default()
}

// === impl Names ===

impl Names {
    /// The JSON form of a number that has a name at hand.
    #[inline]
    pub(super) fn find(&self, of: &Enum, number: i32) -> Option<&Rendered> {
        let names = self.0.get_or_init(|| Self::render(of));
        let name = names.get(usize::try_from(number).ok()?)?;
        (!name.is_empty()).then_some(name)
    }

    fn render(of: &Enum) -> Box<[Rendered]> {
        let low = |number: &i32| (0..LOW_NUMBERS).contains(number);
        let Some(last) = of.by_number.keys().copied().filter(low).max() else {
            return Box::default();
        };
        let name = |number: i32| {
            let index = usize::try_from(*of.by_number.get(&number)?).ok()?;
            of.values.get(index)
        };
        (0..=last)
            .map(|number| match name(number) {
                Some(_) if of.null_value => Rendered::new(&[b"null"]),
                Some((name, _)) => Rendered::new(&[&quote(name)]),
                None => Rendered::new(&[]),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Rendered, quote};

    #[test]
    fn texts_stand_ready_whatever_their_length() {
        for name in [
            "a",
            "my \"name\"",
            &"n".repeat(27),
            &"n".repeat(28),
            &"n".repeat(99),
        ] {
            let rendered = Rendered::new(&[b",", &quote(name), b":["]);
            let expected = format!(",{}:[", serde_json::to_string(name).unwrap());
            let (short, len) = rendered.short();
            let found = rendered.long().unwrap_or(&short[..len]);
            assert_eq!(str::from_utf8(found).unwrap(), expected);
            assert_eq!(rendered.long().is_some(), expected.len() > short.len());
        }
    }
}
