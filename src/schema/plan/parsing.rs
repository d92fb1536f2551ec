//! What reading a type from JSON needs, laid out for it: made once, when the first message of the
//! type is read, and never changed.
//!
//! A member is found by comparing the next key with the field that is expected there, two words at
//! a time, or else by hash; its tag stands ready to be copied.

use std::sync::OnceLock;

use super::{Cardinality, Enum, Field, Kind, Message};

/// Keys up to this long, with their closing quote and colon, are compared without a loop.
pub(crate) const SHORT: usize = 16;
/// What a message may have of oneofs to be read by these tables.
const MOST_ONEOFS: usize = 64;

/// How a message is read.
#[derive(Debug)]
pub(crate) struct Parsing {
    /// One for each field, in the order of the fields.
    pub(crate) targets: Box<[Target]>,
    names: NameTable,
    /// Whether a field is required.
    pub(crate) required: bool,
    /// Whether these tables do not do for it.
    pub(crate) odd: bool,
}

/// Where the value of a JSON member goes.
#[derive(Debug)]
pub(crate) struct Target {
    key: Key,
    /// The tag of its record; of a packed list, that of the whole list.
    pub(crate) tag: Tag,
    /// Type.
    pub(crate) kind: Kind,
    /// Singular, repeated or map.
    pub(crate) cardinality: Cardinality,
    /// Whether its values are written in one record.
    pub(crate) packed: bool,
    /// Whether its default is left out.
    pub(crate) implicit: bool,
    /// Its bit among the first 64 fields of its message; none for the others.
    pub(crate) bit: u64,
    /// The bit of its oneof, if it is a member of one.
    pub(crate) oneof: u64,
}

/// A tag as it is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// The bytes, the first one lowest.
    pub(crate) bytes: u64,
    /// How many they are: five at most, and none where no tag is written.
    pub(crate) len: u8,
}

/// A field's JSON name, and the quote and the colon behind it.
#[derive(Debug)]
struct Key {
    words: [u64; 2],
    masks: [u64; 2],
    len: usize,
    /// What does not fit into the words.
    rest: Box<[u8]>,
}

/// The numbers of an enum by name.
#[derive(Debug, Default)]
pub(crate) struct Numbers(OnceLock<NameTable>);

/// Names and what they lead to: a hash table that is never more than half full.
#[derive(Debug)]
struct NameTable {
    slots: Box<[Slot]>,
    /// All names, one after the other.
    text: Box<[u8]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hash: u32,
    start: u32,
    /// One more than the length of the name; 0 in an empty slot.
    len: u32,
    value: u32,
}

// === impl Parsing ===

impl Parsing {
    pub(super) fn new(message: &Message) -> Self {
        let mut names = Vec::new();
        for field in &message.fields {
            for name in [&field.json_name, &field.name] {
                // The message says which field a name leads to where two claim it.
                let index = message
                    .by_name(name)
                    .and_then(|field| index(message, field));
                if let Some(index) = index {
                    names.push((name.as_bytes(), index));
                }
            }
        }
        Self {
            targets: message
                .fields
                .iter()
                .zip(0..)
                .map(|(field, index)| Target::new(message, field, index))
                .collect(),
            names: NameTable::new(&names),
            required: message.fields.iter().any(|field| field.required),
            odd: message.message_set || message.oneofs.len() > MOST_ONEOFS,
        }
    }

    /// The index of the field with this proto or JSON name.
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        self.names.find(name).map(|index| index as usize)
    }
}

fn index(message: &Message, field: &Field) -> Option<u32> {
    let number = |field: &Field| field.number;
    let index = message.fields.binary_search_by_key(&field.number, number);
    u32::try_from(index.ok()?).ok()
}

// === impl Target ===

impl Target {
    fn new(message: &Message, field: &Field, index: u32) -> Self {
        let found = message.by_name(&field.json_name);
        let own = found.is_some_and(|found| found.number == field.number);
        let packed = field.packed && field.kind.packable();
        Self {
            key: if own {
                Key::new(&field.json_name)
            } else {
                Key::never()
            },
            tag: match field.cardinality {
                Cardinality::Repeated if packed => Tag::new(field.number, LEN),
                _ => Tag::of(field),
            },
            kind: field.kind,
            cardinality: field.cardinality,
            packed,
            implicit: field.cardinality == Cardinality::Singular
                && !field.presence
                && field.oneof.is_none(),
            bit: 1_u64.checked_shl(index).unwrap_or(0),
            oneof: field
                .oneof
                .map_or(0, |oneof| 1_u64.checked_shl(u32::from(oneof)).unwrap_or(0)),
        }
    }

    /// If the key that begins at `at` (behind its opening quote, with `start` as its first bytes) is
    /// this one's JSON name with a colon, where the colon ends.
    #[inline(always)]
    pub(crate) fn matches(&self, start: [u8; SHORT], json: &[u8], at: usize) -> Option<usize> {
        self.key
            .matches(start, json, at)
            .then_some(at + self.key.len)
    }
}

// === impl Tag ===

const LEN: u32 = 2;

impl Tag {
    /// What stands before a value that needs no tag.
    pub(crate) const NONE: Self = Self { bytes: 0, len: 0 };

    /// The tag of a number and a wire type.
    pub(crate) const fn new(number: u32, wire_type: u32) -> Self {
        let mut rest = (number as u64) << 3 | wire_type as u64;
        let (mut bytes, mut len) = (0, 0);
        while rest >= 0x80 {
            bytes |= (rest & 0x7F | 0x80) << (8 * len);
            rest >>= 7;
            len += 1;
        }
        Self {
            bytes: bytes | rest << (8 * len),
            len: len + 1,
        }
    }

    /// The tag of a field's records, packed lists excepted.
    pub(crate) fn of(field: &Field) -> Self {
        Self::new(field.number, wire_type(field.kind))
    }
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

// === impl Key ===

impl Key {
    /// Matches nothing.
    fn never() -> Self {
        Self {
            words: [u64::MAX; 2],
            masks: [0; 2],
            len: 0,
            rest: Box::default(),
        }
    }

    fn new(name: &str) -> Self {
        let text = [name.as_bytes(), b"\":"].concat();
        let (mut words, mut masks) = ([0; 2], [0; 2]);
        for (at, byte) in text.iter().take(SHORT).enumerate() {
            let shift = 8 * (at % 8);
            if let (Some(word), Some(mask)) = (words.get_mut(at / 8), masks.get_mut(at / 8)) {
                *word |= u64::from(*byte) << shift;
                *mask |= 0xFF << shift;
            }
        }
        // A name that is escaped in JSON is found by no comparison.
        let plain = name
            .bytes()
            .all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        if !plain {
            return Self::never();
        }
        Self {
            words,
            masks,
            len: text.len(),
            rest: text.get(SHORT..).unwrap_or_default().into(),
        }
    }

    #[inline(always)]
    fn matches(&self, start: [u8; SHORT], json: &[u8], at: usize) -> bool {
        let [a, b, c, d, e, f, g, h, rest @ ..] = start;
        let low_text = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let high_text = u64::from_le_bytes(rest);
        let [low, high] = self.words;
        let [low_mask, high_mask] = self.masks;
        let wrong = (low_text & low_mask ^ low) | (high_text & high_mask ^ high);
        wrong == 0 && (self.rest.is_empty() || self.rest_matches(json, at))
    }

    #[inline(never)]
    fn rest_matches(&self, json: &[u8], at: usize) -> bool {
        json.get(at + SHORT..at + self.len) == Some(&*self.rest)
    }
}

// === impl Numbers ===

impl Numbers {
    /// The number of a name.
    #[inline]
    pub(super) fn find(&self, of: &Enum, name: &[u8]) -> Option<i32> {
        let table = self.0.get_or_init(|| {
            let names = of.by_name.iter();
            let names: Vec<_> = names
                .map(|(name, number)| (name.as_bytes(), number.cast_unsigned()))
                .collect();
            NameTable::new(&names)
        });
        table.find(name).map(u32::cast_signed)
    }
}

// === impl NameTable ===

impl NameTable {
    /// Of a name that is there twice, the first counts.
    fn new(names: &[(&[u8], u32)]) -> Self {
        let count = (names.len() * 2).next_power_of_two().max(2);
        let mut table = Self {
            slots: (0..count).map(|_| Slot::default()).collect(),
            text: Box::default(),
        };
        let mut text = Vec::new();
        for (name, value) in names {
            if table.look(&text, name).is_ok() {
                continue;
            }
            let (Ok(start), Ok(len)) = (u32::try_from(text.len()), u32::try_from(name.len()))
            else {
                continue;
            };
            let free = table.look(&text, name).err();
            text.extend_from_slice(name);
            if let Some(slot) = free.and_then(|at| table.slots.get_mut(at)) {
                *slot = Slot {
                    hash: hash(name),
                    start,
                    len: len + 1,
                    value: *value,
                };
            }
        }
        table.text = text.into_boxed_slice();
        table
    }

    #[inline]
    fn find(&self, name: &[u8]) -> Option<u32> {
        self.look(&self.text, name).ok()
    }

    /// What a name leads to, or the slot where it would be.
    #[inline]
    fn look(&self, text: &[u8], name: &[u8]) -> Result<u32, usize> {
        let hash = hash(name);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            // The mask keeps `at` inside, and half of the slots are empty.
            let Some(slot) = self.slots.get(at).filter(|slot| slot.len != 0) else {
                return Err(at);
            };
            if slot.hash == hash && slot.len as usize == name.len() + 1 {
                let start = slot.start as usize;
                if text.get(start..start + name.len()) == Some(name) {
                    return Ok(slot.value);
                }
            }
            at = (at + 1) & mask;
        }
    }
}

/// Over all bytes, so that names alike at both ends do not fall together.
#[allow(
    clippy::cast_possible_truncation,
    reason = "half of the hash is enough"
)]
#[inline]
fn hash(name: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = name.len() as u64;
    let mut mix = |word: u64| {
        state = (state ^ word).wrapping_mul(FACTOR);
        state ^= state >> 32;
    };
    let (words, rest) = name.as_chunks::<8>();
    for word in words {
        mix(u64::from_le_bytes(*word));
    }
    match (name.last_chunk::<8>(), rest) {
        (_, []) => {}
        (Some(last), _) => mix(u64::from_le_bytes(*last)),
        (None, rest) => mix(rest
            .iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte))),
    }
    state as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_compared_whatever_their_length() {
        for length in [1, 7, 8, 14, 15, 16, 17, 31, 40] {
            let name: String = ('a'..='z').cycle().take(length).collect();
            let key = Key::new(&name);
            let json = format!("{{\"{name}\":1234567890123456}}");
            let matches = |json: &[u8]| key.matches(*json[2..].first_chunk().unwrap(), json, 2);
            assert!(matches(json.as_bytes()), "{name}");
            let longer = format!("{{\"{name}a\":1234567890123456}}");
            assert!(!matches(longer.as_bytes()), "{name}");
            for at in 0..length {
                let mut other = json.clone().into_bytes();
                other[2 + at] = b'_';
                assert!(!matches(&other), "{name} {at}");
            }
        }
        let quoted = Key::new("my \"name\"");
        let json = b"my \"name\"\":1234567890";
        assert!(!quoted.matches(*json.first_chunk().unwrap(), json, 0));
    }

    #[test]
    fn names_are_found_and_nothing_else() {
        let names: Vec<String> = (0..1_000).map(|at| format!("field_{at}_owner")).collect();
        let pairs: Vec<_> = (0..)
            .zip(&names)
            .map(|(at, name)| (name.as_bytes(), at))
            .collect();
        let table = NameTable::new(&pairs);
        for (name, at) in &pairs {
            assert_eq!(table.find(name), Some(*at));
            assert_eq!(table.find(&name[1..]), None);
        }
        assert_eq!(table.find(b""), None);
        assert_eq!(NameTable::new(&[]).find(b"a"), None);
        let twice = NameTable::new(&[(b"a", 1), (b"a", 2)]);
        assert_eq!(twice.find(b"a"), Some(1));
    }

    #[test]
    fn tags_are_varints() {
        for (number, expected) in [
            (1, vec![0x0A]),
            (16, vec![0x82, 1]),
            (5_000, vec![0xC2, 0xB8, 2]),
        ] {
            let tag = Tag::new(number, LEN);
            assert_eq!(tag.bytes.to_le_bytes()[..usize::from(tag.len)], expected);
        }
        let most = Tag::new((1 << 29) - 1, 5);
        assert_eq!((most.bytes, most.len), (0x0F_FFFF_FFFD, 5));
    }
}
