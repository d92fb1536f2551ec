//! [`Histogram`]: how long things took, in buckets that never change.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets, in nanoseconds and as they are exposed in seconds. All of them
/// are among the bounds that gRFC A66 gives for latencies, so that they add up with those of
/// gRPC libraries.
pub const BOUNDS: [(u64, &str); 16] = [
    (300_000, "0.0003"),
    (1_000_000, "0.001"),
    (2_000_000, "0.002"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (20_000_000, "0.02"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (200_000_000, "0.2"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1"),
    (2_000_000_000, "2"),
    (5_000_000_000, "5"),
    (10_000_000_000, "10"),
    (20_000_000_000, "20"),
    (100_000_000_000, "100"),
];

/// Counts durations. Written by one thread as a rule, read by any.
#[derive(Debug, Default)]
pub struct Histogram {
    /// One per bound; what is longer than the last counts in `longer`.
    buckets: [AtomicU64; BOUNDS.len()],
    longer: AtomicU64,
    nanos: AtomicU64,
}

/// The state of one or more histograms, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Not cumulative; one per bound.
    pub buckets: [u64; BOUNDS.len()],
    /// All of them.
    pub count: u64,
    /// What they took together.
    pub total: Duration,
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let at = BOUNDS.partition_point(|(bound, _)| *bound < nanos);
        self.buckets
            .get(at)
            .unwrap_or(&self.longer)
            .fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Adds what was counted to `summary`.
    pub fn add_to(&self, summary: &mut Summary) {
        for (sum, bucket) in summary.buckets.iter_mut().zip(&self.buckets) {
            let counted = bucket.load(Ordering::Relaxed);
            *sum += counted;
            summary.count += counted;
        }
        summary.count += self.longer.load(Ordering::Relaxed);
        let nanos = self.nanos.load(Ordering::Relaxed);
        summary.total = summary.total.saturating_add(Duration::from_nanos(nanos));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for nanos in [0, 300_000, 300_001, 100_000_000_000, 100_000_000_001] {
            histogram.observe(Duration::from_nanos(nanos));
        }
        let mut summary = Summary::default();
        histogram.add_to(&mut summary);
        assert_eq!(summary.count, 5);
        assert_eq!(summary.total, Duration::from_nanos(200_000_600_002));
        assert_eq!(summary.buckets[..2], [2, 1]);
        assert_eq!(summary.buckets[15], 1);
    }

    #[test]
    fn bounds_ascend_and_say_what_they_are() {
        assert!(BOUNDS.is_sorted());
        for (nanos, seconds) in BOUNDS {
            assert_eq!(
                Duration::from_nanos(nanos),
                Duration::from_secs_f64(seconds.parse().unwrap())
            );
        }
    }
}
