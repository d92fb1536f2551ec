//! What of a string has to be escaped, looked at by sixteen bytes.
//!
//! Every x86-64 has the instructions for it; elsewhere two machine words do the same.

/// How many bytes are looked at in one go.
pub(super) const WIDTH: usize = 16;
/// How far behind a text its copy may write.
pub(super) const SPARE: usize = WIDTH;

/// What was found in some bytes: a bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// It has to be escaped.
    pub(super) special: u32,
    /// It is not ASCII; any bit if one is not.
    pub(super) high: u32,
}

/// Looks at bytes.
#[cfg(target_arch = "x86_64")]
#[inline]
#[allow(
    unsafe_code,
    reason = "instructions of the machine; BENCHMARKS.md tells what the scan buys"
)]
pub(super) fn look(bytes: &[u8; WIDTH]) -> Found {
    // SAFETY: every x86-64 has SSE2.
    unsafe { look_at_once(bytes) }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
#[allow(
    unsafe_code,
    reason = "a load of sixteen bytes at once; BENCHMARKS.md tells what the scan buys"
)]
fn look_at_once(bytes: &[u8; WIDTH]) -> Found {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8,
    };
    // SAFETY: the array has the sixteen bytes that are loaded, and the load asks for no alignment.
    let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
    // What is not above the highest control character is its own minimum with it.
    let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
    let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
    let special = _mm_or_si128(control, _mm_or_si128(quote, backslash));
    Found {
        special: _mm_movemask_epi8(special) as u32,
        high: _mm_movemask_epi8(bytes) as u32,
    }
}

/// Looks at bytes.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(super) fn look(bytes: &[u8; WIDTH]) -> Found {
    look_by_words(bytes)
}

/// The same without instructions of a machine.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn look_by_words(bytes: &[u8; WIDTH]) -> Found {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    // Has the high bit of each byte that is zero, exactly.
    let zeros = |word: u64| !((word & !HIGHS).wrapping_add(!HIGHS) | word) & HIGHS;
    // Moves the high bits of eight bytes together.
    let gather = |bits: u64| ((bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32;
    let mut found = Found {
        special: 0,
        high: 0,
    };
    let (words, _) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = zeros(word ^ (ONES * u64::from(b'"')));
        let backslash = zeros(word ^ (ONES * u64::from(b'\\')));
        let control = zeros(word & (ONES * 0xE0));
        found.special |= gather(quote | backslash | control) << (8 * at);
        found.high |= gather(word & HIGHS) << (8 * at);
    }
    found
}

/// Fewer than sixteen bytes, with zeros behind them.
#[inline]
pub(super) fn padded(rest: &[u8]) -> [u8; WIDTH] {
    let len = rest.len();
    let value = if let (Some(low), Some(high)) = (rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
        // Where the two overlap they agree.
        let high = u128::from(u64::from_le_bytes(*high)) << (8 * ((len - 8) & 7));
        u128::from(u64::from_le_bytes(*low)) | high
    } else if let (Some(low), Some(high)) = (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        let high = u64::from(u32::from_le_bytes(*high)) << (8 * (len - 4));
        u128::from(u64::from(u32::from_le_bytes(*low)) | high)
    } else {
        let at = |index: usize| rest.get(index).copied().unwrap_or(0);
        u128::from(u32::from_le_bytes([at(0), at(1), at(2), 0]))
    };
    value.to_le_bytes()
}

/// How a byte is escaped: a text, and how much of it counts.
pub(super) fn escape(byte: u8) -> ([u8; 8], usize) {
    let short = |letter: u8| ([b'\\', letter, 0, 0, 0, 0, 0, 0], 2);
    match byte {
        b'"' | b'\\' => short(byte),
        0x08 => short(b'b'),
        0x0C => short(b'f'),
        b'\n' => short(b'n'),
        b'\r' => short(b'r'),
        b'\t' => short(b't'),
        _ => {
            let digit = |value: u8| match value {
                0..=9 => b'0' + value,
                _ => b'a' + value - 10,
            };
            let (high, low) = (digit(byte >> 4), digit(byte & 15));
            ([b'\\', b'u', b'0', b'0', high, low, 0, 0], 6)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slowly(bytes: &[u8; WIDTH]) -> Found {
        let bits = |is: fn(u8) -> bool| {
            (0..WIDTH).fold(0, |bits, at| bits | u32::from(is(bytes[at])) << at)
        };
        Found {
            special: bits(|byte| byte < 0x20 || byte == b'"' || byte == b'\\'),
            high: bits(|byte| byte >= 0x80),
        }
    }

    #[test]
    fn every_byte_is_found_at_every_place() {
        for around in [b'!', 0xC3, 0x20, b'"', 0, 0xFF, b'!' - 1, b'"' + 1] {
            for byte in 0..=u8::MAX {
                for at in 0..WIDTH {
                    let mut bytes = [around; WIDTH];
                    bytes[at] = byte;
                    assert_eq!(look(&bytes), slowly(&bytes), "{around} {byte} {at}");
                    assert_eq!(
                        look_by_words(&bytes),
                        slowly(&bytes),
                        "{around} {byte} {at}"
                    );
                }
            }
        }
    }

    #[test]
    fn short_texts_are_padded() {
        let all: Vec<u8> = (1..WIDTH as u8).collect();
        for len in 0..WIDTH {
            let padded = padded(&all[..len]);
            assert_eq!(padded[..len], all[..len]);
            assert!(padded[len..].iter().all(|byte| *byte == 0), "{padded:?}");
        }
    }
}
