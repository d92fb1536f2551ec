//! What the conformance suite of protobuf tests: our codec, spoken to over standard input and
//! output in the suite's own pipe protocol. It must never know more than the codec does.
//!
//! ```text
//! conformance_test_runner target/debug/examples/protobuf_testee messages.binpb
//! ```
//!
//! The gateway turns JSON to wire and wire to JSON, so those two ways are tested as they are. From
//! JSON to JSON goes through the wire, and from wire to wire through JSON: what cannot survive
//! that, as fields that no schema knows, is argued line by line in `failures.txt`.

#![allow(
    clippy::print_stderr,
    clippy::exit,
    reason = "a command: it reports and exits"
)]

mod pipe;

use std::path::Path;

use pipe::{Answer, Category, Format, Payload, Question};
use sidegate::schema::Schema;
use sidegate::schema::binding::BodyTarget;
use sidegate::schema::compile::{Input, compile};
use sidegate::schema::plan::MessageId;
use sidegate::schema::policy::{JsonOptions, UnknownFields};
use sidegate::source::descriptor_set;
use sidegate::transcode::bind::Bound;
use sidegate::transcode::json_to_wire::{self, Rejection, Request};
use sidegate::transcode::wire_to_json::{self, Response};

/// More than any case needs.
const LIMIT: usize = 64 << 20;

fn main() {
    // The runner gives a program its own name twice.
    let Some(path) = std::env::args_os().skip(1).last() else {
        eprintln!("usage: protobuf_testee MESSAGES.binpb, spoken to by conformance_test_runner");
        std::process::exit(64);
    };
    let result = load(Path::new(&path)).and_then(|schema| {
        pipe::serve(|question| answer(&schema, &question)).map_err(|error| error.to_string())
    });
    if let Err(problem) = result {
        eprintln!("{problem}");
        std::process::exit(1);
    }
}

fn load(path: &Path) -> Result<Schema, String> {
    let loaded = descriptor_set::load(path);
    let input = Input {
        files: loaded.files,
        ..Input::default()
    };
    let (schema, problems) = compile(&input);
    match loaded.problems.iter().chain(&problems).next() {
        None => Ok(schema),
        Some(problem) => Err(problem.to_string()),
    }
}

fn answer(schema: &Schema, question: &Question) -> Answer {
    // The runner asks for this first, to learn what it need not try.
    if question.message_type == "conformance.FailureSet" {
        return Answer::Protobuf(Vec::new());
    }
    let Some(message) = schema.tables.find_message(&question.message_type) else {
        return Answer::Broken(format!("there is no message {}", question.message_type));
    };
    let codec = Codec {
        schema,
        message,
        options: JsonOptions {
            unknown_fields: match question.category() {
                Category::JsonIgnoreUnknown => UnknownFields::Ignore,
                _ => UnknownFields::Reject,
            },
            ..JsonOptions::default()
        },
    };
    let result = match (&question.payload, question.format()) {
        (Some(Payload::Json(json)), Format::Protobuf) => {
            codec.to_wire(json.as_bytes()).map(Answer::Protobuf)
        }
        (Some(Payload::Protobuf(wire)), Format::Json) => codec.to_json(wire).map(Answer::Json),
        (Some(Payload::Json(json)), Format::Json) => codec
            .to_wire(json.as_bytes())
            .and_then(|wire| codec.to_json(&wire))
            .map(Answer::Json),
        (Some(Payload::Protobuf(wire)), Format::Protobuf) => codec
            .to_json(wire)
            .and_then(|json| codec.to_wire(json.as_bytes()))
            .map(Answer::Protobuf),
        _ => Err(Answer::Skipped("neither JSON nor binary".to_owned())),
    };
    result.unwrap_or_else(|failed| failed)
}

/// Both ways of one message type.
struct Codec<'s> {
    schema: &'s Schema,
    message: MessageId,
    options: JsonOptions,
}

impl Codec<'_> {
    fn to_wire(&self, json: &[u8]) -> Result<Vec<u8>, Answer> {
        let request = Request {
            tables: &self.schema.tables,
            message: self.message,
            target: &BodyTarget::Whole,
            bound: &Bound::default(),
            options: &self.options,
            limit: LIMIT,
        };
        let mut wire = Vec::new();
        match json_to_wire::transcode(&request, json, &mut wire) {
            Ok(()) => Ok(wire),
            Err(Rejection::TooLarge) => Err(Answer::Broken("too large".to_owned())),
            Err(Rejection::Invalid(violations)) => {
                let texts = violations
                    .iter()
                    .map(|one| format!("{}: {}", one.field, one.description));
                Err(Answer::NotParsed(texts.collect::<Vec<_>>().join("; ")))
            }
        }
    }

    fn to_json(&self, wire: &[u8]) -> Result<String, Answer> {
        let response = Response {
            tables: &self.schema.tables,
            message: self.message,
            selection: None,
            options: &self.options,
            limit: LIMIT,
        };
        let mut json = Vec::new();
        if let Err(error) = wire_to_json::transcode(&response, wire, &mut json) {
            let text = error.to_string();
            // Values that are sound on the wire and have no JSON form.
            let unprintable = ["timestamp", "duration", "field mask", "NaN"];
            return Err(if unprintable.iter().any(|word| text.contains(word)) {
                Answer::NotWritten(text)
            } else {
                Answer::NotParsed(text)
            });
        }
        String::from_utf8(json).map_err(|error| Answer::Broken(error.to_string()))
    }
}
