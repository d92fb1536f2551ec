//! The JSON forms of `google.protobuf.Timestamp`, `Duration` and `FieldMask`.
//!
//! Source: the ProtoJSON specification and RFC 3339; the calendar is the proleptic Gregorian one.

/// 0001-01-01T00:00:00Z.
const FIRST_SECOND: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z.
const LAST_SECOND: i64 = 253_402_300_799;
/// 10,000 years; the fraction of a second comes on top.
const MAX_DURATION: i64 = 315_576_000_000;

/// A number of exactly `len` digits off the front.
fn number(text: &[u8], len: usize) -> Option<(i64, &[u8])> {
    let (digits, rest) = text.split_at_checked(len)?;
    let value = digits.iter().try_fold(0_i64, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + i64::from(digit - b'0'))
    })?;
    Some((value, rest))
}

/// Nanoseconds of an optional fraction of one to nine digits off the front.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let Some(text) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let len = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    if !(1..=9).contains(&len) {
        return None;
    }
    let (value, rest) = number(text, len)?;
    let scale = 10_i64.pow(9 - len as u32);
    Some((i32::try_from(value * scale).ok()?, rest))
}

/// Days since 1970-01-01.
fn days_from_date(year: i64, month: i64, day: i64) -> i64 {
    // March is the first month, so that the leap day ends the year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The reverse of [`days_from_date`].
fn date_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Seconds and nanoseconds of an RFC 3339 time; `None` when it is none or lies outside of the
/// years 1 to 9999.
pub(crate) fn parse_timestamp(text: impl AsRef<[u8]>) -> Option<(i64, i32)> {
    let (year, rest) = number(text.as_ref(), 4)?;
    let (month, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let (day, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let (hour, rest) = number(rest.strip_prefix(b"T")?, 2)?;
    let (minute, rest) = number(rest.strip_prefix(b":")?, 2)?;
    let (second, rest) = number(rest.strip_prefix(b":")?, 2)?;
    let (nanos, rest) = fraction(rest)?;
    let offset = match rest {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let (hours, rest) = number(rest, 2)?;
            let (minutes, rest) = number(rest.strip_prefix(b":")?, 2)?;
            if hours > 23 || minutes > 59 || !rest.is_empty() {
                return None;
            }
            let seconds = (hours * 60 + minutes) * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let valid = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !valid {
        return None;
    }
    let seconds =
        days_from_date(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    (FIRST_SECOND..=LAST_SECOND)
        .contains(&seconds)
        .then_some((seconds, nanos))
}

/// A short text, made without a buffer: the bytes, and how many of them count.
pub(crate) type Short = ([u8; 32], usize);

/// Builds a [`Short`].
struct Builder(Short);

impl Builder {
    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        let (text, len) = &mut self.0;
        if let Some(place) = text.get_mut(*len..*len + N) {
            place.copy_from_slice(&bytes);
            *len += N;
        }
    }

    /// Nothing, or a point and 3, 6 or 9 digits.
    #[inline]
    fn fraction(&mut self, nanos: u32) {
        if nanos == 0 {
            return;
        }
        self.put(*b".");
        self.put(digits::<3>(nanos / 1_000_000));
        if !nanos.is_multiple_of(1_000_000) {
            self.put(digits::<3>(nanos / 1_000));
            if !nanos.is_multiple_of(1_000) {
                self.put(digits::<3>(nanos));
            }
        }
    }
}

/// The last `N` digits of a number.
#[inline]
fn digits<const N: usize>(mut value: u32) -> [u8; N] {
    let mut text = [b'0'; N];
    for place in text.iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
    text
}

/// An RFC 3339 time in quotes; `None` when it is out of range.
#[inline]
pub(crate) fn timestamp(seconds: i64, nanos: i32) -> Option<Short> {
    if !(FIRST_SECOND..=LAST_SECOND).contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
        return None;
    }
    let (year, month, day) = date_from_days(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400) as u32;
    let [y1, y2, y3, y4] = digits(year as u32);
    let [mo1, mo2] = digits(month as u32);
    let [d1, d2] = digits(day as u32);
    let [h1, h2] = digits(second / 3_600);
    let [mi1, mi2] = digits(second / 60 % 60);
    let [s1, s2] = digits(second % 60);
    let mut text = Builder(([0; 32], 0));
    text.put([
        b'"', y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1,
        s2,
    ]);
    text.fraction(nanos.unsigned_abs());
    text.put(*b"Z\"");
    Some(text.0)
}

/// Appends an RFC 3339 time in quotes; `None`, and nothing appended, when it is out of range.
pub(crate) fn write_timestamp(out: &mut Vec<u8>, seconds: i64, nanos: i32) -> Option<()> {
    append(out, timestamp(seconds, nanos)?)
}

fn append(out: &mut Vec<u8>, (text, len): Short) -> Option<()> {
    out.extend_from_slice(text.get(..len)?);
    Some(())
}

/// Seconds and nanoseconds of `1.5s`; `None` when it is none or exceeds 10,000 years.
pub(crate) fn parse_duration(text: impl AsRef<[u8]>) -> Option<(i64, i32)> {
    let text = text.as_ref().strip_suffix(b"s")?;
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let len = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    if !(1..=12).contains(&len) {
        return None;
    }
    let (seconds, rest) = number(text, len)?;
    let (nanos, rest) = fraction(rest)?;
    if !rest.is_empty() || seconds > MAX_DURATION {
        return None;
    }
    Some(if negative {
        (-seconds, -nanos)
    } else {
        (seconds, nanos)
    })
}

/// A duration in quotes; `None` when it is out of range or its parts differ in sign.
#[inline]
pub(crate) fn duration(seconds: i64, nanos: i32) -> Option<Short> {
    let mixed = (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0);
    let in_range = (-MAX_DURATION..=MAX_DURATION).contains(&seconds)
        && (-999_999_999..=999_999_999).contains(&nanos);
    if mixed || !in_range {
        return None;
    }
    let mut text = Builder(([0; 32], 0));
    text.put(*b"\"");
    if seconds < 0 || nanos < 0 {
        text.put(*b"-");
    }
    let mut left = seconds.unsigned_abs();
    let mut all = [b'0'; 12];
    let mut first = all.len() - 1;
    for (at, place) in all.iter_mut().enumerate().rev() {
        *place = b'0' + (left % 10) as u8;
        left /= 10;
        first = at;
        if left == 0 {
            break;
        }
    }
    for digit in all.iter().skip(first) {
        text.put([*digit]);
    }
    text.fraction(nanos.unsigned_abs());
    text.put(*b"s\"");
    Some(text.0)
}

/// Appends a duration in quotes; `None`, and nothing appended, when it is out of range or its
/// parts differ in sign.
pub(crate) fn write_duration(out: &mut Vec<u8>, seconds: i64, nanos: i32) -> Option<()> {
    append(out, duration(seconds, nanos)?)
}

/// Appends one path of a field mask as the proto file has it; `None` when the JSON form has an
/// underscore and `snake` does not allow it.
pub(crate) fn path_to_snake(path: &str, snake: bool) -> Option<String> {
    let mut out = String::with_capacity(path.len() + 8);
    for char in path.chars() {
        match char {
            'A'..='Z' => {
                out.push('_');
                out.push(char.to_ascii_lowercase());
            }
            '_' if !snake => return None,
            _ => out.push(char),
        }
    }
    Some(out)
}

/// Appends one path of a field mask in camelCase; `None` when the way back would not lead to it.
/// Letters that JSON has to escape are left as they are.
pub(crate) fn write_path(out: &mut Vec<u8>, path: &[u8]) -> Option<()> {
    let mut bytes = path.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'A'..=b'Z' => return None,
            b'_' => match bytes.next() {
                Some(next @ b'a'..=b'z') => out.push(next.to_ascii_uppercase()),
                _ => return None,
            },
            _ => out.push(byte),
        }
    }
    Some(())
}

/// One path of a field mask in camelCase; `None` when the way back would not lead to it.
pub(crate) fn path_to_camel(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut chars = path.chars();
    while let Some(char) = chars.next() {
        match char {
            'A'..='Z' => return None,
            '_' => match chars.next() {
                Some(next @ 'a'..='z') => out.push(next.to_ascii_uppercase()),
                _ => return None,
            },
            _ => out.push(char),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_survive_a_round_trip() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("0001-01-01T00:00:00Z", FIRST_SECOND, 0),
            ("9999-12-31T23:59:59.999999999Z", LAST_SECOND, 999_999_999),
            ("2000-02-29T12:34:56.010Z", 951_827_696, 10_000_000),
            ("1969-12-31T23:59:59.000001Z", -1, 1_000),
            ("2024-03-01T00:00:00Z", 1_709_251_200, 0),
        ] {
            assert_eq!(parse_timestamp(text), Some((seconds, nanos)), "{text}");
            let mut out = Vec::new();
            write_timestamp(&mut out, seconds, nanos).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), format!("\"{text}\""));
        }
        let mut day = 0;
        for days in (FIRST_SECOND / 86_400..=LAST_SECOND / 86_400).step_by(17) {
            let (year, month, date) = date_from_days(days);
            assert_eq!(days_from_date(year, month, date), days);
            day += 1;
        }
        assert!(day > 200_000);
    }

    #[test]
    fn offsets_and_short_fractions_are_read() {
        let expected = parse_timestamp("2020-01-01T00:00:00.500Z");
        assert_eq!(parse_timestamp("2020-01-01T01:30:00.5+01:30"), expected);
        assert_eq!(parse_timestamp("2019-12-31T23:00:00.50-01:00"), expected);
    }

    #[test]
    fn what_is_no_timestamp_is_refused() {
        for text in [
            "",
            "2020-01-01",
            "2020-01-01 00:00:00Z",
            "2020-01-01t00:00:00Z",
            "2020-01-01T00:00:00z",
            "2020-01-01T00:00:00",
            "2020-02-30T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2020-13-01T00:00:00Z",
            "2020-01-01T24:00:00Z",
            "2020-01-01T00:00:60Z",
            "2020-01-01T00:00:00.Z",
            "2020-01-01T00:00:00.1234567890Z",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "10000-01-01T00:00:00Z",
            "2020-01-01T00:00:00+24:00",
            "2020-01-01T00:00:00+0100",
            "2020-1-01T00:00:00Z",
            "2020-01-01T00:00:00ZZ",
            "+020-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
        assert_eq!(write_timestamp(&mut Vec::new(), LAST_SECOND + 1, 0), None);
        assert_eq!(write_timestamp(&mut Vec::new(), 0, -1), None);
    }

    #[test]
    fn durations_survive_a_round_trip() {
        for (text, seconds, nanos) in [
            ("0s", 0, 0),
            ("1.500s", 1, 500_000_000),
            ("-0.000001s", 0, -1_000),
            ("-3.000000001s", -3, -1),
            ("315576000000s", MAX_DURATION, 0),
            ("-315576000000.999999999s", -MAX_DURATION, -999_999_999),
        ] {
            assert_eq!(parse_duration(text), Some((seconds, nanos)), "{text}");
            let mut out = Vec::new();
            write_duration(&mut out, seconds, nanos).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), format!("\"{text}\""));
        }
        assert_eq!(parse_duration("1.5s"), Some((1, 500_000_000)));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "s",
            "1",
            "1.s",
            ".5s",
            "+1s",
            "--1s",
            "1.0000000000s",
            "315576000001s",
            "315576000001.1s",
            "1 s",
            "1S",
            "9999999999999999999999s",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert_eq!(write_duration(&mut Vec::new(), 1, -1), None);
        assert_eq!(write_duration(&mut Vec::new(), MAX_DURATION + 1, 0), None);
    }

    #[test]
    fn mask_paths_are_reversible_or_refused() {
        for (snake, camel) in [("a", "a"), ("foo_bar.baz_q", "fooBar.bazQ"), ("", "")] {
            assert_eq!(path_to_snake(camel, false).as_deref(), Some(snake));
            assert_eq!(path_to_camel(snake).as_deref(), Some(camel));
        }
        assert_eq!(path_to_snake("foo_bar", false), None);
        assert_eq!(path_to_snake("foo_bar", true).as_deref(), Some("foo_bar"));
        for snake in ["fooBar", "foo_3", "foo__bar", "foo_"] {
            assert_eq!(path_to_camel(snake), None, "{snake}");
        }
    }
}
