//! [`Split`]: the calls of a route shared out between upstreams, by weights that change while it
//! runs; and the guard that takes a new side back by itself when it does worse than the others.
//!
//! Workers read the weights and count; one thread looks at the counts from time to time
//! ([`Split::tick`]). A call never waits for anybody. Nothing here reads a clock.
//!
//! - `choose` is which side a call goes to;
//! - `figures` is what is counted of a side, and what two moments of it have between them;
//! - `guard` is the verdict on the new side, and the steps by which its share grows.

mod choose;
mod figures;
mod guard;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

pub use choose::{Chosen, mixed};
pub use figures::Counts;
use figures::Figures;
use guard::Watch;
pub use guard::{Event, Phase};

use crate::schema::policy::HeaderSource;

/// How the calls of a route are shared out, as the configuration has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The selector of the route.
    pub route: Box<str>,
    /// The upstreams and their weights, two or more.
    pub sides: Vec<(Arc<str>, u64)>,
    /// What a call goes by that says itself where it wants to go; the first that fits counts.
    pub choices: Vec<Choice>,
    /// What keeps calls together; by chance if nothing does.
    pub sticky: Option<Sticky>,
    /// Which side is the new one.
    pub new: usize,
    /// When the new side is taken back.
    pub guard: Option<Guard>,
    /// How its share grows.
    pub ramp: Option<Ramp>,
}

/// A header or cookie that says where a call goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// What it is.
    pub source: HeaderSource,
    /// The value it has to have; any if `None`.
    pub value: Option<Box<str>>,
    /// The side.
    pub side: usize,
}

/// What calls that go to the same side have in common.
#[derive(Clone, Debug, PartialEq)]
pub enum Sticky {
    /// The value of a header or a cookie; calls without it go by chance.
    Value(HeaderSource),
    /// The address of the client.
    Address,
}

/// Bounds that the new side must keep to, against all other sides together.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// By how much the share of its failures may be larger, from 0 to 1.
    pub errors: f64,
    /// How many times as long its 99th percentile may be; `None` when it does not matter.
    pub slower: Option<f64>,
    /// Below so many calls in a window nothing is judged.
    pub minimum: u64,
    /// What is looked at.
    pub window: Duration,
}

/// The share of the new side grows by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Ramp {
    /// Shares of a hundred, one after the other.
    pub steps: Vec<u64>,
    /// How long each lasts at least.
    pub hold: Duration,
}

/// A plan and what has become of it; shared by all workers.
pub struct Split {
    /// What the configuration says.
    pub plan: Plan,
    weights: Box<[AtomicU64]>,
    figures: Box<[Figures]>,
    watch: Mutex<Watch>,
}

/// A side as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// The upstream.
    pub upstream: Arc<str>,
    /// Its weight now.
    pub weight: u64,
    /// That as a share of all, from 0 to 1.
    pub share: f64,
    /// What it had of calls that went by weight.
    pub counts: Counts,
}

impl Split {
    /// At its beginning.
    pub fn new(plan: Plan) -> Self {
        let weights = plan.first_weights();
        Self {
            weights: weights.into_iter().map(AtomicU64::new).collect(),
            figures: plan.sides.iter().map(|_| Figures::new()).collect(),
            watch: Mutex::new(Watch::new(&plan)),
            plan,
        }
    }

    /// A call that went by weight is over; `latency` is that of calls whose length says something.
    pub fn count(&self, side: usize, latency: Option<Duration>, failed: bool) {
        if let Some(figures) = self.figures.get(side) {
            figures.count(latency, failed);
        }
    }

    /// The name of a side.
    pub fn upstream(&self, side: usize) -> Option<&Arc<str>> {
        self.plan.sides.get(side).map(|(name, _)| name)
    }

    /// Every side as it is now.
    pub fn sides(&self) -> Vec<Side> {
        let weights = self.weights();
        let total = weights.iter().sum::<u64>().max(1);
        let sides = self.plan.sides.iter().zip(&weights).zip(&self.figures);
        sides
            .map(|(((upstream, _), weight), figures)| Side {
                upstream: Arc::clone(upstream),
                weight: *weight,
                share: share(*weight, total),
                counts: figures.counts(),
            })
            .collect()
    }

    /// What it is about.
    pub fn phase(&self) -> Phase {
        self.lock().phase.clone()
    }

    /// How often the new side was taken back.
    pub fn rollbacks(&self) -> u64 {
        self.lock().rollbacks
    }

    /// Somebody says what the weights are from now on, those of all sides: weights alone say
    /// nothing. It ends a ramp, and forgives a side that was taken back.
    pub fn set(&self, named: &[(String, u64)]) -> Result<(), String> {
        let names = || {
            let names: Vec<&str> = self.plan.sides.iter().map(|(name, _)| &**name).collect();
            names.join(", ")
        };
        let is_side = |name: &str| self.plan.sides.iter().any(|(one, _)| **one == *name);
        for (name, weight) in named {
            if !is_side(name) {
                return Err(format!("`{name}` is no side of this split: {}", names()));
            }
            if *weight > Plan::MOST {
                return Err(format!(
                    "the weight of `{name}` is more than {}",
                    Plan::MOST
                ));
            }
        }
        let weight = |(side, _): &(Arc<str>, u64)| {
            let mut named = named.iter().rev();
            named
                .find(|(name, _)| **name == **side)
                .map(|(_, weight)| *weight)
        };
        let weights: Option<Vec<u64>> = self.plan.sides.iter().map(weight).collect();
        let Some(weights) = weights else {
            return Err(format!("say the weight of every side: {}", names()));
        };
        if weights.iter().sum::<u64>() == 0 {
            return Err(String::from("no side is left that calls could go to"));
        }
        let mut watch = self.lock();
        watch.taken_by_hand();
        self.publish(&weights);
        Ok(())
    }

    /// Looks at what was counted; says what became of the new side, if anything.
    pub fn tick(&self, now: Instant) -> Option<Event> {
        let mut watch = self.lock();
        let moment = self.figures.iter().map(Figures::moment).collect();
        let event = watch.look(&self.plan, moment, now)?;
        self.publish(&match &event {
            Event::Step { percent } => self.plan.weights_at(*percent),
            Event::RolledBack { .. } => self.plan.weights_at(0),
        });
        Some(event)
    }

    fn weights(&self) -> Vec<u64> {
        let all = self.weights.iter();
        all.map(|weight| weight.load(Ordering::Relaxed)).collect()
    }

    fn publish(&self, weights: &[u64]) {
        for (slot, weight) in self.weights.iter().zip(weights) {
            slot.store(*weight, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    /// No weight is larger.
    pub const MOST: u64 = 10_000;

    fn first_weights(&self) -> Vec<u64> {
        let first = self.ramp.as_ref().and_then(|ramp| ramp.steps.first());
        match first {
            Some(percent) => self.weights_at(*percent),
            None => self.sides.iter().map(|(_, weight)| *weight).collect(),
        }
    }

    /// The new side has so many of a hundred calls, the others share the rest as they are told to.
    fn weights_at(&self, percent: u64) -> Vec<u64> {
        let sides = || self.sides.iter().map(|(_, weight)| *weight).enumerate();
        let others: u64 = sides()
            .filter(|(at, _)| *at != self.new)
            .map(|(_, w)| w)
            .sum();
        let of_others = |weight: u64| if others == 0 { 1 } else { weight };
        let count = self.sides.len() as u64;
        let total = if others == 0 { count - 1 } else { others };
        sides()
            .map(|(at, weight)| {
                if at == self.new {
                    percent * total
                } else {
                    of_others(weight) * 100_u64.saturating_sub(percent)
                }
            })
            .collect()
    }
}

/// A part of a whole.
#[allow(
    clippy::cast_precision_loss,
    reason = "nobody counts to 2^52, and a share is shown with a few digits"
)]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

impl PartialEq for Split {
    /// What was said is the same; what has become of it may differ.
    fn eq(&self, other: &Self) -> bool {
        self.plan == other.plan
    }
}

impl fmt::Debug for Split {
    /// What was said, and nothing that changes: a schema's digest is made of this.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.fmt(f)
    }
}

/// The splits that are known, so that a configuration which says the same as before goes on with
/// what has become of it. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Splits(Arc<Mutex<Vec<Weak<Split>>>>);

impl Splits {
    /// The split of a plan: the one that there is, or a new one.
    pub fn of(&self, plan: Plan) -> Arc<Split> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| one.strong_count() > 0);
        let mut living = all.iter().filter_map(Weak::upgrade);
        if let Some(known) = living.find(|one| one.plan == plan) {
            return known;
        }
        let fresh = Arc::new(Split::new(plan));
        all.push(Arc::downgrade(&fresh));
        fresh
    }
}
