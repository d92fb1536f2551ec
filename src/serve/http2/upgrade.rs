//! Extended CONNECT (RFC 8441): a stream that goes on in another protocol.
//!
//! A handler sees what it would see over HTTP/1.1: a GET with `Upgrade` and an offer
//! ([`Body::offer`]), and takes it with a 101. The client gets a 200 for that; any other success
//! would look to it as if the offer had been taken, so there is none.

use h2::ext::Protocol;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use super::super::Stats;
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

/// Makes of an extended CONNECT what it would be over HTTP/1.1; whether it was one.
pub(super) fn normalize(head: &mut Parts) -> bool {
    if head.method != Method::CONNECT {
        return false;
    }
    head.method = Method::GET;
    let headers = &mut head.headers;
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
    true
}

/// What the client is told in place of the handler's answer to an offer.
pub(super) fn answer(offers: bool, response: Response<Body>, stats: &Stats) -> Response<Body> {
    if !offers {
        return response;
    }
    let mut response = response;
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS {
        stats.count_upgraded();
        *response.status_mut() = StatusCode::OK;
    } else if status.is_success() || status.is_informational() {
        response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    }
    response
}
