//! Error answers: one status, four shapes (E3), and what goes with it into the headers.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};

use super::answer::Answer;
use super::headers;
use crate::call::{Body, Fault, Status};
use crate::protocol::{hint, told};
use crate::schema::policy::ErrorShape;
use crate::transcode::{detail, escape};

/// A status ready to be written in any shape.
pub(super) struct Told {
    http: StatusCode,
    status: Status,
    /// A JSON array, `[]` when there are none.
    details: Vec<u8>,
    retry_after: Option<u64>,
}

impl Told {
    /// What a client is told of a fault.
    pub(super) fn fault(answer: &Answer, fault: &Fault) -> Self {
        let status = told(fault);
        Self::status(answer, &status, fault.http())
    }

    /// What a client is told of a status of the app.
    pub(super) fn status(answer: &Answer, status: &Status, http: StatusCode) -> Self {
        let mut details = Vec::new();
        let found = detail::details_to_json(
            &answer.schema.tables,
            &status.details,
            status.number,
            answer.policy.rest.debug_info,
            &mut details,
        );
        if found.is_none() {
            details = b"[]".to_vec();
        }
        let retry_after = found
            .and_then(|found| found.retry_delay)
            .map(|delay| delay.as_secs() + u64::from(delay.subsec_nanos() > 0));
        Self {
            http,
            status: status.clone(),
            details,
            retry_after,
        }
    }

    /// The error as it stands in the middle of a stream: `{"error":{…}}`.
    pub(super) fn in_band(&self, shape: ErrorShape) -> Vec<u8> {
        let mut out = b"{\"error\":".to_vec();
        match shape {
            ErrorShape::Google | ErrorShape::Problem => self.write_google(&mut out),
            ErrorShape::Status | ErrorShape::None => self.write_status(&mut out),
            ErrorShape::GatewayV1 => {
                out.extend_from_slice(b"{\"grpc_code\":");
                self.write_number(&mut out);
                out.extend_from_slice(b",\"http_code\":");
                out.extend_from_slice(self.http.as_str().as_bytes());
                out.extend_from_slice(b",\"message\":");
                escape::string(&mut out, &self.status.message);
                out.extend_from_slice(b",\"http_status\":");
                escape::string(&mut out, reason_phrase(self.http));
                self.write_details(&mut out);
                out.push(b'}');
            }
        }
        out.push(b'}');
        out
    }

    /// The same as the only line of an answer.
    fn line(&self, shape: ErrorShape) -> Vec<u8> {
        let mut line = self.in_band(shape);
        line.push(b'\n');
        line
    }

    fn write_retry_after(&self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
    }

    fn body(&self, shape: ErrorShape) -> Vec<u8> {
        let mut out = Vec::with_capacity(128 + self.details.len());
        match shape {
            ErrorShape::Google => {
                out.extend_from_slice(b"{\"error\":");
                self.write_google(&mut out);
                out.push(b'}');
            }
            ErrorShape::Status => self.write_status(&mut out),
            ErrorShape::Problem => self.write_problem(&mut out),
            ErrorShape::None => {}
            ErrorShape::GatewayV1 => {
                out.extend_from_slice(b"{\"error\":");
                escape::string(&mut out, &self.status.message);
                out.extend_from_slice(b",\"message\":");
                escape::string(&mut out, &self.status.message);
                out.extend_from_slice(b",\"code\":");
                self.write_number(&mut out);
                self.write_details(&mut out);
                out.push(b'}');
            }
        }
        out
    }

    fn write_google(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"code\":");
        out.extend_from_slice(self.http.as_str().as_bytes());
        out.extend_from_slice(b",\"message\":");
        escape::string(out, &self.status.message);
        out.extend_from_slice(b",\"status\":");
        escape::string(out, self.status.code.name());
        self.write_details(out);
        out.push(b'}');
    }

    fn write_status(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"code\":");
        self.write_number(out);
        out.extend_from_slice(b",\"message\":");
        escape::string(out, &self.status.message);
        out.extend_from_slice(b",\"details\":");
        out.extend_from_slice(&self.details);
        out.push(b'}');
    }

    /// RFC 9457: `type` is left out, as the code says it all.
    fn write_problem(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"title\":");
        escape::string(out, reason_phrase(self.http));
        out.extend_from_slice(b",\"status\":");
        out.extend_from_slice(self.http.as_str().as_bytes());
        out.extend_from_slice(b",\"detail\":");
        escape::string(out, &self.status.message);
        out.extend_from_slice(b",\"code\":");
        escape::string(out, self.status.code.name());
        self.write_details(out);
        out.push(b'}');
    }

    fn write_details(&self, out: &mut Vec<u8>) {
        if self.details.len() > b"[]".len() {
            out.extend_from_slice(b",\"details\":");
            out.extend_from_slice(&self.details);
        }
    }

    fn write_number(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(itoa::Buffer::new().format(self.status.number).as_bytes());
    }
}

fn reason_phrase(status: StatusCode) -> &'static str {
    match status.as_u16() {
        499 => "Client Closed Request",
        _ => status.canonical_reason().unwrap_or("Unknown Status"),
    }
}

/// The answer to a call that the gateway could not carry out.
pub(super) fn from_fault(answer: &Answer, fault: &Fault) -> Response<Body> {
    answer.record.note().fault(fault);
    let mut response = write(answer, &Told::fault(answer, fault));
    let headers = response.headers_mut();
    headers.extend(hint(fault));
    if answer.reason_header && fault.app_status().is_none() {
        headers.insert(
            HeaderName::from_static("x-sidegate-reason"),
            HeaderValue::from_static(fault.reason()),
        );
    }
    response
}

/// The answer to a call that the app ended with an error status; `metadata` are what it sent
/// before and after.
pub(super) fn from_status(
    answer: &Answer,
    status: &Status,
    metadata: &[&HeaderMap],
) -> Response<Body> {
    answer.record.note().code = Some(status.code);
    let http = headers::chosen_status(metadata, false).unwrap_or_else(|| status.code.http());
    let mut response = write(answer, &Told::status(answer, status, http));
    for map in metadata {
        let prefix = answer.policy.rest.metadata_prefix.as_deref();
        headers::append(response.headers_mut(), map, prefix);
    }
    response
}

fn write(answer: &Answer, told: &Told) -> Response<Body> {
    let content_type = match (answer.errors, answer.failed_as) {
        (ErrorShape::None, None) => return bare(answer, told),
        (ErrorShape::Problem, None) => "application/problem+json",
        (_, Some(_)) | (ErrorShape::Google | ErrorShape::Status | ErrorShape::GatewayV1, None) => {
            "application/json"
        }
    };
    let mut body = match answer.failed_as {
        None => told.body(answer.errors),
        Some(stream) => told.line(answer.shape_within(stream)),
    };
    if answer.json.indent > 0 {
        let mut indented = Vec::with_capacity(body.len() * 2);
        if escape::indent(
            &body,
            usize::from(answer.json.indent),
            usize::MAX,
            &mut indented,
        ) {
            body = indented;
        }
    }
    let mut response = super::unary::json(HeaderMap::new(), body, answer.asked.head_only);
    *response.status_mut() = told.http;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    told.write_retry_after(headers);
    response
}

/// An answer without a body, for clients that look at nothing but the head.
fn bare(answer: &Answer, told: &Told) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = told.http;
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    told.write_retry_after(headers);
    if answer.policy.rest.status_headers {
        headers::write_status(headers, &told.status);
    }
    response
}
