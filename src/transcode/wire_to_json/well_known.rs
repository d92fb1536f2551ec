//! The types whose JSON form is not that of their fields.

use super::ErrorKind;
use super::walker::{Stop, Walker};
use crate::schema::plan::{Kind, Message, MessageId, Rendered, WellKnown};
use crate::transcode::proto::{Raw, Reader};
use crate::transcode::{escape, time};

impl<'t> Walker<'t, '_> {
    /// Prints a message of a well-known type.
    pub(super) fn well_known(
        &mut self,
        message: &'t Message,
        well_known: WellKnown,
        fragments: &[&[u8]],
    ) -> Result<(), Stop> {
        match fragments {
            [bytes] if self.quick && !self.grouping => {
                self.known(Rendered::NOTHING, message, well_known, bytes)
            }
            fragments => self.known_slowly(message, well_known, fragments),
        }
    }

    /// Prints it from its records.
    pub(super) fn known_slowly(
        &mut self,
        message: &'t Message,
        well_known: WellKnown,
        fragments: &[&[u8]],
    ) -> Result<(), Stop> {
        match (well_known, message.fields.first()) {
            (WellKnown::Timestamp, _) => {
                let [seconds, nanos] = integers(fragments)?;
                time::write_timestamp(&mut self.out, seconds, nanos as i32)
                    .ok_or_else(|| Stop::from(ErrorKind::Timestamp))
            }
            (WellKnown::Duration, _) => {
                let [seconds, nanos] = integers(fragments)?;
                time::write_duration(&mut self.out, seconds, nanos as i32)
                    .ok_or_else(|| Stop::from(ErrorKind::Duration))
            }
            (WellKnown::FieldMask, _) => self.field_mask(fragments),
            (WellKnown::Any, _) => self.any(fragments),
            (WellKnown::Value, _) => self.set_member(message, fragments),
            (WellKnown::Wrapper, Some(field)) => self.bare_field(message, field, fragments),
            (WellKnown::Struct | WellKnown::ListValue, Some(field)) => {
                self.enter()?;
                self.bare_field(message, field, fragments)?;
                self.leave();
                Ok(())
            }
            (WellKnown::Empty, _) | (_, None) => {
                self.out.extend_from_slice(b"{}");
                Ok(())
            }
        }
    }

    /// Prints a message that is not set where a value must stand.
    pub(super) fn unset_message(&mut self, id: MessageId) {
        let text: &[u8] = match self.tables.message(id).well_known {
            None | Some(WellKnown::Any | WellKnown::Struct | WellKnown::Empty) => b"{}",
            Some(WellKnown::ListValue) => b"[]",
            Some(
                WellKnown::Timestamp
                | WellKnown::Duration
                | WellKnown::FieldMask
                | WellKnown::Value
                | WellKnown::Wrapper,
            ) => b"null",
        };
        self.out.extend_from_slice(text);
    }

    fn field_mask(&mut self, fragments: &[&[u8]]) -> Result<(), Stop> {
        let mut paths = String::new();
        for fragment in fragments {
            let mut reader = Reader::new(fragment);
            while !reader.is_empty() {
                let (number, wire_type) = reader.tag()?;
                let (1, Raw::Len(path)) = (number, reader.value(number, wire_type)?) else {
                    continue;
                };
                let path = std::str::from_utf8(path).map_err(|_error| ErrorKind::Utf8)?;
                let path = time::path_to_camel(path).ok_or(ErrorKind::FieldMask)?;
                if !paths.is_empty() {
                    paths.push(',');
                }
                paths.push_str(&path);
            }
        }
        escape::string(&mut self.out, &paths);
        Ok(())
    }

    /// Prints the member of a `Value` that is set; nothing set is null.
    fn set_member(&mut self, message: &'t Message, fragments: &[&[u8]]) -> Result<(), Stop> {
        let records = self.collect(message, fragments)?;
        let member = records
            .last()
            .and_then(|record| message.fields.get(record.index()));
        let Some(field) = member else {
            self.out.extend_from_slice(b"null");
            return Ok(());
        };
        if field.kind == Kind::Double
            && let Some(Raw::Fixed64(bits)) = records.last().map(|record| record.raw())
            && !f64::from_bits(bits).is_finite()
        {
            return Err(Stop::from(ErrorKind::NotFinite));
        }
        self.field(field, &records, true)?;
        self.check()
    }
}

/// The integers of fields 1 and 2; the last of each counts.
fn integers(fragments: &[&[u8]]) -> Result<[i64; 2], Stop> {
    let mut values = [0; 2];
    for fragment in fragments {
        let mut reader = Reader::new(fragment);
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag()?;
            match (number, reader.value(number, wire_type)?) {
                (1, Raw::Varint(value)) => values[0] = value as i64,
                (2, Raw::Varint(value)) => values[1] = value as i64,
                _ => {}
            }
        }
    }
    Ok(values)
}
