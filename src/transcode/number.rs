//! Numbers: the text of JSON and query parameters to wire values, exactly.
//!
//! ```text
//! number   = [ "-" ] int [ "." digits ] [ ( "e" | "E" ) [ "+" | "-" ] digits ]
//! int      = "0" | nonzero digit { digit }
//! ```
//! Integers never pass through a float: `9007199254740993.0` and `1e18` are exact.

use super::proto::{put_varint, zigzag};
use crate::schema::plan::Kind;

/// Why a text is not the number that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberError {
    /// No number in JSON's grammar.
    Grammar,
    /// A number with a fraction where an integer is due.
    Fraction,
    /// Too big for the type.
    Range,
}

struct Parts<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

/// Splits the leading digits off.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let text = text.as_bytes();
    let (negative, rest) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, mut rest) = digits(rest);
    if whole.is_empty() || (whole.len() > 1 && whole.starts_with(b"0")) {
        return None;
    }
    let mut fraction: &[u8] = &[];
    if let Some(tail) = rest.strip_prefix(b".") {
        (fraction, rest) = digits(tail);
        if fraction.is_empty() {
            return None;
        }
    }
    let mut exponent = 0_i64;
    if let [b'e' | b'E', tail @ ..] = rest {
        let (sign, tail) = match tail {
            [b'-', tail @ ..] => (-1, tail),
            [b'+', tail @ ..] => (1, tail),
            tail => (1, tail),
        };
        let (power, after) = digits(tail);
        if power.is_empty() {
            return None;
        }
        // Far outside of every type's range the exact power no longer matters, as long as it
        // stays bigger than any text is long.
        exponent = power.iter().fold(0_i64, |value, digit| {
            (value * 10 + i64::from(digit - b'0')).min(i64::MAX / 100)
        }) * sign;
        rest = after;
    }
    rest.is_empty().then_some(Parts {
        negative,
        whole,
        fraction,
        exponent,
    })
}

/// An integer in JSON's number grammar; a fraction of zeros and an exponent are fine (J2).
pub(crate) fn integer(text: &str) -> Result<i128, NumberError> {
    let Parts {
        negative,
        whole,
        fraction,
        exponent,
    } = parts(text).ok_or(NumberError::Grammar)?;
    let point = (whole.len() as i64).saturating_add(exponent);
    let mut value = 0_i128;
    for (at, digit) in (0_i64..).zip(whole.iter().chain(fraction)) {
        let digit = i128::from(digit - b'0');
        if at >= point {
            if digit != 0 {
                return Err(NumberError::Fraction);
            }
        } else {
            value = grow(value, digit)?;
        }
    }
    let written = (whole.len() + fraction.len()) as i64;
    if value != 0 {
        for _ in 0..point.saturating_sub(written).max(0) {
            value = grow(value, 0)?;
        }
    }
    Ok(if negative { -value } else { value })
}

fn grow(value: i128, digit: i128) -> Result<i128, NumberError> {
    // Nothing in protobuf is wider than 64 bits; stopping here keeps the multiplication in range
    // and the loop over a huge exponent short.
    if value > i128::from(u64::MAX) {
        return Err(NumberError::Range);
    }
    Ok(value * 10 + digit)
}

/// An integer in plain decimal digits, as query parameters have it (B6).
pub(crate) fn decimal(text: &str) -> Result<i128, NumberError> {
    let plain = text.strip_prefix('-').unwrap_or(text);
    if plain.is_empty() || !plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(match parts(text) {
            Some(_) => NumberError::Fraction,
            None => NumberError::Grammar,
        });
    }
    integer(text)
}

/// A double in JSON's number grammar; what overflows is refused, what underflows is zero.
pub(crate) fn double(text: &str) -> Result<f64, NumberError> {
    parts(text).ok_or(NumberError::Grammar)?;
    let value: f64 = text.parse().map_err(|_error| NumberError::Grammar)?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err(NumberError::Range)
    }
}

/// Like [`double`], rounded once to a float.
pub(crate) fn float(text: &str) -> Result<f32, NumberError> {
    parts(text).ok_or(NumberError::Grammar)?;
    let value: f32 = text.parse().map_err(|_error| NumberError::Grammar)?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err(NumberError::Range)
    }
}

/// `NaN` and the infinities, which JSON has only as strings.
pub(crate) fn special(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Appends an integer as the wire value of `kind`; says whether it is zero.
pub(crate) fn put_integer(out: &mut Vec<u8>, kind: Kind, value: i128) -> Result<bool, NumberError> {
    let signed32 = || i32::try_from(value).map_err(|_error| NumberError::Range);
    let unsigned32 = || u32::try_from(value).map_err(|_error| NumberError::Range);
    let signed64 = || i64::try_from(value).map_err(|_error| NumberError::Range);
    let unsigned64 = || u64::try_from(value).map_err(|_error| NumberError::Range);
    match kind {
        Kind::Int32 | Kind::Enum(_) => put_varint(out, i64::from(signed32()?) as u64),
        Kind::Int64 => put_varint(out, signed64()? as u64),
        Kind::Uint32 => put_varint(out, u64::from(unsigned32()?)),
        Kind::Uint64 => put_varint(out, unsigned64()?),
        Kind::Sint32 => put_varint(out, zigzag(i64::from(signed32()?))),
        Kind::Sint64 => put_varint(out, zigzag(signed64()?)),
        Kind::Fixed32 => out.extend_from_slice(&unsigned32()?.to_le_bytes()),
        Kind::Fixed64 => out.extend_from_slice(&unsigned64()?.to_le_bytes()),
        Kind::Sfixed32 => out.extend_from_slice(&signed32()?.to_le_bytes()),
        Kind::Sfixed64 => out.extend_from_slice(&signed64()?.to_le_bytes()),
        _ => return Err(NumberError::Grammar),
    }
    Ok(value == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact_in_every_spelling() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("1.0", Ok(1)),
            ("1e2", Ok(100)),
            ("1E+2", Ok(100)),
            ("120e-1", Ok(12)),
            ("0.5e1", Ok(5)),
            ("9007199254740993.0", Ok(9_007_199_254_740_993)),
            ("18446744073709551615", Ok(18_446_744_073_709_551_615)),
            ("0e999999999999999999999", Ok(0)),
            ("0.0e-999999999999999999999", Ok(0)),
            ("1.5", Err(NumberError::Fraction)),
            ("1e-1", Err(NumberError::Fraction)),
            ("1e-99999999999999999999", Err(NumberError::Fraction)),
            ("1e99999999999999999999", Err(NumberError::Range)),
            ("99999999999999999999999999", Err(NumberError::Range)),
        ] {
            assert_eq!(integer(text), expected, "{text}");
        }
    }

    #[test]
    fn only_the_grammar_of_json_is_a_number() {
        for text in [
            "", "-", "+1", "01", "-07", "1.", ".5", "1e", "1e+", "0x1", " 1", "1 ", "1_0", "NaN",
            "inf", "Infinity", "--1", "1.e1",
        ] {
            assert_eq!(integer(text), Err(NumberError::Grammar), "{text}");
            assert_eq!(double(text), Err(NumberError::Grammar), "{text}");
        }
    }

    #[test]
    fn query_integers_are_plain_digits() {
        assert_eq!(decimal("-12"), Ok(-12));
        assert_eq!(decimal("1.0"), Err(NumberError::Fraction));
        assert_eq!(decimal("1e2"), Err(NumberError::Fraction));
        for text in ["", "-", "+1", "01", "0x1", " 1"] {
            assert_eq!(decimal(text), Err(NumberError::Grammar), "{text}");
        }
    }

    #[test]
    fn floats_round_once_and_never_overflow() {
        assert_eq!(double("1e400"), Err(NumberError::Range));
        assert_eq!(double("1e-400"), Ok(0.0));
        assert_eq!(float("3.5e38"), Err(NumberError::Range));
        assert_eq!(float("3.4028235e38"), Ok(f32::MAX));
        assert!(double("-0").unwrap().is_sign_negative());
    }

    #[test]
    fn kinds_have_ranges() {
        let fits = |kind, value| put_integer(&mut Vec::new(), kind, value).is_ok();
        for (kind, low, high) in [
            (Kind::Int32, i128::from(i32::MIN), i128::from(i32::MAX)),
            (Kind::Sint64, i128::from(i64::MIN), i128::from(i64::MAX)),
            (Kind::Fixed32, 0, i128::from(u32::MAX)),
            (Kind::Uint64, 0, i128::from(u64::MAX)),
        ] {
            assert!(fits(kind, low) && fits(kind, high));
            assert!(!fits(kind, low - 1) && !fits(kind, high + 1));
        }
    }
}
