//! [`Live<T>`]: one immutable value, replaced whole.
//!
//! A writer publishes a new value by swapping a pointer; a reader loads once and keeps what it
//! loaded for as long as it likes. Nobody ever sees half of a change, and nobody waits.
//!
//! ```
//! let live = sidegate::live::Live::new(1);
//! let pinned = live.load();
//! live.publish(2);
//! assert_eq!((*pinned, *live.load()), (1, 2));
//! ```

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// A shared value that is only ever replaced as a whole.
#[derive(Debug)]
pub struct Live<T>(ArcSwap<T>);

impl<T> Live<T> {
    /// Starts with `value`.
    pub fn new(value: T) -> Self {
        Self(ArcSwap::from_pointee(value))
    }

    /// The value of this moment; it stays as it is however often a new one is published.
    pub fn load(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// A short look at the value of this moment, which does not touch what other threads share.
    /// Do not hold it across a poll: [`load`](Self::load) is for keeping.
    pub fn peek(&self) -> impl Deref<Target = Arc<T>> {
        self.0.load()
    }

    /// Replaces the value for all later readers.
    pub fn publish(&self, value: T) {
        self.0.store(Arc::new(value));
    }
}
