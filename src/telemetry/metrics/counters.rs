//! [`Counters`]: the gateway's own figures, each under its name, for whoever has something to
//! count.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A figure that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts some more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Counts one more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// What was counted so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A figure that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Changes it by `difference`.
    pub fn change(&self, difference: i64) {
        self.0.fetch_add(difference, Ordering::Relaxed);
    }

    /// Replaces it.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// What it is now.
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is counted once for the whole gateway.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections from clients that were accepted.
    pub connections: Counter,
    /// Connections from clients that were turned away because there were too many.
    pub connections_refused: Counter,
    /// Connections from clients that are open.
    pub connections_open: Gauge,
    /// Schemas that were published.
    pub schema_reloads: Counter,
    /// Schemas that could not be loaded; the one before stayed.
    pub schema_reload_failures: Counter,
    /// Problems of the schema and the configuration that are live.
    pub problems: Gauge,
    /// Fields of responses that the schema does not know and JSON does not show (J5).
    pub unknown_fields: Counter,
    /// Metadata values that gRPC cannot hold and that were left out (M1).
    pub dropped_metadata: Counter,
}
