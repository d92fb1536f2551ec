//! [`Escaped`]: untrusted text in a log line. One line stays one line, and a terminal stays as
//! it is.
//!
//! Control characters, those of C1 among them (a terminal takes U+009B for the start of a
//! command), and those that turn the direction of text are escaped as JSON does it; the text log
//! uses the same form. What is too long is cut, and an ellipsis says so.

use std::fmt;

/// What stands where text was cut.
const CUT: char = '\u{2026}';

/// Writes text into a line, escaped, up to a limit.
#[derive(Debug)]
pub struct Escaped<'line> {
    out: &'line mut String,
    /// Bytes that may still be written, the mark of a cut not counted.
    left: usize,
    cut: bool,
}

impl<'line> Escaped<'line> {
    /// Writes at most `limit` bytes to `out`.
    pub fn new(out: &'line mut String, limit: usize) -> Self {
        let left = limit.saturating_sub(CUT.len_utf8());
        Self {
            out,
            left,
            cut: false,
        }
    }

    fn push_text(&mut self, text: &str) {
        let plain = |byte: u8| matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\');
        // To look at all of it costs less than to stop early: the bytes are taken many at a time.
        if text.len() <= self.left && text.bytes().fold(true, |all, byte| all & plain(byte)) {
            self.push(text);
            return;
        }
        for character in text.chars() {
            if self.cut {
                break;
            }
            self.push_character(character);
        }
    }

    fn push(&mut self, piece: &str) {
        if self.cut {
            return;
        }
        if let Some(left) = self.left.checked_sub(piece.len()) {
            self.left = left;
            self.out.push_str(piece);
        } else {
            self.cut = true;
            self.out.push(CUT);
        }
    }

    fn push_character(&mut self, character: char) {
        match character {
            '"' => self.push("\\\""),
            '\\' => self.push("\\\\"),
            '\n' => self.push("\\n"),
            '\r' => self.push("\\r"),
            '\t' => self.push("\\t"),
            _ if is_hostile(character) => self.push(&format!("\\u{:04x}", u32::from(character))),
            _ => self.push(character.encode_utf8(&mut [0; 4])),
        }
    }
}

/// Appends text to a line, escaped, in at most `limit` bytes.
pub fn append(out: &mut String, text: &str, limit: usize) {
    Escaped::new(out, limit).push_text(text);
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_text(text);
        Ok(())
    }
}

/// Whether a character does something to who looks at it. All of them are in the basic plane,
/// so that four digits are enough.
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn escaped(text: &str, limit: usize) -> String {
        let mut out = String::new();
        write!(Escaped::new(&mut out, limit), "{text}").unwrap();
        out
    }

    #[test]
    fn every_character_reads_back_as_it_was() {
        let all: String = (0..0x3000).filter_map(char::from_u32).collect();
        let line = escaped(&all, usize::MAX);
        assert!(
            !line.contains(is_hostile),
            "nothing of it may reach a terminal"
        );
        let read: String = serde_json::from_str(&format!("\"{line}\"")).unwrap();
        assert_eq!(read, all);
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(escaped("12345678", 8), "12345…");
        assert_eq!(escaped("12345", 8), "12345");
        assert_eq!(escaped("1234ü", 8), "1234…");
        assert_eq!(escaped("1234\u{1b}", 8), "1234…");
        assert_eq!(escaped("\u{1b}\u{1b}", 10), "\\u001b…");
    }

    #[test]
    fn pieces_count_together() {
        let mut out = String::new();
        let mut line = Escaped::new(&mut out, 8);
        for piece in ["123", "456", "7"] {
            line.write_str(piece).unwrap();
        }
        assert_eq!(out, "12345…");
    }
}
