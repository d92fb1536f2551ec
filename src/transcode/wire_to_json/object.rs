//! The optimistic pass, by the tables of `schema/plan`: one look-up a record, no allocation but
//! for what is printed.
//!
//! `simple.rs` does the same without tables; the two must never differ in what they print.

use std::collections::HashSet;

use smallvec::SmallVec;

use super::scalar::{Identity, float, integer};
use super::walker::{Stop, Walker};
use crate::schema::plan::{Cardinality, Kind, Member, Message, Printing};
use crate::schema::policy::{Defaults, Int64};
use crate::transcode::proto::{Malformed, Raw, Reader, WireType, split_tag, unzigzag};
use crate::transcode::{base64, escape};

/// Maps up to this long are searched for a key from one end to the other.
const FEW_KEYS: usize = 8;

/// The wire type of a list in one record.
const PACKED: u32 = 2;

/// The keys of a map so far.
#[derive(Default)]
pub(super) struct Keys<'w> {
    few: SmallVec<[Identity<'w>; FEW_KEYS]>,
    many: Option<HashSet<Identity<'w>>>,
}

impl<'w> Keys<'w> {
    /// Says whether the key is new.
    pub(super) fn insert(&mut self, key: Identity<'w>) -> bool {
        if let Some(many) = &mut self.many {
            return many.insert(key);
        }
        if self.few.contains(&key) {
            return false;
        }
        if self.few.len() == FEW_KEYS {
            self.many = Some(self.few.drain(..).chain([key]).collect());
        } else {
            self.few.push(key);
        }
        true
    }

    fn clear(&mut self) {
        self.few.clear();
        self.many = None;
    }
}

/// What was seen of a message: a bit for each of [`Member::once`].
#[derive(Default)]
struct Seen {
    low: u64,
    high: SmallVec<[u64; 2]>,
}

impl Seen {
    #[inline]
    fn insert(&mut self, at: u16) -> bool {
        let bit = 1 << (at % 64);
        let word = match usize::from(at / 64).checked_sub(1) {
            None => &mut self.low,
            Some(word) => {
                if word >= self.high.len() {
                    self.high.resize(word + 1, 0);
                }
                match self.high.get_mut(word) {
                    Some(word) => word,
                    None => &mut self.low,
                }
            }
        };
        let new = *word & bit == 0;
        *word |= bit;
        new
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

/// One message being printed.
struct Object<'t, 'w> {
    message: &'t Message,
    printing: &'t Printing,
    seen: Seen,
    /// The list or map whose bracket is open.
    open: Option<At<'t>>,
    keys: Keys<'w>,
}

impl<'t> Walker<'t, '_> {
    /// Prints the members of a message until its bytes, or its group, end.
    pub(super) fn object(
        &mut self,
        message: &'t Message,
        reader: &mut Reader<'_>,
        group: Option<u32>,
    ) -> Result<(), Stop> {
        let mut object = Object {
            message,
            printing: message.printing(),
            seen: Seen::default(),
            open: None,
            keys: Keys::default(),
        };
        let mut ended = group.is_none();
        while !reader.is_empty() {
            let tag = reader.whole_tag()?;
            let Some(at) = object.printing.find(tag) else {
                if self.stray(message, tag, group, reader)? {
                    ended = true;
                    break;
                }
                continue;
            };
            if let Err(stop) = object.record(self, at, tag, reader) {
                return Err(match message.fields.get(at.0) {
                    Some(field) => stop.within(message, field),
                    None => stop,
                });
            }
            self.check()?;
        }
        if !ended {
            return Err(Stop::from(Malformed::Truncated));
        }
        object.close(self);
        if self.options.defaults == Defaults::Omit {
            return Ok(());
        }
        let Object { printing, seen, .. } = object;
        self.defaults(message, |index| seen.contains(printing.once(index)))
    }

    /// Skips what is no record of the message; says whether it is the end of its group.
    #[cold]
    pub(super) fn stray(
        &mut self,
        message: &Message,
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
        if let Err(malformed) = reader.value(number, wire_type) {
            let stop = Stop::from(malformed);
            return Err(match message.by_number(number) {
                Some(field) => stop.within(message, field),
                None => stop,
            });
        }
        self.unknown_fields += 1;
        Ok(false)
    }
}

impl<'t, 'w> Object<'t, 'w> {
    /// Prints the record behind a tag.
    #[inline]
    fn record(
        &mut self,
        walker: &mut Walker<'t, '_>,
        at: At<'t>,
        tag: u32,
        reader: &mut Reader<'w>,
    ) -> Result<(), Stop> {
        let (_, member) = at;
        match member.kind {
            Kind::Message(_) if member.cardinality == Cardinality::Map => {
                self.entry(walker, at, reader.bytes()?)
            }
            Kind::Message(id) => {
                let bytes = reader.bytes()?;
                self.begin(walker, at)?;
                walker.message(id, &[bytes])
            }
            Kind::Group(_) => self.group(walker, at, tag, reader),
            _ if member.packs && tag & 7 == PACKED => {
                let mut values = Reader::new(reader.bytes()?);
                while !values.is_empty() {
                    self.value(walker, at, &mut values)?;
                    walker.check()?;
                }
                Ok(())
            }
            _ => self.value(walker, at, reader),
        }
    }

    /// Prints a scalar or an enum.
    #[inline]
    fn value(
        &mut self,
        walker: &mut Walker<'t, '_>,
        at: At<'t>,
        reader: &mut Reader<'w>,
    ) -> Result<(), Stop> {
        match at.1.kind {
            Kind::Int32 => self.int32(walker, at, reader.varint()? as i32),
            Kind::Sint32 => {
                let value = unzigzag(u64::from(reader.varint()? as u32)) as i32;
                self.int32(walker, at, value)
            }
            Kind::Sfixed32 => self.int32(walker, at, reader.fixed32()? as i32),
            Kind::Uint32 => self.uint32(walker, at, reader.varint()? as u32),
            Kind::Fixed32 => self.uint32(walker, at, reader.fixed32()?),
            Kind::Int64 => self.int64(walker, at, reader.varint()? as i64),
            Kind::Sint64 => self.int64(walker, at, unzigzag(reader.varint()?)),
            Kind::Sfixed64 => self.int64(walker, at, reader.fixed64()? as i64),
            Kind::Uint64 => self.uint64(walker, at, reader.varint()?),
            Kind::Fixed64 => self.uint64(walker, at, reader.fixed64()?),
            Kind::Float => {
                let value = f32::from_bits(reader.fixed32()?);
                self.print(walker, at, value.to_bits() == 0, |walker| {
                    float(walker.out, value, value.into());
                })
            }
            Kind::Double => {
                let value = f64::from_bits(reader.fixed64()?);
                self.print(walker, at, value.to_bits() == 0, |walker| {
                    float(walker.out, value, value);
                })
            }
            Kind::Bool => {
                let value = reader.varint()? != 0;
                self.print(walker, at, !value, |walker| {
                    let text: &[u8] = if value { b"true" } else { b"false" };
                    walker.out.extend_from_slice(text);
                })
            }
            Kind::Enum(id) => {
                let number = reader.varint()? as i32;
                let of = walker.tables.enumeration(id);
                if of.closed && !of.by_number.contains_key(&number) {
                    walker.unknown_fields += 1;
                    return Ok(());
                }
                self.print(walker, at, number == 0, |walker| {
                    walker.enum_value(id, number);
                })
            }
            Kind::String | Kind::Bytes => self.text(walker, at, reader.bytes()?),
            // They have no values of their own.
            Kind::Message(_) | Kind::Group(_) => Ok(()),
        }
    }

    #[inline]
    fn text(
        &mut self,
        walker: &mut Walker<'t, '_>,
        at: At<'t>,
        bytes: &'w [u8],
    ) -> Result<(), Stop> {
        if at.1.kind == Kind::String {
            let text = std::str::from_utf8(bytes).map_err(|_error| super::ErrorKind::Utf8)?;
            return self.print(walker, at, bytes.is_empty(), |walker| {
                escape::string(walker.out, text);
            });
        }
        self.print(walker, at, bytes.is_empty(), |walker| {
            walker.out.push(b'"');
            base64::encode(walker.out, bytes);
            walker.out.push(b'"');
        })
    }

    fn int32(&mut self, walker: &mut Walker<'t, '_>, at: At<'t>, value: i32) -> Result<(), Stop> {
        self.print(walker, at, value == 0, |walker| {
            integer(walker.out, value, false);
        })
    }

    fn uint32(&mut self, walker: &mut Walker<'t, '_>, at: At<'t>, value: u32) -> Result<(), Stop> {
        self.print(walker, at, value == 0, |walker| {
            integer(walker.out, value, false);
        })
    }

    fn int64(&mut self, walker: &mut Walker<'t, '_>, at: At<'t>, value: i64) -> Result<(), Stop> {
        self.print(walker, at, value == 0, |walker| {
            let quoted = walker.options.int64 == Int64::String;
            integer(walker.out, value, quoted);
        })
    }

    fn uint64(&mut self, walker: &mut Walker<'t, '_>, at: At<'t>, value: u64) -> Result<(), Stop> {
        self.print(walker, at, value == 0, |walker| {
            let quoted = walker.options.int64 == Int64::String;
            integer(walker.out, value, quoted);
        })
    }

    /// Prints a value with what stands before it, or nothing if it is a default to be left out.
    #[inline]
    fn print(
        &mut self,
        walker: &mut Walker<'t, '_>,
        at: At<'t>,
        default: bool,
        value: impl FnOnce(&mut Walker<'t, '_>),
    ) -> Result<(), Stop> {
        if default && at.1.implicit && walker.options.defaults == Defaults::Omit {
            return if self.seen.insert(at.1.once) {
                Ok(())
            } else {
                Err(Stop::Conflict)
            };
        }
        self.begin(walker, at)?;
        value(walker);
        Ok(())
    }

    /// Prints what stands before a value: its name and the bracket of its list, or a comma.
    #[inline]
    fn begin(&mut self, walker: &mut Walker<'t, '_>, at: At<'t>) -> Result<(), Stop> {
        let (index, member) = at;
        if let Some((open, _)) = self.open {
            if open == index {
                walker.out.push(b',');
                return Ok(());
            }
            self.close(walker);
        }
        if !self.seen.insert(member.once) {
            return Err(Stop::Conflict);
        }
        member.put_key(walker.options.names, walker.out);
        if member.cardinality != Cardinality::Singular {
            self.open = Some(at);
            self.keys.clear();
        }
        Ok(())
    }

    /// Closes the list or map that is open.
    fn close(&mut self, walker: &mut Walker<'t, '_>) {
        if let Some((_, member)) = self.open.take() {
            let map = member.cardinality == Cardinality::Map;
            walker.out.push(if map { b'}' } else { b']' });
        }
    }

    fn entry(
        &mut self,
        walker: &mut Walker<'t, '_>,
        at: At<'t>,
        bytes: &'w [u8],
    ) -> Result<(), Stop> {
        let Some(field) = self.message.fields.get(at.0) else {
            return Ok(());
        };
        walker.entry(field, bytes, |walker, key| {
            self.begin(walker, at)?;
            if self.keys.insert(key) {
                Ok(())
            } else {
                Err(Stop::Conflict)
            }
        })
    }

    fn group(
        &mut self,
        walker: &mut Walker<'t, '_>,
        at: At<'t>,
        tag: u32,
        reader: &mut Reader<'w>,
    ) -> Result<(), Stop> {
        let Kind::Group(id) = at.1.kind else {
            return Ok(());
        };
        let number = tag >> 3;
        let inner = walker.tables.message(id);
        self.begin(walker, at)?;
        if inner.well_known.is_some() || inner.message_set {
            let Raw::Group(content) = reader.value(number, WireType::StartGroup)? else {
                return Err(Stop::from(Malformed::Group));
            };
            return walker.message(id, &[content]);
        }
        let start = walker.out.len();
        walker.enter()?;
        walker.object(inner, reader, Some(number))?;
        walker.leave();
        walker.close_object(start);
        Ok(())
    }
}
