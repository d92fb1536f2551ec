//! [`Ready`]: whether this process may be sent work, by named conditions.
//!
//! Whoever makes a condition true holds a [`Held`] guard for as long as it is; several may hold
//! one condition. It never decides anything by itself: it is looked at by probes.
//!
//! ```
//! use sidegate::life::ready::{Condition, Ready};
//!
//! let ready = Ready::new();
//! let _listening = ready.hold(Condition::Listening);
//! let _schema = ready.hold(Condition::Schema);
//! let _health = ready.hold(Condition::Health);
//! assert_eq!(ready.missing(), ["app"]);
//! let app = ready.hold(Condition::App);
//! assert!(ready.is_ready());
//! drop(app);
//! assert!(!ready.is_ready());
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What has to be true before work may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The data port accepts connections.
    Listening,
    /// A schema is live.
    Schema,
    /// The application can be reached.
    App,
    /// The application does not say that it is out of service.
    Health,
}

impl Condition {
    /// All of them, in the order a start makes them true.
    pub const ALL: [Self; 4] = [Self::Listening, Self::Schema, Self::App, Self::Health];

    /// The name that probes and logs show.
    pub fn name(self) -> &'static str {
        match self {
            Self::Listening => "listening",
            Self::Schema => "schema",
            Self::App => "app",
            Self::Health => "health",
        }
    }
}

/// The shared view of all conditions; clones see the same.
#[derive(Clone, Debug, Default)]
pub struct Ready(Arc<Holders>);

#[derive(Debug, Default)]
struct Holders {
    listening: AtomicUsize,
    schema: AtomicUsize,
    app: AtomicUsize,
    health: AtomicUsize,
}

/// Keeps a condition true until it is dropped.
#[derive(Debug)]
#[must_use = "the condition is true only while this is held"]
pub struct Held {
    ready: Ready,
    condition: Condition,
}

impl Ready {
    /// Nothing is true yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a condition true for as long as the guard lives.
    pub fn hold(&self, condition: Condition) -> Held {
        self.holders(condition).fetch_add(1, Ordering::Relaxed);
        Held {
            ready: self.clone(),
            condition,
        }
    }

    /// Whether a condition is true.
    pub fn holds(&self, condition: Condition) -> bool {
        self.holders(condition).load(Ordering::Relaxed) > 0
    }

    /// Whether all are.
    pub fn is_ready(&self) -> bool {
        Condition::ALL.into_iter().all(|one| self.holds(one))
    }

    /// The names of those that are not.
    pub fn missing(&self) -> Vec<&'static str> {
        Condition::ALL
            .into_iter()
            .filter(|one| !self.holds(*one))
            .map(Condition::name)
            .collect()
    }

    fn holders(&self, condition: Condition) -> &AtomicUsize {
        match condition {
            Condition::Listening => &self.0.listening,
            Condition::Schema => &self.0.schema,
            Condition::App => &self.0.app,
            Condition::Health => &self.0.health,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ready
            .holders(self.condition)
            .fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_lasts_as_long_as_its_last_holder() {
        let ready = Ready::new();
        assert_eq!(ready.missing(), ["listening", "schema", "app", "health"]);
        let first = ready.hold(Condition::App);
        let elsewhere = ready.clone();
        let second = elsewhere.hold(Condition::App);
        drop(first);
        assert!(ready.holds(Condition::App));
        drop(second);
        assert!(!ready.holds(Condition::App));
    }
}
