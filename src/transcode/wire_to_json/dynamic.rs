//! The quick pass over the types that hold any JSON, and over wrappers. What is unusual about one
//! of them is left to the grouping of records, before anything is printed.

use super::object::Keys;
use super::scalar::{Scalar, float};
use super::walker::{Stop, Walker};
use crate::schema::plan::{Field, Kind, Message, WellKnown};
use crate::transcode::escape;
use crate::transcode::json_to_wire::wire_type;
use crate::transcode::proto::{Raw, Reader};

/// The tag of field 1 when it has a length.
const FIRST: u32 = 1 << 3 | 2;

impl<'t> Walker<'t, '_> {
    /// Prints a message of one of these types; `false`, and nothing printed, when that is left to
    /// the records.
    pub(super) fn dynamic(
        &mut self,
        message: &'t Message,
        well_known: WellKnown,
        bytes: &[u8],
    ) -> Result<bool, Stop> {
        match (well_known, message.fields.first()) {
            (WellKnown::Value, _) => self.any_value(message, bytes),
            (WellKnown::Wrapper, Some(field)) => self.wrapped(field, bytes),
            (WellKnown::Struct, Some(field)) => {
                self.enter()?;
                self.fields(message, field, bytes)?;
                self.leave();
                Ok(true)
            }
            (WellKnown::ListValue, Some(field)) => {
                self.enter()?;
                self.values(message, field, bytes)?;
                self.leave();
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Prints a `Value` of exactly one record.
    fn any_value(&mut self, message: &'t Message, bytes: &[u8]) -> Result<bool, Stop> {
        let mut reader = Reader::new(bytes);
        let Ok((number, kind)) = reader.tag() else {
            return Ok(false);
        };
        let Some(field) = message
            .by_number(number)
            .filter(|field| wire_type(field.kind) == kind)
        else {
            return Ok(false);
        };
        let Ok(raw) = reader.value(number, kind) else {
            return Ok(false);
        };
        if !reader.is_empty() {
            return Ok(false);
        }
        if let (Some(id), Raw::Len(bytes)) = (field.kind.message(), raw) {
            self.message(id, &[bytes])?;
        } else {
            match Scalar::decode(self.tables, field.kind, raw) {
                Ok(Some(Scalar::Text(text))) => escape::string(self.out, text),
                Ok(Some(Scalar::F64(value))) if value.is_finite() => float(self.out, value, value),
                Ok(Some(scalar @ (Scalar::Bool(_) | Scalar::Enum(..)))) => self.scalar(scalar),
                _ => return Ok(false),
            }
        }
        self.check()?;
        Ok(true)
    }

    /// Prints a wrapper of at most one record.
    fn wrapped(&mut self, field: &Field, bytes: &[u8]) -> Result<bool, Stop> {
        let scalar = if bytes.is_empty() {
            Scalar::default(self.tables, field.kind)
        } else {
            let kind = wire_type(field.kind);
            let mut reader = Reader::new(bytes);
            if reader.tag() != Ok((field.number, kind)) {
                return Ok(false);
            }
            match reader.value(field.number, kind) {
                Ok(raw) if reader.is_empty() => {
                    Scalar::decode(self.tables, field.kind, raw).unwrap_or_default()
                }
                _ => return Ok(false),
            }
        };
        let Some(scalar) = scalar else {
            return Ok(false);
        };
        self.scalar(scalar);
        self.check()?;
        Ok(true)
    }

    /// Prints the fields of a `Struct`.
    fn fields(&mut self, message: &'t Message, field: &'t Field, bytes: &[u8]) -> Result<(), Stop> {
        let start = self.out.len();
        let mut keys = Keys::default();
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let tag = reader.whole_tag()?;
            if tag != FIRST {
                self.stray(message, tag, None, &mut reader)?;
                continue;
            }
            let entry = reader.bytes()?;
            self.entry(field, entry, |walker, key| {
                walker.out.push(b',');
                if keys.insert(key) {
                    Ok(())
                } else {
                    Err(Stop::Conflict)
                }
            })
            .map_err(|stop| stop.within(message, field))?;
        }
        self.close_object(start);
        Ok(())
    }

    /// Prints the values of a `ListValue`.
    fn values(&mut self, message: &'t Message, field: &'t Field, bytes: &[u8]) -> Result<(), Stop> {
        let start = self.out.len();
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let tag = reader.whole_tag()?;
            let (FIRST, Kind::Message(id)) = (tag, field.kind) else {
                self.stray(message, tag, None, &mut reader)?;
                continue;
            };
            let value = reader.bytes()?;
            self.out.push(b',');
            self.message(id, &[value])
                .and_then(|()| self.check())
                .map_err(|stop| stop.within(message, field))?;
        }
        self.close(start, b'[', b']');
        Ok(())
    }
}
