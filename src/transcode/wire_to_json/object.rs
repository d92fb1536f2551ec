//! The optimistic pass, by the tables of `schema/plan`: one look-up a record, no allocation but
//! for what is printed.
//!
//! `simple.rs` does the same without tables; the two must never differ in what they print. What is
//! wrong is left to it, so nothing here says where an error is.

use smallvec::SmallVec;

use super::keys::Keys;
use super::walker::{Stop, Walker};
use crate::schema::plan::{Cardinality, Kind, Member, Message, Printing, Rendered};
use crate::schema::policy::Defaults;
use crate::transcode::proto::{Malformed, Raw, Reader, WireType, split_tag};

/// The wire type of a list in one record.
const PACKED: u32 = 2;

/// What was seen of a message: a bit for each of [`Member::once`].
#[derive(Default)]
struct Seen {
    low: u64,
    high: SmallVec<[u64; 1]>,
}

impl Seen {
    /// Says whether it is new.
    #[inline]
    fn insert(&mut self, member: &Member) -> bool {
        if member.bit == 0 {
            return self.insert_high(member.once);
        }
        let new = self.low & member.bit == 0;
        self.low |= member.bit;
        new
    }

    #[cold]
    fn insert_high(&mut self, at: u16) -> bool {
        let word = usize::from(at / 64) - 1;
        if word >= self.high.len() {
            self.high.resize(word + 1, 0);
        }
        let bit = 1 << (at % 64);
        self.high.get_mut(word).is_some_and(|word| {
            let new = *word & bit == 0;
            *word |= bit;
            new
        })
    }

    fn contains(&self, at: u16) -> bool {
        let word = match usize::from(at / 64).checked_sub(1) {
            None => Some(&self.low),
            Some(word) => self.high.get(word),
        };
        word.is_some_and(|word| word & 1 << (at % 64) != 0)
    }
}

/// A member and its index.
type At<'t> = (usize, &'t Member);

/// Says what stands before a value.
pub(super) trait Before<'t> {
    /// The text, or none if a default is not to be printed.
    fn key(
        self,
        walker: &mut Walker<'t, '_>,
        is_default: bool,
    ) -> Result<Option<&'t Rendered>, Stop>;
}

/// It is known.
impl<'t> Before<'t> for &'t Rendered {
    #[inline]
    fn key(self, _: &mut Walker<'t, '_>, _: bool) -> Result<Option<&'t Rendered>, Stop> {
        Ok(Some(self))
    }
}

/// One message being printed.
struct Object<'t> {
    seen: Seen,
    /// The list or map whose bracket is open.
    open: Option<At<'t>>,
    /// The keys of the map that is open.
    keys: Option<Keys>,
}

impl<'t> Walker<'t, '_> {
    /// Prints the members of a message until its bytes, or its group, end; what is left of the
    /// bytes comes back.
    pub(super) fn object<'w>(
        &mut self,
        message: &'t Message,
        mut reader: Reader<'w>,
        group: Option<u32>,
    ) -> Result<Reader<'w>, Stop> {
        let printing = message.printing();
        let mut object = Object {
            seen: Seen::default(),
            open: None,
            keys: None,
        };
        let mut ended = group.is_none();
        while !reader.is_empty() {
            let tag = reader.whole_tag()?;
            let Some(at) = printing.find(tag) else {
                if self.stray(tag, group, &mut reader)? {
                    ended = true;
                    break;
                }
                continue;
            };
            object.record(self, at, tag, &mut reader)?;
        }
        if !ended {
            return Err(Stop::from(Malformed::Truncated));
        }
        object.close(self)?;
        if self.options.defaults != Defaults::Omit {
            self.unseen(message, printing, &object.seen)?;
        }
        Ok(reader)
    }

    #[cold]
    fn unseen(
        &mut self,
        message: &'t Message,
        printing: &Printing,
        seen: &Seen,
    ) -> Result<(), Stop> {
        self.defaults(message, |index| seen.contains(printing.once(index)))
    }

    /// Skips what is no record of the message; says whether it is the end of its group.
    #[cold]
    pub(super) fn stray(
        &mut self,
        tag: u32,
        group: Option<u32>,
        reader: &mut Reader<'_>,
    ) -> Result<bool, Stop> {
        let (number, wire_type) = split_tag(tag)?;
        if wire_type == WireType::EndGroup {
            return if group == Some(number) {
                Ok(true)
            } else {
                Err(Stop::from(Malformed::Group))
            };
        }
        reader.value(number, wire_type)?;
        self.unknown_fields += 1;
        Ok(false)
    }
}

impl<'t> Object<'t> {
    /// Prints the record behind a tag.
    #[inline]
    fn record(
        &mut self,
        walker: &mut Walker<'t, '_>,
        at: At<'t>,
        tag: u32,
        reader: &mut Reader<'_>,
    ) -> Result<(), Stop> {
        let (_, member) = at;
        match member.kind {
            Kind::Message(id) => {
                let bytes = reader.bytes()?;
                if member.cardinality == Cardinality::Map {
                    return self.entry(walker, at, bytes);
                }
                let key = self.begin(walker, at)?;
                walker.submessage(key, id, bytes)
            }
            Kind::Group(_) => self.group(walker, at, tag, reader),
            _ if member.packs && tag & 7 == PACKED => {
                let mut values = Reader::new(reader.bytes()?);
                while !values.is_empty() {
                    self.value(walker, at, &mut values)?;
                }
                Ok(())
            }
            _ => self.value(walker, at, reader),
        }
    }

    /// Prints a scalar or an enum with what stands before it.
    #[inline]
    fn value(
        &mut self,
        walker: &mut Walker<'t, '_>,
        at: At<'t>,
        reader: &mut Reader<'_>,
    ) -> Result<(), Stop> {
        walker.value(at.1.kind, reader, Place { object: self, at })
    }

    /// What stands before a value: its name and the bracket of its list, or a comma.
    #[inline]
    fn begin(&mut self, walker: &mut Walker<'t, '_>, at: At<'t>) -> Result<&'t Rendered, Stop> {
        let (index, member) = at;
        match self.open {
            Some((open, _)) if open == index => Ok(Rendered::COMMA),
            None if member.cardinality == Cardinality::Singular && self.seen.insert(member) => {
                Ok(member.key(walker.options.names))
            }
            _ => self.begin_slowly(walker, at),
        }
    }

    #[inline(never)]
    fn begin_slowly(
        &mut self,
        walker: &mut Walker<'t, '_>,
        at: At<'t>,
    ) -> Result<&'t Rendered, Stop> {
        let member = at.1;
        self.close(walker)?;
        if !self.seen.insert(member) {
            return Err(Stop::Conflict);
        }
        if member.cardinality != Cardinality::Singular {
            self.open = Some(at);
        }
        Ok(member.key(walker.options.names))
    }

    /// Closes the list or map that is open.
    #[inline]
    fn close(&mut self, walker: &mut Walker<'t, '_>) -> Result<(), Stop> {
        let Some((_, member)) = self.open.take() else {
            return Ok(());
        };
        if let Some(keys) = self.keys.take() {
            keys.leave(walker.scratch);
        }
        let map = member.cardinality == Cardinality::Map;
        walker.out.byte(if map { b'}' } else { b']' })
    }

    fn entry(&mut self, walker: &mut Walker<'t, '_>, at: At<'t>, bytes: &[u8]) -> Result<(), Stop> {
        let Some(mut entry) = walker.entry(at.1.kind, bytes)? else {
            walker.unknown_fields += 1;
            return Ok(());
        };
        let before = self.begin(walker, at)?;
        let keys = self.keys.get_or_insert_with(Keys::new);
        walker.print_entry(&mut entry, before, keys)
    }

    fn group(
        &mut self,
        walker: &mut Walker<'t, '_>,
        at: At<'t>,
        tag: u32,
        reader: &mut Reader<'_>,
    ) -> Result<(), Stop> {
        let Kind::Group(id) = at.1.kind else {
            return Ok(());
        };
        let number = tag >> 3;
        let inner = walker.tables.message(id);
        let key = self.begin(walker, at)?;
        if inner.well_known.is_some() || inner.message_set {
            let Raw::Group(content) = reader.value(number, WireType::StartGroup)? else {
                return Err(Stop::from(Malformed::Group));
            };
            return walker.submessage(key, id, content);
        }
        walker.out.rendered(key)?;
        let start = walker.out.len();
        walker.enter()?;
        *reader = walker.object(inner, *reader, Some(number))?;
        walker.leave();
        walker.finish(start)
    }
}

/// A member of an object.
struct Place<'p, 't> {
    object: &'p mut Object<'t>,
    at: At<'t>,
}

impl<'t> Before<'t> for Place<'_, 't> {
    #[inline]
    fn key(
        self,
        walker: &mut Walker<'t, '_>,
        is_default: bool,
    ) -> Result<Option<&'t Rendered>, Stop> {
        let member = self.at.1;
        if is_default && member.implicit && walker.options.defaults == Defaults::Omit {
            return if self.object.seen.insert(member) {
                Ok(None)
            } else {
                Err(Stop::Conflict)
            };
        }
        self.object.begin(walker, self.at).map(Some)
    }
}
