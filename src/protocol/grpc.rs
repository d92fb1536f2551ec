//! Native gRPC: bodies go through untouched, their frames are only followed (invariant 10).
//!
//! Source: grpc/grpc `doc/PROTOCOL-HTTP2.md`.

use std::rc::Rc;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode, Version};

use super::reader::IdleBody;
use super::rpc::dialect::Spoken;
use super::rpc::follow::{Answered, Asked, note_status};
use super::rpc::open::{self, Ask, GRPC_PROTO, Opened};
use super::rpc::trailers::Ending;
use super::rpc::{Dialect, plain, reply, tell_reason, told};
use super::{Adapter, Entry, Incoming, Params, Respond};
use crate::call::{Body, Call, Code, Fault, LocalFuture, Record, Reply};
use crate::schema::policy::Policy;
use crate::wire::frame::COMPRESSED;

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
        let content_type = incoming.head.headers.get(CONTENT_TYPE);
        if let Some(spoken) = content_type.and_then(|value| Spoken::parse(value.as_bytes())) {
            return reply::accept(&self.params, incoming, spoken);
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
        let path = incoming.head.uri.path();
        let schema = &incoming.schema;
        // The layers answer for the gateway's own services, so they are no exception here.
        let Some(found) = open::find(schema, &self.params.own, path) else {
            return Err(open::unknown(schema, path));
        };
        let content_type = incoming.head.headers.get(CONTENT_TYPE).cloned();
        let ask = Ask {
            params: &self.params,
            grpc: true,
            content_type: &content_type.unwrap_or(GRPC_PROTO),
        };
        let Opened { mut call, body, .. } = open::open(incoming, &found, ask)?;
        // A unary caller who stops in the middle of its one message is not waited for.
        let body = if call.kind().client_streams() {
            body
        } else {
            Body::raw(IdleBody::new(body, call.policy.timeouts.body_idle))
        };
        let (policy, record) = (Arc::clone(&call.policy), call.record.clone());
        call.body = Body::stream(Asked::new(body, COMPRESSED, &policy, record.clone()));
        let respond = Responder {
            record,
            policy,
            reason_header: self.params.reason_header,
        };
        Ok((call, respond))
    }
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

/// A call that ended before anything was answered.
fn trailers_only(fault: &Fault, reason_header: bool) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.extend(told(fault).to_trailers());
    tell_reason(&mut response, fault, reason_header);
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
            *response.body_mut() = Body::raw(Answered::new(
                reply.body,
                Ending::own(Dialect::Grpc),
                policy,
                record,
            ));
        }
    }
    response
}
