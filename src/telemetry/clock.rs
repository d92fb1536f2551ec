//! [`Clock`]: where telemetry takes the time from, and how a moment is written.
//!
//! Nothing else in this crate reads the wall clock. The monotonic clock is given from outside,
//! because calls are timed by the clock of the runtime, which tests may have stopped.

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

    /// As RFC 3339 has it.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Only the time of the day: `09:00:00.000`.
    pub fn time_of_day(&self) -> &str {
        self.as_str().get(11..23).unwrap_or_default()
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
