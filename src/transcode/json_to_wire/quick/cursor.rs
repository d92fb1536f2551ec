//! The reading side: where the pass is in the JSON text, and the tokens there.
//!
//! Eight or sixteen bytes are looked at a time. Behind the end of the text stand zeros, which no token goes
//! past, so that nothing here checks for the end.

use super::Doubt;
use super::scan::{self, Marks};

const ONES: u64 = 0x0101_0101_0101_0101;

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
    #[inline(always)]
    pub(super) fn word(&self, at: usize) -> u64 {
        match self.chunk(at) {
            Some(word) => u64::from_le_bytes(word),
            None => self.last_word(at),
        }
    }

    /// `N` bytes from `at`, if there are so many.
    #[inline(always)]
    #[allow(
        unsafe_code,
        reason = "one comparison instead of two, at every step of the pass: a sixth of its instructions together with that of the output"
    )]
    pub(super) fn chunk<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let enough = self.json.len() >= N && at <= self.json.len() - N;
        // SAFETY: `at + N <= self.json.len()`, so that all `N` bytes are the slice's, and bytes
        // need no alignment.
        enough.then(|| unsafe { self.json.as_ptr().add(at).cast::<[u8; N]>().read() })
    }

    #[cold]
    fn last_word(&self, at: usize) -> u64 {
        let rest = self.json.get(at..).unwrap_or_default();
        let bytes = rest.iter().rev();
        bytes.fold(0, |word, byte| word << 8 | u64::from(*byte))
    }

    #[cold]
    fn last_marks(&self, at: usize) -> Marks {
        let rest = self.json.get(at..).unwrap_or_default();
        let mut bytes = [0; scan::WIDTH];
        for (place, byte) in bytes.iter_mut().zip(rest) {
            *place = *byte;
        }
        scan::marks(bytes)
    }

    /// The byte at `at`.
    #[inline(always)]
    pub(super) fn byte_at(&self, at: usize) -> u8 {
        self.json.get(at).copied().unwrap_or(0)
    }

    /// The byte that comes next.
    #[inline(always)]
    pub(super) fn byte(&self) -> u8 {
        self.byte_at(self.at)
    }

    /// The next byte that is no white space.
    #[inline(always)]
    pub(super) fn token(&mut self) -> u8 {
        let byte = self.byte();
        if byte > b' ' { byte } else { self.skip_space() }
    }

    #[inline(never)]
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
    #[inline(always)]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Doubt> {
        if self.token() != byte {
            return Err(Doubt);
        }
        self.at += 1;
        Ok(())
    }

    /// Goes past the opening bracket of a list or object; says whether something is in it.
    #[inline(always)]
    pub(super) fn open(&mut self, open: u8, close: u8) -> Result<bool, Doubt> {
        self.expect(open)?;
        let empty = self.token() == close;
        self.at += usize::from(empty);
        Ok(!empty)
    }

    /// Goes past a comma and a quote, if both come next without a space.
    #[inline(always)]
    pub(super) fn comma_and_quote(&mut self) -> bool {
        let both = self.chunk(self.at) == Some(*b",\"");
        self.at += 2 * usize::from(both);
        both
    }

    /// Goes past what stands behind an element; says whether it was a comma.
    #[inline(always)]
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
    #[inline(never)]
    pub(super) fn string(&mut self) -> Result<Text<'j>, Doubt> {
        self.expect(b'"')?;
        self.text()
    }

    /// Goes past a string whose opening quote was read.
    #[inline(always)]
    pub(super) fn text(&mut self) -> Result<Text<'j>, Doubt> {
        let start = self.at;
        let (mut high, mut escaped) = (0, false);
        let mut at = start;
        loop {
            let marks = match self.chunk(at) {
                Some(bytes) => scan::marks(bytes),
                None => self.last_marks(at),
            };
            if marks.special == 0 {
                high |= marks.high;
                at += scan::WIDTH;
                continue;
            }
            // Below the lowest mark.
            high |= marks.high & (marks.special & marks.special.wrapping_neg()).wrapping_sub(1);
            at += marks.special.trailing_zeros() as usize;
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
        if high != 0 && std::str::from_utf8(raw).is_err() {
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
