//! Extended CONNECT (RFC 8441): a stream that goes on in another protocol.
//!
//! A handler sees what it would see over HTTP/1.1: a GET with `Upgrade` and an offer
//! ([`Body::offer`]), and takes it with a 101. The client gets a 200 for that; any other success
//! would look to it as if the offer had been taken, so there is none.

use h2::ext::Protocol;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use crate::call::Body;

/// The one protocol that there is over HTTP/2.
const WEBSOCKET: &str = "websocket";

/// Whether a CONNECT is an extended one for a protocol that is known here; a plain one asks for
/// a tunnel, which there is none.
pub(super) fn is_known(head: &Parts) -> bool {
    let protocol = head.extensions.get::<Protocol>();
    protocol.is_some_and(|protocol| protocol.as_str() == WEBSOCKET) && head.uri.path() != ""
}

/// Whether a CONNECT names a protocol at all.
pub(super) fn is_extended(head: &Parts) -> bool {
    head.extensions.get::<Protocol>().is_some()
}

/// Makes of an extended CONNECT what it would be over HTTP/1.1.
pub(super) fn normalize(head: &mut Parts) {
    head.method = Method::GET;
    let headers = &mut head.headers;
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
}

/// What the client is told in place of the handler's answer, and whether the offer was taken.
pub(super) fn answer(response: Response<Body>) -> (Response<Body>, bool) {
    let mut response = response;
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS {
        *response.status_mut() = StatusCode::OK;
        return (response, true);
    }
    if status.is_success() || status.is_informational() {
        let mut refusal = Response::new(Body::empty());
        *refusal.status_mut() = StatusCode::NOT_IMPLEMENTED;
        return (refusal, false);
    }
    (response, false)
}
