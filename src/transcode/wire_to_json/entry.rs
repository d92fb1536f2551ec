//! The quick pass over the entries of maps: a key, then a value, as every encoder writes them.
//! Anything else is left to [`group::Entry`], before anything is printed.

use super::group;
use super::keys::Keys;
use super::walker::{Stop, Walker};
use crate::schema::plan::{Kind, MessageId, Rendered, Tables};
use crate::transcode::proto::Reader;

/// An entry that will be printed.
pub(super) enum Entry<'t, 'w> {
    /// A key and a value, each with its type and before its first byte.
    Plain {
        key: (Kind, Reader<'w>),
        value: (Kind, Reader<'w>),
    },
    /// Anything else.
    Odd(group::Entry<'t, 'w>),
}

impl<'t> Walker<'t, '_> {
    /// Reads an entry of a map of this kind; `None` if it is an unknown field as a whole.
    #[inline]
    pub(super) fn entry<'w>(
        &self,
        map: Kind,
        bytes: &'w [u8],
    ) -> Result<Option<Entry<'t, 'w>>, Stop> {
        let Some(id) = map.message() else {
            return Ok(None);
        };
        if let Some(plain) = plain(self.tables, id, bytes) {
            return Ok(Some(plain));
        }
        Ok(group::Entry::read(self.tables, map, bytes)?.map(Entry::Odd))
    }

    /// Prints an entry behind `before`.
    #[inline]
    pub(super) fn print_entry(
        &mut self,
        entry: &mut Entry<'t, '_>,
        before: &Rendered,
        keys: &mut Keys,
    ) -> Result<(), Stop> {
        self.out.rendered(before)?;
        let start = self.out.len();
        match entry {
            Entry::Plain { key, .. } => self.entry_key(key.0, &mut key.1)?,
            Entry::Odd(entry) => self.map_key(entry.key),
        }
        let place = start..self.out.len();
        if !keys.insert(self.scratch, &self.out, place) {
            return Err(Stop::Conflict);
        }
        match entry {
            Entry::Plain { value, .. } => match value.0 {
                Kind::Message(id) => {
                    let bytes = value.1.bytes()?;
                    self.submessage(Rendered::COLON, id, bytes)
                }
                kind => self.value(kind, &mut value.1, Rendered::COLON),
            },
            Entry::Odd(entry) => {
                self.out.byte(b':')?;
                self.entry_value(entry)
            }
        }
    }
}

/// Key and value, if that is what the entry is made of.
#[inline]
fn plain<'t, 'w>(tables: &'t Tables, id: MessageId, bytes: &'w [u8]) -> Option<Entry<'t, 'w>> {
    let [key, value] = tables.message(id).printing().members() else {
        return None;
    };
    // What a closed enum lacks makes its entry unknown.
    if let Kind::Enum(id) = value.kind
        && tables.enumeration(id).closed
    {
        return None;
    }
    let mut reader = Reader::new(bytes);
    let mut next = |tag: u32| {
        let found = reader.whole_tag().ok()?;
        let start = reader;
        let skipped = match tag & 7 {
            0 => reader.varint().is_ok(),
            1 => reader.fixed64().is_ok(),
            2 => reader.bytes().is_ok(),
            5 => reader.fixed32().is_ok(),
            _ => false,
        };
        (found == tag && skipped).then_some(start)
    };
    let (first, second) = (next(key.tag)?, next(value.tag)?);
    reader.is_empty().then_some(Entry::Plain {
        key: (key.kind, first),
        value: (value.kind, second),
    })
}
