//! A JSON body becomes a protobuf message, in one pass and without objects in between.
//!
//! serde_json reads the text; the seeds here know from the tables what stands where and append
//! wire bytes to the output. Nothing here interprets names of fields at run time beyond one hash
//! lookup a key, and no value is kept: what is wrong is noted as a [`Violation`] with its path,
//! and reading goes on, so that a client learns of all its mistakes at once.
//!
//! Rules: B2-B4, B10, J1, J2.

mod any;
mod compound;
mod context;
mod map;
mod object;
mod scalar;
mod value;

use serde::de::DeserializeSeed;

use super::Violation;
use super::bind::{Bound, Slot};
use crate::schema::binding::{BodyTarget, FieldStep};
use crate::schema::plan::{MessageId, Tables};
use crate::schema::policy::JsonOptions;
use context::{At, Context};
pub(super) use map::put_key;
use object::Object;
pub(super) use scalar::{number_complaint, put_float, put_text_form, wire_type};
use value::{Content, FieldValue, Outcome};

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

/// Appends the content of one message that stands alone as JSON text, as in a query parameter.
pub(super) fn content(
    tables: &Tables,
    options: &JsonOptions,
    message: MessageId,
    json: &str,
    out: &mut Vec<u8>,
) -> Result<(), Vec<Violation>> {
    let mut context = Context::new(tables, options, usize::MAX, json, out);
    let result = read(&mut context, json, |context| Content {
        context,
        message,
        at: &At::ROOT,
        bound: None,
    });
    let result = result.map(|outcome| null_is_wrong(&mut context, outcome));
    match context.finish(result) {
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
    let result = match request.target {
        BodyTarget::None if json.is_empty() => Ok(()),
        BodyTarget::None => return Err(reject("this method takes no body", Some(0))),
        BodyTarget::Whole => whole(request, json, &mut context),
        BodyTarget::Field(step) => field(request, *step, json, &mut context),
    };
    if !matches!(request.target, BodyTarget::Whole) || json.is_empty() {
        // What the body could not set, path and query must have set.
        let body_field = match request.target {
            BodyTarget::Field(step) if !json.is_empty() => Some(step.number),
            _ => None,
        };
        let message = request.tables.message(request.message);
        Object::new(message, Some(&request.bound.root), &At::ROOT)
            .finish_without_body(&mut context, body_field);
    }
    context.finish(result)
}

fn whole<'t, 'j>(
    request: &Request<'t>,
    json: &'j str,
    context: &mut Context<'t, 'j>,
) -> Result<(), serde_json::Error> {
    if json.is_empty() {
        return Ok(());
    }
    let outcome = read(context, json, |context| Content {
        context,
        message: request.message,
        at: &At::ROOT,
        bound: Some(&request.bound.root),
    })?;
    null_is_wrong(context, outcome);
    Ok(())
}

fn null_is_wrong(context: &mut Context<'_, '_>, outcome: Outcome) {
    if outcome == Outcome::Null {
        context.complain(&At::ROOT, "expected a value, found null");
    }
}

fn field<'t, 'j>(
    request: &Request<'t>,
    step: FieldStep,
    json: &'j str,
    context: &mut Context<'t, 'j>,
) -> Result<(), serde_json::Error> {
    let message = request.tables.message(step.message);
    let Some(field) = message.by_number(step.number) else {
        return Ok(());
    };
    if json.is_empty() {
        return Ok(());
    }
    let root = &request.bound.root;
    let at = At::ROOT;
    let at = at.field(&field.json_name);
    let bound = match root.fields.get(&field.number) {
        Some(Slot::Message { node, .. }) => Some(node),
        _ => None,
    };
    let outcome = read(context, json, |context| FieldValue {
        context,
        field,
        at: &at,
        bound,
    })?;
    if outcome == Outcome::Set {
        Object::new(message, Some(root), &At::ROOT).note_set(context, field, &at);
    }
    Ok(())
}

/// Reads all of `json` with the seed that `seed` makes.
fn read<'c, 't, 'j, S>(
    context: &'c mut Context<'t, 'j>,
    json: &'j str,
    seed: impl FnOnce(&'c mut Context<'t, 'j>) -> S,
) -> Result<Outcome, serde_json::Error>
where
    S: DeserializeSeed<'j, Value = Outcome>,
{
    let mut parser = serde_json::Deserializer::from_str(json);
    let outcome = seed(context).deserialize(&mut parser)?;
    parser.end()?;
    Ok(outcome)
}
