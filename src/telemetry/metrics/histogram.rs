//! [`Histogram`] of durations and [`Sizes`] of bytes, in buckets that never change, with the traces
//! that fell into them last.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, SystemTime};

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
    (1_000_000_000, "1.0"),
    (2_000_000_000, "2.0"),
    (5_000_000_000, "5.0"),
    (10_000_000_000, "10.0"),
    (20_000_000_000, "20.0"),
    (100_000_000_000, "100.0"),
];

/// Upper bounds of sizes, in bytes; again of those of gRFC A66.
pub const SIZES: [(u64, &str); 8] = [
    (0, "0.0"),
    (1 << 10, "1024.0"),
    (4 << 10, "4096.0"),
    (16 << 10, "16384.0"),
    (64 << 10, "65536.0"),
    (256 << 10, "262144.0"),
    (1 << 20, "1048576.0"),
    (4 << 20, "4194304.0"),
];

/// Counts durations.
pub type Histogram = Counts<{ BOUNDS.len() }>;

/// Counts sizes.
pub type Sizes = Counts<{ SIZES.len() }>;

/// The state of histograms of durations, added up.
pub type Summary = Sums<{ BOUNDS.len() }>;

/// Counts numbers by size. Written by one thread as a rule, read by any.
#[derive(Debug)]
pub struct Counts<const N: usize> {
    /// One per bound; what is longer than the last counts in `longer`.
    buckets: [AtomicU64; N],
    longer: AtomicU64,
    sum: AtomicU64,
    /// One per bucket, the one for what is longer last; made when a traced call first comes.
    exemplars: OnceLock<Box<Mutex<Vec<Option<Exemplar>>>>>,
}

/// A traced call that fell into a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exemplar {
    /// Its trace.
    pub trace_id: u128,
    /// What was counted.
    pub value: u64,
    /// When.
    pub at: SystemTime,
}

/// The state of one or more histograms, added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums<const N: usize> {
    /// Not cumulative; one per bound.
    pub buckets: [u64; N],
    /// All of them.
    pub count: u64,
    /// What they make together.
    pub sum: u64,
    /// The last of each bucket, that for what is longer than all bounds at the end; empty when there
    /// is none.
    pub exemplars: Vec<Option<Exemplar>>,
}

impl<const N: usize> Default for Counts<N> {
    fn default() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; N],
            longer: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            exemplars: OnceLock::new(),
        }
    }
}

impl<const N: usize> Default for Sums<N> {
    fn default() -> Self {
        Self {
            buckets: [0; N],
            count: 0,
            sum: 0,
            exemplars: Vec::new(),
        }
    }
}

impl Summary {
    /// What the durations make together.
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.sum)
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.count(&BOUNDS, nanos);
    }

    /// Remembers the trace of a duration that was counted.
    pub fn remember(&self, duration: Duration, trace_id: u128, at: SystemTime) {
        let value = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let exemplar = Exemplar {
            trace_id,
            value,
            at,
        };
        let bucket = BOUNDS.partition_point(|(bound, _)| *bound < value);
        let made = || Box::new(Mutex::new(vec![None; BOUNDS.len() + 1]));
        // While the page reads it, another trace will do.
        if let Ok(mut exemplars) = self.exemplars.get_or_init(made).try_lock()
            && let Some(place) = exemplars.get_mut(bucket)
        {
            *place = Some(exemplar);
        }
    }
}

impl Sizes {
    /// Counts one size.
    pub fn observe_bytes(&self, bytes: u64) {
        self.count(&SIZES, bytes);
    }
}

impl<const N: usize> Counts<N> {
    fn count(&self, bounds: &[(u64, &str); N], value: u64) {
        let at = bounds.partition_point(|(bound, _)| *bound < value);
        self.buckets
            .get(at)
            .unwrap_or(&self.longer)
            .fetch_add(1, Ordering::Relaxed);
        if value > 0 {
            self.sum.fetch_add(value, Ordering::Relaxed);
        }
    }

    /// Adds what was counted to `summary`.
    pub fn add_to(&self, summary: &mut Sums<N>) {
        for (sum, bucket) in summary.buckets.iter_mut().zip(&self.buckets) {
            let counted = bucket.load(Ordering::Relaxed);
            *sum += counted;
            summary.count += counted;
        }
        summary.count += self.longer.load(Ordering::Relaxed);
        summary.sum = summary.sum.saturating_add(self.sum.load(Ordering::Relaxed));
        let Some(Ok(exemplars)) = self.exemplars.get().map(|cell| cell.lock()) else {
            return;
        };
        summary.exemplars.resize(N + 1, None);
        for (latest, other) in summary.exemplars.iter_mut().zip(&*exemplars) {
            let newer = |other: &Exemplar| latest.is_none_or(|latest| latest.at < other.at);
            if other.as_ref().is_some_and(newer) {
                *latest = *other;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

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
        assert_eq!(summary.sum, 200_000_600_002);
        assert_eq!(summary.buckets[..2], [2, 1]);
        assert_eq!(summary.buckets[15], 1);
        assert!(summary.exemplars.is_empty());
    }

    #[test]
    fn the_latest_trace_of_a_bucket_is_remembered() {
        let all = [Histogram::default(), Histogram::default()];
        let at = |second| UNIX_EPOCH + Duration::from_secs(second);
        all[0].remember(Duration::ZERO, 1, at(1));
        all[0].remember(Duration::ZERO, 2, at(2));
        all[1].remember(Duration::ZERO, 3, at(1));
        all[1].remember(Duration::from_secs(1000), 4, at(1));
        let mut summary = Summary::default();
        all.iter().for_each(|one| one.add_to(&mut summary));
        let ids: Vec<u128> = summary
            .exemplars
            .iter()
            .flatten()
            .map(|one| one.trace_id)
            .collect();
        assert_eq!(ids, [2, 4]);
        assert_eq!(summary.exemplars.len(), BOUNDS.len() + 1);
        assert!(summary.exemplars[BOUNDS.len()].is_some());
    }

    #[test]
    fn bounds_ascend_and_say_what_they_are() {
        assert!(BOUNDS.is_sorted() && SIZES.is_sorted());
        for (nanos, seconds) in BOUNDS {
            assert_eq!(
                Duration::from_nanos(nanos),
                Duration::from_secs_f64(seconds.parse().unwrap())
            );
        }
        for (bytes, text) in SIZES {
            assert_eq!(format!("{bytes}.0"), text);
        }
    }
}
