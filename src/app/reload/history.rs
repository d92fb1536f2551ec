//! [`History`]: what became of the last attempts, for the admin port and for metrics.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::admin::views::ProblemView;
use crate::schema::problem::Problem;
use crate::telemetry::clock::Moment;
use crate::telemetry::metrics::Metrics;

/// As many attempts are remembered.
const KEPT: usize = 20;
/// As many changes of one attempt.
const CHANGES_KEPT: usize = 200;
/// As many of its problems.
const PROBLEMS_KEPT: usize = 100;

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app) enum Outcome {
    /// The new state is live.
    Applied,
    /// There was nothing new.
    Unchanged,
    /// Something is wrong, and the old state stays.
    Refused,
}

/// One attempt.
#[derive(Clone, Debug)]
pub(in crate::app) struct Attempt {
    /// Counts attempts, from 1.
    pub(in crate::app) number: u64,
    /// When it began.
    pub(in crate::app) at: SystemTime,
    /// How long it took.
    pub(in crate::app) took: Duration,
    /// Who asked for it.
    pub(in crate::app) trigger: &'static str,
    /// What became of it.
    pub(in crate::app) outcome: Outcome,
    /// What is different now.
    pub(in crate::app) changes: Vec<String>,
    /// What is asked for and waits for a restart.
    pub(in crate::app) waiting: Vec<String>,
    /// What is wrong.
    pub(in crate::app) problems: Vec<Problem>,
}

/// The last attempts; clones see the same.
#[derive(Clone, Debug, Default)]
pub(in crate::app) struct History(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    attempts: VecDeque<Attempt>,
    counts: [u64; Outcome::ALL.len()],
    last_success: Option<SystemTime>,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Applied, Self::Unchanged, Self::Refused];

    pub(in crate::app) fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
        }
    }
}

impl Attempt {
    /// As it is shown.
    pub(in crate::app) fn view(&self) -> Value {
        let problems: Vec<ProblemView<'_>> = self.problems.iter().map(ProblemView::new).collect();
        json!({
            "number": self.number,
            "at": Moment::new(self.at).as_str(),
            "took_ms": self.took.as_secs_f64() * 1e3,
            "trigger": self.trigger,
            "outcome": self.outcome.name(),
            "changes": self.changes,
            "needs_restart": self.waiting,
            "problems": problems,
        })
    }
}

impl History {
    /// Begins with the start, which was one.
    pub(in crate::app) fn new(now: SystemTime) -> Self {
        let history = Self::default();
        history.lock().last_success = Some(now);
        history
    }

    /// Remembers one more and gives it its number.
    pub(in crate::app) fn add(&self, attempt: &mut Attempt) {
        attempt.changes.truncate(CHANGES_KEPT);
        attempt.problems.truncate(PROBLEMS_KEPT);
        let mut kept = self.lock();
        for (outcome, count) in Outcome::ALL.iter().zip(&mut kept.counts) {
            *count += u64::from(*outcome == attempt.outcome);
        }
        attempt.number = kept.counts.iter().sum();
        if attempt.outcome != Outcome::Refused {
            kept.last_success = Some(attempt.at);
        }
        // That nothing is new is worth a place only while it is the last word.
        let idle = |one: &Attempt| one.outcome == Outcome::Unchanged;
        if kept.attempts.front().is_some_and(idle) {
            kept.attempts.pop_front();
        }
        kept.attempts.push_front(attempt.clone());
        kept.attempts.truncate(KEPT);
    }

    /// All of them, the last one first.
    pub(in crate::app) fn view(&self) -> Value {
        let kept = self.lock();
        kept.attempts.iter().map(Attempt::view).collect()
    }

    /// What waits for a restart.
    pub(in crate::app) fn waiting(&self) -> Vec<String> {
        let kept = self.lock();
        let last = kept
            .attempts
            .iter()
            .find(|one| one.outcome != Outcome::Refused);
        last.map(|last| last.waiting.clone()).unwrap_or_default()
    }

    /// Shows the counts on the page of metrics.
    pub(in crate::app) fn show(&self, metrics: &Metrics) {
        let history = self.clone();
        metrics.show(move |page| {
            let kept = history.lock();
            let name = "sidegate_reload_total";
            page.family(name, "counter", "Attempts to take up changes of files.");
            for (outcome, count) in Outcome::ALL.iter().zip(kept.counts) {
                let label = format_args!("{{outcome=\"{}\"}}", outcome.name());
                page.sample(name, label, count);
            }
            page.single(
                "sidegate_reload_last_success_timestamp_seconds",
                "gauge",
                "When files were last found sound, in seconds of the Unix epoch.",
                kept.last_success.map_or(0.0, seconds),
            );
            let last = kept.attempts.front();
            let refused = last.is_some_and(|last| last.outcome == Outcome::Refused);
            page.single(
                "sidegate_reload_refused",
                "gauge",
                "Whether the files are wrong as they are now, so that an older state is served.",
                u8::from(refused),
            );
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(outcome: Outcome, trigger: &'static str) -> Attempt {
        Attempt {
            number: 0,
            at: UNIX_EPOCH,
            took: Duration::from_millis(2),
            trigger,
            outcome,
            changes: vec!["a".to_owned(); 1000],
            waiting: Vec::new(),
            problems: vec![Problem::error(None, "wrong"); 1000],
        }
    }

    #[test]
    fn it_is_bounded_and_what_changed_nothing_makes_room() {
        let history = History::new(UNIX_EPOCH);
        for _ in 0..100 {
            history.add(&mut attempt(Outcome::Refused, "file"));
            history.add(&mut attempt(Outcome::Unchanged, "signal"));
            history.add(&mut attempt(Outcome::Unchanged, "signal"));
        }
        let view = history.view();
        let all = view.as_array().unwrap();
        assert_eq!(all.len(), KEPT);
        assert_eq!(all[0]["outcome"], "unchanged");
        assert!(all[1..].iter().all(|one| one["outcome"] == "refused"));
        assert_eq!(all[0]["changes"].as_array().unwrap().len(), CHANGES_KEPT);
        assert_eq!(all[0]["problems"].as_array().unwrap().len(), PROBLEMS_KEPT);
        assert_eq!(history.lock().counts, [0, 200, 100]);
    }
}
