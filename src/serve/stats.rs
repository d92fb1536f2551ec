//! Counters of the data port that all workers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What happened to connections; read by whoever shows it.
#[derive(Debug, Default)]
pub struct Stats {
    open: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
    accept_errors: AtomicU64,
    panics: AtomicU64,
    abusive: AtomicU64,
    timed_out: AtomicU64,
    upgraded: AtomicU64,
    handshakes: AtomicU64,
    failed_handshakes: AtomicU64,
}

/// A connection that is open; it counts until it is dropped.
#[derive(Debug)]
pub(super) struct Open(Arc<Stats>);

impl Stats {
    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections that were accepted and served.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections that were closed at once because there were too many.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Failures to accept.
    pub fn accept_errors(&self) -> u64 {
        self.accept_errors.load(Ordering::Relaxed)
    }

    /// Handlers that panicked.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Connections that were closed because their client misused them.
    pub fn abusive(&self) -> u64 {
        self.abusive.load(Ordering::Relaxed)
    }

    /// Connections that were closed because their client was too slow.
    pub fn timed_out(&self) -> u64 {
        self.timed_out.load(Ordering::Relaxed)
    }

    /// Connections and streams that went on in another protocol.
    pub fn upgraded(&self) -> u64 {
        self.upgraded.load(Ordering::Relaxed)
    }

    /// TLS handshakes that succeeded.
    pub fn handshakes(&self) -> u64 {
        self.handshakes.load(Ordering::Relaxed)
    }

    /// TLS handshakes that failed, those included that took too long.
    pub fn failed_handshakes(&self) -> u64 {
        self.failed_handshakes.load(Ordering::Relaxed)
    }

    /// Counts a new connection, unless there are `most` already.
    pub(super) fn begin(stats: &Arc<Self>, most: usize) -> Option<Open> {
        let before = stats.open.fetch_add(1, Ordering::Relaxed);
        let open = Open(Arc::clone(stats));
        if before >= most {
            stats.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        stats.accepted.fetch_add(1, Ordering::Relaxed);
        Some(open)
    }

    pub(super) fn count_accept_error(&self) {
        self.accept_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_abusive(&self) {
        self.abusive.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_upgraded(&self) {
        self.upgraded.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_handshake(&self, succeeded: bool) {
        let counter = if succeeded {
            &self.handshakes
        } else {
            &self.failed_handshakes
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_timed_out(&self) {
        self.timed_out.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
