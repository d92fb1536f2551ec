//! Native gRPC: bodies go through untouched, their frames are only followed (invariant 10).
//!
//! Source: grpc/grpc `doc/PROTOCOL-HTTP2.md`.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, Method, Response, StatusCode, Version};
use http_body::{Body as _, Frame};

use super::metadata::{self, Rules};
use super::reader::IdleBody;
use super::{Adapter, Entry, Incoming, Params, Respond, forwarded, schema_pending, timeout, told};
use crate::call::{Blame, Body, Call, Code, Fault, LocalFuture, Record, Reply, Status};
use crate::schema::policy::Policy;
use crate::schema::{Reflection, Schema, StreamKind};
use crate::wire::frame::{Follower, FrameError, Rules as FrameRules};

/// The gRPC adapter.
#[derive(Debug)]
pub struct Grpc {
    params: Rc<Params>,
}

impl Grpc {
    /// An adapter.
    pub fn new(params: Rc<Params>) -> Self {
        Self { params }
    }
}

impl Adapter for Grpc {
    fn accept(&self, incoming: Incoming) -> Entry {
        if let Some(refusal) = refuse(&incoming) {
            let mut record = incoming.record.note();
            record.code = Some(Code::Unimplemented);
            record.reason = Some("NOT_GRPC");
            return Entry::Answered(plain(refusal));
        }
        let record = incoming.record.clone();
        match self.call(incoming) {
            Ok((call, respond)) => Entry::Call(call, Box::new(respond)),
            Err(fault) => {
                record.note().fault(&fault);
                Entry::Answered(trailers_only(&fault, self.params.reason_header))
            }
        }
    }
}

impl Grpc {
    fn call(&self, incoming: Incoming) -> Result<(Call, Responder), Fault> {
        let Incoming {
            schema,
            peer,
            head,
            body,
            record,
            now,
        } = incoming;
        let method = schema.find(head.uri.path());
        if method.is_none() && !schema.allow_unknown_methods {
            return Err(unknown(&schema, head.uri.path()));
        }
        record.note().method = method;
        let (kind, policy) = match method.map(|id| schema.method(id)) {
            Some(method) => (method.kind, Arc::clone(&method.policy)),
            // It may do anything.
            None => (StreamKind::Bidi, Arc::clone(&schema.default_policy)),
        };
        let trusted = forwarded::trusted(&self.params.trusted_proxies, &peer);
        let rules = Rules {
            denied: &policy.rest.denied_headers,
            grpc: true,
            trusted,
        };
        let (mut metadata, dropped) = metadata::from_headers(&head.headers, rules);
        record.note().metadata_dropped = dropped;
        forwarded::write(&head, &peer, trusted, &mut metadata);
        if let Some(content_type) = head.headers.get(CONTENT_TYPE) {
            metadata.insert(CONTENT_TYPE, content_type.clone());
        }

        let asked = timeout::asked(&head.headers)?;
        // A unary caller who stops in the middle of its one message is not waited for.
        let body = if kind.client_streams() {
            body
        } else {
            Body::raw(IdleBody::new(body, policy.timeouts.body_idle))
        };
        let call = Call {
            method,
            path: head.uri.path_and_query().cloned().unwrap_or_else(root),
            authority: authority(&head),
            metadata,
            body: Body::stream(Followed::request(body, &policy, record.clone())),
            deadline: timeout::deadline(now, &policy.timeouts, kind, asked, false),
            policy: Arc::clone(&policy),
            record: record.clone(),
            schema,
        };
        let reason_header = self.params.reason_header;
        Ok((
            call,
            Responder {
                record,
                policy,
                reason_header,
            },
        ))
    }
}

fn root() -> PathAndQuery {
    PathAndQuery::from_static("/")
}

/// Towards the app a native call keeps the authority that its client named (M2).
fn authority(head: &Parts) -> Option<Authority> {
    head.uri.authority().cloned().or_else(|| {
        let host = head.headers.get(http::header::HOST)?;
        Authority::try_from(host.as_bytes()).ok()
    })
}

fn unknown(schema: &Schema, path: &str) -> Fault {
    if schema.reflection == Reflection::Pending {
        return schema_pending();
    }
    let message = format!("the method {path} is not known here");
    Fault::new(
        Blame::Client,
        Code::Unimplemented,
        "UNKNOWN_METHOD",
        message,
    )
}

/// The HTTP status of a request that is no gRPC call at all.
fn refuse(incoming: &Incoming) -> Option<StatusCode> {
    let content_type = incoming
        .head
        .headers
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    let subtype = content_type.and_then(|value| value.get("application/grpc".len()..));
    if !matches!(subtype, Some([] | [b'+' | b';', ..])) {
        return Some(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    if incoming.head.method != Method::POST {
        return Some(StatusCode::METHOD_NOT_ALLOWED);
    }
    if incoming.head.version != Version::HTTP_2 {
        return Some(StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    }
    None
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response
            .headers_mut()
            .insert(http::header::ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

/// A call that ended before anything was answered.
fn trailers_only(fault: &Fault, reason_header: bool) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.extend(told(fault).to_trailers());
    if reason_header && fault.app_status().is_none() {
        headers.insert(
            "x-sidegate-reason",
            HeaderValue::from_static(fault.reason()),
        );
    }
    response
}

/// Answers a native gRPC call.
struct Responder {
    record: Record,
    policy: Arc<Policy>,
    reason_header: bool,
}

impl Respond for Responder {
    fn respond(self: Box<Self>, outcome: Result<Reply, Fault>) -> LocalFuture<Response<Body>> {
        let Self {
            record,
            policy,
            reason_header,
        } = *self;
        Box::pin(std::future::ready(match outcome {
            Ok(reply) => forward(reply, &policy, record),
            Err(fault) => {
                record.note().fault(&fault);
                trailers_only(&fault, reason_header)
            }
        }))
    }
}

/// Hands the app's answer on as it is.
fn forward(reply: Reply, policy: &Policy, record: Record) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = reply.metadata;
    match reply.trailers_only {
        Some(trailers) => {
            note_status(&record, &trailers);
            response.headers_mut().extend(trailers);
        }
        None => {
            *response.body_mut() = Body::raw(Followed::reply(reply.body, policy, record));
        }
    }
    response
}

fn note_status(record: &Record, trailers: &HeaderMap) {
    let code = Status::from_trailers(trailers).map_or(Code::Unknown, |status| status.code);
    record.note().code = Some(code);
}

/// A body whose frames are followed as they pass: counted, and held to the size limit.
struct Followed {
    body: Body,
    follower: Follower,
    record: Record,
    direction: Direction,
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Request,
    Reply,
}

impl Followed {
    fn request(body: Body, policy: &Policy, record: Record) -> Self {
        let follower = Follower::new(FrameRules::grpc(policy.limits.message_bytes));
        Self {
            body,
            follower,
            record,
            direction: Direction::Request,
            ended: false,
        }
    }

    fn reply(body: Body, policy: &Policy, record: Record) -> Self {
        let follower = Follower::new(FrameRules::grpc(policy.limits.response_message_bytes));
        Self {
            body,
            follower,
            record,
            direction: Direction::Reply,
            ended: false,
        }
    }

    fn follow(&mut self, data: &Bytes) -> Result<(), Fault> {
        let followed = self.follower.advance(data);
        let mut record = self.record.note();
        match self.direction {
            Direction::Request => {
                record.bytes_in += data.len() as u64;
                record.messages_in = self.follower.messages();
            }
            Direction::Reply => record.messages_out = self.follower.messages(),
        }
        drop(record);
        followed.map_err(|error| frame_fault(&error, self.direction))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let frame = match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(fault)) => return Poll::Ready(Some(Err(fault))),
            None if self.direction == Direction::Request && !self.follower.at_boundary() => {
                return Poll::Ready(Some(Err(frame_fault(
                    &FrameError::Truncated,
                    self.direction,
                ))));
            }
            None => return Poll::Ready(None),
        };
        if let Some(data) = frame.data_ref()
            && let Err(fault) = self.follow(data)
        {
            return Poll::Ready(Some(Err(fault)));
        }
        if let (Direction::Reply, Some(trailers)) = (self.direction, frame.trailers_ref()) {
            note_status(&self.record, trailers);
            let ok = Status::from_trailers(trailers).is_some_and(|status| status.is_ok());
            if ok && !self.follower.at_boundary() {
                // A cut message under a good status would look complete (invariant 14).
                let fault = frame_fault(&FrameError::Truncated, self.direction);
                return Poll::Ready(Some(Err(fault)));
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

impl http_body::Body for Followed {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = std::task::ready!(self.poll(context));
        match polled {
            Some(Err(fault)) => {
                self.ended = true;
                if self.direction == Direction::Request {
                    return Poll::Ready(Some(Err(fault)));
                }
                // The answer has begun: its explicit end is a status in the trailers
                // (invariant 14), never a stream that looks complete.
                self.record.note().fault(&fault);
                Poll::Ready(Some(Ok(Frame::trailers(told(&fault).to_trailers()))))
            }
            polled => Poll::Ready(polled),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
            || (self.body.is_end_stream()
                && (self.direction == Direction::Reply || self.follower.at_boundary()))
    }
}

fn frame_fault(error: &FrameError, direction: Direction) -> Fault {
    let (blame, what) = match direction {
        Direction::Request => (Blame::Client, "request"),
        Direction::Reply => (Blame::Upstream, "response"),
    };
    match error {
        FrameError::TooLarge { len, limit } => Fault::new(
            blame,
            Code::ResourceExhausted,
            "MESSAGE_TOO_LARGE",
            format!("a {what} message of {len} bytes is over the limit of {limit}"),
        ),
        FrameError::BadFlag { flag } => Fault::new(
            blame,
            Code::Internal,
            "BAD_FRAME",
            format!("a {what} message has the unknown flag {flag}"),
        ),
        FrameError::Truncated => Fault::new(
            blame,
            Code::Internal,
            "TRUNCATED_MESSAGE",
            format!("the {what} ended in the middle of a message"),
        ),
    }
}
