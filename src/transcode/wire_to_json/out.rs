//! The end of the output, where the quick pass writes without asking the buffer for every byte.
//!
//! Each function here makes room for the most that it can write, once, and then writes through a
//! [`Pen`]. Making room is also where the output's limit is held: what stands behind it is never
//! more than one value.

use std::ops::{Deref, DerefMut};

use super::ErrorKind;
use super::pen::{self, Full, Pen};
use super::scan;
use super::walker::Stop;
use crate::schema::plan::{Rendered, SHORT};
use crate::transcode::base64;

/// The most digits of an integer.
const DIGITS: usize = 20;
/// A point and three digits.
const FRACTION: usize = 4;
/// A quote, a sign, and one more quote.
const AROUND: usize = 3;

/// An integer of any type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Integer {
    negative: bool,
    amount: u64,
}

impl From<i64> for Integer {
    #[inline]
    fn from(value: i64) -> Self {
        Self {
            negative: value < 0,
            amount: value.unsigned_abs(),
        }
    }
}

impl From<u64> for Integer {
    #[inline]
    fn from(amount: u64) -> Self {
        Self {
            negative: false,
            amount,
        }
    }
}

impl From<Full> for Stop {
    fn from(_: Full) -> Self {
        Self::from(ErrorKind::TooLarge)
    }
}

/// The output, and how far it may grow.
#[derive(Debug)]
pub(super) struct Out<'o> {
    bytes: &'o mut Vec<u8>,
    end: usize,
}

impl Deref for Out<'_> {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        self.bytes
    }
}

impl DerefMut for Out<'_> {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        self.bytes
    }
}

impl<'o> Out<'o> {
    pub(super) fn new(bytes: &'o mut Vec<u8>, limit: usize) -> Self {
        let end = bytes.len().saturating_add(limit);
        Self { bytes, end }
    }

    /// Whether the output is longer than it may be.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.bytes.len() > self.end
    }

    /// Makes room.
    pub(super) fn room(&mut self, most: usize) -> Result<(), Stop> {
        Ok(pen::reserve(self.bytes, most, self.end)?)
    }

    /// Appends one byte.
    #[inline]
    pub(super) fn byte(&mut self, byte: u8) -> Result<(), Stop> {
        let mut pen = Pen::new(self.bytes, 1, self.end)?;
        pen.byte(byte);
        pen.done();
        Ok(())
    }

    /// Appends a text that stands ready.
    #[inline]
    pub(super) fn rendered(&mut self, text: &Rendered) -> Result<(), Stop> {
        self.pen(0, text)?.done();
        Ok(())
    }

    /// Appends two texts that stand ready, one behind the other.
    #[inline]
    pub(super) fn pair(&mut self, key: &Rendered, value: &Rendered) -> Result<(), Stop> {
        if let Some(long) = value.long() {
            return self.plain(key, long);
        }
        let (text, len) = value.short();
        self.padded(key, text, len)
    }

    /// Appends the first bytes of `text`, of which there are `len` at most.
    #[inline]
    pub(super) fn padded(
        &mut self,
        key: &Rendered,
        text: &[u8; SHORT],
        len: usize,
    ) -> Result<(), Stop> {
        let mut pen = self.pen(SHORT, key)?;
        pen.put(text, len.min(SHORT));
        pen.done();
        Ok(())
    }

    /// Appends a text that is not longer than a short one.
    #[inline]
    pub(super) fn short(&mut self, key: &Rendered, text: &[u8]) -> Result<(), Stop> {
        if text.len() >= SHORT {
            return self.plain(key, text);
        }
        let (chunks, tail) = text.as_chunks::<{ scan::WIDTH }>();
        let mut pen = self.pen(SHORT, key)?;
        if let [chunk] = chunks {
            pen.put(chunk, scan::WIDTH);
        }
        pen.put(&scan::padded(tail), tail.len());
        pen.done();
        Ok(())
    }

    /// Appends bytes in base64, in quotes.
    pub(super) fn base64(&mut self, key: &Rendered, bytes: &[u8]) -> Result<(), Stop> {
        let (threes, tail) = bytes.as_chunks::<3>();
        let mut pen = self.pen(threes.len() * 4 + 4 + AROUND, key)?;
        pen.byte(b'"');
        for three in threes {
            pen.put(&base64::four(*three), 4);
        }
        match *tail {
            [first] => {
                let [a, b, ..] = base64::four([first, 0, 0]);
                pen.put(&[a, b, b'=', b'='], 4);
            }
            [first, second] => {
                let [a, b, c, _] = base64::four([first, second, 0]);
                pen.put(&[a, b, c, b'='], 4);
            }
            _ => {}
        }
        pen.byte(b'"');
        pen.done();
        Ok(())
    }

    /// Appends a number of thousandths as a decimal fraction that ends with no zero.
    #[inline]
    pub(super) fn thousandths(&mut self, key: &Rendered, value: i64) -> Result<(), Stop> {
        let mut pen = self.pen(DIGITS + FRACTION + AROUND, key)?;
        if value < 0 {
            pen.byte(b'-');
        }
        let value = value.unsigned_abs();
        pen.digits(value / 1_000);
        let fraction = value % 1_000;
        let digit = |value: u64| b'0' + (value % 10) as u8;
        let text = [
            b'.',
            digit(fraction / 100),
            digit(fraction / 10),
            digit(fraction),
        ];
        let len = match text {
            [_, b'0', b'0', b'0'] => 0,
            [_, _, b'0', b'0'] => 2,
            [_, _, _, b'0'] => 3,
            _ => FRACTION,
        };
        pen.put(&text, len);
        pen.done();
        Ok(())
    }

    /// Appends bytes as they are.
    pub(super) fn plain(&mut self, key: &Rendered, bytes: &[u8]) -> Result<(), Stop> {
        self.pen(bytes.len(), key)?.done();
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends an integer, in quotes if they are asked for.
    #[inline]
    pub(super) fn integer(
        &mut self,
        key: &Rendered,
        value: Integer,
        quoted: bool,
    ) -> Result<(), Stop> {
        let mut pen = self.pen(DIGITS + AROUND, key)?;
        if quoted {
            pen.byte(b'"');
        }
        if value.negative {
            pen.byte(b'-');
        }
        pen.digits(value.amount);
        if quoted {
            pen.byte(b'"');
        }
        pen.done();
        Ok(())
    }

    /// Appends a JSON string of UTF-8.
    #[inline]
    pub(super) fn string(&mut self, key: &Rendered, bytes: &[u8]) -> Result<(), Stop> {
        let mut pen = self.pen(bytes.len() + scan::SPARE + AROUND, key)?;
        pen.byte(b'"');
        let scanned = pen.copy_plain(bytes);
        if scanned.plain < bytes.len() {
            pen.done();
            let rest = bytes.get(scanned.plain..).unwrap_or_default();
            return self.escaped(bytes, rest);
        }
        pen.byte(b'"');
        pen.done();
        if scanned.ascii || std::str::from_utf8(bytes).is_ok() {
            return Ok(());
        }
        Err(Stop::from(ErrorKind::Utf8))
    }

    /// Appends the `rest` of a string from its first byte that has to be escaped on.
    #[cold]
    fn escaped(&mut self, whole: &[u8], mut rest: &[u8]) -> Result<(), Stop> {
        if std::str::from_utf8(whole).is_err() {
            return Err(Stop::from(ErrorKind::Utf8));
        }
        while let Some((first, tail)) = rest.split_first() {
            let (text, len) = scan::escape(*first);
            let most = text.len() + tail.len() + scan::SPARE + AROUND;
            let mut pen = self.pen(most, Rendered::NOTHING)?;
            pen.put(&text, len);
            let scanned = pen.copy_plain(tail);
            pen.done();
            rest = tail.get(scanned.plain..).unwrap_or_default();
        }
        self.byte(b'"')
    }

    /// Makes room for `key` and `most` bytes more, and writes the key.
    #[inline]
    fn pen(&mut self, most: usize, key: &Rendered) -> Result<Pen<'_>, Stop> {
        if let Some(long) = key.long() {
            self.long_key(long)?;
        }
        // All of the key's place is written, however long it is.
        let room = most.saturating_add(SHORT);
        let mut pen = Pen::new(self.bytes, room, self.end)?;
        let (text, len) = key.short();
        pen.put(text, len);
        Ok(pen)
    }

    #[cold]
    fn long_key(&mut self, long: &[u8]) -> Result<(), Stop> {
        pen::reserve(self.bytes, long.len(), self.end)?;
        self.bytes.extend_from_slice(long);
        Ok(())
    }
}
