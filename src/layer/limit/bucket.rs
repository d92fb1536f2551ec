//! [`Bucket`]: a rate, counted without a lock, by one number: when the next call would be due if all
//! of them had come evenly (the generic cell rate algorithm).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::schema::quota::Rate;

/// A rate and how much of it is used. Time is in nanoseconds since some beginning.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: Rate,
    due: AtomicU64,
}

impl Bucket {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            due: AtomicU64::new(0),
        }
    }

    /// Takes a call out at `now`, or says when there is one again.
    pub(super) fn take(&self, now: u64) -> Result<(), Duration> {
        let mut wait = Duration::ZERO;
        let taken = self
            .due
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |due| {
                match next(self.rate, due, now) {
                    Ok(due) => Some(due),
                    Err(later) => {
                        wait = later;
                        None
                    }
                }
            });
        taken.map(drop).map_err(|_full| wait)
    }
}

/// When the call after this one is due, or how long this one has to wait.
pub(super) fn next(rate: Rate, due: u64, now: u64) -> Result<u64, Duration> {
    let interval = u64::try_from(rate.interval.as_nanos())
        .unwrap_or(u64::MAX)
        .max(1);
    let most = interval.saturating_mul(rate.burst.max(1).into());
    let next = due.max(now).saturating_add(interval);
    match (next - now).checked_sub(most) {
        None | Some(0) => Ok(next),
        Some(over) => Err(Duration::from_nanos(over)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_holds_after_a_burst() {
        const MS: u64 = 1_000_000;
        let bucket = Bucket::new(Rate {
            interval: Duration::from_millis(100),
            burst: 3,
        });
        let mut now = 5 * MS;
        for _ in 0..3 {
            assert_eq!(bucket.take(now), Ok(()));
        }
        assert_eq!(bucket.take(now), Err(Duration::from_millis(100)));
        now += 99 * MS;
        assert_eq!(bucket.take(now), Err(Duration::from_millis(1)));
        now += MS;
        assert_eq!(bucket.take(now), Ok(()));
        assert!(bucket.take(now).is_err());
        // A long pause is worth no more than the burst.
        now += 1_000_000 * MS;
        let taken = (0..10).filter(|_| bucket.take(now).is_ok()).count();
        assert_eq!(taken, 3);
        // A second of calls every millisecond lets ten through.
        let taken = (1..=1000)
            .filter(|ms| bucket.take(now + ms * MS).is_ok())
            .count();
        assert_eq!(taken, 10);
    }
}
