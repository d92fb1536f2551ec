//! Errors as Connect writes them: a JSON object, the whole body of a unary answer or a part of the
//! last envelope of a stream.

use std::borrow::Cow;
use std::collections::BTreeMap;

use data_encoding::BASE64_NOPAD;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::call::{Body, Code, Fault, Status};
use crate::protocol::hint;
use crate::protocol::rpc::trailers::{append, is_ours};
use crate::protocol::rpc::{encoding, tell_reason, told};
use crate::schema::Schema;
use crate::schema::plan::Tables;
use crate::transcode::detail;
use crate::wire::compress::Encoding;

#[derive(Serialize)]
struct Error<'s> {
    code: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'s str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail<'s>>,
}

#[derive(Serialize)]
struct Detail<'s> {
    #[serde(rename = "type")]
    kind: &'s str,
    value: String,
    /// The value for people to read, where its type is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    debug: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct EndStream<'s> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error<'s>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'s str, Vec<Cow<'s, str>>>,
}

impl<'s> Error<'s> {
    /// Without a schema only built-in types are known.
    fn of(status: &'s Status, schema: Option<&Schema>) -> Self {
        let none = Tables::default();
        let tables = schema.map_or(&none, |schema| &schema.tables);
        let details = detail::list(&status.details, status.number)
            .into_iter()
            .map(|(url, value)| Detail::of(url, value, tables))
            .collect();
        Self {
            code: name(status.code),
            message: &status.message,
            details,
        }
    }
}

impl<'s> Detail<'s> {
    fn of(url: &'s str, value: &[u8], tables: &Tables) -> Self {
        let kind = url.rsplit_once('/').map_or(url, |(_, name)| name);
        let json = detail::value_to_json(tables, kind, value);
        Self {
            kind,
            value: BASE64_NOPAD.encode(value),
            debug: json.and_then(|json| RawValue::from_string(json).ok()),
        }
    }
}

/// The name of a code: gRPC's in lower case, but for one letter.
fn name(code: Code) -> String {
    match code {
        Code::Cancelled => String::from("canceled"),
        code => code.name().to_ascii_lowercase(),
    }
}

/// What the last envelope of a stream holds.
pub(in crate::protocol) fn end_stream(
    status: &Status,
    trailers: &HeaderMap,
    schema: Option<&Schema>,
) -> Vec<u8> {
    let mut metadata: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (name, value) in trailers {
        if !is_hidden(name) {
            let values = metadata.entry(name.as_str()).or_default();
            values.push(String::from_utf8_lossy(value.as_bytes()));
        }
    }
    let end = EndStream {
        error: (!status.is_ok()).then(|| Error::of(status, schema)),
        metadata,
    };
    // Text and lists of text always have a JSON form.
    serde_json::to_vec(&end).unwrap_or_default()
}

/// Whether a trailer is about the call itself, or about a wire that the client does not see.
fn is_hidden(name: &HeaderName) -> bool {
    let name = name.as_str();
    is_ours(name)
        || matches!(
            name,
            "grpc-status" | "grpc-message" | "grpc-status-details-bin"
        )
}

/// Appends trailers as the headers of a unary answer.
pub(super) fn append_trailers(headers: &mut HeaderMap, trailers: &HeaderMap) {
    for (name, value) in trailers {
        if is_hidden(name) {
            continue;
        }
        if let Ok(name) = HeaderName::try_from(format!("trailer-{name}")) {
            headers.append(name, value.clone());
        }
    }
}

/// A unary answer that is an error of the app's, with what it sent before and after.
pub(super) fn from_status(
    status: &Status,
    (metadata, trailers): (&HeaderMap, &HeaderMap),
    schema: Option<&Schema>,
) -> Response<Body> {
    let body = serde_json::to_vec(&Error::of(status, schema)).unwrap_or_default();
    let mut response = Response::new(Body::whole(body.into(), None));
    *response.status_mut() = status.code.http();
    let headers = response.headers_mut();
    append(headers, metadata);
    append_trailers(headers, trailers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A unary answer that is an error of the gateway's own.
pub(super) fn from_fault(fault: &Fault, reason_header: bool) -> Response<Body> {
    let none = HeaderMap::new();
    let mut response = from_status(&told(fault), (&none, &none), None);
    if fault.reason() == encoding::UNKNOWN {
        response.headers_mut().insert(
            ACCEPT_ENCODING,
            HeaderValue::from_static(Encoding::ACCEPTED),
        );
    }
    response.headers_mut().extend(hint(fault));
    tell_reason(&mut response, fault, reason_header);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("JSON is text")
    }

    #[test]
    fn the_end_of_a_stream() {
        let mut trailers = HeaderMap::new();
        assert_eq!(text(end_stream(&Status::ok(), &trailers, None)), "{}");
        trailers.insert("grpc-status", HeaderValue::from_static("5"));
        trailers.append("x-a", HeaderValue::from_static("1"));
        trailers.append("x-a", HeaderValue::from_static("2"));
        let mut status = Status::new(Code::NotFound, "no \"such\"");
        // code 5, one detail of type a.B with the value 01.
        status.details = (&b"\x08\x05\x1a\x0a\x0a\x05x/a.B\x12\x01\x01"[..]).into();
        assert_eq!(
            text(end_stream(&status, &trailers, None)),
            r#"{"error":{"code":"not_found","message":"no \"such\"","details":[{"type":"a.B","value":"AQ"}]},"metadata":{"x-a":["1","2"]}}"#
        );
    }

    #[test]
    fn codes_have_names() {
        for (code, expected) in [
            (Code::Cancelled, "canceled"),
            (Code::DeadlineExceeded, "deadline_exceeded"),
            (Code::Unauthenticated, "unauthenticated"),
        ] {
            assert_eq!(name(code), expected);
        }
    }
}
