//! Tests of the codec as a whole, and the schema they share.

mod assemble;
mod bind;
mod cases;
mod differential;
mod generate;
mod json_to_wire;
mod limits;
mod pair;
mod quick;
mod quick_json;
mod random;
mod schemas;
mod values;
mod wire_to_json;

use std::sync::LazyLock;

use super::Violation;
use super::bind::Bound;
use super::json_to_wire::{Rejection, Request};
use super::wire_to_json::{Response, Written};
use crate::schema::Schema;
use crate::schema::binding::{BodyTarget, FieldStep};
use crate::schema::compile::{Input, compile};
use crate::schema::plan::MessageId;
use crate::schema::policy::JsonOptions;
use crate::schema::tests::{shown, source_files};

/// The schema of these tests.
pub(super) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let input = Input {
        files: source_files(&[
            ("new.proto", include_str!("new.proto")),
            ("old.proto", include_str!("old.proto")),
        ]),
        ..Input::default()
    };
    let (schema, problems) = compile(&input);
    assert!(problems.is_empty(), "{}", shown(&problems));
    schema
});

pub(super) const LIMIT: usize = 1 << 20;

/// A message of the schema by its short name.
pub(super) fn message(name: &str) -> MessageId {
    let full = if name.contains('.') {
        name.to_owned()
    } else {
        format!("t.{name}")
    };
    SCHEMA
        .tables
        .find_message(&full)
        .expect("the type is in the schema")
}

/// One field of a message.
pub(super) fn step(name: &str, field: &str) -> FieldStep {
    let id = message(name);
    let number = SCHEMA
        .tables
        .message(id)
        .by_name(field)
        .expect("the field is there")
        .number;
    FieldStep {
        message: id,
        number,
    }
}

/// Transcodes a body with what the URL said.
pub(super) fn encode(
    name: &str,
    target: &BodyTarget,
    bound: &Bound,
    options: &JsonOptions,
    json: &[u8],
) -> Result<Vec<u8>, Rejection> {
    let request = Request {
        tables: &SCHEMA.tables,
        message: message(name),
        target,
        bound,
        options,
        limit: LIMIT,
    };
    let mut out = b"kept".to_vec();
    let result = super::json_to_wire::transcode(&request, json, &mut out);
    assert!(out.starts_with(b"kept"));
    if result.is_err() {
        assert_eq!(out.len(), 4, "nothing is appended after a rejection");
    }
    result.map(|()| out.split_off(4))
}

/// Transcodes a whole body.
pub(super) fn to_wire(name: &str, json: &str) -> Result<Vec<u8>, Rejection> {
    let options = JsonOptions::default();
    encode(
        name,
        &BodyTarget::Whole,
        &Bound::default(),
        &options,
        json.as_bytes(),
    )
}

/// Complaints as `path: description`, joined by semicolons.
pub(super) fn complaints(violations: &[Violation]) -> String {
    let texts: Vec<String> = violations
        .iter()
        .map(|violation| format!("{}: {}", violation.field, violation.description))
        .collect();
    texts.join("; ")
}

/// What is wrong with a body.
pub(super) fn rejected(result: Result<Vec<u8>, Rejection>) -> String {
    match result {
        Ok(wire) => format!("accepted: {wire:?}"),
        Err(Rejection::TooLarge) => String::from("too large"),
        Err(Rejection::Invalid(violations)) => {
            assert!(!violations.is_empty());
            complaints(&violations)
        }
    }
}

/// Prints a message with options.
pub(super) fn print(
    name: &str,
    options: &JsonOptions,
    wire: &[u8],
) -> Result<(String, Written), String> {
    let response = Response {
        tables: &SCHEMA.tables,
        message: message(name),
        selection: None,
        options,
        limit: LIMIT,
    };
    let mut out = b"kept".to_vec();
    match super::wire_to_json::transcode(&response, wire, &mut out) {
        Ok(written) => {
            let text = String::from_utf8(out.split_off(4)).expect("JSON is UTF-8");
            let _valid: &serde_json::value::RawValue =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            Ok((text, written))
        }
        Err(error) => {
            assert_eq!(out, b"kept", "nothing is appended after an error");
            Err(error.to_string())
        }
    }
}

/// Prints a message as ProtoJSON has it.
pub(super) fn to_json(name: &str, wire: &[u8]) -> Result<String, String> {
    print(name, &JsonOptions::default(), wire).map(|(json, _)| json)
}

/// A JSON text to wire and back.
pub(super) fn round(name: &str, json: &str) -> String {
    match to_wire(name, json) {
        Ok(wire) => to_json(name, &wire).unwrap_or_else(|error| format!("unprintable: {error}")),
        rejected => self::rejected(rejected),
    }
}
