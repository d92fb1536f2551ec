//! JSON text of strings, and the indenting of finished JSON.

/// Appends `text` as a JSON string, quotes included.
#[inline]
pub fn string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.push(b'"');
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        escaped(out, bytes);
    }
    out.push(b'"');
}

fn escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| needs_escape(*byte)) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, tail)) = tail.split_first() else {
            break;
        };
        escape(out, *byte);
        rest = tail;
    }
    out.extend_from_slice(rest);
}

/// Whether no byte has to be escaped, looked at by the eight.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let (words, tail) = bytes.as_chunks::<8>();
    words
        .iter()
        .all(|word| is_plain_word(u64::from_le_bytes(*word)))
        && match bytes.last_chunk::<8>() {
            // Some bytes are looked at twice, which is cheaper than one by one.
            Some(last) => is_plain_word(u64::from_le_bytes(*last)),
            None => !tail.iter().any(|byte| needs_escape(*byte)),
        }
}

/// Whether none of eight bytes has to be escaped. Each term has the high bit of every byte that
/// is below 0x20, a quote or a backslash; a borrow can only come from a byte that is one.
#[inline]
fn is_plain_word(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    const CONTROL: u64 = ONES * 0x20;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(CONTROL) & !word;
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    (control | quote | backslash) & HIGHS == 0
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0C => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            out.extend_from_slice(b"\\u00");
            out.push(b'0' + (byte >> 4));
            out.push(match byte & 15 {
                low @ 0..=9 => b'0' + low,
                low => b'a' + low - 10,
            });
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Appends `json`, which must be one compact JSON value, with line breaks and `width` spaces a
/// level. Gives up, and says so, when more than `limit` bytes would be appended.
pub fn indent(json: &[u8], width: usize, limit: usize, out: &mut Vec<u8>) -> bool {
    let end = out.len().saturating_add(limit);
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    let mut bytes = json.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if out.len() > end {
            return false;
        }
        if in_string {
            out.push(byte);
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'{' | b'[' => {
                out.push(byte);
                if let Some(close) = bytes.next_if(|next| matches!(next, b'}' | b']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    new_line(out, depth * width);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                new_line(out, depth * width);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                new_line(out, depth * width);
            }
            b':' => out.extend_from_slice(b": "),
            _ => {
                in_string = byte == b'"';
                out.push(byte);
            }
        }
    }
    out.len() <= end
}

fn new_line(out: &mut Vec<u8>, spaces: usize) {
    out.push(b'\n');
    out.resize(out.len() + spaces, b' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_and_read_back_the_same() {
        let all: String = (0..0x80_u8)
            .map(char::from)
            .chain("grüße\u{1F600}\u{2028}".chars())
            .collect();
        for text in ["", "plain", "\"\\", "tail\n", &all] {
            let mut out = Vec::new();
            string(&mut out, text);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
        let mut out = Vec::new();
        string(&mut out, "a\"b\\c\n\u{1}\u{1f}");
        assert_eq!(out, br#""a\"b\\c\n\u0001\u001f""#);
    }

    #[test]
    fn every_byte_is_found_at_every_place() {
        for byte in 0..=u8::MAX {
            for len in 1..20 {
                for at in 0..len {
                    let mut bytes = vec![0xC3; len];
                    bytes[at] = byte;
                    assert_eq!(is_plain(&bytes), !needs_escape(byte), "{byte} {at} {len}");
                    bytes.fill(b'!');
                    bytes[at] = byte;
                    assert_eq!(is_plain(&bytes), !needs_escape(byte), "{byte} {at} {len}");
                }
            }
        }
    }

    #[test]
    fn indenting_leaves_empty_brackets_and_strings_alone() {
        let mut out = Vec::new();
        assert!(!indent(b"[1]", 2, 6, &mut Vec::new()));
        indent(
            br#"{"a":[],"b":{},"c":[1,{"d":"x\"{,:"}]}"#,
            2,
            99,
            &mut out,
        );
        let expected = "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"d\": \"x\\\"{,:\"\n    }\n  ]\n}";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
