//! The well-known types whose JSON form is one token.

use super::{Doubt, Quick};
use crate::schema::plan::{Message, Tag, WellKnown};
use crate::transcode::time;

impl<'t> Quick<'t, '_> {
    /// Reads a message with a JSON form of its own and appends its content.
    pub(super) fn well_known(
        &mut self,
        message: &'t Message,
        well_known: WellKnown,
    ) -> Result<(), Doubt> {
        match well_known {
            WellKnown::Wrapper => {
                let target = message.parsing().targets.first().ok_or(Doubt)?;
                self.scalar(target.kind, target.tag, true)
            }
            WellKnown::Timestamp => {
                let text = self.cursor.string()?.plain()?;
                self.put_time(time::parse_timestamp(text))
            }
            WellKnown::Duration => {
                let text = self.cursor.string()?.plain()?;
                self.put_time(time::parse_duration(text))
            }
            WellKnown::FieldMask => self.field_mask(),
            WellKnown::Struct | WellKnown::Value | WellKnown::ListValue => self.free(well_known),
            WellKnown::Any => self.any(),
            WellKnown::Empty => Err(Doubt),
        }
    }

    #[inline]
    fn put_time(&mut self, parsed: Option<(i64, i32)>) -> Result<(), Doubt> {
        const SECONDS: Tag = Tag::new(1, 0);
        const NANOS: Tag = Tag::new(2, 0);
        let (seconds, nanos) = parsed.ok_or(Doubt)?;
        if seconds != 0 {
            self.out.put_varint(SECONDS, seconds as u64)?;
        }
        if nanos != 0 {
            self.out.put_varint(NANOS, i64::from(nanos) as u64)?;
        }
        Ok(())
    }

    /// Paths in camelCase, separated by commas; on the wire they are as in the proto file.
    fn field_mask(&mut self) -> Result<(), Doubt> {
        const PATH: Tag = Tag::new(1, 2);
        let text = self.cursor.string()?.plain()?;
        if text.is_empty() {
            return Ok(());
        }
        for path in text.split(|byte| *byte == b',') {
            self.out.put_tag(PATH)?;
            let length = self.out.open_width(1)?;
            for byte in path {
                match byte {
                    b'A'..=b'Z' => self.out.put([b'_', byte.to_ascii_lowercase()], 2)?,
                    b'_' => return Err(Doubt),
                    byte => self.out.put_byte(*byte)?,
                }
            }
            self.out.close(length)?;
        }
        Ok(())
    }
}
