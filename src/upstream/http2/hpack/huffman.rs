//! The Huffman code of HPACK (RFC 7541, appendix B).
//!
//! The code is canonical: shorter codes come first, and codes of one length are in the order of
//! their symbols. So the lengths say everything, and the tables here are made of them when this
//! is compiled.

use super::Malformed;

/// The bits of each symbol's code; the last symbol ends a string and stands in none.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

const SYMBOLS: usize = 257;
const LONGEST: usize = 30;
/// What the next byte may hold at once.
const SHORT: u32 = 8;

/// The codes of one length: numbers that follow each other.
#[derive(Clone, Copy)]
struct Row {
    bits: u32,
    first: u32,
    count: u32,
    /// Where their symbols begin in [`BY_CODE`].
    at: u32,
}

const ROWS: [Row; LONGEST + 1] = rows();

/// The symbols in the order of their codes.
static BY_CODE: [u16; SYMBOLS] = by_code();

/// For each byte that begins with a whole code: the symbol, and the bits of the code above it.
/// Zero where the code is longer.
static BY_BYTE: [u16; 256] = by_byte();

/// Appends what `input` stands for.
pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    // Bits that were read and not used, from the top down; the rest is zero.
    let mut bits = 0_u64;
    let mut held = 0_u32;
    let mut input = input.iter();
    loop {
        while held <= 56
            && let Some(byte) = input.next()
        {
            bits |= u64::from(*byte) << (56 - held);
            held += 8;
        }
        let [first, ..] = bits.to_be_bytes();
        let [length, symbol] = BY_BYTE
            .get(usize::from(first))
            .map_or([0; 2], |e| e.to_be_bytes());
        let length = u32::from(length);
        if length != 0 && length <= held {
            out.push(symbol);
            bits <<= length;
            held -= length;
            continue;
        }
        if held < SHORT {
            // What is left is the beginning of the last symbol, which is all ones.
            let padding = bits.leading_ones() == held;
            return if padding { Ok(()) } else { Err(Malformed) };
        }
        let (length, symbol) = long(bits)
            .filter(|(length, _)| *length <= held)
            .ok_or(Malformed)?;
        out.push(symbol);
        bits <<= length;
        held -= length;
    }
}

/// A code of more than eight bits, and the byte it stands for.
fn long(bits: u64) -> Option<(u32, u8)> {
    let rows = ROWS.iter().filter(|row| row.bits > SHORT);
    for row in rows {
        let code = u32::try_from(bits >> (u64::BITS - row.bits)).ok()?;
        if let Some(place) = code.checked_sub(row.first)
            && place < row.count
        {
            let symbol = BY_CODE.get((row.at + place) as usize)?;
            return Some((row.bits, u8::try_from(*symbol).ok()?));
        }
    }
    None
}

#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs when this is compiled, on numbers below 257"
)]
const fn rows() -> [Row; LONGEST + 1] {
    let mut rows = [Row {
        bits: 0,
        first: 0,
        count: 0,
        at: 0,
    }; LONGEST + 1];
    let mut symbol = 0;
    while symbol < SYMBOLS {
        rows[LENGTHS[symbol] as usize].count += 1;
        symbol += 1;
    }
    let mut bits = 1;
    while bits <= LONGEST {
        let shorter = rows[bits - 1];
        rows[bits].bits = bits as u32;
        rows[bits].first = (shorter.first + shorter.count) << 1;
        rows[bits].at = shorter.at + shorter.count;
        bits += 1;
    }
    rows
}

#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs when this is compiled, on numbers below 257"
)]
const fn by_code() -> [u16; SYMBOLS] {
    let mut symbols = [0; SYMBOLS];
    let mut at = 0;
    let mut bits = 1;
    while bits <= LONGEST {
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == bits {
                symbols[at] = symbol as u16;
                at += 1;
            }
            symbol += 1;
        }
        bits += 1;
    }
    symbols
}

#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs when this is compiled, on numbers below 257"
)]
const fn by_byte() -> [u16; 256] {
    let symbols = by_code();
    let mut bytes = [0; 256];
    let mut bits = 1;
    while bits <= SHORT {
        let row = ROWS[bits as usize];
        let mut place = 0;
        while place < row.count {
            let entry = (bits as u16) << 8 | symbols[(row.at + place) as usize];
            let low = SHORT - bits;
            let mut rest = 0;
            while rest < 1 << low {
                bytes[((row.first + place) << low | rest) as usize] = entry;
                rest += 1;
            }
            place += 1;
        }
        bits += 1;
    }
    bytes
}

/// Codes for what [`decode`] has to read.
#[cfg(test)]
pub(super) fn encode(input: &[u8]) -> Vec<u8> {
    let code = |symbol: u16| {
        let place = BY_CODE.iter().position(|other| *other == symbol).unwrap();
        let place = u32::try_from(place).unwrap();
        let row = ROWS
            .iter()
            .find(|row| (row.at..row.at + row.count).contains(&place))
            .unwrap();
        (row.first + place - row.at, row.bits)
    };
    let mut bits: Vec<u8> = Vec::new();
    for byte in input {
        let (code, length) = code(u16::from(*byte));
        bits.extend((0..length).rev().map(|bit| u8::from(code >> bit & 1 == 1)));
    }
    bits.resize(bits.len().next_multiple_of(8), 1);
    bits.chunks(8)
        .map(|byte| byte.iter().fold(0, |all, bit| all << 1 | bit))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(input: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(input, &mut out).ok().map(|()| out)
    }

    /// RFC 7541, appendix C.4 and C.6.
    #[test]
    fn strings_of_the_specification() {
        let rows: &[(&str, &[u8])] = &[
            (
                "www.example.com",
                b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
            ),
            ("no-cache", b"\xa8\xeb\x10\x64\x9c\xbf"),
            ("custom-key", b"\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f"),
            ("302", b"\x64\x02"),
            ("", b""),
        ];
        for (text, code) in rows {
            assert_eq!(decoded(code).as_deref(), Some(text.as_bytes()));
            assert_eq!(encode(text.as_bytes()), *code);
        }
    }

    #[test]
    fn what_is_no_code() {
        let rows: &[&[u8]] = &[
            // Eight bits of padding, and padding that is not ones.
            b"\x64\x02\xff",
            b"\x20",
            b"\x00\x00\x01",
            // The symbol that ends a string.
            b"\xff\xff\xff\xff",
            b"\xff\xff\xff\xfc",
            // The beginning of a long code.
            b"\xfe",
            b"\xff\xfe",
        ];
        for code in rows {
            assert_eq!(decoded(code), None, "{code:x?}");
        }
    }

    proptest! {
        #[test]
        fn every_string_comes_back(text: Vec<u8>) {
            prop_assert_eq!(decoded(&encode(&text)), Some(text));
        }

        /// There is one code for each string: what can be decoded is what would be encoded.
        #[test]
        fn codes_are_unique(code: Vec<u8>) {
            if let Some(text) = decoded(&code) {
                prop_assert_eq!(encode(&text), code);
            }
        }
    }
}
