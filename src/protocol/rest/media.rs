//! Media types, and how they choose the framing of streams in both directions (S1, S5).

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::request::Parts;

use crate::schema::policy::StreamShape;
use crate::schema::{BindingId, Schema};
use crate::transcode::split::Framing;

/// The media types of one protobuf message.
pub(super) const PROTOBUF: [&str; 2] = ["application/x-protobuf", "application/protobuf"];

/// A media type without its parameters, and its charset.
pub(super) struct MediaType<'a> {
    pub(super) essence: &'a str,
    charset: Option<&'a str>,
}

impl<'a> MediaType<'a> {
    pub(super) fn parse(value: &'a str) -> Self {
        let mut parts = value.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        let charset = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("charset")
                .then(|| value.trim().trim_matches('"'))
        });
        Self { essence, charset }
    }

    pub(super) fn is_json(&self) -> bool {
        let essence = self.essence.to_ascii_lowercase();
        // Connect's streams are JSON in envelopes, which nobody here opens.
        essence == "application/json"
            || (essence.ends_with("+json") && essence != "application/connect+json")
    }

    pub(super) fn is_lines(&self) -> bool {
        [
            "application/x-ndjson",
            "application/ndjson",
            "application/jsonl",
        ]
        .iter()
        .any(|name| self.essence.eq_ignore_ascii_case(name))
    }

    pub(super) fn is_utf8(&self) -> bool {
        self.charset.is_none_or(|charset| {
            ["utf-8", "utf8", "us-ascii"]
                .iter()
                .any(|name| charset.eq_ignore_ascii_case(name))
        })
    }
}

/// How the messages of a request stream stand in its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestStream(pub(super) Framing);

impl RequestStream {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let lines = content_type(headers).is_some_and(|value| MediaType::parse(value).is_lines());
        Self(if lines { Framing::Lines } else { Framing::Json })
    }
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
}

/// How the messages of an answer stream are framed: what the client accepts best, else what the
/// route says (S1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ResponseStream(pub(super) StreamShape);

impl ResponseStream {
    pub(super) fn of(head: &Parts, schema: &Schema, id: BindingId) -> Self {
        let policy = &schema.method(schema.binding(id).method).policy;
        Self(accepted(&head.headers).unwrap_or(policy.rest.stream))
    }
}

/// The framing that `Accept` names with the highest weight, the earlier of equals; `None` when it
/// names none of ours, or JSON or anything at all before it.
fn accepted(headers: &HeaderMap) -> Option<StreamShape> {
    let shape = best(headers, |essence| match essence {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
            Some(Some(StreamShape::Ndjson))
        }
        "text/event-stream" => Some(Some(StreamShape::Sse)),
        "application/json" | "application/*" | "*/*" => Some(None),
        _ => None,
    });
    shape.flatten()
}

/// Whether `Accept` names protobuf before JSON or anything at all (B8).
pub(super) fn prefers_protobuf(headers: &HeaderMap) -> bool {
    // Most say `*/*` or `application/json`, which is told at a glance.
    let long = |value: &HeaderValue| value.len() >= PROTOBUF[1].len();
    headers.get_all(ACCEPT).iter().any(long)
        && best(headers, |essence| match essence {
            essence if PROTOBUF.contains(&essence) => Some(true),
            "application/json" | "application/*" | "*/*" => Some(false),
            _ => None,
        }) == Some(true)
}

/// What `Accept` names with the highest weight, the earlier of equals, of the media types for which
/// `of` has a meaning.
fn best<T>(headers: &HeaderMap, of: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut best = (0, None);
    for value in headers.get_all(ACCEPT) {
        let Ok(value) = value.to_str() else { continue };
        for range in value.split(',') {
            let essence = MediaType::parse(range).essence.to_ascii_lowercase();
            let Some(meaning) = of(&essence) else {
                continue;
            };
            let weight = weight(range);
            if weight > best.0 {
                best = (weight, Some(meaning));
            }
        }
    }
    best.1
}

/// The `q` of a media range in thousandths; 1000 without one, 0 when it is not readable.
fn weight(range: &str) -> u32 {
    let q = range.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    let Some(q) = q else { return 1000 };
    let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
    let digits = format!("{fraction:0<3}");
    match (
        whole,
        digits
            .get(..3)
            .and_then(|digits| digits.parse::<u32>().ok()),
    ) {
        ("0", Some(thousandths)) => thousandths,
        ("1", Some(0)) => 1000,
        _ => 0,
    }
}

/// The content type of a framed stream.
pub(super) fn stream_type(shape: StreamShape) -> HeaderValue {
    HeaderValue::from_static(match shape {
        StreamShape::Array | StreamShape::Result => "application/json",
        StreamShape::Ndjson => "application/x-ndjson",
        StreamShape::Sse => "text/event-stream",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_accept_chooses_the_framing() {
        use StreamShape::{Ndjson, Sse};
        for (accept, expected) in [
            ("application/x-ndjson", Some(Ndjson)),
            ("application/jsonl", Some(Ndjson)),
            ("text/event-stream", Some(Sse)),
            ("Text/Event-Stream;charset=utf-8", Some(Sse)),
            ("application/json", None),
            ("*/*", None),
            ("application/json;q=0.5, text/event-stream", Some(Sse)),
            ("text/event-stream;q=0.4, application/json;q=0.5", None),
            ("text/html, application/x-ndjson;q=0.1", Some(Ndjson)),
            ("text/event-stream;q=0", None),
            ("text/event-stream;q=zero", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            assert_eq!(accepted(&headers), expected, "{accept}");
        }
    }

    #[test]
    fn b13_json_has_many_names() {
        for (value, json, utf8) in [
            ("application/json", true, true),
            ("application/vnd.api+json; charset=\"UTF-8\"", true, true),
            ("Application/JSON;charset=latin1", true, false),
            ("text/plain", false, true),
            ("application/jsonp", false, true),
            ("application/connect+json", false, true),
        ] {
            let media = MediaType::parse(value);
            assert_eq!((media.is_json(), media.is_utf8()), (json, utf8), "{value}");
        }
    }
}
