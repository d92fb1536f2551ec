//! Partial responses: the fields that a client wants of an answer (B8, `fields` and
//! `X-Goog-FieldMask`).
//!
//! The answer is pruned on the wire, before it becomes JSON: what nobody wants is never written.

use std::collections::BTreeMap;

use super::names;
use super::proto::{Malformed, Raw, Reader, WireType, put_len_field, put_tag, put_varint};
use crate::schema::plan::{Cardinality, Field, Message, MessageId, Tables};

/// Masks are no deeper than messages are read.
const MAX_DEPTH: usize = 100;

/// What a client wants of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// By field number; nothing below a field means all of it.
    fields: BTreeMap<u32, Self>,
}

impl Mask {
    /// Reads a comma-separated list of paths (`name,sub.size`, by proto or JSON names, slashes as
    /// good as dots) against a message. `None` wants everything; an error says what is wrong.
    pub fn parse(tables: &Tables, message: MessageId, text: &str) -> Result<Option<Self>, String> {
        let mut mask = Self::default();
        for path in text
            .split(',')
            .map(str::trim)
            .filter(|path| !path.is_empty())
        {
            if path == "*" {
                return Ok(None);
            }
            mask.add(tables, message, path)?;
        }
        Ok((!mask.fields.is_empty()).then_some(mask))
    }

    fn add(&mut self, tables: &Tables, message: MessageId, path: &str) -> Result<(), String> {
        let mut mask = self;
        let mut inside = Some(message);
        let mut names = path.split(['.', '/']).take(MAX_DEPTH).peekable();
        while let Some(name) = names.next() {
            if name == "*" {
                break;
            }
            let Some(message) = inside.map(|id| tables.message(id)) else {
                return Err(format!("`{path}` goes on below a field that has no fields"));
            };
            let field = find(message, name)?;
            let known = mask.fields.contains_key(&field.number);
            let below = mask.fields.entry(field.number).or_default();
            if known && below.fields.is_empty() {
                // All of it is wanted already.
                return Ok(());
            }
            if names.peek().is_none() {
                below.fields.clear();
            }
            mask = below;
            // Below a map the keys are data, and no path leads there.
            inside = match field.cardinality {
                Cardinality::Map => None,
                Cardinality::Singular | Cardinality::Repeated => field.kind.message(),
            };
        }
        Ok(())
    }

    /// Appends what is wanted of an encoded message to `out`.
    pub fn prune(&self, wire: &[u8], out: &mut Vec<u8>) -> Result<(), WireMalformed> {
        self.prune_message(wire, out).map_err(WireMalformed)
    }

    fn prune_message(&self, wire: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut reader = Reader::new(wire);
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag()?;
            let value = reader.value(number, wire_type)?;
            let Some(below) = self.fields.get(&number) else {
                continue;
            };
            match value {
                Raw::Len(content) if !below.fields.is_empty() => {
                    let mut pruned = Vec::new();
                    below.prune_message(content, &mut pruned)?;
                    put_len_field(out, number, &pruned);
                }
                Raw::Len(content) => put_len_field(out, number, content),
                Raw::Group(content) => {
                    put_tag(out, number, WireType::StartGroup);
                    if below.fields.is_empty() {
                        out.extend_from_slice(content);
                    } else {
                        below.prune_message(content, out)?;
                    }
                    put_tag(out, number, WireType::EndGroup);
                }
                Raw::Varint(value) => {
                    put_tag(out, number, wire_type);
                    put_varint(out, value);
                }
                Raw::Fixed32(value) => {
                    put_tag(out, number, wire_type);
                    out.extend_from_slice(&value.to_le_bytes());
                }
                Raw::Fixed64(value) => {
                    put_tag(out, number, wire_type);
                    out.extend_from_slice(&value.to_le_bytes());
                }
            }
        }
        Ok(())
    }
}

/// The message to be pruned is none; the application sent it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireMalformed(Malformed);

impl std::fmt::Display for WireMalformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.describe())
    }
}

fn find<'m>(message: &'m Message, name: &str) -> Result<&'m Field, String> {
    message.by_name(name).ok_or_else(|| {
        let what = format!(
            "`{}` is no field of {}",
            names::clip(name),
            message.full_name
        );
        names::unknown(&what, names::nearest_field(name, message))
    })
}
