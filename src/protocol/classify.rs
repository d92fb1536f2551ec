//! Which client protocol a request speaks, from its head alone.
//!
//! Every protocol has content types of its own. Only `application/json` is shared: with
//! `connect-protocol-version` it is Connect's, else a REST route's that matches, else Connect's if
//! the path is exactly that of a method.

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, Uri};

use super::rpc::essence;
use crate::route::trie::{Lookup, LookupOptions};
use crate::schema::{Schema, StreamKind};

/// A client protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// Native gRPC: everything under `application/grpc`.
    Grpc,
    /// gRPC-Web: everything under `application/grpc-web`.
    GrpcWeb,
    /// Connect.
    Connect,
    /// A request for a WebSocket, which is told by more than its head.
    WebSocket,
    /// Plain HTTP, which the application answers at another port.
    Http,
    /// Everything else.
    Rest,
}

impl Front {
    /// The name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::GrpcWeb => "grpc_web",
            Self::Connect => "connect",
            Self::WebSocket => "websocket",
            Self::Http => "http",
            Self::Rest => "rest",
        }
    }
}

/// Chooses the front. Whole prefixes belong to their protocol, so that a family member that is not
/// spoken here is told so (415) instead of being taken for REST.
pub fn classify(head: &Parts, schema: &Schema) -> Front {
    const GRPC: &str = "application/grpc";
    const GRPC_WEB: &str = "application/grpc-web";
    const CONNECT_STREAM: &str = "application/connect+";
    let content_type = head
        .headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    let starts = |prefix: &str| {
        content_type
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    if starts(GRPC) {
        return if starts(GRPC_WEB) {
            Front::GrpcWeb
        } else {
            Front::Grpc
        };
    }
    let is = |name: &str| essence(content_type).eq_ignore_ascii_case(name.as_bytes());
    let connect = starts(CONNECT_STREAM)
        || head.headers.contains_key("connect-protocol-version")
        || (head.method == Method::GET && is_connect_get(&head.uri))
        || is("application/proto")
        || (head.method == Method::POST
            && is("application/json")
            && is_only_connect(&head.uri, schema));
    if connect { Front::Connect } else { Front::Rest }
}

/// Whether the query says `connect=v1`.
fn is_connect_get(uri: &Uri) -> bool {
    uri.query()
        .is_some_and(|query| query.split('&').any(|pair| pair == "connect=v1"))
}

/// Whether a POST of JSON is for a unary method by its very path, and no REST route claims it.
fn is_only_connect(uri: &Uri, schema: &Schema) -> bool {
    if !schema.default_policy.rest.connect_by_path {
        return false;
    }
    let Some(id) = schema.find(uri.path()) else {
        return false;
    };
    let options = LookupOptions {
        ignore_trailing_slash: false,
    };
    let route = schema.routes.find("POST", uri.path(), options);
    schema.method(id).kind == StreamKind::Unary && !matches!(route, Lookup::Match(_))
}
