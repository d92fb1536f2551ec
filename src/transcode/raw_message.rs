//! A request body that is a protobuf message already: checked as JSON would be, and put in its place
//! (B13, B2-B4).
//!
//! Fields that the schema does not know pass, as protobuf has it, and of a singular field that comes
//! several times the last counts. What is no message, is no text where text must be, lacks a required
//! field or says otherwise than the path is refused with the path of the field.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::bind::{Node, Slot};
use super::json_to_wire::{Rejection, Request, wire_type};
use super::proto::{Malformed, Raw, Reader, WireType, put_len_field, put_tag, put_varint};
use super::{MAX_DEPTH, Violation};
use crate::schema::binding::BodyTarget;
use crate::schema::plan::{Field, Kind, Message, MessageId, Tables};

/// After so many complaints the rest of the body is not read.
const MAX_VIOLATIONS: usize = 32;

/// Appends the message that `wire` and the bound values stand for to `out`. After a rejection `out`
/// is as it was.
pub fn append(request: &Request<'_>, wire: &[u8], out: &mut Vec<u8>) -> Result<(), Rejection> {
    let root = &request.bound.root;
    let mut check = Check {
        tables: request.tables,
        path: Vec::new(),
        violations: Vec::new(),
    };
    let start = out.len();
    match request.target {
        BodyTarget::None => {}
        BodyTarget::Whole => {
            check.message(request.message, wire, Some(root));
            out.extend_from_slice(wire);
        }
        BodyTarget::Field(step) => {
            let message = request.tables.message(request.message);
            if let Some(field) = message.by_number(step.number) {
                check.value(message, field, Raw::Len(wire), Some(root));
                check.absent(message, &[field.number], Some(root));
                put_field(field, wire, out);
            }
        }
    }
    out.extend_from_slice(&request.bound.wire);
    let result = if !check.violations.is_empty() {
        Err(Rejection::Invalid(check.violations))
    } else if out.len() - start > request.limit {
        Err(Rejection::TooLarge)
    } else {
        Ok(())
    };
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn put_field(field: &Field, content: &[u8], out: &mut Vec<u8>) {
    if wire_type(field.kind) == WireType::StartGroup {
        put_tag(out, field.number, WireType::StartGroup);
        out.extend_from_slice(content);
        put_tag(out, field.number, WireType::EndGroup);
    } else {
        put_len_field(out, field.number, content);
    }
}

/// One pass over a message.
struct Check<'t> {
    tables: &'t Tables,
    /// JSON names from the root to here.
    path: Vec<&'t str>,
    violations: Vec<Violation>,
}

impl<'t> Check<'t> {
    fn complain(&mut self, description: impl Into<Cow<'static, str>>) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(Violation {
                field: self.path.join("."),
                description: description.into().into_owned(),
                offset: None,
            });
        }
    }

    /// Checks a message and everything in it.
    fn message(&mut self, id: MessageId, wire: &[u8], node: Option<&Node>) {
        if self.path.len() > MAX_DEPTH {
            return self.complain(format!("is nested deeper than {MAX_DEPTH} levels"));
        }
        let message = self.tables.message(id);
        let mut given: SmallVec<[u32; 16]> = SmallVec::new();
        if let Err(malformed) = self.records(message, wire, node, &mut given) {
            let the_body = if self.path.is_empty() {
                "the body "
            } else {
                ""
            };
            let what = malformed.describe();
            self.complain(format!("{the_body}is no protobuf message: {what}"));
        }
        self.absent(message, &given, node);
    }

    /// Checks each record; notes the fields that were given where somebody will ask for them.
    fn records(
        &mut self,
        message: &'t Message,
        wire: &[u8],
        node: Option<&Node>,
        given: &mut SmallVec<[u32; 16]>,
    ) -> Result<(), Malformed> {
        let notes = node.is_some() || message.fields.iter().any(|field| field.required);
        let mut reader = Reader::new(wire);
        while !reader.is_empty() && self.violations.len() < MAX_VIOLATIONS {
            let (number, kind) = reader.tag()?;
            let value = reader.value(number, kind)?;
            if message.message_set {
                continue;
            }
            if let Some(field) = message.by_number(number) {
                if notes && !given.contains(&number) {
                    given.push(number);
                }
                self.value(message, field, value, node);
            }
        }
        Ok(())
    }

    /// Checks the value of one field.
    fn value(
        &mut self,
        message: &'t Message,
        field: &'t Field,
        value: Raw<'_>,
        node: Option<&Node>,
    ) {
        self.path.push(&field.json_name);
        let slot = node.and_then(|node| node.fields.get(&field.number));
        match slot {
            Some(Slot::Path(expected)) if record(field.number, value) != *expected => {
                self.complain("has another value in the body than in the path");
            }
            Some(Slot::Header(expected)) if record(field.number, value) != *expected => {
                self.complain("has another value in the body than in a header");
            }
            _ => {}
        }
        if let (Some(oneof), Some(node)) = (field.oneof, node) {
            let elsewhere = |number: &u32| {
                let other = message.by_number(*number);
                *number != field.number && other.is_some_and(|other| other.oneof == Some(oneof))
            };
            if node.fields.keys().any(elsewhere) {
                let name = message.oneofs.get(usize::from(oneof));
                let name = name.map_or("", |name| name);
                self.complain(format!(
                    "another field of the oneof `{name}` is set by the URL"
                ));
            }
        }
        match (field.kind, value) {
            (Kind::Message(id), Raw::Len(content))
            | (Kind::Group(id), Raw::Group(content) | Raw::Len(content)) => {
                let below = match slot {
                    Some(Slot::Message { node, .. }) => Some(node),
                    _ => None,
                };
                self.message(id, content, below);
            }
            (Kind::String, Raw::Len(text))
                if field.verify_utf8 && std::str::from_utf8(text).is_err() =>
            {
                self.complain("is not valid UTF-8");
            }
            (kind, Raw::Len(values)) if kind.packable() && !is_packed(kind, values) => {
                self.complain("is no list of values of its type");
            }
            _ => {}
        }
        self.path.pop();
    }

    /// Complains about required fields that are set nowhere, in this message and in those of which
    /// only the URL sets something.
    fn absent(&mut self, message: &'t Message, given: &[u32], node: Option<&Node>) {
        let bound = |number: &u32| node.is_some_and(|node| node.fields.contains_key(number));
        for field in message.fields.iter().filter(|field| field.required) {
            if !given.contains(&field.number) && !bound(&field.number) {
                self.path.push(&field.json_name);
                self.complain("is required");
                self.path.pop();
            }
        }
        for (number, slot) in node.iter().flat_map(|node| &node.fields) {
            if let Slot::Message { node, .. } = slot
                && !given.contains(number)
                && let Some(field) = message.by_number(*number)
                && let Some(inner) = field.kind.message()
            {
                self.path.push(&field.json_name);
                self.message(inner, b"", Some(node));
                self.path.pop();
            }
        }
    }
}

/// A record as the gateway itself would write it.
fn record(number: u32, value: Raw<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match value {
        Raw::Varint(value) => {
            put_tag(&mut out, number, WireType::Varint);
            put_varint(&mut out, value);
        }
        Raw::Fixed32(value) => {
            put_tag(&mut out, number, WireType::Fixed32);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Raw::Fixed64(value) => {
            put_tag(&mut out, number, WireType::Fixed64);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Raw::Len(content) => put_len_field(&mut out, number, content),
        Raw::Group(content) => {
            put_tag(&mut out, number, WireType::StartGroup);
            out.extend_from_slice(content);
            put_tag(&mut out, number, WireType::EndGroup);
        }
    }
    out
}

fn is_packed(kind: Kind, values: &[u8]) -> bool {
    match wire_type(kind) {
        WireType::Fixed32 => values.len().is_multiple_of(4),
        WireType::Fixed64 => values.len().is_multiple_of(8),
        _ => {
            let mut reader = Reader::new(values);
            while !reader.is_empty() {
                if reader.varint().is_err() {
                    return false;
                }
            }
            true
        }
    }
}
