//! Answers with one message: the status is chosen after the trailers.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body as _;

use super::answer::Answer;
use super::{error, headers, raw, sent_headers, size};
use crate::call::{Blame, Body, Code, Fault, LocalFuture, Reply, Status};
use crate::protocol::Respond;
use crate::protocol::reader;
use crate::transcode::mask::field_of;
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
        let answer = &self.answer;
        let begun = match outcome {
            Ok(Reply {
                metadata,
                trailers_only: Some(trailers),
                ..
            }) => {
                let whole = Whole {
                    metadata,
                    message: None,
                    trailers,
                };
                Err(finish(answer, Ok(whole)))
            }
            Ok(reply) => {
                let limit = answer.policy.limits.response_message_bytes;
                reader::Messages::new(&reply.metadata, limit)
                    .map(|messages| (messages, reply))
                    .map_err(|fault| finish(answer, Err(fault)))
            }
            Err(fault) => Err(finish(answer, Err(fault))),
        };
        match begun {
            Ok((messages, reply)) => Box::pin(Reading {
                unary: self,
                messages,
                message: None,
                metadata: reply.metadata,
                body: reply.body,
            }),
            Err(response) => Box::pin(std::future::ready(response)),
        }
    }
}

/// An answer that is read to its end.
struct Reading {
    unary: Box<Unary>,
    messages: reader::Messages,
    message: Option<Bytes>,
    metadata: HeaderMap,
    body: Body,
}

impl Future for Reading {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response<Body>> {
        let this = &mut *self;
        let whole = ready!(this.poll_whole(context));
        Poll::Ready(finish(&this.unary.answer, whole))
    }
}

impl Reading {
    fn poll_whole(&mut self, context: &mut Context<'_>) -> Poll<Result<Whole, Fault>> {
        loop {
            while let Some(next) = self.messages.take()? {
                if self.message.replace(next).is_some() {
                    return Poll::Ready(Err(cardinality("more than one message")));
                }
            }
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
            match frame.transpose()?.map(http_body::Frame::into_data) {
                Some(Ok(data)) => self.messages.push(data),
                Some(Err(frame)) => {
                    self.messages.finish()?;
                    return Poll::Ready(Ok(Whole {
                        metadata: std::mem::take(&mut self.metadata),
                        message: self.message.take(),
                        trailers: frame.into_trailers().unwrap_or_default(),
                    }));
                }
                None => return Poll::Ready(Err(reader::no_status())),
            }
        }
    }
}

/// The response to what the app said in all, or to why it did not.
fn finish(answer: &Answer, whole: Result<Whole, Fault>) -> Response<Body> {
    whole
        .and_then(|whole| success(answer, whole))
        .unwrap_or_else(|fault| error::from_fault(answer, &fault))
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
    let prefix = answer.policy.rest.metadata_prefix.as_deref();
    let is_json = !answer.raw && !answer.asked.proto && !headers::is_bodiless(http);
    let mut response = if is_json {
        let mut body = Vec::new();
        to_json(answer, &message, answer.json.indent, &mut body)?;
        let (own, rest) = match headers::reuse(metadata, prefix) {
            Ok(own) => (own, None),
            Err(metadata) => (HeaderMap::new(), Some(metadata)),
        };
        let mut response = json(own, body, answer.asked.head_only);
        if let Some(rest) = &rest {
            headers::append(response.headers_mut(), rest, prefix);
        }
        response
    } else {
        let mut response = if headers::is_bodiless(http) {
            Response::new(Body::empty())
        } else {
            content(answer, &message)?
        };
        headers::append(response.headers_mut(), &metadata, prefix);
        response
    };
    *response.status_mut() = http;
    headers::append(response.headers_mut(), &trailers, prefix);
    sent_headers::write(answer, &message, response.headers_mut());
    if answer.policy.rest.status_headers {
        headers::write_status(response.headers_mut(), &status);
    }
    let mut record = answer.record.note();
    record.messages_out = 1;
    record.code = Some(Code::Ok);
    drop(record);
    Ok(answer.packing.apply(response))
}

/// The answer's body where it is no JSON.
fn content(answer: &Answer, message: &Bytes) -> Result<Response<Body>, Fault> {
    if !answer.asked.proto {
        return raw::whole(answer, message);
    }
    let wanted = prune(answer, message)?;
    let wanted = match answer.output {
        Some((_, Some(step))) => field_of(&wanted, step.number).map_err(bad_response)?,
        _ => wanted.into_owned(),
    };
    let mut response = json(HeaderMap::new(), wanted, answer.asked.head_only);
    let protobuf = HeaderValue::from_static("application/x-protobuf");
    response.headers_mut().insert(CONTENT_TYPE, protobuf);
    Ok(response)
}

/// What the client wants of a message (B8).
pub(super) fn prune<'m>(answer: &Answer, message: &'m [u8]) -> Result<Cow<'m, [u8]>, Fault> {
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

/// Appends one message of the answer as JSON.
pub(super) fn to_json(
    answer: &Answer,
    message: &[u8],
    indent: u8,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
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
    let wanted = prune(answer, message)?;
    let length = out.len();
    out.reserve(size::expected(wanted.len()).min(limit));
    match wire_to_json::transcode(&response, &wanted, out) {
        Ok(written) => {
            size::learn(wanted.len(), out.len() - length);
            answer.record.note().unknown_fields += written.unknown_fields;
            Ok(())
        }
        Err(error) => Err(bad_response(error)),
    }
}

/// A complete JSON answer with what is in `headers` besides; for HEAD everything but its bytes.
pub(super) fn json(headers: HeaderMap, body: Vec<u8>, head_only: bool) -> Response<Body> {
    let length = body.len();
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = headers;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if head_only {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    } else {
        // The connection writes the length of a body that is there.
        *response.body_mut() = Body::whole(body.into(), None);
    }
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
