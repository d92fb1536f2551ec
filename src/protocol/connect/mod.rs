//! Connect: unary calls as plain HTTP by POST and GET, streams in envelopes.
//!
//! Source: the Connect protocol reference, connectrpc.com `docs/protocol.md`.

pub(in crate::protocol) mod error;
mod get;
mod unary;

pub use get::feed as feed_query;

use std::rc::Rc;

use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};

use super::rpc::dialect::Spoken;
use super::rpc::open::{self, Found};
use super::rpc::{Codec, Dialect, essence, plain, reply};
use super::{Adapter, Entry, Incoming, Params};
use crate::call::{Body, Code, Fault};
use crate::schema::StreamKind;

const UNARY_TYPES: &str = "application/proto, application/json";
const STREAM_TYPES: &str = "application/connect+proto, application/connect+json";

/// The Connect adapter.
#[derive(Debug)]
pub struct Connect {
    params: Rc<Params>,
}

impl Connect {
    /// An adapter.
    pub fn new(params: Rc<Params>) -> Self {
        Self { params }
    }

    fn post(&self, incoming: Incoming, found: &Found) -> Entry {
        let content_type = incoming.head.headers.get(CONTENT_TYPE);
        let content_type = content_type.map_or(&b""[..], HeaderValue::as_bytes);
        let unary = found.kind() == Some(StreamKind::Unary);
        let spoken =
            Spoken::parse(content_type).filter(|spoken| spoken.dialect == Dialect::Connect);
        match (unary_codec(content_type), spoken) {
            (Some(codec), _) if unary => unary::post(&self.params, incoming, found, codec),
            (None, Some(spoken)) if !unary => match version(&incoming) {
                Ok(()) => reply::accept(&self.params, incoming, spoken),
                Err(fault) => {
                    incoming.record.note().fault(&fault);
                    Entry::Answered(reply::only_end(spoken, &fault, self.params.reason_header))
                }
            },
            _ => Entry::Answered(refuse_codec(&incoming)),
        }
    }
}

impl Adapter for Connect {
    fn accept(&self, incoming: Incoming) -> Entry {
        let path = incoming.head.uri.path();
        let found = open::find(&incoming.schema, &self.params.own, path);
        // How a method streams decides which content type it has, so it has to be known.
        let Some(found) = found.filter(|found| found.kind().is_some()) else {
            let fault = open::unknown(&incoming.schema, path);
            incoming.record.note().fault(&fault);
            let mut response = error::from_fault(&fault, self.params.reason_header);
            if fault.code() == Code::Unimplemented {
                *response.status_mut() = StatusCode::NOT_FOUND;
            }
            return Entry::Answered(response);
        };
        match incoming.head.method {
            Method::POST => self.post(incoming, &found),
            Method::GET if found.is_safe() => match get::Query::codec(&incoming.head.uri) {
                Some(codec) => unary::get(&self.params, incoming, &found, codec),
                None => Entry::Answered(refuse_codec(&incoming)),
            },
            _ => Entry::Answered(not_allowed(&incoming, found.is_safe())),
        }
    }
}

/// The codec of a unary call's content type.
fn unary_codec(content_type: &[u8]) -> Option<Codec> {
    let essence = essence(content_type);
    [
        ("application/proto", Codec::Proto),
        ("application/json", Codec::Json),
    ]
    .into_iter()
    .find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(essence))
    .map(|(_, codec)| codec)
}

/// There is one version, and a client need not name it.
fn version(incoming: &Incoming) -> Result<(), Fault> {
    match incoming.head.headers.get("connect-protocol-version") {
        Some(version) if version != "1" => Err(Fault::invalid(
            "BAD_PROTOCOL_VERSION",
            "connect-protocol-version is not 1",
        )),
        _ => Ok(()),
    }
}

/// Notes and refuses a codec.
fn refuse_codec(incoming: &Incoming) -> Response<Body> {
    refused(incoming, "UNKNOWN_CODEC");
    unsupported(incoming)
}

/// The answer to a body that no protocol understands at the path of a method.
pub(in crate::protocol) fn unsupported(incoming: &Incoming) -> Response<Body> {
    const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
    let schema = &incoming.schema;
    let method = schema.find(incoming.head.uri.path());
    let streams = method.is_some_and(|id| schema.method(id).kind != StreamKind::Unary);
    let accepted = if streams { STREAM_TYPES } else { UNARY_TYPES };
    let mut response = plain(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let headers = response.headers_mut();
    headers.insert(ACCEPT_POST, HeaderValue::from_static(accepted));
    response
}

fn not_allowed(incoming: &Incoming, safe: bool) -> Response<Body> {
    refused(incoming, "METHOD_NOT_ALLOWED");
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
    if safe {
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

/// Notes a request that is no call: clients tell its kind by the HTTP status alone.
fn refused(incoming: &Incoming, reason: &'static str) {
    let mut record = incoming.record.note();
    record.code = Some(Code::Unknown);
    record.reason = Some(reason);
}
