//! `grpc-message`: percent-encoded UTF-8.
//!
//! Source: grpc/grpc `doc/PROTOCOL-HTTP2.md`, "Status-Message"; rule E4.

/// Encodes a message for `grpc-message`: everything but 0x20-0x24 and 0x26-0x7E.
pub fn encode_message(message: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(message.len());
    for byte in message.bytes() {
        if (0x20..=0x7E).contains(&byte) && byte != b'%' {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.push(
                    HEX.get(usize::from(nibble))
                        .map_or('0', |hex| char::from(*hex)),
                );
            }
        }
    }
    out
}

/// Decodes a `grpc-message` leniently: what is no escape stays as it is, and what is not UTF-8
/// afterwards becomes U+FFFD.
pub fn decode_message(raw: &[u8]) -> String {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, tail)) = rest.split_first() {
        if let (b'%', [high, low, after @ ..]) = (byte, tail)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            out.push(high << 4 | low);
            rest = after;
        } else {
            out.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(out)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The value of one hexadecimal digit.
pub fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_a_round_trip() {
        for message in ["", "plain", "100 % \"sure\"", "grüße\n", "\u{1F600}", "%41"] {
            assert_eq!(decode_message(encode_message(message).as_bytes()), message);
        }
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        assert_eq!(decode_message(b"50%"), "50%");
        assert_eq!(decode_message(b"%zz%4"), "%zz%4");
        assert_eq!(decode_message(b"%ff"), "\u{FFFD}");
    }
}
