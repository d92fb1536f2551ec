//! The two forms of an access log line: JSON for machines, text for somebody who watches.
//!
//! A line is at most [`LIMIT`] bytes long, whatever the client sent: every field that a client
//! or an application has a hand in has a limit of its own, and their sum leaves room for the
//! rest.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderName, HeaderValue};

use super::escape::{Escaped, append};
use super::redact::{self, Redacted};
use crate::call::Code;
use crate::call::record::CallRecord;
use crate::telemetry::clock::Moment;
use crate::wire::trace::{span_id_text, trace_id_text};

/// No line is longer, its end included.
pub const LIMIT: usize = 8 << 10;

const METHOD_LIMIT: usize = 64;
const PATH_LIMIT: usize = 1536;
const QUERY_LIMIT: usize = 1024;
const TEMPLATE_LIMIT: usize = 768;
const RPC_LIMIT: usize = 768;
const CAUSE_LIMIT: usize = 1152;
const HEADERS_LIMIT: usize = 896;

/// The most of one header.
const HEADER_LIMIT: usize = 256;
const ENDPOINT_LIMIT: usize = 256;
const USER_AGENT_LIMIT: usize = 512;
const CLIENT_LIMIT: usize = 192;

/// The limits of all fields that a client, an application or its schema has a hand in.
#[cfg(test)]
pub(super) const FIELD_LIMITS: [usize; 10] = [
    METHOD_LIMIT,
    PATH_LIMIT,
    QUERY_LIMIT,
    TEMPLATE_LIMIT,
    RPC_LIMIT,
    CAUSE_LIMIT,
    ENDPOINT_LIMIT,
    USER_AGENT_LIMIT,
    HEADERS_LIMIT,
    CLIENT_LIMIT,
];

/// A finished call and when it ended.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'call> {
    /// What is remembered of it.
    pub record: &'call CallRecord,
    /// When it ended, by the clock that timed it.
    pub ended: Instant,
    /// When it ended, by the calendar.
    pub wall: SystemTime,
}

impl Entry<'_> {
    fn total(&self) -> Duration {
        self.ended.saturating_duration_since(self.record.started)
    }

    /// How long the call waited before the app was asked, its body being read included.
    fn queue(&self) -> Option<Duration> {
        let asked = self.record.upstream_started?;
        Some(asked.saturating_duration_since(self.record.started))
    }

    /// How long the app took to its first byte, or has taken without one.
    fn upstream(&self) -> Option<Duration> {
        let started = self.record.upstream_started?;
        let answered = self.record.upstream_answered.unwrap_or(self.ended);
        Some(answered.saturating_duration_since(started))
    }

    /// The template of the route that matched.
    pub fn template(&self) -> Option<&str> {
        let schema = self.record.schema.as_ref()?;
        Some(schema.binding(self.record.binding?).template.as_str())
    }

    /// `pkg.Service/Method`, when the schema knows it.
    pub fn rpc(&self) -> Option<&str> {
        let schema = self.record.schema.as_ref()?;
        let path = &schema.method(self.record.method?).path;
        Some(path.strip_prefix('/').unwrap_or(path))
    }
}

/// A member's name with all that stands around it.
macro_rules! name {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

/// One JSON object and a line end, after what `line` holds.
pub fn json(entry: &Entry<'_>, hidden: &[Box<str>], line: &mut String) {
    let record = entry.record;
    line.push_str("{\"time\":\"");
    line.push_str(Moment::recent(entry.wall).as_str());
    let mut line = Json(line);
    line.0.push_str("\",\"event\":\"call\"");
    if let Some(of) = &record.trace {
        line.hex(name!("trace_id"), &trace_id_text(of.trace_id));
        line.hex(name!("span_id"), &span_id_text(of.span_id));
    }
    line.plain(name!("protocol"), record.protocol);
    let method = record.http_method.as_str();
    if method.len() <= METHOD_LIMIT {
        // No token of HTTP has anything to escape.
        line.plain(name!("method"), method);
    } else {
        line.text(name!("method"), method, METHOD_LIMIT);
    }
    line.text(name!("path"), record.uri.path(), PATH_LIMIT);
    if let Some(query) = record.uri.query() {
        line.display(name!("query"), Redacted { query, hidden }, QUERY_LIMIT);
    }
    if let Some(template) = entry.template() {
        line.text(name!("template"), template, TEMPLATE_LIMIT);
    }
    if let Some(rpc) = entry.rpc() {
        line.text(name!("rpc"), rpc, RPC_LIMIT);
    }
    if let Some(status) = record.http_status {
        line.number(name!("http_status"), status);
    }
    if let Some(code) = record.code {
        line.plain(name!("grpc_status"), code.name());
    }
    if let Some(reason) = record.reason {
        line.plain(name!("reason"), reason);
    }
    if let Some(cause) = &record.cause {
        line.text(name!("cause"), cause, CAUSE_LIMIT);
    }
    if let Some(endpoint) = &record.endpoint {
        line.text(name!("endpoint"), endpoint, ENDPOINT_LIMIT);
    }
    line.number(name!("attempts"), record.attempts);
    line.number(name!("bytes_in"), record.bytes_in);
    line.number(name!("bytes_out"), record.bytes_out);
    line.number(name!("messages_in"), record.messages_in);
    line.number(name!("messages_out"), record.messages_out);
    if let Some(queue) = entry.queue() {
        line.millis(name!("queue_ms"), queue);
    }
    if let Some(upstream) = entry.upstream() {
        line.millis(name!("upstream_ms"), upstream);
    }
    line.millis(name!("total_ms"), entry.total());
    line.asker(record);
    if !record.logged.is_empty() {
        line.headers(&record.logged);
    }
    line.0.push_str("}\n");
}

/// One line to look at, after what `line` holds: when, how it ended, how long it took, what it
/// was, and what went wrong.
pub fn text(entry: &Entry<'_>, hidden: &[Box<str>], line: &mut String) {
    let record = entry.record;
    line.push_str(Moment::new(entry.wall).time_of_day());
    let mut took = String::new();
    push_millis(&mut took, entry.total());
    let status = record.http_status.unwrap_or(0);
    let head = format!("  {status:3} {took:>9} ms  {:8} ", record.protocol);
    line.push_str(&head);
    append(line, record.http_method.as_str(), METHOD_LIMIT);
    line.push(' ');
    append(line, record.uri.path(), PATH_LIMIT);
    if let Some(query) = record.uri.query() {
        line.push('?');
        append_display(line, Redacted { query, hidden }, QUERY_LIMIT);
    }
    // Native gRPC has the rpc for a path already.
    if let Some(rpc) = entry.rpc()
        && record.uri.path().strip_prefix('/') != Some(rpc)
    {
        line.push_str(" -> ");
        append(line, rpc, RPC_LIMIT);
    }
    if let Some(code) = record.code.filter(|code| *code != Code::Ok) {
        line.push_str("  ");
        line.push_str(code.name());
    }
    if let Some(reason) = record.reason {
        line.push(' ');
        line.push_str(reason);
    }
    if let Some(cause) = &record.cause {
        line.push_str(": ");
        append(line, cause, CAUSE_LIMIT);
    }
    line.push('\n');
}

fn append_display(line: &mut String, value: impl Display, limit: usize) {
    // Writing to a string cannot fail.
    let _written = write!(Escaped::new(line, limit), "{value}");
}

/// A header's value as text; nearly all of them are.
fn text_of(value: &HeaderValue) -> Cow<'_, str> {
    match value.to_str() {
        Ok(text) => Cow::Borrowed(text),
        Err(_other) => String::from_utf8_lossy(value.as_bytes()),
    }
}

/// Appends a duration as milliseconds with three digits after the point.
fn push_millis(line: &mut String, duration: Duration) {
    let micros = duration.as_secs().saturating_mul(1_000_000) + u64::from(duration.subsec_micros());
    line.push_str(itoa::Buffer::new().format(micros / 1000));
    // A thousand is added so that zeros in front are written; its own digit is left out.
    let fraction = 1000 + micros % 1000;
    let mut digits = itoa::Buffer::new();
    line.push('.');
    line.push_str(digits.format(fraction).get(1..).unwrap_or_default());
}

/// Writes the members of one flat object; names come from `name!`.
struct Json<'line>(&'line mut String);

impl Json<'_> {
    /// Who has asked.
    fn asker(&mut self, record: &CallRecord) {
        self.text(name!("peer"), record.peer.text(), ENDPOINT_LIMIT);
        if let Some(client) = &record.peer.client {
            self.text(name!("client"), client.name(), CLIENT_LIMIT);
        }
        if let Some(caller) = &record.caller {
            self.text(name!("caller"), caller, CLIENT_LIMIT);
        }
        if let Some(user_agent) = &record.user_agent {
            self.text(name!("user_agent"), &text_of(user_agent), USER_AGENT_LIMIT);
        }
    }

    /// A string of our own, in which there is nothing to escape.
    fn plain(&mut self, name: &'static str, value: &str) {
        self.0.push_str(name);
        self.0.push('"');
        self.0.push_str(value);
        self.0.push('"');
    }

    /// Digits.
    fn hex(&mut self, name: &'static str, value: &[u8]) {
        self.plain(name, str::from_utf8(value).unwrap_or_default());
    }

    fn text(&mut self, name: &'static str, value: &str, limit: usize) {
        self.0.push_str(name);
        self.0.push('"');
        append(self.0, value, limit);
        self.0.push('"');
    }

    fn display(&mut self, name: &'static str, value: impl Display, limit: usize) {
        self.0.push_str(name);
        self.0.push('"');
        append_display(self.0, value, limit);
        self.0.push('"');
    }

    /// An object of headers, as many as have room.
    fn headers(&mut self, logged: &[(HeaderName, HeaderValue)]) {
        /// What stands around a name and a value.
        const AROUND: usize = 6;
        self.0.push_str(",\"headers\":{");
        let began = self.0.len();
        for (name, value) in logged {
            let used = self.0.len() - began + name.as_str().len() + AROUND;
            let Some(room) = HEADERS_LIMIT
                .checked_sub(used)
                .filter(|room| *room > AROUND)
            else {
                break;
            };
            if self.0.len() > began {
                self.0.push(',');
            }
            self.0.push('"');
            append(self.0, name.as_str(), HEADERS_LIMIT);
            self.0.push_str("\":\"");
            let shown = text_of(value);
            append(self.0, redact::header_value(&shown), room.min(HEADER_LIMIT));
            self.0.push('"');
        }
        self.0.push('}');
    }

    fn number(&mut self, name: &'static str, value: impl itoa::Integer) {
        self.0.push_str(name);
        self.0.push_str(itoa::Buffer::new().format(value));
    }

    fn millis(&mut self, name: &'static str, duration: Duration) {
        self.0.push_str(name);
        push_millis(self.0, duration);
    }
}
