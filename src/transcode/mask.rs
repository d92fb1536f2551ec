//! Partial responses: the fields that a client wants of an answer (B8, `fields` and
//! `X-Goog-FieldMask`).
//!
//! ```text
//! list = item { "," item }
//! item = name { ( "/" | "." ) name } [ "(" list ")" ]
//! name = proto or JSON name | "*"
//! ```
//! `a/b,a/c` and `a(b,c)` are the same, and `*` is all there is at its place. The answer is pruned on
//! the wire, before it becomes JSON: what nobody wants is never written.

use std::collections::BTreeMap;

use super::names;
use super::proto::{Malformed, Raw, Reader, WireType, put_len_field, put_tag, put_varint};
use crate::schema::binding::FieldStep;
use crate::schema::plan::{Cardinality, Field, Message, MessageId, Tables};

/// Masks are no deeper than messages are read.
const MAX_DEPTH: usize = 100;

/// What a client wants of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// All of it, whatever `fields` says.
    all: bool,
    /// By field number.
    fields: BTreeMap<u32, Self>,
}

impl Mask {
    /// Reads what is wanted of an answer: of a message, or of the one field of it that is the body.
    /// `None` wants everything; an error says what is wrong.
    pub fn parse(
        tables: &Tables,
        message: MessageId,
        selection: Option<FieldStep>,
        text: &str,
    ) -> Result<Option<Self>, String> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let inside = match selection {
            Some(step) => {
                let field = tables.message(step.message).by_number(step.number);
                field.and_then(below)
            }
            None => Some(message),
        };
        let mut mask = Self::default();
        let mut parser = Parser { tables, rest: text };
        parser.list(&mut mask, inside, 0)?;
        if !parser.rest.is_empty() {
            return Err("a bracket is closed that was not opened".to_owned());
        }
        if mask.all {
            return Ok(None);
        }
        Ok(Some(match selection {
            Some(step) => Self {
                all: false,
                fields: BTreeMap::from([(step.number, mask)]),
            },
            None => mask,
        }))
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
                Raw::Len(content) if !below.all => {
                    let mut pruned = Vec::new();
                    below.prune_message(content, &mut pruned)?;
                    put_len_field(out, number, &pruned);
                }
                Raw::Len(content) => put_len_field(out, number, content),
                Raw::Group(content) => {
                    put_tag(out, number, WireType::StartGroup);
                    if below.all {
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

/// The bytes of a field that is a message, all its pieces merged.
pub fn field_of(wire: &[u8], number: u32) -> Result<Vec<u8>, WireMalformed> {
    let mut found = Vec::new();
    let mut reader = Reader::new(wire);
    while !reader.is_empty() {
        let (own, wire_type) = reader.tag().map_err(WireMalformed)?;
        let value = reader.value(own, wire_type).map_err(WireMalformed)?;
        if let (true, Raw::Len(content) | Raw::Group(content)) = (own == number, value) {
            found.extend_from_slice(content);
        }
    }
    Ok(found)
}

/// The message below a field that a path may lead into. Below a map the keys are data.
fn below(field: &Field) -> Option<MessageId> {
    match field.cardinality {
        Cardinality::Map => None,
        Cardinality::Singular | Cardinality::Repeated => field.kind.message(),
    }
}

/// A mask that is being read.
struct Parser<'a> {
    tables: &'a Tables,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    /// What is wanted of a message, up to the end or a bracket that closes.
    fn list(
        &mut self,
        mask: &mut Mask,
        inside: Option<MessageId>,
        depth: usize,
    ) -> Result<(), String> {
        loop {
            self.item(mask, inside, depth)?;
            if !self.eat(',') {
                return Ok(());
            }
        }
    }

    fn item(
        &mut self,
        mut mask: &mut Mask,
        mut inside: Option<MessageId>,
        mut depth: usize,
    ) -> Result<(), String> {
        loop {
            let name = self.name()?;
            depth += 1;
            if depth > MAX_DEPTH {
                return Err(format!("it is deeper than {MAX_DEPTH} fields"));
            }
            let Some(message) = inside.map(|id| self.tables.message(id)) else {
                let name = names::clip(name);
                return Err(format!("`{name}` stands below a field that has no fields"));
            };
            if name == "*" {
                mask.all = true;
                return Ok(());
            }
            let field = find(message, name)?;
            mask = mask.fields.entry(field.number).or_default();
            inside = below(field);
            if self.eat('(') {
                self.list(mask, inside, depth)?;
                if self.eat(')') {
                    return Ok(());
                }
                return Err("a bracket is not closed".to_owned());
            }
            if !self.eat('/') && !self.eat('.') {
                mask.all = true;
                return Ok(());
            }
        }
    }

    fn name(&mut self) -> Result<&'a str, String> {
        const ENDS: [char; 5] = ['/', '.', '(', ')', ','];
        self.rest = self.rest.trim_start();
        // The name of an extension has dots between its brackets.
        let end = if self.rest.starts_with('[') {
            self.rest.find(']').map(|at| at + 1)
        } else {
            self.rest.find(ENDS)
        };
        let (name, rest) = self
            .rest
            .split_at_checked(end.unwrap_or(self.rest.len()))
            .unwrap_or((self.rest, ""));
        self.rest = rest;
        match name.trim_end() {
            "" => Err("the name of a field is missing".to_owned()),
            name => Ok(name),
        }
    }

    fn eat(&mut self, wanted: char) -> bool {
        let rest = self.rest.trim_start();
        let found = rest.strip_prefix(wanted);
        self.rest = found.unwrap_or(rest);
        found.is_some()
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
