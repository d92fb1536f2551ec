//! OTLP's messages as bytes: the spans of a call ([`spans`]) and the request they leave in
//! ([`request`]).
//!
//! Source: open-telemetry/opentelemetry-proto, `trace/v1/trace.proto` and
//! `collector/trace/v1/trace_service.proto`; the names of attributes are those of OpenTelemetry's
//! conventions for RPC and HTTP. Spans are repeated entries of one field, so those of many calls
//! are simply put one after the other; only what stands around them needs their length.

use std::time::{Duration, Instant, UNIX_EPOCH};

use prost::encoding::{
    WireType, decode_varint, encode_key, encode_varint, encoded_len_varint, key_len,
};

use crate::call::Code;
use crate::call::record::{CallRecord, Trace};
use crate::telemetry::log::line::Entry;

/// `Span.kind`.
const SERVER: u64 = 2;
const CLIENT: u64 = 3;

/// `Status.code`.
const ERROR: u64 = 2;

/// The longest text of an attribute.
const TEXT: usize = 1024;

/// Whose spans they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// `service.name`.
    pub service: String,
    /// `service.instance.id`.
    pub instance: String,
}

/// An `ExportTraceServiceRequest` of spans that `spans` wrote.
pub fn request(resource: &Resource, spans: &[u8]) -> Vec<u8> {
    let mut own = Vec::new();
    let attributes = [
        ("service.name", resource.service.as_str()),
        ("service.instance.id", resource.instance.as_str()),
        ("telemetry.sdk.name", "sidegate"),
        ("telemetry.sdk.language", "rust"),
        ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
    ];
    for (name, value) in attributes {
        text(&mut own, 1, name, value);
    }
    let mut scope = Vec::new();
    bytes(&mut scope, 1, b"sidegate");
    bytes(&mut scope, 2, env!("CARGO_PKG_VERSION").as_bytes());

    let scope_length = length_delimited(1, scope.len()) + spans.len();
    let resource_length = length_delimited(1, own.len()) + length_delimited(2, scope_length);
    let mut request = Vec::with_capacity(resource_length + 16);
    head(&mut request, 1, resource_length);
    bytes(&mut request, 1, &own);
    head(&mut request, 2, scope_length);
    bytes(&mut request, 1, &scope);
    request.extend_from_slice(spans);
    request
}

/// How many spans there are in what `spans` wrote.
pub fn count(mut spans: &[u8]) -> u64 {
    let mut counted = 0;
    while spans.split_off_first().is_some() {
        let Ok(length) = decode_varint(&mut spans) else {
            break;
        };
        let end = usize::try_from(length).unwrap_or(usize::MAX);
        spans = spans.get(end..).unwrap_or_default();
        counted += 1;
    }
    counted
}

/// Appends the spans of a call, each as an entry of `ScopeSpans.spans`.
pub(super) fn spans(entry: &Entry<'_>, of: &Trace, out: &mut Vec<u8>) {
    let record = entry.record;
    entry_of(out, 2, |span| server(entry, of, span));
    if let Some(started) = record.upstream_started {
        entry_of(out, 2, |span| client(entry, of, started, span));
    }
}

fn server(entry: &Entry<'_>, of: &Trace, span: &mut Vec<u8>) {
    let record = entry.record;
    ids(span, of.trace_id, of.span_id, of.parent);
    let template = entry.template();
    match (template, entry.rpc()) {
        (Some(template), _) => entry_of(span, 5, |name| {
            cut(name, record.http_method.as_str());
            name.push(b' ');
            cut(name, template);
        }),
        (None, Some(rpc)) => bytes(span, 5, shorten(rpc).as_bytes()),
        // Paths of clients make no names: there would be too many.
        (None, None) => bytes(span, 5, shorten(record.http_method.as_str()).as_bytes()),
    }
    number(span, 6, SERVER);
    times(entry, record.started, span);
    text(span, 9, "sidegate.protocol", record.protocol);
    text(span, 9, "http.request.method", record.http_method.as_str());
    text(span, 9, "url.path", record.uri.path());
    if let Some(template) = template {
        text(span, 9, "http.route", template);
    }
    if let Some(status) = record.http_status {
        integer(span, "http.response.status_code", status.into());
    }
    text(span, 9, "client.address", record.peer.text());
    if let Some(agent) = record
        .user_agent
        .as_ref()
        .and_then(|agent| agent.to_str().ok())
    {
        text(span, 9, "user_agent.original", agent);
    }
    if let Some(reason) = record.reason {
        text(span, 9, "error.type", reason);
    }
    rpc(entry, span);
    let code = record.code.unwrap_or(Code::Ok);
    let failed = record.http_status.is_some_and(|status| status >= 500) || is_ours(code);
    status(record, code, failed, span);
}

fn client(entry: &Entry<'_>, of: &Trace, started: Instant, span: &mut Vec<u8>) {
    let record = entry.record;
    ids(span, of.trace_id, of.upstream, of.span_id);
    bytes(
        span,
        5,
        shorten(entry.rpc().unwrap_or("request")).as_bytes(),
    );
    number(span, 6, CLIENT);
    times(entry, started, span);
    if let Some(endpoint) = &record.endpoint {
        text(span, 9, "server.address", endpoint);
    }
    integer(span, "sidegate.attempts", record.attempts.into());
    rpc(entry, span);
    let code = record.code.unwrap_or(Code::Ok);
    status(record, code, code != Code::Ok, span);
}

fn rpc(entry: &Entry<'_>, span: &mut Vec<u8>) {
    let Some((service, method)) = entry.rpc().and_then(|rpc| rpc.rsplit_once('/')) else {
        return;
    };
    text(span, 9, "rpc.system", "grpc");
    text(span, 9, "rpc.service", service);
    text(span, 9, "rpc.method", method);
    if let Some(code) = entry.record.code {
        integer(span, "rpc.grpc.status_code", code.number().into());
    }
}

/// Whether a status says that who answers has failed, rather than who asks.
fn is_ours(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

fn status(record: &CallRecord, code: Code, failed: bool, span: &mut Vec<u8>) {
    if !failed {
        return;
    }
    entry_of(span, 15, |status| {
        entry_of(status, 2, |message| {
            message.extend_from_slice(code.name().as_bytes());
            if let Some(reason) = record.reason {
                message.extend_from_slice(b": ");
                message.extend_from_slice(reason.as_bytes());
            }
        });
        number(status, 3, ERROR);
    });
}

fn ids(span: &mut Vec<u8>, trace_id: u128, span_id: u64, parent: u64) {
    span.extend_from_slice(&[0x0A, 16]);
    span.extend_from_slice(&trace_id.to_be_bytes());
    span.extend_from_slice(&[0x12, 8]);
    span.extend_from_slice(&span_id.to_be_bytes());
    if parent != 0 {
        span.extend_from_slice(&[0x22, 8]);
        span.extend_from_slice(&parent.to_be_bytes());
    }
}

/// From when to the end of the call, by the calendar.
fn times(entry: &Entry<'_>, started: Instant, span: &mut Vec<u8>) {
    let ended = entry.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let took = entry.ended.saturating_duration_since(started);
    fixed(span, 7, ended.saturating_sub(took));
    fixed(span, 8, ended);
}

fn fixed(out: &mut Vec<u8>, field: u32, since: Duration) {
    encode_key(field, WireType::SixtyFourBit, out);
    let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    out.extend_from_slice(&nanos.to_le_bytes());
}

fn number(out: &mut Vec<u8>, field: u32, value: u64) {
    encode_key(field, WireType::Varint, out);
    encode_varint(value, out);
}

fn head(out: &mut Vec<u8>, field: u32, length: usize) {
    let byte = |value: usize| u8::try_from(value).ok().filter(|byte| *byte < 0x80);
    let key = usize::try_from(field << 3 | 2).ok().and_then(byte);
    if let (Some(key), Some(length)) = (key, byte(length)) {
        out.extend_from_slice(&[key, length]);
        return;
    }
    encode_key(field, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
}

fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    head(out, field, value.len());
    out.extend_from_slice(value);
}

fn length_delimited(field: u32, length: usize) -> usize {
    key_len(field) + encoded_len_varint(length as u64) + length
}

/// A `KeyValue` of text, cut where it is too long. All lengths are known before.
fn text(out: &mut Vec<u8>, field: u32, name: &str, value: &str) {
    let value = shorten(value);
    if short_text(out, field, name, value).is_some() {
        return;
    }
    let any = length_delimited(1, value.len());
    head(
        out,
        field,
        length_delimited(1, name.len()) + length_delimited(2, any),
    );
    bytes(out, 1, name.as_bytes());
    head(out, 2, any);
    bytes(out, 1, value.as_bytes());
}

/// The same where every key and length is one byte, which nearly all are: one look decides it, and
/// then only bytes are copied.
fn short_text(out: &mut Vec<u8>, field: u32, name: &str, value: &str) -> Option<()> {
    const MOST: usize = 0x7F;
    let key = u8::try_from(field << 3 | 2)
        .ok()
        .filter(|key| *key < 0x80)?;
    let all = name.len() + value.len() + 6;
    if all > MOST {
        return None;
    }
    let byte = |length: usize| u8::try_from(length).ok();
    let before = [key, byte(all)?, 0x0A, byte(name.len())?];
    let between = [0x12, byte(value.len() + 2)?, 0x0A, byte(value.len())?];
    out.reserve(all + 2);
    out.extend_from_slice(&before);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&between);
    out.extend_from_slice(value.as_bytes());
    Some(())
}

/// A `KeyValue` of a number, which is small nearly always.
fn integer(out: &mut Vec<u8>, name: &str, value: u64) {
    if let (Ok(name_length @ ..0x70), Ok(value @ ..0x4000)) =
        (u8::try_from(name.len()), u16::try_from(value))
    {
        // A number with zeros before it, as in `entry_of`.
        let [low, high] = (value << 1 & 0x7F00 | value & 0x7F | 0x80).to_le_bytes();
        out.extend_from_slice(&[0x4A, name_length + 7, 0x0A, name_length]);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&[0x12, 3, 0x18, low, high]);
        return;
    }
    let any = key_len(3) + encoded_len_varint(value);
    head(
        out,
        9,
        length_delimited(1, name.len()) + length_delimited(2, any),
    );
    bytes(out, 1, name.as_bytes());
    head(out, 2, any);
    number(out, 3, value);
}

/// A message whose length is known when it has been written. There is room for three bytes of it,
/// and what is not needed of them is written all the same: every reader of protobuf takes a number
/// with zeros before it, and nothing has to be moved.
fn entry_of(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    encode_key(field, WireType::LengthDelimited, out);
    let at = out.len();
    out.extend_from_slice(&[0; 3]);
    write(out);
    let length = out.len() - at - 3;
    debug_assert!(length < 1 << 21, "what is written here has limits");
    let seven = |shift: usize| u8::try_from(length >> shift & 0x7F).unwrap_or_default();
    if let Some(room) = out.get_mut(at..at + 3) {
        room.copy_from_slice(&[seven(0) | 0x80, seven(7) | 0x80, seven(14)]);
    }
}

fn cut(out: &mut Vec<u8>, value: &str) {
    out.extend_from_slice(shorten(value).as_bytes());
}

/// At most [`TEXT`] bytes, cut between characters.
fn shorten(value: &str) -> &str {
    if value.len() <= TEXT {
        return value;
    }
    let end = (0..=TEXT).rev().find(|at| value.is_char_boundary(*at));
    value.get(..end.unwrap_or_default()).unwrap_or_default()
}
