//! Base64 as ProtoJSON has it: written padded in the standard alphabet, read in both alphabets,
//! padded or not.

use std::sync::LazyLock;

use data_encoding::{BASE64, Encoding, Specification};

/// Encoders write zeros into the bits that no byte needs, but nobody has to look at them.
fn lenient(symbols: &str) -> Option<Encoding> {
    let mut specification = Specification::new();
    specification.symbols.push_str(symbols);
    specification.check_trailing_bits = false;
    specification.encoding().ok()
}

static STANDARD: LazyLock<Option<Encoding>> =
    LazyLock::new(|| lenient("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"));
static URL: LazyLock<Option<Encoding>> =
    LazyLock::new(|| lenient("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"));

/// The bytes of base64 or base64url; `None` when the text is neither.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    let plain = match bytes {
        [plain @ .., b'=', b'='] | [plain @ .., b'='] => plain,
        plain => plain,
    };
    if plain.len() != bytes.len() && !bytes.len().is_multiple_of(4) {
        return None;
    }
    let url = plain.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let encoding = if url { &*URL } else { &*STANDARD };
    encoding.as_ref()?.decode(plain).ok()
}

/// Three bytes in base64.
#[inline]
pub(crate) fn four([first, second, third]: [u8; 3]) -> [u8; 4] {
    static LETTERS: [u8; 64] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = u32::from_be_bytes([0, first, second, third]);
    [18, 12, 6, 0].map(|shift| {
        let at = (bits >> shift & 63) as usize;
        LETTERS.get(at).copied().unwrap_or(b'=')
    })
}

/// Appends `bytes` in base64.
pub(crate) fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + BASE64.encode_len(bytes.len()), 0);
    if let Some(place) = out.get_mut(start..) {
        BASE64.encode_mut(bytes, place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_are_read_padded_or_not() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("AQI=", Some(&[1, 2][..])),
            ("AQI", Some(&[1, 2])),
            ("AQ==", Some(&[1])),
            ("-_8", Some(&[0xFB, 0xFF])),
            ("+/8=", Some(&[0xFB, 0xFF])),
            ("-_", Some(&[0xFB])),
            ("+_8", None),
            ("A", None),
            ("AQ=", None),
            ("AQI==", None),
            ("A===", None),
            ("=", None),
            ("AQ=I", None),
            ("AQ I", None),
            ("AQ\n", None),
            ("é", None),
        ] {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn four_letters_stand_for_three_bytes() {
        for bits in (0..1 << 24).step_by(977) {
            let [_, three @ ..] = u32::to_be_bytes(bits);
            assert_eq!(&four(three), BASE64.encode(&three).as_bytes());
        }
    }

    #[test]
    fn output_is_standard_and_padded() {
        let mut out = b"x".to_vec();
        encode(&mut out, &[0xFB, 0xFF]);
        assert_eq!(out, b"x+/8=");
    }
}
