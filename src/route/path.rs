//! Request paths: what is refused before routing, and how captured text is decoded (R6, R7).
//!
//! Paths stay raw until a route is found; a capture is decoded exactly once, afterwards.

use std::borrow::Cow;
use std::fmt;

use crate::wire::percent::hex;

/// `rest.unescape` (R6): what is decoded in a multi-segment capture. A single segment is always
/// decoded whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unescape {
    /// All but `%2F`.
    #[default]
    Spec,
    /// All but the reserved characters of RFC 6570.
    AllExceptReserved,
    /// All.
    All,
}

/// Why a path, a capture or a part of a query is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// A segment is `.` or `..`, raw or encoded.
    DotSegment,
    /// A NUL, raw or encoded.
    Nul,
    /// A `%` without two hexadecimal digits.
    Escape,
    /// What was decoded is not UTF-8.
    Utf8,
}

impl std::error::Error for PathError {}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DotSegment => "the path has a `.` or `..` segment; send the path it stands for",
            Self::Nul => "the path has a NUL character",
            Self::Escape => {
                "`%` is not followed by two hexadecimal digits; a percent sign is `%25`"
            }
            Self::Utf8 => "the percent-encoded bytes are not valid UTF-8",
        })
    }
}

/// Refuses what no route may see (R7): `.` and `..` segments, NUL, and malformed escapes.
pub fn check(raw_path: &str) -> Result<(), PathError> {
    let mut rest = raw_path.as_bytes();
    while let Some(at) = memchr::memchr2(b'%', 0, rest) {
        rest = match rest.get(at..).unwrap_or_default() {
            [b'%', high, low, after @ ..] => match (hex(*high), hex(*low)) {
                (Some(0), Some(0)) => return Err(PathError::Nul),
                (Some(_), Some(_)) => after,
                _ => return Err(PathError::Escape),
            },
            [b'%', ..] => return Err(PathError::Escape),
            _ => return Err(PathError::Nul),
        };
    }
    if raw_path.split('/').any(hides_dot_segment) {
        return Err(PathError::DotSegment);
    }
    Ok(())
}

/// Whether a raw segment is a dot segment, or holds one between encoded slashes: decoded, it would
/// climb out of the place that routing and authorisation saw (fault 15).
fn hides_dot_segment(segment: &str) -> bool {
    let slash = |at: &usize| {
        segment
            .get(*at..at + 3)
            .is_some_and(|escape| escape.eq_ignore_ascii_case("%2f"))
    };
    let mut start = 0;
    for at in memchr::memchr_iter(b'%', segment.as_bytes()).filter(slash) {
        if segment.get(start..at).is_some_and(is_dot_segment) {
            return true;
        }
        start = at + 3;
    }
    segment.get(start..).is_some_and(is_dot_segment)
}

/// Whether a raw segment is `.` or `..`, each dot raw or encoded.
pub(super) fn is_dot_segment(segment: &str) -> bool {
    let mut rest = segment.as_bytes();
    for _ in 0..2 {
        rest = match rest {
            [b'.', after @ ..] | [b'%', b'2', b'e' | b'E', after @ ..] => after,
            _ => return false,
        };
        if rest.is_empty() {
            return true;
        }
    }
    false
}

/// Decodes the raw text that a variable captured (R6); `+` stays a plus.
pub fn decode_capture(
    raw: &str,
    multi: bool,
    unescape: Unescape,
) -> Result<Cow<'_, str>, PathError> {
    let keeps: fn(u8) -> bool = match (multi, unescape) {
        (false, _) | (true, Unescape::All) => |_| false,
        (true, Unescape::Spec) => |byte| byte == b'/',
        (true, Unescape::AllExceptReserved) => is_reserved,
    };
    let text = decode(raw, keeps)?;
    match memchr::memchr(0, text.as_bytes()) {
        Some(_) => Err(PathError::Nul),
        None => Ok(text),
    }
}

/// Decodes a key or a value of a query, in which `+` is a space unless it `is_plus`.
pub fn decode_query(raw: &str, is_plus: bool) -> Result<Cow<'_, str>, PathError> {
    if is_plus || !raw.contains('+') {
        return decode(raw, |_| false);
    }
    let spaced = raw.replace('+', " ");
    decode(&spaced, |_| false).map(|text| Cow::Owned(text.into_owned()))
}

/// The characters that RFC 6570 calls reserved.
fn is_reserved(byte: u8) -> bool {
    b":/?#[]@!$&'()*+,;=".contains(&byte)
}

/// Decodes escapes but those of bytes that `keeps` names; those stay as they were written.
fn decode(raw: &str, keeps: impl Fn(u8) -> bool) -> Result<Cow<'_, str>, PathError> {
    let mut rest = raw.as_bytes();
    if memchr::memchr(b'%', rest).is_none() {
        return Ok(Cow::Borrowed(raw));
    }
    let mut out = Vec::with_capacity(raw.len());
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            out.push(byte);
            rest = tail;
            continue;
        }
        let [high, low, after @ ..] = tail else {
            return Err(PathError::Escape);
        };
        let (Some(upper), Some(lower)) = (hex(*high), hex(*low)) else {
            return Err(PathError::Escape);
        };
        let decoded = upper << 4 | lower;
        if keeps(decoded) {
            out.extend([b'%', *high, *low]);
        } else {
            out.push(decoded);
        }
        rest = after;
    }
    match String::from_utf8(out) {
        Ok(text) => Ok(Cow::Owned(text)),
        Err(_) => Err(PathError::Utf8),
    }
}

/// Whether a byte of a segment is the same in its normal form.
fn is_normal(byte: u8) -> bool {
    byte != b'%' && byte.is_ascii_graphic()
}

/// Whether [`normal`] would change nothing.
pub(super) fn is_all_normal(raw: &str) -> bool {
    raw.bytes().all(is_normal)
}

/// The form in which literals are compared (R6): escapes of unreserved characters decoded, the
/// other escapes in upper case, and what may not stand raw in a URI escaped.
pub(super) fn normal(segment: &str) -> Cow<'_, str> {
    if is_all_normal(segment) {
        return Cow::Borrowed(segment);
    }
    let mut out = String::with_capacity(segment.len() * 2);
    let mut rest = segment.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if is_normal(byte) {
            out.push(char::from(byte));
            continue;
        }
        let mut value = byte;
        if let (b'%', [high, low, after @ ..]) = (byte, tail)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            value = high << 4 | low;
            rest = after;
        }
        if value.is_ascii_alphanumeric() || b"-._~".contains(&value) {
            out.push(char::from(value));
        } else {
            let digit = |nibble: u8| {
                char::from_digit(u32::from(nibble), 16).map_or('0', |c| c.to_ascii_uppercase())
            };
            out.extend(['%', digit(value >> 4), digit(value & 15)]);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::PathError as Error;
    use super::*;

    #[test]
    fn paths_that_nobody_may_see_are_refused() {
        for (path, expected) in [
            ("/", Ok(())),
            ("/a/b%2Fc/d", Ok(())),
            ("//a//", Ok(())),
            ("/.a/a./...", Ok(())),
            ("/a/%2e%2ea", Ok(())),
            ("/%252e%252e/", Ok(())),
            ("/a/..b%2F...", Ok(())),
            ("/a/..%2F..", Err(Error::DotSegment)),
            ("/a/b%2f..%2Fc", Err(Error::DotSegment)),
            ("/a/%2e%2f", Err(Error::DotSegment)),
            ("/.", Err(Error::DotSegment)),
            ("/a/./b", Err(Error::DotSegment)),
            ("/a/../b", Err(Error::DotSegment)),
            ("/a/..", Err(Error::DotSegment)),
            ("/a/%2e/b", Err(Error::DotSegment)),
            ("/a/%2E%2e", Err(Error::DotSegment)),
            ("/a/.%2E/b", Err(Error::DotSegment)),
            ("/a/%2e./b", Err(Error::DotSegment)),
            ("/a%00b", Err(Error::Nul)),
            ("/a\0b", Err(Error::Nul)),
            ("/a%zz", Err(Error::Escape)),
            ("/a%2", Err(Error::Escape)),
            ("/a%", Err(Error::Escape)),
            ("/a%2x/b", Err(Error::Escape)),
            ("/a%+1", Err(Error::Escape)),
            ("/a%\u{fc}", Err(Error::Escape)),
        ] {
            assert_eq!(check(path), expected, "{path:?}");
        }
    }

    #[test]
    fn captures_are_decoded_once() {
        let all = "%2F%2f%3A%41%25%3f%7E";
        let reserved = "%2F%2f%3AA%%3f~";
        for (raw, multi, unescape, expected) in [
            ("a+b", false, Unescape::Spec, Ok("a+b")),
            (all, false, Unescape::Spec, Ok("//:A%?~")),
            (all, false, Unescape::AllExceptReserved, Ok("//:A%?~")),
            (all, true, Unescape::Spec, Ok("%2F%2f:A%?~")),
            (all, true, Unescape::AllExceptReserved, Ok(reserved)),
            (all, true, Unescape::All, Ok("//:A%?~")),
            ("a%252Fb", true, Unescape::Spec, Ok("a%2Fb")),
            (
                "gr%c3%bcn\u{fc}",
                false,
                Unescape::Spec,
                Ok("gr\u{fc}n\u{fc}"),
            ),
            ("%00", false, Unescape::Spec, Err(Error::Nul)),
            ("a\0", true, Unescape::All, Err(Error::Nul)),
            ("%zz", true, Unescape::All, Err(Error::Escape)),
            ("a%", false, Unescape::Spec, Err(Error::Escape)),
            ("%ff", false, Unescape::Spec, Err(Error::Utf8)),
            ("%c0%af", false, Unescape::Spec, Err(Error::Utf8)),
            ("%e0%80%af", true, Unescape::All, Err(Error::Utf8)),
            ("%ed%a0%80", true, Unescape::Spec, Err(Error::Utf8)),
        ] {
            let found = decode_capture(raw, multi, unescape);
            assert_eq!(
                found.as_deref(),
                expected.as_ref().copied(),
                "{raw} {unescape:?}"
            );
        }
        let plain = decode_capture("plain", true, Unescape::Spec);
        assert!(matches!(plain, Ok(Cow::Borrowed("plain"))));
    }

    #[test]
    fn a_plus_is_a_space_in_a_query() {
        for (raw, expected) in [
            ("a+b", Ok("a b")),
            ("a%2Bb+%2525", Ok("a+b %25")),
            ("%24alt", Ok("$alt")),
            ("", Ok("")),
            ("%0", Err(Error::Escape)),
            ("%80", Err(Error::Utf8)),
        ] {
            assert_eq!(
                decode_query(raw, false).as_deref(),
                expected.as_ref().copied(),
                "{raw}"
            );
        }
    }

    #[test]
    fn r6_a_plus_may_be_one_in_a_query() {
        assert_eq!(decode_query("a+b%2B", true).as_deref(), Ok("a+b+"));
        assert_eq!(decode_query("a+b%2B", false).as_deref(), Ok("a b+"));
    }

    #[test]
    fn refusals_say_what_to_do() {
        for (error, expected) in [
            (
                Error::DotSegment,
                "the path has a `.` or `..` segment; send the path it stands for",
            ),
            (Error::Nul, "the path has a NUL character"),
            (
                Error::Escape,
                "`%` is not followed by two hexadecimal digits; a percent sign is `%25`",
            ),
            (Error::Utf8, "the percent-encoded bytes are not valid UTF-8"),
        ] {
            assert_eq!(error.to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_normal_forms_are_stable(raw in "([%/.2eEfF0+]|.){0,24}") {
            for unescape in [Unescape::Spec, Unescape::AllExceptReserved, Unescape::All] {
                // What is refused does not depend on what is kept, but for UTF-8.
                let found = decode_capture(&raw, true, unescape);
                prop_assert!(found.is_ok() || check(&raw).is_err() || found == Err(Error::Utf8));
            }
            prop_assert_eq!(
                decode_query(&raw, false).is_err(),
                decode_query(&raw.replace('+', "%20"), false).is_err()
            );
            let once = normal(&raw).into_owned();
            prop_assert!(check(&raw).is_err() || normal(&once) == once);
            let decoded = decode_capture(&raw, false, Unescape::Spec);
            if decoded.is_ok() {
                prop_assert_eq!(decode_capture(&once, false, Unescape::Spec), decoded);
            }
        }
    }
}
