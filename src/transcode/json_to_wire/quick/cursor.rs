//! The reading side: where the pass is in the JSON text, and the tokens there.
//!
//! Eight bytes are looked at a time. Behind the end of the text stand zeros, which no token goes
//! past, so that nothing here checks for the end.

use super::Doubt;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// A place in the text.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'j> {
    pub(super) json: &'j [u8],
    pub(super) at: usize,
}

/// A string in the text, without its quotes.
#[derive(Clone, Copy)]
pub(super) struct Text<'j> {
    /// As it stands, escapes and all. It is valid UTF-8.
    pub(super) raw: &'j [u8],
    /// Where it begins in the text.
    pub(super) start: usize,
    /// Whether it has escapes.
    pub(super) escaped: bool,
}

/// The highest bit of each byte that is `byte`; above the lowest one there may be wrong ones.
#[inline]
const fn equal(word: u64, byte: u8) -> u64 {
    let word = word ^ (ONES * byte as u64);
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// The same for bytes that a string cannot hold as they are.
#[inline]
const fn special(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * b' ' as u64) & !word & HIGHS;
    control | equal(word, b'"') | equal(word, b'\\')
}

/// How many bytes stand before the lowest one that is marked.
#[inline]
const fn before(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

impl<'j> Cursor<'j> {
    pub(super) fn new(json: &'j [u8]) -> Self {
        Self { json, at: 0 }
    }

    /// Eight bytes from `at`.
    #[inline]
    pub(super) fn word(&self, at: usize) -> u64 {
        match self.json.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(word) => u64::from_le_bytes(*word),
            None => self.last_word(at),
        }
    }

    #[cold]
    fn last_word(&self, at: usize) -> u64 {
        let rest = self.json.get(at..).unwrap_or_default();
        let bytes = rest.iter().rev();
        bytes.fold(0, |word, byte| word << 8 | u64::from(*byte))
    }

    /// The byte at `at`.
    #[inline]
    pub(super) fn byte_at(&self, at: usize) -> u8 {
        self.json.get(at).copied().unwrap_or(0)
    }

    /// The byte that comes next.
    #[inline]
    pub(super) fn byte(&self) -> u8 {
        self.byte_at(self.at)
    }

    /// The next byte that is no white space.
    #[inline]
    pub(super) fn token(&mut self) -> u8 {
        let byte = self.byte();
        if byte > b' ' { byte } else { self.skip_space() }
    }

    fn skip_space(&mut self) -> u8 {
        loop {
            // Long runs are of spaces, behind a line break.
            let spaces = self.word(self.at) ^ (ONES * b' ' as u64);
            if spaces == 0 {
                self.at += 8;
                continue;
            }
            self.at += before(spaces);
            let byte = self.byte();
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return byte;
            }
            self.at += 1;
        }
    }

    /// Goes past a byte that must come next, white space aside.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Doubt> {
        if self.token() != byte {
            return Err(Doubt);
        }
        self.at += 1;
        Ok(())
    }

    /// Goes past the opening bracket of a list or object; says whether something is in it.
    #[inline]
    pub(super) fn open(&mut self, open: u8, close: u8) -> Result<bool, Doubt> {
        self.expect(open)?;
        let empty = self.token() == close;
        self.at += usize::from(empty);
        Ok(!empty)
    }

    /// Goes past what stands behind an element; says whether it was a comma.
    #[inline]
    pub(super) fn more(&mut self, close: u8) -> Result<bool, Doubt> {
        let byte = self.token();
        self.at += 1;
        if byte == b',' {
            Ok(true)
        } else if byte == close {
            Ok(false)
        } else {
            Err(Doubt)
        }
    }

    /// Goes past a word that must come next.
    #[inline]
    pub(super) fn literal(&mut self, word: &[u8]) -> Result<(), Doubt> {
        if !self
            .json
            .get(self.at..)
            .unwrap_or_default()
            .starts_with(word)
        {
            return Err(Doubt);
        }
        self.at += word.len();
        Ok(())
    }

    /// Goes past a string that must come next.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Text<'j>, Doubt> {
        self.expect(b'"')?;
        self.rest_of_string()
    }

    /// Goes past a string whose opening quote was read.
    #[inline]
    pub(super) fn rest_of_string(&mut self) -> Result<Text<'j>, Doubt> {
        let start = self.at;
        let (mut high, mut escaped) = (0, false);
        let mut at = start;
        loop {
            let word = self.word(at);
            let marks = special(word);
            if marks == 0 {
                high |= word;
                at += 8;
                continue;
            }
            // Below the lowest mark.
            high |= word & (marks & marks.wrapping_neg()).wrapping_sub(1);
            at += before(marks);
            match self.byte_at(at) {
                b'"' => break,
                // What an escape is, is for its reader to say.
                b'\\' => {
                    escaped = true;
                    at += 2;
                }
                _ => return Err(Doubt),
            }
        }
        let raw = self.json.get(start..at).ok_or(Doubt)?;
        if high & HIGHS != 0 && std::str::from_utf8(raw).is_err() {
            return Err(Doubt);
        }
        self.at = at + 1;
        Ok(Text {
            raw,
            start,
            escaped,
        })
    }

    /// Goes past a number's bytes, whatever their order.
    pub(super) fn number_text(&mut self) -> &'j str {
        let rest = self.json.get(self.at..).unwrap_or_default();
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let len = rest.iter().position(|byte| !is_part(byte));
        let text = rest.get(..len.unwrap_or(rest.len())).unwrap_or_default();
        self.at += text.len();
        // Those bytes are ASCII.
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl<'j> Text<'j> {
    /// The text, if it stands there as it is meant.
    #[inline]
    pub(super) fn plain(self) -> Result<&'j [u8], Doubt> {
        if self.escaped {
            return Err(Doubt);
        }
        Ok(self.raw)
    }
}
