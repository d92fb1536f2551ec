//! [`Clock`]: where telemetry takes the time from, and how a moment is written.
//!
//! Nothing else in this crate reads the wall clock. The monotonic clock is given from outside,
//! because calls are timed by the clock of the runtime, which tests may have stopped.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The two clocks that a log line needs.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The clock that [`CallRecord`](crate::call::record::CallRecord) is timed by.
    pub monotonic: fn() -> Instant,
    /// The time of day.
    pub wall: fn() -> SystemTime,
}

impl Clock {
    /// The clocks of the machine.
    #[allow(
        clippy::disallowed_methods,
        reason = "telemetry is where the clock is read"
    )]
    pub fn system() -> Self {
        Self {
            monotonic: Instant::now,
            wall: SystemTime::now,
        }
    }
}

/// A moment in UTC with milliseconds, written as RFC 3339: `2026-11-05T09:00:00.000Z`.
///
/// It is made for every line of the access log, so it is put together digit by digit.
#[derive(Clone, Copy, Debug)]
pub struct Moment([u8; 24]);

impl Moment {
    /// The moment of a time of day; what lies before 1970 or after 9999 is taken for the first
    /// second of 1970.
    pub fn new(time: SystemTime) -> Self {
        let since = time
            .duration_since(UNIX_EPOCH)
            .ok()
            .filter(|since| since.as_secs() < END_OF_9999)
            .unwrap_or(Duration::ZERO);
        let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        let (year, month, day) = civil(days);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for (end, value) in [
            (4, year),
            (7, month),
            (10, day),
            (13, second / 3600),
            (16, second / 60 % 60),
            (19, second % 60),
            (23, since.subsec_millis().into()),
        ] {
            write_digits(text.get_mut(..end).unwrap_or_default(), value);
        }
        Self(text)
    }

    /// The same for moments that come one after the other: those of a second share all but the
    /// last digits, and each thread remembers its last one.
    pub fn recent(time: SystemTime) -> Self {
        thread_local! {
            static LAST: Cell<(u64, Moment)> = const { Cell::new((u64::MAX, Moment([0; 24]))) };
        }
        let Some(since) = time
            .duration_since(UNIX_EPOCH)
            .ok()
            .filter(|since| since.as_secs() < END_OF_9999)
        else {
            return Self::new(time);
        };
        let (second, mut moment) = LAST.get();
        if second != since.as_secs() {
            moment = Self::new(time);
            LAST.set((since.as_secs(), moment));
        }
        let millis = since.subsec_millis().into();
        write_digits(moment.0.get_mut(20..23).unwrap_or_default(), millis);
        moment
    }

    /// As RFC 3339 has it.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Only the time of the day: `09:00:00.000`.
    pub fn time_of_day(&self) -> &str {
        self.as_str().get(11..23).unwrap_or_default()
    }
}

/// Reads what [`Moment`] writes, as the time since 1970.
pub fn parse_moment(text: &str) -> Option<Duration> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let (hour, minute) = (number(11, 13)?, number(14, 16)?);
    let (second, milli) = (number(17, 19)?, number(20, 23)?);
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    (text.len() == 24).then(|| Duration::from_secs(seconds) + Duration::from_millis(milli))
}

/// The days from 1970 to a date: the formula of `civil`, backwards.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 {
        year.checked_sub(1)?
    } else {
        year
    };
    let from_march = if month > 2 {
        month - 3
    } else {
        month.checked_add(9)?
    };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * from_march + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

/// A moment as the header `Date` has it (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Clone, Copy, Debug)]
pub struct HttpDate {
    /// Since 1970.
    second: u64,
    text: [u8; 29],
}

impl HttpDate {
    /// The date of a time of day; before 1970 and after 9999 as [`Moment`] has it.
    pub fn new(time: SystemTime) -> Self {
        const WEEKDAYS: &[u8; 21] = b"ThuFriSatSunMonTueWed";
        const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
        let second = seconds(time);
        let (days, of_day) = (second / 86_400, second % 86_400);
        let (year, month, day) = civil(days);
        let mut text = *b"Thu, 00 Jan 0000 00:00:00 GMT";
        write_name(&mut text, 0, WEEKDAYS, days % 7);
        write_name(&mut text, 8, MONTHS, month - 1);
        for (end, value) in [
            (7, day),
            (16, year),
            (19, of_day / 3600),
            (22, of_day / 60 % 60),
            (25, of_day % 60),
        ] {
            write_digits(text.get_mut(..end).unwrap_or_default(), value);
        }
        Self { second, text }
    }

    /// Whether a time of day has this date.
    pub fn is_of(&self, time: SystemTime) -> bool {
        self.second == seconds(time)
    }

    /// As HTTP has it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map(|since| since.as_secs())
        .ok()
        .filter(|second| *second < END_OF_9999)
        .unwrap_or(0)
}

/// Writes one of the names, of three letters each.
fn write_name(text: &mut [u8], at: usize, names: &[u8], index: u64) {
    let name = names
        .chunks(3)
        .nth(usize::try_from(index).unwrap_or_default());
    if let (Some(place), Some(name)) = (text.get_mut(at..at + 3), name) {
        place.copy_from_slice(name);
    }
}

/// The first second that needs five digits for its year.
const END_OF_9999: u64 = 253_402_300_800;

/// Writes a number from the end of `text` on, until it is used up.
fn write_digits(text: &mut [u8], mut value: u64) {
    for digit in text.iter_mut().rev() {
        if value == 0 {
            return;
        }
        // A digit is below ten.
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

/// Year, month and day of a number of days since 1970. Years are taken to begin in March, so
/// that the leap day is the last of its year; then every month has its days by one formula.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_rfc_3339() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_001, "2024-02-29T23:59:59.001Z"),
            (1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "1970-01-01T00:00:00.000Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_millis(millis);
            assert_eq!(Moment::new(time).as_str(), expected);
            let written = time.duration_since(UNIX_EPOCH).unwrap();
            let read = parse_moment(expected).unwrap();
            assert!(
                read == written || millis == 253_402_300_800_000,
                "{expected}"
            );
        }
    }

    #[test]
    fn moments_of_a_second_differ_by_their_last_digits() {
        let earlier = UNIX_EPOCH - Duration::from_millis(1500);
        assert_eq!(
            Moment::recent(earlier).as_str(),
            Moment::new(earlier).as_str()
        );
        for millis in [
            0,
            7,
            999,
            1000,
            1_709_251_199_001,
            1_709_251_199_340,
            0,
            253_402_300_800_123,
        ] {
            let time = UNIX_EPOCH + Duration::from_millis(millis);
            assert_eq!(Moment::recent(time).as_str(), Moment::new(time).as_str());
        }
    }

    #[test]
    fn what_is_no_moment_is_not_read() {
        for text in [
            "",
            "2000-02-29T00:00:00.000",
            "2000-02-29T00:00:00.000+01:00",
            "2000-xx-29T00:00:00.000Z",
            "1969-12-31T00:00:00.000Z",
            "0000-01-01T00:00:00.000Z",
            "2000-00-00T00:00:00.000Z",
            "éééééééééééé",
        ] {
            assert_eq!(parse_moment(text), None, "{text}");
        }
    }

    #[test]
    fn dates_are_written_as_http_has_them() {
        for (second, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (1_796_083_199, "Mon, 30 Nov 2026 23:59:59 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (253_402_300_800, "Thu, 01 Jan 1970 00:00:00 GMT"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(second);
            let date = HttpDate::new(time);
            assert_eq!(date.as_bytes(), expected.as_bytes());
            assert!(date.is_of(time + Duration::from_millis(999)));
            assert!(!date.is_of(UNIX_EPOCH + Duration::from_secs(12_345)));
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = civil(0);
        for days in 1..100_000 {
            let (year, month, day) = civil(days);
            let next_day = (year, month) == (before.0, before.1) && day == before.2 + 1;
            let next_month = day == 1 && (year * 12 + month) == (before.0 * 12 + before.1 + 1);
            assert!(next_day || next_month, "{before:?} -> {year}-{month}-{day}");
            before = (year, month, day);
        }
    }
}
