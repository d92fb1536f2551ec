//! How long a client is willing to wait: `grpc-timeout`, `connect-timeout-ms` and
//! `x-server-timeout` (M4).
//!
//! Source: grpc/grpc `doc/PROTOCOL-HTTP2.md`, "Timeout"; the Connect protocol's
//! "Connect-Timeout-Ms". A malformed value is an error, never "no timeout".

use std::fmt;
use std::time::Duration;

/// A value that does not follow its header's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutError {
    /// `grpc-timeout`.
    Grpc,
    /// `connect-timeout-ms`.
    Connect,
    /// `x-server-timeout`.
    Server,
}

impl std::error::Error for TimeoutError {}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpc => {
                "`grpc-timeout` is not 1 to 8 digits and one of `H`, `M`, `S`, `m`, `u`, `n`"
            }
            Self::Connect => "`connect-timeout-ms` is not 1 to 10 digits",
            Self::Server => {
                "`x-server-timeout` is not a number of seconds such as `30` or `1.5`, below 10^10"
            }
        })
    }
}

/// The most digits of `grpc-timeout`.
const GRPC_DIGITS: usize = 8;

/// The most digits of `connect-timeout-ms`, and of `x-server-timeout` before the point.
const LONG_DIGITS: usize = 10;

/// Digits after the point that a [`Duration`] can hold.
const FRACTION_DIGITS: u32 = 9;

/// Reads a `grpc-timeout`.
pub fn parse_grpc(value: &[u8]) -> Result<Duration, TimeoutError> {
    let (unit, amount) = value.split_last().ok_or(TimeoutError::Grpc)?;
    let amount = digits(amount, GRPC_DIGITS).ok_or(TimeoutError::Grpc)?;
    match unit {
        b'H' => Ok(Duration::from_secs(amount * 3_600)),
        b'M' => Ok(Duration::from_secs(amount * 60)),
        b'S' => Ok(Duration::from_secs(amount)),
        b'm' => Ok(Duration::from_millis(amount)),
        b'u' => Ok(Duration::from_micros(amount)),
        b'n' => Ok(Duration::from_nanos(amount)),
        _ => Err(TimeoutError::Grpc),
    }
}

/// Writes a `grpc-timeout` that is never longer than `timeout`, in the finest unit for which
/// eight digits suffice.
pub fn format_grpc(timeout: Duration) -> String {
    const MOST: u64 = 99_999_999;
    let seconds = timeout.as_secs();
    let fraction = u64::from(timeout.subsec_nanos());
    let (amount, unit) = match seconds {
        0 if fraction <= MOST => (fraction, 'n'),
        0..100 => (seconds * 1_000_000 + fraction / 1_000, 'u'),
        100..100_000 => (seconds * 1_000 + fraction / 1_000_000, 'm'),
        100_000..=MOST => (seconds, 'S'),
        _ if seconds / 60 <= MOST => (seconds / 60, 'M'),
        _ => ((seconds / 3_600).min(MOST), 'H'),
    };
    let mut text = String::with_capacity(GRPC_DIGITS + 1);
    text.push_str(itoa::Buffer::new().format(amount));
    text.push(unit);
    text
}

/// Reads a `connect-timeout-ms`.
pub fn parse_connect(value: &[u8]) -> Result<Duration, TimeoutError> {
    digits(value, LONG_DIGITS)
        .map(Duration::from_millis)
        .ok_or(TimeoutError::Connect)
}

/// Reads an `x-server-timeout`: seconds, with a fraction or without. What is finer than a
/// nanosecond is cut off.
pub fn parse_server(value: &[u8]) -> Result<Duration, TimeoutError> {
    let (whole, fraction) = match memchr::memchr(b'.', value) {
        None => (value, b"0".as_slice()),
        Some(point) => {
            let (whole, rest) = value.split_at(point);
            (whole, rest.strip_prefix(b".").unwrap_or_default())
        }
    };
    let seconds = digits(whole, LONG_DIGITS).ok_or(TimeoutError::Server)?;
    if fraction.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
        return Err(TimeoutError::Server);
    }
    let places = fraction.iter().map(|digit| u32::from(digit - b'0'));
    let padded = places.chain(std::iter::repeat(0));
    let nanoseconds = padded
        .take(FRACTION_DIGITS as usize)
        .fold(0, |sum, digit| sum * 10 + digit);
    Ok(Duration::new(seconds, nanoseconds))
}

/// A number of 1 to `most` decimal digits and nothing else; `most` is at most 19, so that it
/// cannot overflow.
fn digits(text: &[u8], most: usize) -> Option<u64> {
    if text.is_empty() || text.len() > most || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let places = text.iter().map(|digit| u64::from(digit - b'0'));
    Some(places.fold(0, |sum, digit| sum * 10 + digit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn grpc_timeouts() {
        let seconds = Duration::from_secs;
        for (value, expected) in [
            ("1H", Some(seconds(3600))),
            ("99999999H", Some(seconds(99_999_999 * 3600))),
            ("2M", Some(seconds(120))),
            ("003S", Some(seconds(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("0n", Some(Duration::ZERO)),
            ("", None),
            ("1", None),
            ("S", None),
            ("100000000S", None),
            ("1s", None),
            ("-1S", None),
            ("+1S", None),
            ("1.5S", None),
            (" 1S", None),
            ("1S ", None),
            ("1 S", None),
            ("1SS", None),
            ("\u{0661}S", None),
        ] {
            let found = parse_grpc(value.as_bytes());
            assert_eq!(found, expected.ok_or(TimeoutError::Grpc), "{value:?}");
        }
    }

    #[test]
    fn grpc_timeouts_are_written_short() {
        for (timeout, expected) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_nanos(100_000_999), "100000u"),
            (Duration::from_secs(30), "30000000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::from_secs(100_000_019), "1666666M"),
            (Duration::from_secs(6_000_000_000), "1666666H"),
            (Duration::MAX, "99999999H"),
        ] {
            assert_eq!(format_grpc(timeout), expected);
        }
    }

    #[test]
    fn connect_timeouts() {
        for (value, expected) in [
            ("0", Some(0)),
            ("1500", Some(1500)),
            ("9999999999", Some(9_999_999_999)),
            ("10000000000", None),
            ("", None),
            ("1.5", None),
            ("-1", None),
            ("1s", None),
        ] {
            let expected = expected
                .map(Duration::from_millis)
                .ok_or(TimeoutError::Connect);
            assert_eq!(parse_connect(value.as_bytes()), expected, "{value:?}");
        }
    }

    #[test]
    fn server_timeouts() {
        for (value, expected) in [
            ("0", Some(Duration::ZERO)),
            ("30", Some(Duration::from_secs(30))),
            ("1.5", Some(Duration::from_millis(1500))),
            ("0.0010", Some(Duration::from_millis(1))),
            ("2.0000000019", Some(Duration::new(2, 1))),
            (
                "9999999999.9",
                Some(Duration::new(9_999_999_999, 900_000_000)),
            ),
            ("10000000000", None),
            ("", None),
            (".", None),
            (".5", None),
            ("5.", None),
            ("1.2.3", None),
            ("1e3", None),
            ("NaN", None),
            ("-1", None),
            ("1s", None),
            (" 1", None),
        ] {
            let expected = expected.ok_or(TimeoutError::Server);
            assert_eq!(parse_server(value.as_bytes()), expected, "{value:?}");
        }
    }

    #[test]
    fn errors_tell_the_form() {
        for (error, expected) in [
            (
                TimeoutError::Grpc,
                "`grpc-timeout` is not 1 to 8 digits and one of `H`, `M`, `S`, `m`, `u`, `n`",
            ),
            (
                TimeoutError::Connect,
                "`connect-timeout-ms` is not 1 to 10 digits",
            ),
            (
                TimeoutError::Server,
                "`x-server-timeout` is not a number of seconds such as `30` or `1.5`, below 10^10",
            ),
        ] {
            assert_eq!(error.to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn writing_never_lengthens_and_loses_little(seconds: u64, nanoseconds in 0_u32..1_000_000_000, shift in 0_u32..64) {
            let timeout = Duration::new(seconds >> shift, nanoseconds);
            let text = format_grpc(timeout);
            prop_assert!(text.len() <= 9);
            let read = parse_grpc(text.as_bytes()).unwrap();
            prop_assert!(read <= timeout);
            // Beyond eight digits of hours the form itself ends.
            if timeout < Duration::from_secs(99_999_999 * 3_600) {
                prop_assert!(timeout - read <= timeout / 100_000);
            }
            prop_assert_eq!(format_grpc(read), text);
        }

        #[test]
        fn nothing_panics(value: Vec<u8>) {
            for parse in [parse_grpc, parse_connect, parse_server] {
                prop_assert!(parse(&value).is_err() || value.is_ascii());
            }
        }
    }
}
