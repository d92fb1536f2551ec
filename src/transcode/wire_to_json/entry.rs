//! The quick pass over the entries of maps: a key, then a value, as every encoder writes them.
//! Anything else is left to [`Entry`], before anything is printed.

use super::group::Entry;
use super::scalar::{Identity, Scalar};
use super::walker::{Stop, Walker};
use crate::schema::plan::{Field, MessageId};
use crate::transcode::json_to_wire::wire_type;
use crate::transcode::proto::{Raw, Reader};

enum Value<'w> {
    Scalar(Scalar<'w>),
    Message(MessageId, &'w [u8]),
}

impl<'t> Walker<'t, '_> {
    /// Prints an entry behind what `before` prints, which is told the key.
    pub(super) fn entry<'w>(
        &mut self,
        map: &'t Field,
        bytes: &'w [u8],
        before: impl FnOnce(&mut Self, Identity<'w>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if let Some((key, value)) = self.key_and_value(map, bytes) {
            before(self, key.identity())?;
            self.map_key(key);
            self.out.push(b':');
            match value {
                Value::Scalar(scalar) => self.scalar(scalar),
                Value::Message(id, content) => self.message(id, &[content])?,
            }
            return self.check();
        }
        let Some(entry) = Entry::read(self.tables, map, bytes)? else {
            self.unknown_fields += 1;
            return Ok(());
        };
        before(self, entry.key.identity())?;
        self.map_key(entry.key);
        self.out.push(b':');
        self.entry_value(&entry)
    }

    /// Key and value, if that is what the entry is made of.
    fn key_and_value<'w>(&self, map: &Field, bytes: &'w [u8]) -> Option<(Scalar<'w>, Value<'w>)> {
        let [key, value] = &*self.tables.message(map.kind.message()?).fields else {
            return None;
        };
        let mut reader = Reader::new(bytes);
        let key_raw = only(&mut reader, key)?;
        let value_raw = only(&mut reader, value)?;
        if !reader.is_empty() {
            return None;
        }
        let key = Scalar::decode(self.tables, key.kind, key_raw).ok()??;
        let value = match (value.kind.message(), value_raw) {
            (Some(id), Raw::Len(content)) => Value::Message(id, content),
            (Some(_), _) => return None,
            (None, raw) => Value::Scalar(Scalar::decode(self.tables, value.kind, raw).ok()??),
        };
        Some((key, value))
    }
}

/// The next record, if it is one of this field.
#[inline]
fn only<'w>(reader: &mut Reader<'w>, field: &Field) -> Option<Raw<'w>> {
    let kind = wire_type(field.kind);
    if reader.tag().ok()? != (field.number, kind) {
        return None;
    }
    reader.value(field.number, kind).ok()
}
