//! The verdict on the new side, and the steps by which its share grows.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::figures::Moment;
use super::{Guard, Plan};

/// So much difference between two percentiles is noise.
const NOISE: Duration = Duration::from_millis(5);

/// Moments that a window is made of, at most.
const MOMENTS: u32 = 64;

/// What a split is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// The weights are what the configuration says.
    Steady,
    /// The share of the new side grows; this many of a hundred it has now.
    Ramp(u64),
    /// It has grown as far as it should.
    Grown,
    /// Somebody has set the weights.
    ByHand,
    /// The new side was taken back, for this reason.
    RolledBack(String),
}

/// What became of the new side.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Its share has grown.
    Step {
        /// To so many of a hundred.
        percent: u64,
    },
    /// It gets no calls by weight any more.
    RolledBack {
        /// Why.
        why: String,
    },
}

/// What is remembered between two looks.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) phase: Phase,
    pub(super) rollbacks: u64,
    /// Looks of the window, the oldest first: the new side, and all others together.
    looks: VecDeque<(Instant, Moment, Moment)>,
    /// The step of a ramp that it is at.
    step: usize,
    /// When that began, and what the new side had had then.
    began: Option<(Instant, u64)>,
    /// How slow the other sides were when they last had enough calls.
    reference: Option<Duration>,
}

impl Watch {
    pub(super) fn new(plan: &Plan) -> Self {
        let first = plan.ramp.as_ref().and_then(|ramp| ramp.steps.first());
        Self {
            phase: first.map_or(Phase::Steady, |percent| Phase::Ramp(*percent)),
            rollbacks: 0,
            looks: VecDeque::new(),
            step: 0,
            began: None,
            reference: None,
        }
    }

    /// What was before is no reason any more.
    pub(super) fn taken_by_hand(&mut self) {
        self.phase = Phase::ByHand;
        self.looks.clear();
    }

    /// Takes a look at what every side has counted so far.
    pub(super) fn look(&mut self, plan: &Plan, sides: Vec<Moment>, now: Instant) -> Option<Event> {
        let (mut new, mut others) = (Moment::nothing(), Moment::nothing());
        for (at, moment) in sides.into_iter().enumerate() {
            if at == plan.new {
                new = moment;
            } else {
                others = others.plus(&moment);
            }
        }
        if matches!(self.phase, Phase::RolledBack(_)) {
            return None;
        }
        let calls = new.counts.calls;
        if let Some(guard) = &plan.guard
            && let Some(why) = self.judge(guard, (new, others), now)
        {
            self.phase = Phase::RolledBack(why.clone());
            self.rollbacks += 1;
            self.looks.clear();
            return Some(Event::RolledBack { why });
        }
        self.grow(plan, calls, now)
    }

    /// Why the new side has to go, if it has.
    fn judge(
        &mut self,
        guard: &Guard,
        (new, others): (Moment, Moment),
        now: Instant,
    ) -> Option<String> {
        let is_old = |at: Instant| now.saturating_duration_since(at) > guard.window;
        while self.looks.get(1).is_some_and(|(at, ..)| is_old(*at)) {
            self.looks.pop_front();
        }
        let (new_since, others_since) = match self.looks.front() {
            Some((_, old_new, old_others)) => (new.since(old_new), others.since(old_others)),
            // What was before the first look is not known to be of the window.
            None => (Moment::nothing(), Moment::nothing()),
        };
        let last = self.looks.back().map(|(at, ..)| *at);
        let pause = guard.window / MOMENTS;
        if last.is_none_or(|at| now.saturating_duration_since(at) >= pause) {
            self.looks.push_back((now, new, others));
        }
        let (usual, count) = others_since.slowest_hundredth();
        if count >= guard.minimum {
            self.reference = Some(usual);
        }
        if new_since.counts.calls < guard.minimum {
            return None;
        }
        let (ratio, usual_ratio) = (new_since.counts.ratio(), others_since.counts.ratio());
        if ratio > usual_ratio + guard.errors {
            let calls = new_since.counts.calls;
            let failed = new_since.counts.failed;
            return Some(format!(
                "{failed} of its {calls} calls failed, {:.1} %, and {:.1} % of the others",
                ratio * 100.0,
                usual_ratio * 100.0
            ));
        }
        let (slowest, count) = new_since.slowest_hundredth();
        let (slower, usual) = guard.slower.zip(self.reference)?;
        let bound = usual.mul_f64(slower).max(usual + NOISE);
        (count >= guard.minimum && slowest > bound).then(|| {
            format!("99 % of its answers take up to {slowest:?}, and up to {usual:?} of the others")
        })
    }

    /// The next step, when it is time and the new side has shown itself.
    fn grow(&mut self, plan: &Plan, calls: u64, now: Instant) -> Option<Event> {
        let ramp = plan.ramp.as_ref()?;
        if !matches!(self.phase, Phase::Ramp(_)) {
            return None;
        }
        let (since, before) = *self.began.get_or_insert((now, calls));
        let minimum = plan.guard.as_ref().map_or(0, |guard| guard.minimum);
        let shown = calls.saturating_sub(before) >= minimum;
        if now.saturating_duration_since(since) < ramp.hold || !shown {
            return None;
        }
        self.began = Some((now, calls));
        let Some(percent) = ramp.steps.get(self.step + 1) else {
            self.phase = Phase::Grown;
            return None;
        };
        self.step += 1;
        self.phase = Phase::Ramp(*percent);
        Some(Event::Step { percent: *percent })
    }
}
