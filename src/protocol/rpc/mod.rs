//! What the RPC protocols share: gRPC, gRPC-Web and Connect streams envelop the same messages
//! alike, and differ in names of headers and in how the end is told.
//!
//! Messages in protobuf that need no decompression pass as the bytes they are, with their
//! envelopes, in both directions ([`follow`]). Only JSON, compression and base64 make messages be
//! taken out of one envelope and put into another ([`request`], [`reply`]).

pub(super) mod codec;
pub(super) mod dialect;
pub(super) mod encoding;
pub(super) mod follow;
pub(super) mod open;
pub(super) mod reply;
pub(super) mod request;
pub(super) mod text;
pub(super) mod trailers;

pub(super) use codec::Codec;
pub(super) use dialect::Dialect;

use http::header::{ALLOW, HeaderValue};
use http::{Response, StatusCode};

use crate::call::{Body, Fault, Status};

/// An answer that is nothing but its status, for requests that are no calls.
pub(super) fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

/// What a caller is told of a fault. These protocols' peers expect no details in errors of the
/// wire's own, and have the reason in a header; details are for fields that are wrong.
pub(super) fn told(fault: &Fault) -> Status {
    if fault.app_status().is_none() && fault.field_violations().is_empty() {
        Status::new(fault.code(), fault.message())
    } else {
        super::told(fault)
    }
}

/// Adds the reason of a fault of the gateway's own, where that is wanted.
pub(super) fn tell_reason(response: &mut Response<Body>, fault: &Fault, wanted: bool) {
    if wanted && fault.app_status().is_none() {
        response.headers_mut().insert(
            "x-sidegate-reason",
            HeaderValue::from_static(fault.reason()),
        );
    }
}

/// The media type of a header value: no parameters, no spaces around it.
pub(super) fn essence(content_type: &[u8]) -> &[u8] {
    let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
    content_type.get(..end).unwrap_or_default().trim_ascii()
}
