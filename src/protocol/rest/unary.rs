//! Answers with one message: the status is chosen after the trailers.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body as _;

use super::answer::Answer;
use super::{error, headers, raw};
use crate::call::{Blame, Body, Code, Fault, LocalFuture, Reply, Status};
use crate::protocol::Respond;
use crate::protocol::reader;
use crate::transcode::wire_to_json;

/// Answers a call whose answer is one message.
pub(super) struct Unary {
    answer: Answer,
}

/// What the app said in all: the message, if there was one, and its last word.
struct Whole {
    metadata: HeaderMap,
    message: Option<Bytes>,
    trailers: HeaderMap,
}

impl Unary {
    pub(super) fn new(answer: Answer) -> Self {
        Self { answer }
    }
}

impl Respond for Unary {
    fn respond(self: Box<Self>, outcome: Result<Reply, Fault>) -> LocalFuture<Response<Body>> {
        Box::pin(async move {
            let answer = self.answer;
            let whole = match outcome {
                Ok(reply) => read(&answer, reply).await,
                Err(fault) => Err(fault),
            };
            match whole.and_then(|whole| success(&answer, whole)) {
                Ok(response) => response,
                Err(fault) => error::from_fault(&answer, &fault),
            }
        })
    }
}

/// Reads the answer to its end.
async fn read(answer: &Answer, reply: Reply) -> Result<Whole, Fault> {
    let Reply {
        metadata,
        trailers_only,
        mut body,
    } = reply;
    if let Some(trailers) = trailers_only {
        return Ok(Whole {
            metadata,
            message: None,
            trailers,
        });
    }
    let limit = answer.policy.limits.response_message_bytes;
    let mut messages = reader::Messages::new(&metadata, limit)?;
    let mut message = None;
    loop {
        while let Some(next) = messages.take()? {
            if message.replace(next).is_some() {
                return Err(cardinality("more than one message"));
            }
        }
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        match frame.transpose()?.map(http_body::Frame::into_data) {
            Some(Ok(data)) => messages.push(data),
            Some(Err(frame)) => {
                messages.finish()?;
                let trailers = frame.into_trailers().unwrap_or_default();
                return Ok(Whole {
                    metadata,
                    message,
                    trailers,
                });
            }
            None => return Err(reader::no_status()),
        }
    }
}

/// Turns the whole answer into a response, which may still be an error of the app's.
fn success(answer: &Answer, whole: Whole) -> Result<Response<Body>, Fault> {
    let Whole {
        metadata,
        message,
        trailers,
    } = whole;
    let status = Status::from_trailers(&trailers).ok_or_else(reader::no_status)?;
    if !status.is_ok() {
        return Ok(error::from_status(answer, &status, &[&metadata, &trailers]));
    }
    let message = message.ok_or_else(|| cardinality("no message"))?;
    let http = headers::chosen_status(&[&metadata, &trailers], true).unwrap_or(StatusCode::OK);
    let mut response = if headers::is_bodiless(http) {
        Response::new(Body::empty())
    } else {
        content(answer, &message)?
    };
    *response.status_mut() = http;
    let prefix = answer.policy.rest.metadata_prefix.as_deref();
    headers::append(response.headers_mut(), &metadata, prefix);
    headers::append(response.headers_mut(), &trailers, prefix);
    let mut record = answer.record.note();
    record.messages_out = 1;
    record.code = Some(Code::Ok);
    Ok(response)
}

/// The answer's body in the form that was asked for.
fn content(answer: &Answer, message: &Bytes) -> Result<Response<Body>, Fault> {
    if answer.raw && !answer.asked.proto {
        return raw::whole(answer, message);
    }
    if !answer.asked.proto {
        let body = to_json(answer, message, answer.json.indent)?;
        return Ok(json(body, answer.asked.head_only));
    }
    let mut response = json(prune(answer, message)?.into_owned(), answer.asked.head_only);
    let protobuf = HeaderValue::from_static("application/x-protobuf");
    response.headers_mut().insert(CONTENT_TYPE, protobuf);
    Ok(response)
}

/// What the client wants of a message (B8).
fn prune<'m>(answer: &Answer, message: &'m [u8]) -> Result<Cow<'m, [u8]>, Fault> {
    let Some(mask) = &answer.mask else {
        return Ok(Cow::Borrowed(message));
    };
    let mut pruned = Vec::with_capacity(message.len());
    mask.prune(message, &mut pruned).map_err(bad_response)?;
    Ok(Cow::Owned(pruned))
}

fn bad_response(error: impl std::fmt::Display) -> Fault {
    Fault::upstream(
        Code::Internal,
        "BAD_RESPONSE",
        "the response of the application cannot be written as JSON",
    )
    .with_cause(error)
}

/// One message of the answer as JSON.
pub(super) fn to_json(answer: &Answer, message: &[u8], indent: u8) -> Result<Vec<u8>, Fault> {
    let Some((output, selection)) = answer.output else {
        return Err(Fault::upstream(
            Code::Internal,
            "NOT_ROUTED",
            "the answer has no type",
        ));
    };
    let options = crate::schema::policy::JsonOptions {
        indent,
        ..answer.json
    };
    let limit = answer
        .policy
        .limits
        .response_message_bytes
        .saturating_mul(8);
    let response = wire_to_json::Response {
        tables: &answer.schema.tables,
        message: output,
        selection,
        options: &options,
        limit,
    };
    let mut out = Vec::with_capacity(message.len().saturating_mul(2).min(limit));
    let wanted = prune(answer, message)?;
    match wire_to_json::transcode(&response, &wanted, &mut out) {
        Ok(written) => {
            answer.record.note().unknown_fields += written.unknown_fields;
            Ok(out)
        }
        Err(error) => Err(bad_response(error)),
    }
}

/// A complete JSON answer; for HEAD everything but its bytes.
pub(super) fn json(body: Vec<u8>, head_only: bool) -> Response<Body> {
    let length = HeaderValue::from(body.len());
    let body = if head_only {
        Body::empty()
    } else {
        Body::whole(body.into(), None)
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, length);
    response
}

fn cardinality(what: &str) -> Fault {
    Fault::new(
        Blame::Upstream,
        Code::Unimplemented,
        "CARDINALITY",
        format!("the application answered a unary call with {what}"),
    )
}
