//! [`Decoder`]: header blocks of the far side.

use bytes::Bytes;
use http::HeaderValue;

use super::list::{Field, List};
use super::table::{Entry, Table};
use super::{DEFAULT_TABLE_BYTES, Malformed, huffman};

/// Decodes the blocks of one connection, in their order.
#[derive(Debug)]
pub(in crate::upstream::http2) struct Decoder {
    table: Table,
}

/// Bytes that stand in the block as they are, or were decoded.
#[derive(Clone, Debug)]
pub(super) enum Text<'b> {
    Borrowed(&'b [u8]),
    Decoded(Vec<u8>),
}

impl Decoder {
    pub(in crate::upstream::http2) fn new() -> Self {
        Self {
            table: Table::new(DEFAULT_TABLE_BYTES),
        }
    }

    /// Decodes a whole block into `list`.
    pub(in crate::upstream::http2) fn decode(
        &mut self,
        block: &[u8],
        list: &mut List,
    ) -> Result<(), Malformed> {
        let mut rest = block;
        let mut begun = false;
        while let Some(first) = rest.first().copied() {
            match first {
                0x80.. => {
                    let index = integer(&mut rest, 7)?;
                    let entry = self.table.get(index).ok_or(Malformed)?;
                    if list.admits(entry.size) {
                        list.add(entry.field.clone());
                    }
                }
                0x40.. => {
                    let entry = self.literal(&mut rest, 6)?;
                    if list.admits(entry.size) {
                        list.add(entry.field.clone());
                    }
                    self.table.insert(entry);
                }
                0x20.. => {
                    let size = integer(&mut rest, 5)?;
                    if begun || size > DEFAULT_TABLE_BYTES {
                        return Err(Malformed);
                    }
                    self.table.resize(size);
                    continue;
                }
                _ => {
                    let entry = self.literal(&mut rest, 4)?;
                    if list.admits(entry.size) {
                        list.add(entry.field);
                    }
                }
            }
            begun = true;
        }
        Ok(())
    }

    /// A field whose value stands in the block, its name there or in a table.
    fn literal(&self, rest: &mut &[u8], prefix: u32) -> Result<Entry, Malformed> {
        let index = integer(rest, prefix)?;
        if index == 0 {
            let name = text(rest)?;
            let value = text(rest)?;
            let (name_len, value_len) = (name.bytes().len(), value.bytes().len());
            let field = Field::new(name.bytes(), value);
            return Ok(Entry::new(field, name_len, value_len));
        }
        let named = self.table.get(index).ok_or(Malformed)?;
        let value = text(rest)?;
        let value_len = value.bytes().len();
        let field = named.field.with_value(value);
        Ok(Entry::new(field, named.name_len, value_len))
    }
}

impl Text<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Decoded(bytes) => bytes,
        }
    }

    /// As a header's value; `None` when it cannot be one.
    pub(super) fn into_value(self) -> Option<HeaderValue> {
        match self {
            Self::Borrowed(b"") => Some(HeaderValue::from_static("")),
            Self::Borrowed(bytes) => HeaderValue::from_bytes(bytes).ok(),
            Self::Decoded(bytes) => HeaderValue::from_maybe_shared(Bytes::from(bytes)).ok(),
        }
    }
}

/// An integer whose first byte has flags above `prefix` bits (RFC 7541, section 5.1). Beyond
/// four more bytes nothing sensible is counted.
fn integer(rest: &mut &[u8], prefix: u32) -> Result<usize, Malformed> {
    let (first, after) = rest.split_first().ok_or(Malformed)?;
    *rest = after;
    let most = (1_usize << prefix) - 1;
    let mut value = usize::from(*first) & most;
    if value < most {
        return Ok(value);
    }
    for shift in [0, 7, 14, 21] {
        let (byte, after) = rest.split_first().ok_or(Malformed)?;
        *rest = after;
        value += usize::from(*byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

/// A string, coded or not (RFC 7541, section 5.2).
fn text<'b>(rest: &mut &'b [u8]) -> Result<Text<'b>, Malformed> {
    let coded = rest.first().is_some_and(|byte| byte & 0x80 != 0);
    let len = integer(rest, 7)?;
    let (bytes, after) = rest.split_at_checked(len).ok_or(Malformed)?;
    *rest = after;
    if !coded {
        return Ok(Text::Borrowed(bytes));
    }
    let mut decoded = Vec::with_capacity(bytes.len() + bytes.len() / 2);
    huffman::decode(bytes, &mut decoded)?;
    Ok(Text::Decoded(decoded))
}
