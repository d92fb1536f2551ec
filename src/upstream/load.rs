//! How busy and how well an endpoint is, as one worker sees it: a peak-sensitive moving average of
//! its latency times the calls in flight, and the counts that put it out.
//!
//! The average rises at once to a slow answer and falls slowly (peak EWMA, as in Twitter's Finagle
//! and linkerd). A failure counts as a slow answer: a fast one must not attract calls.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use crate::call::{Blame, Code, Fault, Reply};

/// The average forgets to a third in this time.
const MEMORY: Duration = Duration::from_secs(10);

/// What an endpoint counts as that has not answered yet, and the most that failures make of one.
const PENALTY: Duration = Duration::from_secs(1);

/// A failure counts as an answer that takes so many times the average.
const FAILURE: f64 = 10.0;

/// How one call to an endpoint ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was answered, be it with an error that is the caller's.
    Good,
    /// The same, but how long it took says nothing.
    Answered,
    /// The endpoint could not do its work.
    Bad,
    /// The endpoint cannot be reached: there is no call that could succeed.
    Unreachable,
    /// It says nothing about the endpoint.
    Neutral,
}

/// When an endpoint is put out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outliers {
    /// Failures in a row.
    pub consecutive: u32,
    /// The share of failures in [`window`](Self::window) that is too many.
    pub ratio: f64,
    /// Below so many calls in a window the share says nothing.
    pub minimum: u32,
    /// What the share is taken over.
    pub window: Duration,
}

impl Default for Outliers {
    fn default() -> Self {
        Self {
            consecutive: 5,
            ratio: 0.5,
            minimum: 20,
            window: Duration::from_secs(10),
        }
    }
}

/// The latency of one endpoint, as one worker sees it.
#[derive(Debug)]
pub(super) struct Load {
    /// Seconds.
    average: Cell<f64>,
    at: Cell<Instant>,
}

/// The failures of one endpoint, as one worker sees them.
#[derive(Debug)]
pub(super) struct Failures {
    in_a_row: Cell<u32>,
    since: Cell<Instant>,
    calls: Cell<u32>,
    failed: Cell<u32>,
}

impl Load {
    pub(super) fn new() -> Self {
        Self {
            average: Cell::new(0.0),
            at: Cell::new(Instant::now()),
        }
    }

    /// A call took so long.
    pub(super) fn observe(&self, latency: Duration, outcome: Outcome, now: Instant) {
        const LEAST: f64 = 0.01;
        let kept = self.kept(now);
        let average = self.average.get();
        let latency = latency.as_secs_f64();
        let latency = match outcome {
            Outcome::Answered => return,
            Outcome::Good | Outcome::Neutral => latency,
            Outcome::Bad | Outcome::Unreachable => {
                let worse = (average * FAILURE).clamp(LEAST, PENALTY.as_secs_f64());
                latency.max(worse)
            }
        };
        let is_peak = latency > average * kept;
        self.average.set(if is_peak {
            latency
        } else {
            average * kept + latency * (1.0 - kept)
        });
        self.at.set(now);
    }

    /// Forgets what was, when the endpoint is as good as new.
    pub(super) fn forget(&self) {
        self.average.set(0.0);
    }

    /// What one more call would meet: the lower the better.
    pub(super) fn cost(&self, in_flight: usize, now: Instant) -> f64 {
        let average = self.average.get() * self.kept(now);
        #[allow(
            clippy::cast_precision_loss,
            reason = "nobody has 2^52 calls in flight"
        )]
        let waiting = in_flight as f64;
        if average == 0.0 && in_flight > 0 {
            // Nothing is known of it yet: let it answer before it gets more.
            return PENALTY.as_secs_f64() * (waiting + 1.0);
        }
        average * (waiting + 1.0)
    }

    /// How much of the average is left now.
    fn kept(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at.get());
        if passed.is_zero() {
            return 1.0;
        }
        (-passed.as_secs_f64() / MEMORY.as_secs_f64()).exp()
    }
}

impl Failures {
    pub(super) fn new() -> Self {
        Self {
            in_a_row: Cell::new(0),
            since: Cell::new(Instant::now()),
            calls: Cell::new(0),
            failed: Cell::new(0),
        }
    }

    /// Counts a call; `true` when there are too many failures.
    pub(super) fn count(&self, outcome: Outcome, limits: &Outliers, now: Instant) -> bool {
        if now.saturating_duration_since(self.since.get()) > limits.window {
            self.since.set(now);
            self.calls.set(0);
            self.failed.set(0);
        }
        let add = |cell: &Cell<u32>| cell.set(cell.get().saturating_add(1));
        match outcome {
            Outcome::Neutral => return false,
            Outcome::Good | Outcome::Answered => {
                self.in_a_row.set(0);
                add(&self.calls);
                return false;
            }
            Outcome::Bad => {
                add(&self.in_a_row);
                add(&self.calls);
                add(&self.failed);
            }
            Outcome::Unreachable => return true,
        }
        let (calls, failed) = (self.calls.get(), self.failed.get());
        let share = f64::from(failed) / f64::from(calls.max(1));
        self.in_a_row.get() >= limits.consecutive
            || calls >= limits.minimum && share >= limits.ratio
    }

    /// Begins anew, when the endpoint has been put out for it.
    pub(super) fn forget(&self) {
        self.in_a_row.set(0);
        self.calls.set(0);
        self.failed.set(0);
    }
}

impl Outcome {
    /// What an answer says about the endpoint.
    pub(super) fn of(answer: &Result<Reply, Fault>) -> Self {
        match answer {
            Ok(reply) => reply.early_code().map_or(Self::Good, Self::of_code),
            Err(fault) => Self::of_fault(fault),
        }
    }

    /// The same for a call that may last: when its answer begins is the application's own affair.
    pub(super) fn of_stream(answer: &Result<Reply, Fault>) -> Self {
        match Self::of(answer) {
            Self::Good => Self::Answered,
            other => other,
        }
    }

    /// What a failure says about the endpoint.
    pub(super) fn of_fault(fault: &Fault) -> Self {
        if fault.blame() != Blame::Upstream {
            let late = fault.code() == Code::DeadlineExceeded;
            return if late { Self::Bad } else { Self::Neutral };
        }
        match fault.reason() {
            // Its own limit of streams: it does what it can.
            "APP_BUSY" => Self::Neutral,
            "APP_UNREACHABLE" => Self::Unreachable,
            _ => Self::Bad,
        }
    }

    fn of_code(code: Code) -> Self {
        match code {
            Code::Unavailable | Code::ResourceExhausted | Code::Internal | Code::DataLoss => {
                Self::Bad
            }
            Code::Unknown | Code::Cancelled | Code::DeadlineExceeded => Self::Neutral,
            _ => Self::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_average_rises_at_once_and_falls_slowly() {
        let load = Load::new();
        let start = Instant::now();
        let millisecond = Duration::from_millis(1);
        load.observe(millisecond, Outcome::Good, start);
        assert!((load.cost(0, start) - 0.001).abs() < 1e-9);
        load.observe(millisecond * 50, Outcome::Good, start);
        assert!((load.cost(1, start) - 0.1).abs() < 1e-9);
        let later = after(start, 10_000);
        load.observe(millisecond, Outcome::Good, later);
        let cost = load.cost(0, later);
        assert!((0.018..0.021).contains(&cost), "{cost}");
    }

    /// Fault 35: a failure in a millisecond is not a fast answer.
    #[test]
    fn a_failure_counts_as_slow() {
        let (good, bad) = (Load::new(), Load::new());
        let now = Instant::now();
        for load in [&good, &bad] {
            load.observe(Duration::from_millis(40), Outcome::Good, now);
        }
        bad.observe(Duration::from_millis(1), Outcome::Bad, now);
        assert!(good.cost(8, now) < bad.cost(0, now));
        for _ in 0..9 {
            bad.observe(Duration::from_millis(1), Outcome::Bad, now);
        }
        let cost = bad.cost(0, now);
        assert!((0.99..1.01).contains(&cost), "it has an end: {cost}");
    }

    #[test]
    fn failures_in_a_row_and_their_share() {
        use Outcome::{Bad, Good, Neutral, Unreachable};
        let limits = Outliers::default();
        let start = Instant::now();
        let rows: &[(&[Outcome], bool)] = &[
            (&[Bad, Bad, Bad, Bad], false),
            (&[Bad, Bad, Bad, Bad, Bad], true),
            (&[Bad, Bad, Neutral, Bad, Bad, Bad], true),
            (&[Bad, Bad, Good, Bad, Bad, Bad], false),
            (&[Unreachable], true),
        ];
        for (outcomes, expected) in rows {
            let failures = Failures::new();
            let mut last = false;
            for outcome in *outcomes {
                last = failures.count(*outcome, &limits, start);
            }
            assert_eq!(last, *expected, "{outcomes:?}");
        }
        // Every second one.
        let failures = Failures::new();
        let tell = |at: u32, now| {
            let outcome = if at.is_multiple_of(2) { Good } else { Bad };
            failures.count(outcome, &limits, now)
        };
        assert!((0..19).all(|at| !tell(at, start)));
        assert!(tell(19, start), "ten of twenty");
        // The window forgets.
        let later = after(start, 10_001);
        assert!((0..19).all(|at| !tell(at, later)));
    }
}
