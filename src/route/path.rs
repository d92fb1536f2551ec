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
    if raw_path.split('/').any(is_dot_segment) {
        return Err(PathError::DotSegment);
    }
    Ok(())
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
    decode(raw, keeps, |byte| {
        (byte != 0).then_some(byte).ok_or(PathError::Nul)
    })
}

/// Decodes a key or a value of a query, in which `+` is a space.
pub fn decode_query(raw: &str) -> Result<Cow<'_, str>, PathError> {
    if !raw.contains('+') {
        return decode(raw, |_| false, Ok);
    }
    let spaced = raw.replace('+', " ");
    decode(&spaced, |_| false, Ok).map(|text| Cow::Owned(text.into_owned()))
}

/// The characters that RFC 6570 calls reserved.
fn is_reserved(byte: u8) -> bool {
    b":/?#[]@!$&'()*+,;=".contains(&byte)
}

/// Decodes escapes but those of bytes that `keeps` names; those stay as they were written.
fn decode(
    raw: &str,
    keeps: impl Fn(u8) -> bool,
    admit: impl Fn(u8) -> Result<u8, PathError>,
) -> Result<Cow<'_, str>, PathError> {
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
        let decoded = admit(upper << 4 | lower)?;
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
