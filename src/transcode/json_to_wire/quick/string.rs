//! Strings and bytes: copied as they stand where they can be, else unescaped in place.

use super::cursor::Text;
use super::{Doubt, Quick};
use crate::schema::plan::Tag;
use crate::transcode::proto::varint_len;

/// Marks of [`SYMBOLS`]: which of the two alphabets a symbol belongs to, if not to both.
const STANDARD: u8 = 0x40;
const URL: u8 = 0x80;

/// Six bits for each symbol of base64 and base64url; both marks on what is none.
#[allow(
    clippy::indexing_slicing,
    reason = "what is out of bounds does not compile"
)]
const SYMBOLS: [u8; 256] = {
    let mut table = [STANDARD | URL; 256];
    let letters = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut at = 0;
    while at < letters.len() {
        table[letters[at] as usize] = at as u8;
        at += 1;
    }
    table[b'+' as usize] = 62 | STANDARD;
    table[b'/' as usize] = 63 | STANDARD;
    table[b'-' as usize] = 62 | URL;
    table[b'_' as usize] = 63 | URL;
    table
};

/// The six bits of a symbol; its marks are gathered.
#[inline]
fn symbol(byte: u8, marks: &mut u8) -> u32 {
    let symbol = SYMBOLS
        .get(usize::from(byte))
        .copied()
        .unwrap_or(STANDARD | URL);
    *marks |= symbol;
    u32::from(symbol & 0x3F)
}

impl Quick<'_, '_> {
    /// Appends a tag, the length of a string, and the string.
    #[inline(always)]
    pub(super) fn put_text(&mut self, tag: Tag, text: Text<'_>) -> Result<(), Doubt> {
        if text.escaped {
            return self.put_escaped(tag, text);
        }
        let len = text.raw.len();
        if len < 0x80 {
            let with_len = tag.bytes | (len as u64) << (8 * tag.len);
            self.out
                .put(with_len.to_le_bytes(), usize::from(tag.len) + 1)?;
        } else {
            self.out.put_varint(tag, len as u64)?;
        }
        self.out.copy(&self.cursor, text.start, len)
    }

    #[inline(never)]
    fn put_escaped(&mut self, tag: Tag, text: Text<'_>) -> Result<(), Doubt> {
        self.out.put_tag(tag)?;
        // Escapes are longer than what they stand for, but rarely so long that it shows here.
        let width = varint_len(text.raw.len() as u64);
        let length = self.out.open_width(width)?;
        self.unescape(text.raw)?;
        self.out.close(length)
    }

    /// Appends a text without its escapes.
    fn unescape(&mut self, mut rest: &[u8]) -> Result<(), Doubt> {
        while let Some(at) = memchr::memchr(b'\\', rest) {
            let (run, escape) = rest.split_at_checked(at).ok_or(Doubt)?;
            self.out.put_slice(run)?;
            let [_, kind, after @ ..] = escape else {
                return Err(Doubt);
            };
            rest = after;
            let byte = match kind {
                b'"' | b'\\' | b'/' => *kind,
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'u' => {
                    rest = self.put_code_point(rest)?;
                    continue;
                }
                _ => return Err(Doubt),
            };
            self.out.put_byte(byte)?;
        }
        self.out.put_slice(rest)
    }

    /// Appends the character that the digits of an escape stand for; gives what is behind them.
    fn put_code_point<'r>(&mut self, rest: &'r [u8]) -> Result<&'r [u8], Doubt> {
        let (first, mut rest) = hex(rest)?;
        let mut code = first;
        if (0xD800..0xDC00).contains(&first) {
            let (second, after) = hex(rest.strip_prefix(b"\\u").ok_or(Doubt)?)?;
            if !(0xDC00..0xE000).contains(&second) {
                return Err(Doubt);
            }
            code = 0x1_0000 + ((first - 0xD800) << 10 | (second - 0xDC00));
            rest = after;
        }
        let mut bytes = [0; 4];
        let len = char::from_u32(code)
            .ok_or(Doubt)?
            .encode_utf8(&mut bytes)
            .len();
        self.out.put(bytes, len)?;
        Ok(rest)
    }

    /// Appends what a string in base64 stands for, with its length; says how many bytes it is.
    pub(super) fn put_base64(&mut self, tag: Tag, text: Text<'_>) -> Result<usize, Doubt> {
        self.out.put_tag(tag)?;
        let width = varint_len((text.raw.len() / 4 * 3) as u64);
        let length = self.out.open_width(width)?;
        let start = self.out.at;
        if text.escaped {
            // Slashes are, by some. What is decoded is shorter than what it is decoded from.
            self.unescape(text.raw)?;
            let decoded = decode_in_place(self.out.written_mut(start))?;
            self.out.truncate(start + decoded);
        } else {
            self.decode(text.raw)?;
        }
        let len = self.out.at - start;
        self.out.close(length)?;
        Ok(len)
    }

    fn decode(&mut self, text: &[u8]) -> Result<(), Doubt> {
        let (quads, rest) = unpadded(text)?.as_chunks::<4>();
        let mut marks = 0;
        for quad in quads {
            self.out.put(four(quad, &mut marks), 3)?;
        }
        let (last, len) = last(rest, &mut marks)?;
        self.out.put(last, len)?;
        right(marks)
    }
}

/// Four hexadecimal digits, and what is behind them.
fn hex(text: &[u8]) -> Result<(u32, &[u8]), Doubt> {
    let (digits, rest) = text.split_first_chunk::<4>().ok_or(Doubt)?;
    let value = digits.iter().try_fold(0, |value, digit| {
        Some(value << 4 | char::from(*digit).to_digit(16)?)
    });
    Ok((value.ok_or(Doubt)?, rest))
}

/// Base64 without its padding, which must be right if it is there.
fn unpadded(text: &[u8]) -> Result<&[u8], Doubt> {
    let plain = match text {
        [plain @ .., b'=', b'='] | [plain @ .., b'='] => plain,
        plain => return Ok(plain),
    };
    if text.len().is_multiple_of(4) {
        Ok(plain)
    } else {
        Err(Doubt)
    }
}

/// The three bytes of four symbols, and a zero.
#[inline]
fn four(quad: &[u8; 4], marks: &mut u8) -> [u8; 4] {
    let [a, b, c, d] = quad.map(|byte| symbol(byte, marks));
    (a << 26 | b << 20 | c << 14 | d << 8).to_be_bytes()
}

/// The bytes of up to three symbols at the end, and how many they are.
fn last(rest: &[u8], marks: &mut u8) -> Result<([u8; 4], usize), Doubt> {
    let mut quad = [b'A'; 4];
    for (place, byte) in quad.iter_mut().zip(rest) {
        *place = *byte;
    }
    match rest.len() {
        0 => Ok(([0; 4], 0)),
        1 => Err(Doubt),
        len => Ok((four(&quad, marks), len - 1)),
    }
}

/// Whether all symbols were of one alphabet.
fn right(marks: u8) -> Result<(), Doubt> {
    if marks & (STANDARD | URL) == STANDARD | URL {
        return Err(Doubt);
    }
    Ok(())
}

/// Writes what a text in base64 stands for over its beginning; says how many bytes it is.
fn decode_in_place(text: &mut [u8]) -> Result<usize, Doubt> {
    let len = unpadded(text)?.len();
    let (mut from, mut to, mut marks) = (0, 0, 0);
    while from < len {
        let rest = text.get(from..len).unwrap_or_default();
        let (bytes, count) = match rest.first_chunk::<4>() {
            Some(quad) => (four(quad, &mut marks), 3),
            None => last(rest, &mut marks)?,
        };
        for byte in bytes.iter().take(count) {
            if let Some(place) = text.get_mut(to) {
                *place = *byte;
            }
            to += 1;
        }
        from += 4;
    }
    right(marks)?;
    Ok(to)
}
