//! `google.rpc.Status`: the details that an application sends, as JSON, and the gateway's own.
//!
//! Rules: E3, E4, J4. Source: `google/rpc/status.proto`, `google/rpc/error_details.proto`.

use std::time::Duration;

use super::Violation;
use super::proto::{Malformed, Raw, Reader, WireType, put_len_field, put_tag, put_varint};
use super::wire_to_json::{any_parts, print_any, print_named};
use crate::schema::plan::Tables;

const TYPE_PREFIX: &str = "type.googleapis.com/";
const DOMAIN: &str = "sidegate";

/// What the details say besides their JSON form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// How long to wait before another try (`google.rpc.RetryInfo`).
    pub retry_delay: Option<Duration>,
}

/// Appends the details of an encoded `google.rpc.Status` as a JSON list; `[]` when it has none.
///
/// `None`, and nothing appended, when the bytes are no status or one of another code: then the
/// status counts without details (E4). `DebugInfo` is left out unless `debug_info` says so. A
/// detail without a JSON form is left out too.
pub fn details_to_json(
    tables: &Tables,
    details_bin: &[u8],
    code: u32,
    debug_info: bool,
    out: &mut Vec<u8>,
) -> Option<Details> {
    let status = Status::read(details_bin).ok()?;
    if status.code != code {
        return None;
    }
    let mut details = Details::default();
    out.push(b'[');
    let start = out.len();
    for any in status.details {
        let Some((url, value)) = any_parts(any) else {
            continue;
        };
        match url.rsplit_once('/').map_or(url, |(_, name)| name) {
            "google.rpc.DebugInfo" if !debug_info => continue,
            "google.rpc.RetryInfo" => details.retry_delay = retry_delay(value),
            _ => {}
        }
        let before = out.len();
        if before > start {
            out.push(b',');
        }
        if !print_any(tables, any, out) {
            out.truncate(before);
        }
    }
    out.push(b']');
    Some(details)
}

/// The type URL and the value of each detail of an encoded `google.rpc.Status`; none when the
/// bytes are no status or one of another code (E4).
pub fn list(details_bin: &[u8], code: u32) -> Vec<(&str, &[u8])> {
    let status = Status::read(details_bin).ok();
    let details = status.filter(|status| status.code == code);
    details
        .into_iter()
        .flat_map(|status| status.details)
        .filter_map(any_parts)
        .collect()
}

/// A detail as the JSON of its type, without its type URL; `None` when nobody knows the type or the
/// value is none of it.
pub fn value_to_json(tables: &Tables, full_name: &str, value: &[u8]) -> Option<String> {
    let mut out = Vec::new();
    let printed = print_named(tables, full_name, value, &mut out);
    printed.then(|| String::from_utf8(out).ok()).flatten()
}

struct Status<'w> {
    code: u32,
    details: Vec<&'w [u8]>,
}

impl<'w> Status<'w> {
    fn read(bytes: &'w [u8]) -> Result<Self, Malformed> {
        let mut status = Self {
            code: 0,
            details: Vec::new(),
        };
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag()?;
            match (number, reader.value(number, wire_type)?) {
                (1, Raw::Varint(code)) => status.code = code as u32,
                (3, Raw::Len(any)) => status.details.push(any),
                _ => {}
            }
        }
        Ok(status)
    }
}

fn retry_delay(retry_info: &[u8]) -> Option<Duration> {
    let mut parts = [0_u64; 2];
    let mut reader = Reader::new(retry_info);
    while !reader.is_empty() {
        let (number, wire_type) = reader.tag().ok()?;
        let raw = reader.value(number, wire_type).ok()?;
        let (1, Raw::Len(delay)) = (number, raw) else {
            continue;
        };
        let mut reader = Reader::new(delay);
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag().ok()?;
            match (number, reader.value(number, wire_type).ok()?) {
                (1, Raw::Varint(seconds)) => parts[0] = seconds,
                (2, Raw::Varint(nanos)) => parts[1] = nanos,
                _ => {}
            }
        }
    }
    // A negative delay has its highest bit set and is no delay.
    let seconds = u64::try_from(parts[0] as i64).ok()?;
    let nanos = u32::try_from(parts[1] as i64).ok()?;
    (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
}

/// An error that the gateway itself answers with.
#[derive(Clone, Copy, Debug)]
pub struct OwnError<'a> {
    /// The gRPC code.
    pub code: u32,
    /// The text for the caller.
    pub message: &'a str,
    /// The machine's word for it; becomes `google.rpc.ErrorInfo.reason`.
    pub reason: &'a str,
    /// Facts for machines.
    pub metadata: &'a [(&'a str, &'a str)],
    /// The fields that are wrong; become a `google.rpc.BadRequest`.
    pub violations: &'a [Violation],
}

/// The encoded `google.rpc.Status` of an error of the gateway, for `grpc-status-details-bin`;
/// [`details_to_json`] makes JSON of it.
pub fn own_status(error: &OwnError<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    put_tag(&mut out, 1, WireType::Varint);
    put_varint(&mut out, u64::from(error.code));
    put_text(&mut out, 2, error.message);
    put_detail(&mut out, "google.rpc.ErrorInfo", &error_info(error));
    if !error.violations.is_empty() {
        put_detail(
            &mut out,
            "google.rpc.BadRequest",
            &bad_request(error.violations),
        );
    }
    out
}

fn put_text(out: &mut Vec<u8>, number: u32, text: &str) {
    if !text.is_empty() {
        put_len_field(out, number, text.as_bytes());
    }
}

fn put_detail(out: &mut Vec<u8>, full_name: &str, content: &[u8]) {
    let mut any = Vec::new();
    put_text(&mut any, 1, &format!("{TYPE_PREFIX}{full_name}"));
    put_len_field(&mut any, 2, content);
    put_len_field(out, 3, &any);
}

fn error_info(error: &OwnError<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, 1, error.reason);
    put_text(&mut out, 2, DOMAIN);
    for (key, value) in error.metadata {
        let mut entry = Vec::new();
        put_len_field(&mut entry, 1, key.as_bytes());
        put_len_field(&mut entry, 2, value.as_bytes());
        put_len_field(&mut out, 3, &entry);
    }
    out
}

fn bad_request(violations: &[Violation]) -> Vec<u8> {
    let mut out = Vec::new();
    for violation in violations {
        let mut field = Vec::new();
        put_text(&mut field, 1, &violation.field);
        put_text(&mut field, 2, &violation.description);
        put_len_field(&mut out, 1, &field);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(wire: &[u8], code: u32, debug_info: bool) -> Option<(String, Details)> {
        let mut out = b"x".to_vec();
        let details = details_to_json(&Tables::default(), wire, code, debug_info, &mut out);
        match details {
            Some(details) => Some((String::from_utf8(out.split_off(1)).unwrap(), details)),
            None => {
                assert_eq!(out, b"x", "nothing may be appended");
                None
            }
        }
    }

    #[test]
    fn own_errors_say_their_reason_and_fields() {
        let violations = [Violation {
            field: String::from("book.title"),
            description: String::from("is required"),
            offset: Some(3),
        }];
        let wire = own_status(&OwnError {
            code: 3,
            message: "bad",
            reason: "INVALID_REQUEST",
            metadata: &[("route", "/v1/{name}")],
            violations: &violations,
        });
        let (json, _) = json(&wire, 3, false).unwrap();
        assert_eq!(
            json,
            concat!(
                r#"[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"INVALID_REQUEST","#,
                r#""domain":"sidegate","metadata":{"route":"/v1/{name}"}},"#,
                r#"{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":"#,
                r#"[{"field":"book.title","description":"is required"}]}]"#,
            )
        );
    }

    #[test]
    fn a_status_of_another_code_or_none_at_all_has_no_details() {
        let wire = own_status(&OwnError {
            code: 5,
            message: "",
            reason: "X",
            metadata: &[],
            violations: &[],
        });
        assert!(json(&wire, 5, false).is_some());
        assert_eq!(json(&wire, 3, false), None);
        assert_eq!(json(b"\xff\xff", 5, false), None);
        assert_eq!(json(b"", 5, false), None);
        assert_eq!(json(b"\x08\x05", 5, false).unwrap().0, "[]");
    }

    #[test]
    fn debug_info_is_removed_and_retry_info_is_read() {
        let mut wire = b"\x08\x0e".to_vec();
        put_detail(&mut wire, "google.rpc.DebugInfo", b"\x12\x01d");
        put_detail(&mut wire, "google.rpc.RetryInfo", b"\x0a\x03\x08\x90\x1c");
        put_detail(&mut wire, "a.Strange", b"\x01\x02");
        let (text, details) = json(&wire, 14, false).unwrap();
        assert_eq!(details.retry_delay, Some(Duration::from_secs(3600)));
        assert_eq!(
            text,
            concat!(
                r#"[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"3600s"},"#,
                r#"{"@type":"type.googleapis.com/a.Strange","value":"AQI="}]"#,
            )
        );
        let (text, _) = json(&wire, 14, true).unwrap();
        assert!(
            text.contains(r#"google.rpc.DebugInfo","detail":"d""#),
            "{text}"
        );
    }

    #[test]
    fn a_value_is_written_as_its_type_says() {
        for (name, value, expected) in [
            (
                "google.rpc.RetryInfo",
                &b"\x0a\x02\x08\x05"[..],
                Some(r#"{"retryDelay":"5s"}"#),
            ),
            ("google.protobuf.Duration", b"\x08\x05", Some("\"5s\"")),
            ("google.rpc.RetryInfo", b"", Some("{}")),
            ("google.rpc.RetryInfo", b"\x0a\xff", None),
            ("a.Strange", b"", None),
        ] {
            let found = value_to_json(&Tables::default(), name, value);
            assert_eq!(found.as_deref(), expected, "{name} {value:?}");
        }
    }

    #[test]
    fn a_detail_that_does_not_decode_is_printed_as_bytes() {
        let mut wire = b"\x08\x0e".to_vec();
        put_detail(&mut wire, "google.rpc.RetryInfo", b"\x0a\xff");
        put_len_field(&mut wire, 3, b"\x0a\x01\xff");
        let (text, details) = json(&wire, 14, false).unwrap();
        assert_eq!(details.retry_delay, None);
        let expected = r#"[{"@type":"type.googleapis.com/google.rpc.RetryInfo","value":"Cv8="}]"#;
        assert_eq!(text, expected);
    }
}
