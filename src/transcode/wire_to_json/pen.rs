//! Writing behind the end of a buffer, into room that was made before.
//!
//! This is the only place of the way to JSON that writes through a pointer. A pen knows how much
//! room it has left, and each of its functions looks at that before it writes; what is written is
//! counted as the most it may be, so that the compiler knows the answers and the questions cost
//! nothing. BENCHMARKS.md tells what this buys over `Vec::extend_from_slice`.

use super::scan::{self, SPARE, WIDTH};

/// The most digits of an integer.
const DIGITS: usize = 20;

/// All numbers of two digits.
#[allow(clippy::indexing_slicing, reason = "the compiler does it")]
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut at = 0;
    while at < 100 {
        pairs[at] = [b'0' + (at / 10) as u8, b'0' + (at % 10) as u8];
        at += 1;
    }
    pairs
};

/// The powers of ten that a `u64` can hold, but that the first is 0.
#[allow(clippy::indexing_slicing, reason = "the compiler does it")]
static POWERS: [u64; DIGITS] = {
    let mut powers = [0; DIGITS];
    let mut at = 1;
    let mut power = 1;
    while at < DIGITS {
        power *= 10;
        powers[at] = power;
        at += 1;
    }
    powers
};

/// How much of a text was copied, which is all up to the first byte to be escaped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied {
    pub(super) plain: usize,
    /// Whether nothing but ASCII was seen on the way.
    pub(super) ascii: bool,
}

/// The output is longer than it may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Full;

/// Makes room for `room` bytes: the buffer doubles, as buffers do, but not beyond `end`, and not at
/// all when it is longer than that already.
#[inline]
pub(super) fn reserve(bytes: &mut Vec<u8>, room: usize, end: usize) -> Result<(), Full> {
    if bytes.capacity() - bytes.len() < room {
        return reserve_slowly(bytes, room, end);
    }
    Ok(())
}

#[cold]
#[inline(never)]
fn reserve_slowly(bytes: &mut Vec<u8>, room: usize, end: usize) -> Result<(), Full> {
    /// Room is made by this much at least.
    const STEP: usize = 512;
    let left = end.checked_sub(bytes.len()).ok_or(Full)?;
    let ample = bytes.capacity().min(left).saturating_add(STEP);
    bytes.reserve_exact(room.max(ample));
    Ok(())
}

/// Writes behind the end of a buffer.
#[derive(Debug)]
pub(super) struct Pen<'o> {
    bytes: &'o mut Vec<u8>,
    /// Where the next byte goes. All between the end of `bytes` and here is written, and at least
    /// `left` bytes from here on are the buffer's.
    next: *mut u8,
    left: usize,
}

#[allow(
    unsafe_code,
    reason = "the room is there; BENCHMARKS.md tells what not asking for it again buys"
)]
impl<'o> Pen<'o> {
    /// A pen for `room` bytes behind the end of a buffer that may grow up to `end`.
    #[inline]
    pub(super) fn new(bytes: &'o mut Vec<u8>, room: usize, end: usize) -> Result<Self, Full> {
        reserve(bytes, room, end)?;
        // SAFETY: the length is not above the capacity, so this is within or right behind the
        // allocation; `reserve` saw to it that `room` bytes follow there.
        let next = unsafe { bytes.as_mut_ptr().add(bytes.len()) };
        Ok(Self {
            bytes,
            next,
            left: room,
        })
    }

    /// Whether there is room for `most` bytes, which are then no longer left. It is a mistake of
    /// the caller's if there is none, and then nothing is written.
    #[inline]
    fn take(&mut self, most: usize) -> bool {
        debug_assert!(most <= self.left, "{most} bytes in room for {}", self.left);
        let fits = most <= self.left;
        self.left = self.left.saturating_sub(most);
        fits
    }

    /// Writes the first `len` of some bytes; all of them take room.
    #[inline]
    pub(super) fn put<const N: usize>(&mut self, text: &[u8; N], len: usize) {
        if self.take(N) {
            // SAFETY: `take` found room for `N` bytes from `next` on, and `next` moves by no more.
            unsafe {
                self.next.cast::<[u8; N]>().write_unaligned(*text);
                self.next = self.next.add(len.min(N));
            }
        }
    }

    /// Writes one byte.
    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.put(&[byte], 1);
    }

    /// Writes an integer.
    #[inline]
    pub(super) fn digits(&mut self, mut value: u64) {
        let len = count(value);
        if !self.take(DIGITS) {
            return;
        }
        // SAFETY: `take` found room for the digits of any integer, and `count` says how many of
        // them this one has; each step below writes two of them and moves `at` by as many, the
        // last one what is left, so that `at` ends where it began. What `pair` is given is below
        // 100, as many as there are `PAIRS`.
        unsafe {
            let pair = |value: u64| *PAIRS.get_unchecked(value as usize);
            let end = self.next.add(len);
            let mut at = end;
            while value >= 100 {
                at = at.sub(2);
                at.cast::<[u8; 2]>().write_unaligned(pair(value % 100));
                value /= 100;
            }
            if value >= 10 {
                at.sub(2).cast::<[u8; 2]>().write_unaligned(pair(value));
            } else {
                at.sub(1).write(b'0' + value as u8);
            }
            self.next = end;
        }
    }

    /// Copies a text up to the first byte that has to be escaped, while looking for it.
    #[inline]
    pub(super) fn copy_plain(&mut self, text: &[u8]) -> Copied {
        let (chunks, tail) = text.as_chunks::<WIDTH>();
        let mut high = 0;
        let mut plain = 0;
        if !self.take(text.len() + SPARE) {
            return Copied {
                plain: 0,
                ascii: false,
            };
        }
        // SAFETY: `take` found room for `WIDTH` bytes behind the whole text. Each step writes
        // `WIDTH` bytes and moves `next` by as much of the text as it took, and never behind it;
        // the last one steps back over bytes of this text that were written just before.
        unsafe {
            for chunk in chunks {
                let found = scan::look(chunk);
                self.next.cast::<[u8; WIDTH]>().write_unaligned(*chunk);
                high |= found.high;
                let len = (found.special | 1 << WIDTH).trailing_zeros() as usize;
                self.next = self.next.add(len);
                plain += len;
                if len < WIDTH {
                    return Copied {
                        plain,
                        ascii: high == 0,
                    };
                }
            }
            // What is left is looked at together with what stands before it, which is all plain.
            let (back, chunk) = match text.last_chunk::<WIDTH>() {
                Some(last) => (WIDTH - tail.len(), *last),
                None => (0, scan::padded(tail)),
            };
            let found = scan::look(&chunk);
            self.next = self.next.sub(back);
            self.next.cast::<[u8; WIDTH]>().write_unaligned(chunk);
            let end = back + tail.len();
            let len = (found.special | 1 << end).trailing_zeros() as usize;
            self.next = self.next.add(len);
            plain -= back;
            Copied {
                plain: plain + len,
                ascii: (high | found.high) == 0,
            }
        }
    }

    /// Makes what was written the end of the buffer.
    #[inline]
    pub(super) fn done(self) {
        // SAFETY: `next` was made from the buffer's own pointer, which did not change since, and
        // it moved over written bytes within the capacity only.
        unsafe {
            let len = self.next.offset_from(self.bytes.as_ptr());
            self.bytes.set_len(len as usize);
        }
    }
}

/// How many digits an integer has.
#[inline]
fn count(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    // The logarithm of 2 is a little more than 1,233 in 4,096.
    let low = ((bits * 1_233) >> 12) as usize;
    low + usize::from(POWERS.get(low).is_none_or(|power| value >= *power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_their_digits() {
        let mut values: Vec<u64> = vec![0, 99, 12_345_678_901_234_567, u64::MAX];
        for power in POWERS {
            values.extend([
                power,
                power.wrapping_sub(1),
                power + 1,
                power / 2,
                power | 7,
            ]);
        }
        values.extend((0..64).map(|shift| 1 << shift));
        for value in values {
            let mut out = b"kept".to_vec();
            let mut pen = Pen::new(&mut out, DIGITS, 4).unwrap();
            pen.digits(value);
            pen.done();
            assert_eq!(str::from_utf8(&out).unwrap(), format!("kept{value}"));
        }
    }

    #[test]
    fn texts_are_copied_up_to_what_is_special() {
        for len in 0..70 {
            for special in 0..=len {
                let mut text = vec![b'x'; len];
                if let Some(place) = text.get_mut(special) {
                    *place = b'\n';
                }
                let mut out = Vec::new();
                let mut pen = Pen::new(&mut out, len + SPARE, 0).unwrap();
                let copied = pen.copy_plain(&text);
                pen.done();
                assert_eq!(copied.plain, special, "{len}");
                assert_eq!(out, text[..special]);
                if special == len {
                    assert!(copied.ascii);
                }
            }
        }
        let mut out = Vec::new();
        let mut pen = Pen::new(&mut out, 99, 0).unwrap();
        assert!(!pen.copy_plain("ü".as_bytes()).ascii);
        assert!(
            !pen.copy_plain("0123456789012345ü678901234567890".as_bytes())
                .ascii
        );
        pen.done();
    }

    #[test]
    fn room_ends_with_the_limit() {
        let mut out = Vec::new();
        let mut written = 0;
        while let Ok(mut pen) = Pen::new(&mut out, 100, 10_000) {
            pen.put(&[b'x'; 100], 100);
            pen.done();
            written += 100;
            assert!(out.capacity() <= 12_000, "{}", out.capacity());
        }
        assert_eq!(out.len(), written);
        assert!(written > 10_000);
    }
}
