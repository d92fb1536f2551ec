//! [`Kept`]: what becomes of telling a registry where we are.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::config::Registry;
use crate::discover::Told;

/// One registry.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) registry: Registry,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether others find us there, as far as we know.
    there: bool,
    /// How often we were put there.
    times: u64,
    failures: u64,
    /// Whether the last attempt failed.
    failing: bool,
}

impl Kept {
    pub(super) fn new(registry: Registry) -> Self {
        Self {
            registry,
            state: Mutex::default(),
        }
    }

    /// Remembers it, and tells it in the log once.
    pub(super) fn take(&self, told: Told) {
        let registry = name(&self.registry);
        let mut state = self.lock();
        match told {
            Told::Registered(place) => {
                state.times += 1;
                state.there = true;
                state.failing = false;
                drop(state);
                tracing::info!(
                    registry,
                    place,
                    "registered: others find this gateway there"
                );
            }
            Told::Kept => {
                state.there = true;
                let failed = std::mem::take(&mut state.failing);
                drop(state);
                if failed {
                    tracing::info!(registry, "the registry answers again");
                }
            }
            Told::Failed(why) => {
                state.failures += 1;
                let told = std::mem::replace(&mut state.failing, true);
                drop(state);
                if !told {
                    tracing::warn!(
                        registry,
                        why,
                        "the registry cannot be told; it is tried again"
                    );
                }
            }
            Told::Withdrawn => {
                state.there = false;
                drop(state);
                tracing::info!(
                    registry,
                    "withdrawn: others no longer find this gateway there"
                );
            }
        }
    }

    /// What is shown of it, in the order of [`FAMILIES`].
    pub(super) fn figures(&self) -> [u64; 3] {
        let state = self.lock();
        let there = state.there && !state.failing;
        [u64::from(there), state.times, state.failures]
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it is called in logs and metrics.
pub(super) fn name(registry: &Registry) -> &'static str {
    match registry {
        Registry::Etcd(_) => "etcd",
        Registry::Consul(_) => "consul",
    }
}

/// The name of each figure, its kind, and what it is.
pub(super) const FAMILIES: [(&str, &str, &str); 3] = [
    (
        "sidegate_registered",
        "gauge",
        "Whether a registry was told of this gateway, and answered last.",
    ),
    (
        "sidegate_registrations_total",
        "counter",
        "Times that this gateway was registered, anew after a loss as well.",
    ),
    (
        "sidegate_registration_failures_total",
        "counter",
        "Times that a registry could not be told of this gateway.",
    ),
];
