//! [`Metadata`]: gRPC metadata as a header map, and the base64 of its binary values.
//!
//! Source: grpc/grpc `doc/PROTOCOL-HTTP2.md`, "Custom-Metadata".

use data_encoding::{BASE64_NOPAD, Encoding, Specification};
use http::{HeaderName, HeaderValue};
use std::sync::LazyLock;

use crate::wire::trace::Told;

/// Metadata of a call. Names are lower-case; names that end in `-bin` hold base64.
pub type Metadata = http::HeaderMap;

/// Accepts padded and unpadded base64; trailing bits are not checked, as peers differ there.
static LENIENT: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification: Specification = BASE64_NOPAD.specification();
    specification.check_trailing_bits = false;
    specification.encoding().unwrap_or(BASE64_NOPAD)
});

/// The first value of a name in lower case. Most header maps hold a few entries, and to look at
/// each costs less than to hash a name once.
pub fn lookup<'h>(headers: &'h http::HeaderMap, name: &str) -> Option<&'h HeaderValue> {
    const FEW: usize = 16;
    if headers.len() > FEW {
        return headers.get(name);
    }
    headers
        .iter()
        .find_map(|(key, value)| (key.as_str() == name).then_some(value))
}

/// Adds the headers that tell of a trace, in the place of others of their names.
pub fn tell(headers: &mut http::HeaderMap, told: &Told) {
    told.each(|name, value| {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    });
}

/// Decodes one binary value, padded or not; `None` when it is not base64.
pub fn decode_binary(value: &[u8]) -> Option<Vec<u8>> {
    let mut end = value.len();
    while end > 0 && value.get(end - 1) == Some(&b'=') && value.len() - end < 2 {
        end -= 1;
    }
    LENIENT.decode(value.get(..end)?).ok()
}

/// Encodes one binary value, unpadded.
pub fn encode_binary(value: &[u8]) -> String {
    BASE64_NOPAD.encode(value)
}
