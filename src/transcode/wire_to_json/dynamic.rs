//! The quick pass over messages in messages, and over the types whose JSON form is not that of
//! their fields. What is unusual about one of these is left to `well_known.rs`, before anything of
//! it is printed.

use super::ErrorKind;
use super::keys::Keys;
use super::scalar::Scalar;
use super::walker::{Stop, Walker};
use crate::schema::plan::{Cardinality, Kind, Member, Message, MessageId, Rendered, WellKnown};
use crate::transcode::proto::Reader;
use crate::transcode::time;

/// The tag of field 1 when it has a length, which is all that `Struct`, `ListValue` and
/// `FieldMask` have.
const FIRST: u32 = 1 << 3 | 2;
/// The tags of seconds and nanoseconds.
const SECONDS: u32 = 1 << 3;
const NANOS: u32 = 2 << 3;

impl<'t> Walker<'t, '_> {
    /// Prints a message behind what stands before it.
    #[inline]
    pub(super) fn submessage(
        &mut self,
        key: &'t Rendered,
        id: MessageId,
        bytes: &[u8],
    ) -> Result<(), Stop> {
        let message = self.tables.message(id);
        if let Some(well_known) = message.well_known {
            return self.known(key, message, well_known, bytes);
        }
        self.out.rendered(key)?;
        if message.message_set {
            return self.message(id, &[bytes]);
        }
        let start = self.out.len();
        self.enter()?;
        self.object(message, Reader::new(bytes), None)?;
        self.leave();
        self.finish(start)
    }

    /// Prints a message of one of these types behind what stands before it.
    pub(super) fn known(
        &mut self,
        key: &'t Rendered,
        message: &'t Message,
        well_known: WellKnown,
        bytes: &[u8],
    ) -> Result<(), Stop> {
        let start = self.out.len();
        let done = match well_known {
            WellKnown::Timestamp => {
                let text = seconds_and_nanos(bytes)?.map(|(seconds, nanos)| {
                    time::timestamp(seconds, nanos).ok_or(ErrorKind::Timestamp)
                });
                self.short(key, text)?
            }
            WellKnown::Duration => {
                let text = seconds_and_nanos(bytes)?.map(|(seconds, nanos)| {
                    time::duration(seconds, nanos).ok_or(ErrorKind::Duration)
                });
                self.short(key, text)?
            }
            WellKnown::Value => self.any_value(key, message, bytes)?,
            WellKnown::Wrapper => self.wrapped(key, message, bytes)?,
            WellKnown::Struct => {
                self.out.rendered(key)?;
                self.fields(message, bytes)?
            }
            WellKnown::ListValue => {
                self.out.rendered(key)?;
                self.values(message, bytes)?
            }
            WellKnown::FieldMask => {
                self.out.rendered(key)?;
                self.paths(bytes)?
            }
            WellKnown::Any | WellKnown::Empty => false,
        };
        if !done {
            self.out.truncate(start);
            self.out.rendered(key)?;
            self.known_slowly(message, well_known, &[bytes])?;
        }
        Ok(())
    }

    /// Prints a text, if there is one.
    #[inline]
    fn short(
        &mut self,
        key: &Rendered,
        text: Option<Result<time::Short, ErrorKind>>,
    ) -> Result<bool, Stop> {
        let Some(text) = text else {
            return Ok(false);
        };
        let (text, len) = text?;
        self.out.padded(key, &text, len)?;
        Ok(true)
    }

    /// Prints a `Value` of exactly one record.
    #[inline]
    fn any_value(
        &mut self,
        key: &'t Rendered,
        message: &'t Message,
        bytes: &[u8],
    ) -> Result<bool, Stop> {
        let mut reader = Reader::new(bytes);
        if bytes.is_empty() {
            return Ok(false);
        }
        let Some((_, member)) = message.printing().find(reader.whole_tag()?) else {
            return Ok(false);
        };
        match member.kind {
            _ if member.cardinality != Cardinality::Singular => return Ok(false),
            Kind::Message(id) => {
                let inner = reader.bytes()?;
                if !reader.is_empty() {
                    return Ok(false);
                }
                self.submessage(key, id, inner)?;
            }
            Kind::Double => {
                let mut ahead = reader;
                if !f64::from_bits(ahead.fixed64()?).is_finite() {
                    return Ok(false);
                }
                self.value(Kind::Double, &mut reader, key)?;
            }
            kind @ (Kind::String | Kind::Bool | Kind::Enum(_)) => {
                self.value(kind, &mut reader, key)?;
            }
            _ => return Ok(false),
        }
        Ok(reader.is_empty())
    }

    /// Prints a wrapper of at most one record.
    #[inline]
    fn wrapped(
        &mut self,
        key: &'t Rendered,
        message: &'t Message,
        bytes: &[u8],
    ) -> Result<bool, Stop> {
        let Some(member) = only_member(message) else {
            return Ok(false);
        };
        if bytes.is_empty() {
            let Some(scalar) = Scalar::default(self.tables, member.kind) else {
                return Ok(false);
            };
            self.out.rendered(key)?;
            self.scalar(scalar);
            return Ok(true);
        }
        let mut reader = Reader::new(bytes);
        if reader.whole_tag()? != member.tag {
            return Ok(false);
        }
        self.value(member.kind, &mut reader, key)?;
        Ok(reader.is_empty())
    }

    /// Prints the fields of a `Struct`.
    fn fields(&mut self, message: &'t Message, bytes: &[u8]) -> Result<bool, Stop> {
        let Some(member) = only_member(message) else {
            return Ok(false);
        };
        self.enter()?;
        let start = self.out.len();
        let mut keys = Keys::new();
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let tag = reader.whole_tag()?;
            if tag != FIRST {
                self.stray(tag, None, &mut reader)?;
                continue;
            }
            match self.entry(member.kind, reader.bytes()?)? {
                Some(mut entry) => self.print_entry(&mut entry, Rendered::COMMA, &mut keys)?,
                None => self.unknown_fields += 1,
            }
        }
        keys.leave(self.scratch);
        self.leave();
        self.finish(start)?;
        Ok(true)
    }

    /// Prints the values of a `ListValue`.
    fn values(&mut self, message: &'t Message, bytes: &[u8]) -> Result<bool, Stop> {
        let Some(Kind::Message(id)) = only_member(message).map(|member| member.kind) else {
            return Ok(false);
        };
        self.enter()?;
        let start = self.out.len();
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let tag = reader.whole_tag()?;
            if tag == FIRST {
                self.submessage(Rendered::COMMA, id, reader.bytes()?)?;
            } else {
                self.stray(tag, None, &mut reader)?;
            }
        }
        self.leave();
        self.close(start, b'[', b']');
        Ok(true)
    }

    /// Prints the paths of a `FieldMask`, if JSON can hold them as they are.
    fn paths(&mut self, bytes: &[u8]) -> Result<bool, Stop> {
        self.out.byte(b'"')?;
        let start = self.out.len();
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let tag = reader.whole_tag()?;
            if tag != FIRST {
                return Ok(false);
            }
            let path = reader.bytes()?;
            let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
            if !path.iter().all(plain) {
                return Ok(false);
            }
            if self.out.len() > start {
                self.out.byte(b',')?;
            }
            self.out.room(path.len())?;
            time::write_path(&mut self.out, path).ok_or(ErrorKind::FieldMask)?;
        }
        self.out.byte(b'"')?;
        Ok(true)
    }
}

/// The first member, which the well-known types with one field have.
fn only_member(message: &Message) -> Option<&Member> {
    message.printing().members().first()
}

/// Seconds and nanoseconds, the last of each, if there is nothing else.
#[inline]
fn seconds_and_nanos(bytes: &[u8]) -> Result<Option<(i64, i32)>, Stop> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        match reader.whole_tag()? {
            SECONDS => seconds = reader.varint()? as i64,
            NANOS => nanos = reader.varint()? as i32,
            _ => return Ok(None),
        }
    }
    Ok(Some((seconds, nanos)))
}
