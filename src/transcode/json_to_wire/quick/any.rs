//! `google.protobuf.Any`, as printers write it: `@type` comes first.

use super::object::Members;
use super::{Doubt, Quick};
use crate::schema::plan::{MessageId, Tag, WellKnown};
use crate::transcode::known;

impl Quick<'_, '_> {
    /// Reads an `Any` and appends its content.
    pub(super) fn any(&mut self) -> Result<(), Doubt> {
        const URL: Tag = Tag::new(1, 2);
        const VALUE: Tag = Tag::new(2, 2);
        self.enter()?;
        if self.cursor.open(b'{', b'}')? {
            if self.cursor.string()?.plain()? != b"@type" {
                return Err(Doubt);
            }
            self.cursor.expect(b':')?;
            let text = self.cursor.string()?;
            let url = std::str::from_utf8(text.plain()?).map_err(|_error| Doubt)?;
            let (_, name) = url.rsplit_once('/').ok_or(Doubt)?;
            let (tables, id) = known::find(self.schema, name).ok_or(Doubt)?;
            self.put_text(URL, text)?;
            let start = self.out.at;
            self.out.put_tag(VALUE)?;
            let length = self.out.open(self.depth)?;
            let outer = std::mem::replace(&mut self.tables, tables);
            self.usual = None;
            self.any_members(id)?;
            self.tables = outer;
            self.usual = None;
            if self.out.is_empty_since(length) {
                self.out.truncate(start);
            } else {
                self.out.close(length)?;
            }
        }
        self.leave();
        Ok(())
    }

    /// Reads what stands behind `@type`.
    fn any_members(&mut self, id: MessageId) -> Result<(), Doubt> {
        let message = self.tables.message(id);
        let more = self.cursor.more(b'}')?;
        match message.well_known {
            None => {
                let mut members = Members::new(message, None);
                if more {
                    self.members(&mut members)?;
                }
                self.finish(&members)
            }
            Some(WellKnown::Empty) if !more => Ok(()),
            Some(_) if !more => Err(Doubt),
            Some(_) => {
                if self.cursor.string()?.plain()? != b"value" {
                    return Err(Doubt);
                }
                self.cursor.expect(b':')?;
                self.content(id, None)?;
                // A second member is none of theirs.
                if self.cursor.more(b'}')? {
                    Err(Doubt)
                } else {
                    Ok(())
                }
            }
        }
    }
}
