//! Sixteen bytes of a string at a time: where it may end.
//!
//! SSE2, which every x86-64 processor has; elsewhere two words. Nothing here touches memory.

/// How many bytes are looked at.
pub(super) const WIDTH: usize = 16;

/// What some bytes of a string are; a bit for each, the first one lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    /// Quotes, backslashes and control characters.
    pub(super) special: u32,
    /// What is not ASCII.
    pub(super) high: u32,
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(
    unsafe_code,
    reason = "a third of the instructions that the two words take, in the loop where most bytes go through"
)]
pub(super) fn marks(bytes: [u8; WIDTH]) -> Marks {
    use std::arch::x86_64 as cpu;

    let bytes = u128::from_le_bytes(bytes);
    // SAFETY: all these need is SSE2, which is part of x86-64; they take and give values only.
    let (special, high) = unsafe {
        let bytes = cpu::_mm_set_epi64x((bytes >> 64) as i64, bytes as i64);
        let quotes = cpu::_mm_cmpeq_epi8(bytes, cpu::_mm_set1_epi8(b'"' as i8));
        let slashes = cpu::_mm_cmpeq_epi8(bytes, cpu::_mm_set1_epi8(b'\\' as i8));
        let controls = cpu::_mm_min_epu8(bytes, cpu::_mm_set1_epi8(0x1F));
        let controls = cpu::_mm_cmpeq_epi8(bytes, controls);
        let special = cpu::_mm_or_si128(cpu::_mm_or_si128(quotes, slashes), controls);
        (
            cpu::_mm_movemask_epi8(special),
            cpu::_mm_movemask_epi8(bytes),
        )
    };
    Marks {
        special: special as u32,
        high: high as u32,
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) use portable::marks;

#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable {
    use super::{Marks, WIDTH};

    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;

    /// The highest bit of each byte that is zero.
    fn zeros(word: u64) -> u64 {
        // Without a borrow from one byte to the next.
        !((word & !HIGHS).wrapping_add(!HIGHS) | word) & HIGHS
    }

    /// The highest bits of all bytes, next to one another.
    fn gather(marks: u64) -> u32 {
        ((marks >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
    }

    pub(in super::super) fn marks(bytes: [u8; WIDTH]) -> Marks {
        let bytes = u128::from_le_bytes(bytes);
        let [low, high] = [bytes as u64, (bytes >> 64) as u64].map(|word| {
            let quotes = zeros(word ^ (ONES * u64::from(b'"')));
            let slashes = zeros(word ^ (ONES * u64::from(b'\\')));
            let controls = zeros(word & (ONES * 0xE0));
            (gather(quotes | slashes | controls), gather(word & HIGHS))
        });
        Marks {
            special: low.0 | high.0 << 8,
            high: low.1 | high.1 << 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Marks, WIDTH, marks, portable};

    #[test]
    fn every_byte_is_marked_at_every_place() {
        for byte in 0..=u8::MAX {
            for at in 0..WIDTH {
                for around in [b'a', b'"', 0, 0xFF, byte.wrapping_sub(1)] {
                    let mut bytes = [around; WIDTH];
                    bytes[at] = byte;
                    let bit = |index: usize, is: bool| u32::from(is) << index;
                    let expected = (0..WIDTH).fold((0, 0), |(special, high), index| {
                        let byte = bytes[index];
                        let ends = byte < b' ' || byte == b'"' || byte == b'\\';
                        (
                            special | bit(index, ends),
                            high | bit(index, !byte.is_ascii()),
                        )
                    });
                    let expected = Marks {
                        special: expected.0,
                        high: expected.1,
                    };
                    assert_eq!(marks(bytes), expected, "{bytes:?}");
                    assert_eq!(portable::marks(bytes), expected, "{bytes:?}");
                }
            }
        }
    }
}
