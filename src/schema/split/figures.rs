//! What is counted of one side: calls, failures and how long answers took.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Four to each doubling of a microsecond, up to a day and more.
const BUCKETS: usize = 4 * 38;

/// Counts of one side that only grow.
#[derive(Debug)]
pub(super) struct Figures {
    calls: AtomicU64,
    failed: AtomicU64,
    took: Box<[AtomicU32]>,
}

/// What a side had of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls.
    pub calls: u64,
    /// Those that failed by its fault.
    pub failed: u64,
}

/// The same at one moment, with how long answers took.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) counts: Counts,
    took: Box<[u32]>,
}

impl Figures {
    pub(super) fn new() -> Self {
        Self {
            calls: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            took: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    pub(super) fn count(&self, latency: Option<Duration>, failed: bool) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        let bucket = latency.and_then(|latency| self.took.get(bucket(latency)));
        if let Some(bucket) = bucket {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn counts(&self) -> Counts {
        // Failures first: a call between the two must not make more of them than calls.
        let failed = self.failed.load(Ordering::Relaxed);
        Counts {
            calls: self.calls.load(Ordering::Relaxed),
            failed,
        }
    }

    pub(super) fn moment(&self) -> Moment {
        let took = self.took.iter();
        Moment {
            counts: self.counts(),
            took: took.map(|count| count.load(Ordering::Relaxed)).collect(),
        }
    }
}

impl Counts {
    /// The share of failures.
    pub fn ratio(self) -> f64 {
        super::share(self.failed, self.calls)
    }

    fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            failed: self.failed + other.failed,
        }
    }
}

impl Moment {
    pub(super) fn nothing() -> Self {
        Self {
            counts: Counts::default(),
            took: vec![0; BUCKETS].into(),
        }
    }

    /// What was counted since an earlier moment.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let took = self.took.iter().zip(&earlier.took);
        Self {
            counts: Counts {
                calls: self.counts.calls.saturating_sub(earlier.counts.calls),
                failed: self.counts.failed.saturating_sub(earlier.counts.failed),
            },
            took: took.map(|(now, then)| now.wrapping_sub(*then)).collect(),
        }
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        let took = self.took.iter().zip(&other.took);
        Self {
            counts: self.counts.plus(other.counts),
            took: took.map(|(a, b)| a.saturating_add(*b)).collect(),
        }
    }

    /// The time that 99 of 100 answers did not take longer than, and how many there were.
    pub(super) fn slowest_hundredth(&self) -> (Duration, u64) {
        let total: u64 = self.took.iter().map(|count| u64::from(*count)).sum();
        let mut left = total - total / 100;
        for (at, count) in self.took.iter().enumerate() {
            left = left.saturating_sub(u64::from(*count));
            if left == 0 && total > 0 {
                return (upper(at), total);
            }
        }
        (Duration::ZERO, total)
    }
}

fn bucket(latency: Duration) -> usize {
    let micros = u64::try_from(latency.as_micros())
        .unwrap_or(u64::MAX)
        .max(4);
    let doubling = micros.ilog2();
    let quarter = (micros >> (doubling - 2)) & 3;
    let at = u64::from(doubling) * 4 + quarter;
    usize::try_from(at).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The end of a bucket.
fn upper(at: usize) -> Duration {
    let (doubling, quarter) = (at / 4, at % 4);
    let micros = (5 + quarter as u64) << doubling.saturating_sub(2);
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_what_they_say() {
        for micros in [4, 5, 7, 8, 100, 1023, 1024, 250_000, 86_400_000_000] {
            let latency = Duration::from_micros(micros);
            let end = upper(bucket(latency));
            assert!(latency < end, "{latency:?} {end:?}");
            assert!(
                end <= latency * 5 / 4 + Duration::from_micros(1),
                "{latency:?} {end:?}"
            );
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn the_slowest_hundredth_is_that_of_a_hundred() {
        let figures = Figures::new();
        let fast = Duration::from_millis(1);
        for _ in 0..99 {
            figures.count(Some(fast), false);
        }
        figures.count(Some(fast * 100), true);
        let (slowest, count) = figures.moment().slowest_hundredth();
        assert_eq!(count, 100);
        assert!(slowest < fast * 2, "{slowest:?}");
        figures.count(Some(fast * 100), false);
        let (slowest, _) = figures.moment().slowest_hundredth();
        assert!(slowest >= fast * 100, "{slowest:?}");
        assert_eq!(
            figures.counts(),
            Counts {
                calls: 101,
                failed: 1
            }
        );
    }
}
