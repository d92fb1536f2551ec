//! [`Clock`]: where telemetry takes the time from, and how a moment is written.
//!
//! Nothing else in this crate reads the wall clock. The monotonic clock is given from outside,
//! because calls are timed by the clock of the runtime, which tests may have stopped.

use std::fmt;
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

/// A moment in UTC with milliseconds; displays as RFC 3339.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: u64,
    millis: u32,
}

impl Moment {
    /// The moment of a time of day; what lies before 1970 is taken for its first second.
    pub fn new(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let days = i64::try_from(since.as_secs() / 86_400).unwrap_or(0);
        let (year, month, day) = civil(days);
        Self {
            year,
            month,
            day,
            second_of_day: since.as_secs() % 86_400,
            millis: since.subsec_millis(),
        }
    }

    /// Only the time of the day: `09:00:00.000`.
    pub fn time_of_day(&self) -> impl fmt::Display + use<> {
        TimeOfDay(*self)
    }
}

struct TimeOfDay(Moment);

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Moment {
            second_of_day,
            millis,
            ..
        } = self.0;
        let (hour, minute) = (second_of_day / 3600, second_of_day / 60 % 60);
        let second = second_of_day % 60;
        write!(f, "{hour:02}:{minute:02}:{second:02}.{millis:03}")
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            year, month, day, ..
        } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{}Z", self.time_of_day())
    }
}

/// Year, month and day of a number of days since 1970. Years are taken to begin in March, so
/// that the leap day is the last of its year; then every month has its days by one formula.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
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
    let year = era * 400 + year_of_era + i64::from(month <= 2);
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
        ] {
            let time = UNIX_EPOCH + Duration::from_millis(millis);
            assert_eq!(Moment::new(time).to_string(), expected);
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
