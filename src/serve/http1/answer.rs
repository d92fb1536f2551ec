//! The head of an answer: how its body is told, and the bytes of both.

use std::cell::RefCell;

use http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, HeaderName, HeaderValue, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::response::Parts;
use http::{HeaderMap, StatusCode, Version};
use http_body::Body as _;

use super::head;
use super::output::Coding;
use crate::call::Body;
use crate::telemetry::clock::{Clock, HttpDate};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What an answer has to know of its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) version: Version,
    pub(super) head_only: bool,
    /// Whether the client takes trailers.
    pub(super) trailers: bool,
    pub(super) keep_alive: bool,
}

impl Asked {
    /// What is taken for it when the head of the request cannot be read.
    pub(super) const UNKNOWN: Self = Self {
        version: Version::HTTP_11,
        head_only: false,
        trailers: false,
        keep_alive: true,
    };
}

/// The date of the last answer of a worker.
#[derive(Debug, Default)]
pub(in super::super) struct Dates(RefCell<Option<HttpDate>>);

/// How the body of an answer is told, and the length that its head announces.
pub(super) fn plan(head: &Parts, body: &Body, asked: Asked) -> (Coding, Option<u64>) {
    let status = head.status;
    if status == StatusCode::NO_CONTENT {
        return (Coding::Nothing, None);
    }
    let said = head.headers.get(CONTENT_LENGTH);
    let said = said.and_then(|length| head::length(length.as_bytes()).ok());
    let exact = body.size_hint().exact();
    if asked.head_only || status == StatusCode::NOT_MODIFIED {
        // An empty body stands for one that was left out.
        return (
            Coding::Nothing,
            said.or_else(|| exact.filter(|exact| *exact > 0)),
        );
    }
    let has_trailers = body.is_there() && body.whole_data().is_none();
    let modern = asked.version == Version::HTTP_11;
    match exact.or(said) {
        Some(_) if has_trailers && asked.trailers => (Coding::Chunked, None),
        Some(length) => (Coding::Length(length), Some(length)),
        None if modern => (Coding::Chunked, None),
        None => (Coding::UntilClose, None),
    }
}

/// Writes the head of an answer.
pub(super) fn write(
    out: &mut Vec<u8>,
    head: &Parts,
    (coding, length): (Coding, Option<u64>),
    connection: Option<&'static [u8]>,
    dates: &Dates,
) {
    write_status(out, head);
    let mut has_date = false;
    for (name, value) in &head.headers {
        if is_ours(name) {
            continue;
        }
        has_date |= *name == DATE;
        write_field(out, name, value);
    }
    if let Some(length) = length {
        out.extend_from_slice(b"content-length: ");
        out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
        out.extend_from_slice(b"\r\n");
    } else if coding == Coding::Chunked {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    if let Some(connection) = connection {
        out.extend_from_slice(b"connection: ");
        out.extend_from_slice(connection);
        out.extend_from_slice(b"\r\n");
    }
    end(out, has_date, dates);
}

/// Writes the head of an answer after which the connection is no HTTP any more.
pub(super) fn write_switch(out: &mut Vec<u8>, head: &Parts, dates: &Dates) {
    write_status(out, head);
    for (name, value) in &head.headers {
        if *name == CONNECTION || *name == UPGRADE || !is_ours(name) {
            write_field(out, name, value);
        }
    }
    end(out, head.headers.contains_key(DATE), dates);
}

fn end(out: &mut Vec<u8>, has_date: bool, dates: &Dates) {
    if !has_date {
        out.extend_from_slice(b"date: ");
        dates.write(out);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes trailers; what would say something about the message itself is left out.
pub(super) fn write_trailers(out: &mut Vec<u8>, trailers: &HeaderMap) {
    for (name, value) in trailers {
        if !is_ours(name) && *name != TRAILER {
            write_field(out, name, value);
        }
    }
}

fn write_status(out: &mut Vec<u8>, head: &Parts) {
    let modern = head.version != Version::HTTP_10;
    if modern && head.status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    let version: &[u8] = if modern { b"HTTP/1.1 " } else { b"HTTP/1.0 " };
    out.extend_from_slice(version);
    out.extend_from_slice(head.status.as_str().as_bytes());
    out.push(b' ');
    let reason = head.status.canonical_reason().unwrap_or("Unknown");
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_field(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Fields that say how this connection and this message go on.
fn is_ours(name: &HeaderName) -> bool {
    *name == CONTENT_LENGTH
        || *name == CONNECTION
        || *name == TRANSFER_ENCODING
        || *name == UPGRADE
        || *name == KEEP_ALIVE
        || *name == PROXY_CONNECTION
}

// === impl Dates ===

impl Dates {
    fn write(&self, out: &mut Vec<u8>) {
        let now = (Clock::system().wall)();
        let mut last = self.0.borrow_mut();
        let date = match &*last {
            Some(date) if date.is_of(now) => date,
            _ => last.insert(HttpDate::new(now)),
        };
        out.extend_from_slice(date.as_bytes());
    }
}
