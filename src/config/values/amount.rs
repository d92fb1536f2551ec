//! Amounts: [`Period`], [`PeriodOrOff`], [`Size`] and [`Count`].

use std::fmt;
use std::time::Duration;

use super::{Refused, Typed};

/// A length of time: `500ms`, `30s`, `1m30s`, `1.5h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// A length of time that may be none at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeriodOrZero(pub Duration);

/// A length of time, or `off` for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodOrOff(pub Option<Duration>);

/// A number of bytes: `512B`, `64KiB`, `4MiB`, `10MB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub usize);

/// A number of things, or `auto` for what suits the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub Option<usize>);

/// Units of time in nanoseconds, largest first: the order in which they are written.
const PERIOD_UNITS: &[(&str, u64)] = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Units of size in bytes, those that are written first.
const SIZE_UNITS: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("kB", 1_000),
];

/// Far more than anybody means, and far from every overflow.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Typed for Period {
    const FORMAT: &'static str = "sidegate-period";
    const EXPECTED: &'static str = "a length of time such as `500ms`, `30s` or `1m30s`";

    fn read(text: &str) -> Result<Self, Refused> {
        let duration = duration(text)?;
        if duration.is_zero() {
            return Err(Refused::Because("is no time at all".to_owned()));
        }
        Ok(Self(duration))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        PeriodOrZero(self.0).fmt(f)
    }
}

impl Typed for PeriodOrZero {
    const FORMAT: &'static str = "sidegate-period-or-zero";
    const EXPECTED: &'static str = "a length of time such as `500ms`, `30s` or `0s`";

    fn read(text: &str) -> Result<Self, Refused> {
        duration(text).map(Self)
    }
}

impl fmt::Display for PeriodOrZero {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_nanos();
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, scale) in PERIOD_UNITS {
            let scale = u128::from(*scale);
            if left >= scale {
                write!(f, "{}{unit}", left / scale)?;
                left %= scale;
            }
        }
        Ok(())
    }
}

impl Typed for PeriodOrOff {
    const FORMAT: &'static str = "sidegate-period-or-off";
    const EXPECTED: &'static str = "a length of time such as `500ms` or `30s`, or `off`";

    fn read(text: &str) -> Result<Self, Refused> {
        if text == "off" {
            return Ok(Self(None));
        }
        Period::read(text).map(|period| Self(Some(period.0)))
    }
}

impl fmt::Display for PeriodOrOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(duration) => Period(duration).fmt(f),
            None => f.write_str("off"),
        }
    }
}

impl Typed for Size {
    const FORMAT: &'static str = "sidegate-size";
    const EXPECTED: &'static str = "a size such as `64KiB` or `4MiB`";

    /// ```text
    /// size = 1*DIGIT [ "." 1*DIGIT ] [ " " ] unit
    /// unit = "B" | "KiB" | "MiB" | "GiB" | "kB" | "KB" | "MB" | "GB"
    /// ```
    fn read(text: &str) -> Result<Self, Refused> {
        let (number, unit) = split(text, |c| c.is_ascii_digit() || c == '.');
        let bytes = multiply(number, scale(SIZE_UNITS, unit.trim_start())?)?;
        match u32::try_from(bytes) {
            Ok(bytes) => Ok(Self(bytes as usize)),
            Err(_) => Err(Refused::Because(
                "is more than a message can have: less than `4GiB`".to_owned(),
            )),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as u64;
        let whole = |unit: u64| bytes >= unit && bytes.is_multiple_of(unit);
        let (unit, scale) = SIZE_UNITS
            .iter()
            .find(|(_, scale)| whole(*scale))
            .unwrap_or(&("B", 1));
        write!(f, "{}{unit}", bytes / scale)
    }
}

impl Typed for Count {
    const FORMAT: &'static str = "sidegate-count";
    const EXPECTED: &'static str = "a whole number from 1, or `auto`";
    const TYPE: &'static [&'static str] = &["string", "integer"];

    fn read(text: &str) -> Result<Self, Refused> {
        if text == "auto" {
            return Ok(Self(None));
        }
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<u32>() {
            Ok(count) if digits && count > 0 => Ok(Self(Some(count as usize))),
            _ => Err(Refused::Form),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(count) => write!(f, "{count}"),
            None => f.write_str("auto"),
        }
    }
}

/// ```text
/// period = 1*( number unit ) | "0"    ; each unit once, largest first
/// number = 1*DIGIT [ "." 1*DIGIT ]
/// unit   = "d" | "h" | "m" | "s" | "ms" | "us" | "ns"
/// ```
fn duration(text: &str) -> Result<Duration, Refused> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = 0_u128;
    let mut below = u64::MAX;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split(after, |c| c.is_ascii_alphabetic());
        let unit = scale(PERIOD_UNITS, unit)?;
        if unit >= below {
            return Err(Refused::Form);
        }
        total += multiply(number, unit)?;
        below = unit;
        rest = after;
    }
    if below == u64::MAX {
        return Err(Refused::Form);
    }
    let nanos = u64::try_from(total).ok().map(Duration::from_nanos);
    match nanos {
        Some(duration) if duration <= LONGEST => Ok(duration),
        _ => Err(Refused::Because(
            "is longer than a hundred years".to_owned(),
        )),
    }
}

fn scale(units: &[(&str, u64)], name: &str) -> Result<u64, Refused> {
    units
        .iter()
        .find(|(unit, _)| *unit == name)
        .map(|(_, scale)| *scale)
        .ok_or(Refused::Form)
}

/// `number` times `unit`, digits below one unit of the result dropped.
fn multiply(number: &str, unit: u64) -> Result<u128, Refused> {
    const MOST_DIGITS: usize = 18;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| {
        let sound = !text.is_empty()
            && text.len() <= MOST_DIGITS
            && text.bytes().all(|b| b.is_ascii_digit());
        sound.then(|| text.parse::<u128>().ok()).flatten()
    };
    let (Some(whole), Some(parts)) = (digits(whole), digits(fraction)) else {
        return Err(Refused::Form);
    };
    let unit = u128::from(unit);
    let power = fraction.bytes().fold(1_u128, |power, _| power * 10);
    Ok(whole * unit + parts * unit / power)
}

/// Splits after the characters that belong.
fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}
