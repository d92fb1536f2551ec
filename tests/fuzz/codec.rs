//! Both ways of the codec, and the cutting of streams of JSON.

use bytes::Bytes;
use serde_json::value::RawValue;
use sidegate::schema::binding::BodyTarget;
use sidegate::schema::policy::{
    Defaults, EnumCase, Enums, FieldNames, Int64, JsonOptions, UnknownFields,
};
use sidegate::transcode::bind::Bound;
use sidegate::transcode::json_to_wire::{self, Rejection, Request};
use sidegate::transcode::split::{Framing, Splitter};
use sidegate::transcode::wire_to_json::{
    self, Response, WireError, Written, transcode_grouped, transcode_simply,
};

use super::schema::{SCHEMA, TYPES};

const LIMIT: usize = 1 << 20;

/// The options of a byte, of which bit 7 stands for what a reader lets pass.
fn options(bits: u8) -> JsonOptions {
    let pick = |bit: u8| bits >> bit & 1 == 1;
    JsonOptions {
        names: if pick(0) {
            FieldNames::Proto
        } else {
            FieldNames::Camel
        },
        int64: if pick(1) {
            Int64::Number
        } else {
            Int64::String
        },
        defaults: if pick(2) {
            Defaults::Emit
        } else {
            Defaults::Omit
        },
        enums: if pick(3) { Enums::Number } else { Enums::Name },
        unknown_fields: if pick(7) {
            UnknownFields::Ignore
        } else {
            UnknownFields::Reject
        },
        enum_case: if pick(7) {
            EnumCase::Insensitive
        } else {
            EnumCase::Exact
        },
        ..JsonOptions::default()
    }
}

type Read = fn(&Request<'_>, &[u8], &mut Vec<u8>) -> Result<(), Rejection>;

fn read(read: Read, name: &str, options: &JsonOptions, json: &[u8]) -> Result<Vec<u8>, Rejection> {
    let request = Request {
        tables: &SCHEMA.tables,
        message: SCHEMA.tables.find_message(name).expect("a known type"),
        target: &BodyTarget::Whole,
        bound: &Bound::default(),
        options,
        limit: LIMIT,
    };
    let mut out = b"kept".to_vec();
    let result = read(&request, json, &mut out);
    assert!(out.starts_with(b"kept"));
    match result {
        Ok(()) => Ok(out.split_off(4)),
        Err(rejection) => {
            assert_eq!(out.len(), 4, "nothing is appended after a rejection");
            Err(rejection)
        }
    }
}

type Transcode = fn(&Response<'_>, &[u8], &mut Vec<u8>) -> Result<Written, WireError>;

fn print(
    transcode: Transcode,
    name: &str,
    options: &JsonOptions,
    wire: &[u8],
) -> Result<(String, Written), WireError> {
    let response = Response {
        tables: &SCHEMA.tables,
        message: SCHEMA.tables.find_message(name).expect("a known type"),
        selection: None,
        options,
        limit: LIMIT,
    };
    let mut out = b"kept".to_vec();
    let written = transcode(&response, wire, &mut out)?;
    let json = String::from_utf8(out.split_off(4)).expect("JSON is UTF-8");
    assert_eq!(out, b"kept");
    let parsed: Result<&RawValue, _> = serde_json::from_str(&json);
    assert!(parsed.is_ok(), "{json}");
    Ok((json, written))
}

fn choose(data: &[u8]) -> Option<(&'static str, JsonOptions, &[u8])> {
    let [which, bits, rest @ ..] = data else {
        return None;
    };
    let name = TYPES.iter().cycle().nth(usize::from(*which))?;
    Some((name, options(*bits), rest))
}

/// A message type, options, JSON. The quick pass says what the simple one says, byte by byte. What
/// is accepted is JSON and prints; what is printed reads back as the same.
pub(crate) fn json_to_wire(data: &[u8]) {
    let Some((name, options, json)) = choose(data) else {
        return;
    };
    let quick = read(json_to_wire::transcode, name, &options, json);
    let simple = read(json_to_wire::transcode_simply, name, &options, json);
    assert_eq!(quick, simple);
    match quick {
        Ok(wire) => {
            let parsed: Result<&RawValue, _> = serde_json::from_slice(json);
            assert!(json.is_empty() || parsed.is_ok(), "no JSON was accepted");
            let plain = JsonOptions::default();
            let (text, written) = print(wire_to_json::transcode, name, &plain, &wire)
                .expect("what was read is printed");
            assert_eq!(written.unknown_fields, 0, "{text}");
            reads_back(name, &text);
        }
        Err(Rejection::TooLarge) => {}
        Err(Rejection::Invalid(violations)) => {
            assert!(!violations.is_empty() && violations.len() <= 32);
            for violation in violations {
                assert!(violation.offset.is_none_or(|offset| offset <= json.len()));
            }
        }
    }
}

/// What is printed is read, and printed again as the same.
fn reads_back(name: &str, text: &str) {
    let plain = JsonOptions::default();
    // A `NullValue` that is set is printed as null, which is read as if it were not.
    if text.contains("\"fNull\":null") {
        return;
    }
    match read(json_to_wire::transcode, name, &plain, text.as_bytes()) {
        Ok(wire) => {
            let again = print(wire_to_json::transcode, name, &plain, &wire);
            assert_eq!(again.map(|(again, _)| again).as_deref(), Ok(text));
        }
        // Readers refuse what writers let pass: a type nobody knows, a field that lacks.
        Err(rejection) => {
            let told = format!("{rejection:?}");
            let forgiven = [
                "is required",
                "is not known",
                "is no type URL",
                "@type",
                "any",
            ];
            assert!(
                forgiven.iter().any(|word| told.contains(word)),
                "{text} {told}"
            );
        }
    }
}

/// What JSON says, without the order in which it does.
fn members(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("it is JSON")
}

/// A message type, options, wire. The quick pass says what the simple one says, byte by byte and
/// error by error; what is printed is JSON and reads back as the same.
pub(crate) fn wire_to_json(data: &[u8]) {
    let Some((name, options, wire)) = choose(data) else {
        return;
    };
    let quick = print(wire_to_json::transcode, name, &options, wire);
    let simple = print(transcode_simply, name, &options, wire);
    assert_eq!(quick, simple);
    if let Ok((_, written)) = &quick {
        // Grouping all records changes the order of members at most.
        let grouped = print(transcode_grouped, name, &options, wire);
        assert_eq!(grouped.as_ref().map(|(_, written)| written), Ok(written));
        assert_eq!(
            grouped.map(|(text, _)| members(&text)),
            quick.map(|(text, _)| members(&text))
        );
    }
    if let Ok((text, _)) = print(wire_to_json::transcode, name, &JsonOptions::default(), wire) {
        reads_back(name, &text);
    }
}

/// A framing and a stream of JSON values. In whatever pieces it comes, it is cut into the same
/// values.
pub(crate) fn split(data: &[u8]) {
    let [which, piece, rest @ ..] = data else {
        return;
    };
    let framing = if which % 2 == 0 {
        Framing::Lines
    } else {
        Framing::Json
    };
    let whole = cut(framing, rest.chunks(rest.len().max(1)));
    let pieces = cut(framing, rest.chunks(usize::from(*piece).max(1)));
    assert_eq!(whole, pieces);
}

fn cut(framing: Framing, chunks: std::slice::Chunks<'_, u8>) -> (Vec<Bytes>, bool) {
    let mut splitter = Splitter::new(framing, 1 << 16);
    let mut values = Vec::new();
    for chunk in chunks {
        splitter.push(&Bytes::copy_from_slice(chunk));
        loop {
            match splitter.next_value() {
                Ok(Some(value)) => values.push(value),
                Ok(None) => break,
                Err(_) => return (values, false),
            }
        }
    }
    splitter.finish();
    loop {
        match splitter.next_value() {
            Ok(Some(value)) => values.push(value),
            Ok(None) => return (values, true),
            Err(_) => return (values, false),
        }
    }
}
