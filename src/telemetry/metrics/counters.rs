//! [`Counters`]: what is counted once for the whole gateway.

use std::sync::atomic::{AtomicU64, Ordering};

/// A figure that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts some more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What calls seldom do, so that workers may share the memory.
#[derive(Debug, Default)]
pub struct Counters {
    /// Schemas that were published, the first one included.
    pub schema_loads: Counter,
    /// Fields of responses that the schema does not know and JSON does not show (J5).
    pub unknown_fields: Counter,
    /// Metadata values that gRPC cannot hold and that were left out (M1).
    pub dropped_metadata: Counter,
}
