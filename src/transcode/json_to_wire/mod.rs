//! A JSON body becomes a protobuf message, in one pass and without objects in between.
//!
//! The quick pass (`quick/`) has a tokenizer of its own and either is sure or doubts. What it doubts
//! the simple pass reads anew: serde_json reads the text, and the seeds here know from the tables
//! what stands where. No value is kept: what is wrong is noted as a [`Violation`] with its path, and
//! reading goes on, so that a client learns of all its mistakes at once.
//!
//! Rules: B2-B4, B10, J1, J2.

mod any;
mod compound;
mod context;
mod map;
mod object;
mod quick;
mod scalar;
mod value;

use super::Violation;
use super::bind::Bound;
use crate::schema::binding::BodyTarget;
use crate::schema::plan::{Field, Message, MessageId, Tables};
use crate::schema::policy::JsonOptions;
use context::{At, Context};
pub(super) use map::put_key;
use object::{Object, Source, Whole};
pub(super) use scalar::{number_complaint, put_float, put_text_form, wire_type};
use value::{Content, Outcome};

/// What is best kept free for a message besides the length of its JSON.
pub const ROOM: usize = quick::ROOM;

/// What a body is to become.
#[derive(Clone, Copy, Debug)]
pub struct Request<'t> {
    /// The tables `message` belongs to.
    pub tables: &'t Tables,
    /// The request type.
    pub message: MessageId,
    /// Where the body goes.
    pub target: &'t BodyTarget,
    /// What path and query said; its wire bytes are appended.
    pub bound: &'t Bound,
    /// How JSON is read.
    pub options: &'t JsonOptions,
    /// How long the message may become.
    pub limit: usize,
}

/// Why a body did not become a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// It is wrong in these places; never empty.
    Invalid(Vec<Violation>),
    /// The message would exceed its limit (E7).
    TooLarge,
}

/// Appends the message that `json` and the bound values stand for to `out`. After a rejection
/// `out` is as it was.
pub fn transcode(request: &Request<'_>, json: &[u8], out: &mut Vec<u8>) -> Result<(), Rejection> {
    let start = out.len();
    // Of an empty body there is nothing to be quick about.
    if !json.is_empty() && quick::body(request, json, out).is_ok() {
        out.extend_from_slice(&request.bound.wire);
        if out.len() - start <= request.limit {
            return Ok(());
        }
        out.truncate(start);
        return Err(Rejection::TooLarge);
    }
    transcode_simply(request, json, out)
}

/// The same by the simple pass alone, which has the last word on what the quick one doubts, and
/// against which that one is tested.
pub fn transcode_simply(
    request: &Request<'_>,
    json: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Rejection> {
    let start = out.len();
    let result = utf8(json).and_then(|json| {
        body(request, json, out)?;
        out.extend_from_slice(&request.bound.wire);
        if out.len() - start > request.limit {
            return Err(Rejection::TooLarge);
        }
        Ok(())
    });
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// What the quick pass alone makes of a body; none where it doubts.
#[cfg(test)]
pub(super) fn transcode_quickly(request: &Request<'_>, json: &[u8]) -> Option<Vec<u8>> {
    let mut out = b"kept".to_vec();
    let result = quick::body(request, json, &mut out);
    assert!(out.starts_with(b"kept") && (result.is_ok() || out.len() == 4));
    out.extend_from_slice(&request.bound.wire);
    (result.is_ok() && out.len() - 4 <= request.limit).then(|| out.split_off(4))
}

/// Appends the content of one message that stands alone as JSON text, as in a query parameter.
pub(super) fn content(
    tables: &Tables,
    options: &JsonOptions,
    message: MessageId,
    json: &str,
    out: &mut Vec<u8>,
) -> Result<(), Vec<Violation>> {
    let mut context = Context::new(tables, options, usize::MAX, json, out);
    let result = Whole(json).read(Content {
        context: &mut context,
        message,
        at: &At::ROOT,
        bound: None,
    });
    match finish(context, result) {
        Ok(()) => Ok(()),
        Err(Rejection::Invalid(violations)) => Err(violations),
        Err(Rejection::TooLarge) => Err(Vec::new()),
    }
}

fn utf8(json: &[u8]) -> Result<&str, Rejection> {
    std::str::from_utf8(json)
        .map_err(|error| reject("the body is not valid UTF-8", Some(error.valid_up_to())))
}

fn reject(description: &str, offset: Option<usize>) -> Rejection {
    Rejection::Invalid(vec![Violation {
        field: String::new(),
        description: description.to_owned(),
        offset,
    }])
}

fn body(request: &Request<'_>, json: &str, out: &mut Vec<u8>) -> Result<(), Rejection> {
    const JSON_WHITESPACE: [char; 4] = [' ', '\t', '\r', '\n'];
    if !json.is_empty() && json.trim_matches(JSON_WHITESPACE).is_empty() {
        return Err(reject("the body holds nothing but whitespace", Some(0)));
    }
    let mut context = Context::new(request.tables, request.options, request.limit, json, out);
    let bound = Some(&request.bound.root);
    let message = request.tables.message(request.message);
    let mut object = Object::new(message, bound, &At::ROOT);
    let result = match request.target {
        BodyTarget::None if !json.is_empty() => {
            return Err(reject("this method takes no body", Some(0)));
        }
        BodyTarget::Whole if !json.is_empty() => {
            let content = Content {
                context: &mut context,
                message: request.message,
                at: &At::ROOT,
                bound,
            };
            let result = Whole(json).read(content);
            return finish(context, result);
        }
        BodyTarget::Field(step) if !json.is_empty() => field(message, step.number)
            .map_or(Ok(()), |(index, field)| {
                object.value(&mut context, index, field, Whole(json))
            }),
        BodyTarget::None | BodyTarget::Whole | BodyTarget::Field(_) => Ok(()),
    };
    // What the body did not set, path and query must have set.
    object.finish(&mut context);
    context.finish(result)
}

fn field(message: &Message, number: u32) -> Option<(usize, &Field)> {
    let index = message
        .fields
        .binary_search_by_key(&number, |field| field.number)
        .ok()?;
    Some((index, message.fields.get(index)?))
}

/// Ends a pass over a value that must be there.
fn finish(
    mut context: Context<'_, '_>,
    result: Result<Outcome, serde_json::Error>,
) -> Result<(), Rejection> {
    if let Ok(Outcome::Null) = result {
        context.complain(&At::ROOT, "expected a value, found null");
    }
    context.finish(result.map(|_outcome| ()))
}
