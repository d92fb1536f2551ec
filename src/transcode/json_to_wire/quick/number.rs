//! Numbers: eight digits at a time, and doubles that one multiplication gets right. What is not so
//! simple is left to [`number`].

use super::Doubt;
use super::cursor::Cursor;
use crate::transcode::number;

/// Up to so many digits never overflow.
const SAFE_DIGITS: usize = 19;
/// Powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
/// Powers of ten that a float holds exactly.
const SHORT_POWERS: [f32; 11] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];

/// An integer: its sign apart, so that it has 64 bits.
#[derive(Clone, Copy)]
pub(super) struct Integer {
    pub(super) negative: bool,
    pub(super) magnitude: u64,
}

/// A number in decimal: its digits, and where the point is.
struct Decimal {
    negative: bool,
    digits: u64,
    exponent: i64,
    /// Whether `digits` holds all of them.
    whole: bool,
}

/// Whether all eight bytes are digits.
#[inline]
const fn are_digits(word: u64) -> bool {
    let high = word & 0xF0F0_F0F0_F0F0_F0F0;
    let above = word.wrapping_add(0x0606_0606_0606_0606) & 0xF0F0_F0F0_F0F0_F0F0;
    (high ^ 0x3030_3030_3030_3030) | (above ^ 0x3030_3030_3030_3030) == 0
}

/// The number that eight digits stand for, the first one lowest in the word.
#[inline]
const fn eight_digits(word: u64) -> u64 {
    let word = word - 0x3030_3030_3030_3030;
    let pairs = word.wrapping_mul(10).wrapping_add(word >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    (fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) & 0xFFFF_FFFF
}

impl Cursor<'_> {
    /// Goes past digits; adds them to `value`, which is only right as long as they fit.
    #[inline(always)]
    pub(super) fn digits(&mut self, mut value: u64) -> u64 {
        loop {
            let word = self.word(self.at);
            if !are_digits(word) {
                break;
            }
            value = value
                .wrapping_mul(100_000_000)
                .wrapping_add(eight_digits(word));
            self.at += 8;
        }
        loop {
            let digit = self.byte().wrapping_sub(b'0');
            if digit > 9 {
                return value;
            }
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            self.at += 1;
        }
    }

    /// An integer, quoted or not.
    #[inline(always)]
    pub(super) fn integer(&mut self) -> Result<Integer, Doubt> {
        let quoted = self.token() == b'"';
        self.at += usize::from(quoted);
        let begin = self.at;
        let negative = self.byte() == b'-';
        self.at += usize::from(negative);
        let start = self.at;
        let first = self.byte();
        let magnitude = self.digits(0);
        let len = self.at - start;
        let after = self.byte();
        let odd = len.wrapping_sub(1) >= SAFE_DIGITS
            || (first == b'0' && len > 1)
            || matches!(after, b'.' | b'e' | b'E');
        let integer = if odd {
            self.at = begin;
            self.odd_integer()?
        } else {
            Integer {
                negative,
                magnitude,
            }
        };
        if quoted {
            if self.byte() != b'"' {
                return Err(Doubt);
            }
            self.at += 1;
        }
        Ok(integer)
    }

    #[cold]
    fn odd_integer(&mut self) -> Result<Integer, Doubt> {
        let value = number::integer(self.number_text()).map_err(|_error| Doubt)?;
        Ok(Integer {
            negative: value < 0,
            magnitude: u64::try_from(value.unsigned_abs()).map_err(|_error| Doubt)?,
        })
    }

    /// A double, quoted or not.
    #[inline(never)]
    pub(super) fn double(&mut self) -> Result<f64, Doubt> {
        if self.token() == b'"' {
            return self.quoted(number::double);
        }
        self.bare_double()
    }

    /// A double that is no string.
    #[inline(always)]
    pub(super) fn bare_double(&mut self) -> Result<f64, Doubt> {
        let start = self.at;
        let decimal = self.decimal()?;
        let exponent = decimal.exponent.unsigned_abs() as usize;
        if decimal.whole
            && decimal.digits < 1 << 53
            && let Some(power) = POWERS.get(exponent)
        {
            let digits = decimal.digits as f64;
            // Both are exact, so that the result is rounded once.
            let value = if decimal.exponent < 0 {
                digits / power
            } else {
                digits * power
            };
            return Ok(if decimal.negative { -value } else { value });
        }
        self.again(start, number::double)
    }

    /// A float, quoted or not.
    #[inline(never)]
    pub(super) fn float(&mut self) -> Result<f32, Doubt> {
        if self.token() == b'"' {
            return self.quoted(number::float);
        }
        let start = self.at;
        let decimal = self.decimal()?;
        let exponent = decimal.exponent.unsigned_abs() as usize;
        if decimal.whole
            && decimal.digits < 1 << 24
            && let Some(power) = SHORT_POWERS.get(exponent)
        {
            let digits = decimal.digits as f32;
            let value = if decimal.exponent < 0 {
                digits / power
            } else {
                digits * power
            };
            return Ok(if decimal.negative { -value } else { value });
        }
        self.again(start, number::float)
    }

    /// Reads the number that began at `start` with care.
    fn again<T>(
        &mut self,
        start: usize,
        read: impl Fn(&str) -> Result<T, number::NumberError>,
    ) -> Result<T, Doubt> {
        self.at = start;
        read(self.number_text()).map_err(|_error| Doubt)
    }

    /// A number in quotes, or one of those that have a name only.
    #[cold]
    fn quoted<T: Special>(
        &mut self,
        read: impl Fn(&str) -> Result<T, number::NumberError>,
    ) -> Result<T, Doubt> {
        let text = std::str::from_utf8(self.string()?.plain()?).map_err(|_error| Doubt)?;
        match number::special(text) {
            Some(special) => Ok(T::special(special)),
            None => read(text).map_err(|_error| Doubt),
        }
    }

    /// A number in JSON's grammar; what stands behind it is not looked at.
    #[inline(always)]
    fn decimal(&mut self) -> Result<Decimal, Doubt> {
        let negative = self.byte() == b'-';
        self.at += usize::from(negative);
        let start = self.at;
        let leading_zero = self.byte() == b'0';
        let mut digits = self.digits(0);
        let mut len = self.at - start;
        if len == 0 || (leading_zero && len > 1) {
            return Err(Doubt);
        }
        let mut exponent = 0;
        if self.byte() == b'.' {
            self.at += 1;
            let point = self.at;
            digits = self.digits(digits);
            let fraction = self.at - point;
            if fraction == 0 {
                return Err(Doubt);
            }
            len += fraction;
            exponent = -(fraction as i64);
        }
        if matches!(self.byte(), b'e' | b'E') {
            exponent += self.exponent()?;
        }
        Ok(Decimal {
            negative,
            digits,
            exponent,
            whole: len <= SAFE_DIGITS,
        })
    }

    #[cold]
    fn exponent(&mut self) -> Result<i64, Doubt> {
        self.at += 1;
        let negative = self.byte() == b'-';
        self.at += usize::from(negative || self.byte() == b'+');
        let start = self.at;
        let power = self.digits(0);
        let len = self.at - start;
        if len == 0 {
            return Err(Doubt);
        }
        // Of such a power the rest of the number is not simple either.
        let power = if len <= 4 { power as i64 } else { 1 << 32 };
        Ok(if negative { -power } else { power })
    }
}

/// Numbers that have `NaN` and infinities.
trait Special {
    fn special(value: f64) -> Self;
}

impl Special for f64 {
    fn special(value: f64) -> Self {
        value
    }
}

impl Special for f32 {
    fn special(value: f64) -> Self {
        value as Self
    }
}
