//! Which request headers become metadata of the app (M1).
//!
//! One filter for every front: hop-by-hop headers, what the gateway itself decides, and claims
//! of identity from outside never pass; values that metadata cannot hold are dropped and counted.

use std::borrow::Cow;

use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue};

use super::forwarded;
use crate::call::Metadata;
use crate::call::metadata::{decode_binary, encode_binary};

/// What decides about one request's headers.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// `rest.headers.deny`.
    pub denied: &'a [Box<str>],
    /// Whether the client spoke gRPC, whose own headers then pass.
    pub grpc: bool,
    /// Whether the peer's forwarding headers are believed.
    pub trusted: bool,
    /// `rest.metadata_prefix`: what names of headers lose on their way.
    pub strip: Option<&'a str>,
    /// `rest.header_prefix`: under which HTTP's own headers pass once more.
    pub prefix: Option<&'a str>,
}

/// The metadata of a request and how many values were left out because metadata cannot hold
/// them.
pub fn from_headers(headers: &HeaderMap, rules: Rules<'_>) -> (Metadata, u32) {
    /// What the adapters and the upstream add.
    const OWN: usize = 10;
    let mut metadata = Metadata::with_capacity(headers.len() + OWN);
    let mut dropped = 0;
    let named = hop_by_hop_by_name(headers);
    let renames = rules.strip.is_some() || rules.prefix.is_some();
    for (name, value) in headers {
        if named.iter().any(|other| other == name.as_str()) {
            continue;
        }
        if renames {
            dropped += renamed(&mut metadata, (name, value), rules);
        } else if passes(name.as_str(), rules) {
            dropped += append(&mut metadata, name, value);
        }
    }
    (metadata, dropped)
}

/// Appends a header under the names that prefixes give it.
#[cold]
fn renamed(
    metadata: &mut Metadata,
    (name, value): (&HeaderName, &HeaderValue),
    rules: Rules<'_>,
) -> u32 {
    let mut dropped = 0;
    let second = rules
        .prefix
        .and_then(|prefix| prefixed(prefix, name.as_str()));
    if let Some(second) = second {
        dropped += append(metadata, &second, value);
    }
    let stripped = rules.strip.and_then(|prefix| strip(prefix, name.as_str()));
    let name = stripped.as_ref().unwrap_or(name);
    // Under a new name a header may no more than others of that name, and what the prefix says of
    // a header is for the gateway alone to say.
    let taken = rules
        .prefix
        .is_some_and(|prefix| begins(name.as_str(), prefix));
    if !taken && passes(name.as_str(), rules) {
        dropped += append(metadata, name, value);
    }
    dropped
}

/// Appends a value; the count of those that metadata cannot hold.
fn append(metadata: &mut Metadata, name: &HeaderName, value: &HeaderValue) -> u32 {
    if name.as_str().ends_with("-bin") {
        return append_binary(metadata, name, value);
    }
    let bytes = value.as_bytes();
    let fits = bytes.iter().all(|byte| (0x20..=0x7E).contains(byte));
    if fits {
        metadata.append(name, value.clone());
    }
    u32::from(!fits)
}

/// The name without the prefix, if it has it.
fn strip(prefix: &str, name: &str) -> Option<HeaderName> {
    let tail = begins(name, prefix).then(|| name.get(prefix.len()..))??;
    HeaderName::try_from(tail).ok()
}

fn begins(name: &str, prefix: &str) -> bool {
    let head = name.as_bytes().get(..prefix.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// The second name of one of HTTP's own headers, as grpc-gateway counts them.
fn prefixed(prefix: &str, name: &str) -> Option<HeaderName> {
    const OWN: [&str; 22] = [
        "accept",
        "accept-charset",
        "accept-language",
        "accept-ranges",
        "authorization",
        "cache-control",
        "content-type",
        "cookie",
        "date",
        "expect",
        "from",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-schedule-tag-match",
        "if-unmodified-since",
        "max-forwards",
        "origin",
        "pragma",
        "referer",
        "user-agent",
        "warning",
    ];
    if name != "via" && !OWN.contains(&name) {
        return None;
    }
    HeaderName::try_from(format!("{prefix}{name}")).ok()
}

/// Whether a header of this name may pass at all.
fn passes(name: &str, rules: Rules<'_>) -> bool {
    if is_hop_by_hop(name) || name.starts_with("x-sidegate-") {
        return false;
    }
    let family = match name {
        "host" | "content-length" | "content-type" | "content-encoding" | "accept-encoding"
        | "connect-timeout-ms" | "x-server-timeout" | "expect" => false,
        "connect-protocol-version" | "connect-content-encoding" | "connect-accept-encoding" => {
            false
        }
        // Calls are re-timed by the gateway, and answers' headers have no place in requests.
        "grpc-encoding"
        | "grpc-accept-encoding"
        | "grpc-message-type"
        | "grpc-previous-rpc-attempts"
        | "grpc-trace-bin"
        | "grpc-tags-bin" => rules.grpc,
        _ => !name.starts_with("grpc-"),
    };
    family
        && forwarded::passes(name, rules.trusted)
        && !rules.denied.iter().any(|denied| **denied == *name)
}

/// Headers that concern one connection only (RFC 9110, section 7.6.1).
pub fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// The lower-case names that `Connection` declares to be hop-by-hop, whatever they are: an
/// `authorization` that is named there was not meant for the app (fault 14).
pub fn hop_by_hop_by_name(headers: &HeaderMap) -> Vec<String> {
    let mut named = Vec::new();
    for value in headers.get_all(CONNECTION) {
        let Ok(value) = value.to_str() else { continue };
        named.extend(
            value
                .split(',')
                .map(|name| name.trim().to_ascii_lowercase()),
        );
    }
    named
}

/// Splits joined values, decodes and re-encodes them; the count of those that are not base64.
fn append_binary(metadata: &mut Metadata, name: &HeaderName, value: &HeaderValue) -> u32 {
    let mut dropped = 0;
    for part in value.as_bytes().split(|byte| *byte == b',') {
        let part = part.trim_ascii();
        let encoded: Option<Cow<'_, [u8]>> = decode_binary(part).map(|bytes| {
            // The usual form needs no second encoding.
            if part.contains(&b'=') {
                Cow::Owned(encode_binary(&bytes).into_bytes())
            } else {
                Cow::Borrowed(part)
            }
        });
        match encoded.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok()) {
            Some(value) => {
                metadata.append(name, value);
            }
            None => dropped += 1,
        }
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(grpc: bool, headers: &[(&str, &[u8])], expected: &[(&str, &str)], lost: u32) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_bytes(value).unwrap(),
            );
        }
        let denied = [Box::from("x-denied")];
        let rules = Rules {
            denied: &denied,
            grpc,
            trusted: false,
            strip: None,
            prefix: None,
        };
        let (metadata, dropped) = from_headers(&map, rules);
        let seen: Vec<_> = metadata
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!((seen.as_slice(), dropped), (expected, lost), "{headers:?}");
    }

    #[test]
    fn m1_the_request_filter() {
        check(
            false,
            &[("x-a", b"1"), ("x-a", b"2")],
            &[("x-a", "1"), ("x-a", "2")],
            0,
        );
        check(
            false,
            &[("authorization", b"Bearer x")],
            &[("authorization", "Bearer x")],
            0,
        );
        for own in [
            "host",
            "content-length",
            "te",
            "upgrade",
            "accept-encoding",
            "grpc-status",
            "grpc-encoding",
            "x-sidegate-internal",
            "x-denied",
            "x-forwarded-for",
            "forwarded",
        ] {
            check(false, &[(own, b"1")], &[], 0);
        }
        check(
            true,
            &[("grpc-encoding", b"gzip")],
            &[("grpc-encoding", "gzip")],
            0,
        );
        check(
            false,
            &[
                ("connection", b"close, X-Hop"),
                ("x-hop", b"1"),
                ("x-b", b"1"),
            ],
            &[("x-b", "1")],
            0,
        );
    }

    #[test]
    fn m1_what_metadata_cannot_hold_is_counted() {
        check(
            false,
            &[("x-a", b"gr\xc3\xbc\xc3\x9fe"), ("x-b", b"tab\there")],
            &[],
            2,
        );
        check(
            false,
            &[("x-bin", b"AQI=,Aw"), ("y-bin", b"!!")],
            &[("x-bin", "AQI"), ("x-bin", "Aw")],
            1,
        );
    }
}
