//! Which compression a client may use and which it is answered with.

use http::HeaderMap;

use crate::call::{Blame, Code, Fault};
use crate::wire::compress::Encoding;

/// Messages below this size are sent as they are.
pub(in crate::protocol) const WORTHWHILE_BYTES: usize = 1024;

/// How a request is compressed, by the header `name`.
pub(in crate::protocol) fn of_request(headers: &HeaderMap, name: &str) -> Result<Encoding, Fault> {
    match headers.get(name) {
        None => Ok(Encoding::Identity),
        Some(value) => parse(value.as_bytes()),
    }
}

/// How something is compressed, by its name.
pub(in crate::protocol) fn parse(name: &[u8]) -> Result<Encoding, Fault> {
    Encoding::parse(name.trim_ascii()).ok_or_else(|| {
        Fault::new(
            Blame::Client,
            Code::Unimplemented,
            UNKNOWN,
            format!("requests may be compressed as {}", Encoding::ACCEPTED),
        )
    })
}

/// The reason of an answer that lists what would have been understood.
pub(in crate::protocol) const UNKNOWN: &str = "UNKNOWN_ENCODING";

/// What a client likes best of what is spoken here: its own order counts, then its weights. What
/// it does not name it does not get.
pub(in crate::protocol) fn preferred(headers: &HeaderMap, name: &str) -> Encoding {
    let mut best = (Encoding::Identity, 0);
    for value in headers.get_all(name) {
        for part in value.as_bytes().split(|byte| *byte == b',') {
            let mut fields = part.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let Some(encoding) = fields.next().and_then(Encoding::parse) else {
                continue;
            };
            let weight = fields.find_map(weight).unwrap_or(1000);
            if encoding != Encoding::Identity && weight > best.1 {
                best = (encoding, weight);
            }
        }
    }
    best.0
}

/// The thousandths of a `q=0.5`; what is no weight is none.
pub(in crate::protocol) fn weight(field: &[u8]) -> Option<u32> {
    let value = field
        .strip_prefix(b"q=")
        .or_else(|| field.strip_prefix(b"Q="))?;
    let (whole, fraction) = match value {
        [whole, b'.', fraction @ ..] => (whole, fraction),
        [whole] => (whole, &b""[..]),
        _ => return Some(0),
    };
    let digits = fraction.iter().chain(b"000").take(3);
    let thousandths = digits.fold(0, |sum, digit| {
        sum * 10 + u32::from(digit.wrapping_sub(b'0') % 10)
    });
    Some(if *whole == b'1' { 1000 } else { thousandths })
}

/// Whether a client lists an encoding of the app's, whatever it is.
pub(in crate::protocol) fn lists(headers: &HeaderMap, name: &str, encoding: &[u8]) -> bool {
    let encoding = encoding.trim_ascii();
    encoding.eq_ignore_ascii_case(b"identity")
        || headers.get_all(name).iter().any(|value| {
            value
                .as_bytes()
                .split(|byte| *byte == b',')
                .any(|part| part.trim_ascii().eq_ignore_ascii_case(encoding))
        })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn m5_what_a_client_likes_best() {
        for (value, expected) in [
            ("", "identity"),
            ("gzip", "gzip"),
            ("snappy, gzip", "gzip"),
            ("deflate, gzip", "deflate"),
            ("deflate;q=0.5, gzip;q=0.7", "gzip"),
            ("gzip;q=0", "identity"),
            ("gzip;q=0.000, deflate; q=0.001", "deflate"),
            ("gzip;q=x", "identity"),
            ("identity, gzip", "gzip"),
            ("*", "identity"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("a", HeaderValue::from_static(value));
            assert_eq!(preferred(&headers, "a").name(), expected, "{value}");
        }
        assert_eq!(preferred(&HeaderMap::new(), "a"), Encoding::Identity);
    }

    #[test]
    fn what_a_client_lists() {
        let mut headers = HeaderMap::new();
        headers.append("a", HeaderValue::from_static("gzip, snappy"));
        headers.append("a", HeaderValue::from_static("br"));
        for (encoding, expected) in [
            ("identity", true),
            ("gzip", true),
            ("Snappy", true),
            ("br", true),
            ("zstd", false),
        ] {
            assert_eq!(
                lists(&headers, "a", encoding.as_bytes()),
                expected,
                "{encoding}"
            );
        }
    }

    #[test]
    fn unknown_compressions_are_told_what_there_is() {
        let fault = parse(b"snappy").expect_err("nobody speaks it");
        assert_eq!(fault.code(), Code::Unimplemented);
        assert!(fault.message().contains(Encoding::ACCEPTED));
        assert_eq!(parse(b"GZip").ok(), Some(Encoding::Gzip));
    }
}
