//! [`States`]: what the connections of all workers look like from outside.
//!
//! Each worker writes its own figures and nobody else's; whoever looks at them makes no worker
//! wait. A call costs what it did when the figures were the worker's alone.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::pool::Lane;
use crate::live::Live;

/// The pools of one application; clones of its parameters share them.
#[derive(Debug, Default)]
pub struct States {
    pools: Mutex<Vec<Weak<PoolState>>>,
    counts: Counts,
}

/// What retries and the breakers of endpoints have done, in all workers.
#[derive(Debug, Default)]
pub(super) struct Counts {
    retried: AtomicU64,
    denied: AtomicU64,
    put_out: AtomicU64,
}

/// The connections of one worker.
#[derive(Debug)]
pub(super) struct PoolState {
    connections: Live<Vec<Weak<ConnectionState>>>,
    made: AtomicU64,
    failed: AtomicU64,
    failure: Live<Option<(Instant, String)>>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct ConnectionState {
    lane: Lane,
    since: Instant,
    active: AtomicUsize,
    closed: AtomicBool,
}

/// What can be seen of one application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its connections, those of one worker after the other.
    pub connections: Vec<SeenConnection>,
    /// Connections that were made so far.
    pub made: u64,
    /// Attempts to connect that failed.
    pub failed: u64,
    /// Calls that were sent again because of how the application had answered.
    pub retried: u64,
    /// Calls that would have been, had there been any left of the budget.
    pub retries_denied: u64,
    /// How often an endpoint was left out because it failed.
    pub put_out: u64,
    /// How long ago the last one was, and why.
    pub last_failure: Option<(Duration, String)>,
}

/// What can be seen of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenConnection {
    /// `unary`, `answers` (server streams) or `streams`.
    pub lane: &'static str,
    /// Whether it takes new calls.
    pub open: bool,
    /// Calls that are under way on it.
    pub calls: usize,
    /// How old it is.
    pub age: Duration,
}

impl States {
    /// A pool of one more worker.
    pub(super) fn pool(&self) -> Arc<PoolState> {
        let state = Arc::new(PoolState {
            connections: Live::new(Vec::new()),
            made: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            failure: Live::new(None),
        });
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(&state));
        state
    }

    /// An answer asks for another attempt; whether there is one.
    pub(super) fn count_retry(&self, granted: bool) {
        let count = match granted {
            true => &self.counts.retried,
            false => &self.counts.denied,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// An endpoint was left out because it failed.
    pub(super) fn count_put_out(&self) {
        self.counts.put_out.fetch_add(1, Ordering::Relaxed);
    }

    /// Everything as it is now.
    pub fn seen(&self) -> Seen {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut seen = Seen {
            retried: count(&self.counts.retried),
            retries_denied: count(&self.counts.denied),
            put_out: count(&self.counts.put_out),
            ..Seen::default()
        };
        let pools = self
            .pools
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for pool in pools.iter().filter_map(Weak::upgrade) {
            let connections = pool.connections.load();
            let living = connections.iter().filter_map(Weak::upgrade);
            seen.connections.extend(living.map(|one| SeenConnection {
                lane: one.lane.name(),
                open: !one.closed.load(Ordering::Relaxed),
                calls: one.active(),
                age: one.since.elapsed(),
            }));
            seen.made += pool.made.load(Ordering::Relaxed);
            seen.failed += pool.failed.load(Ordering::Relaxed);
            if let Some((at, cause)) = &*pool.failure.load() {
                let ago = at.elapsed();
                if seen
                    .last_failure
                    .as_ref()
                    .is_none_or(|(last, _)| ago < *last)
                {
                    seen.last_failure = Some((ago, cause.clone()));
                }
            }
        }
        seen
    }
}

impl PoolState {
    /// A connection was made.
    pub(super) fn made(&self, lane: Lane) -> Arc<ConnectionState> {
        let state = Arc::new(ConnectionState {
            lane,
            since: Instant::now(),
            active: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        });
        let known = self.connections.load();
        let living = known.iter().filter(|one| one.strong_count() > 0).cloned();
        // Only the worker of this pool publishes here, so nothing is lost between.
        let all = living.chain([Arc::downgrade(&state)]).collect();
        self.connections.publish(all);
        self.made.fetch_add(1, Ordering::Relaxed);
        state
    }

    /// An attempt to connect failed.
    pub(super) fn failed(&self, cause: &str) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.failure
            .publish(Some((Instant::now(), cause.to_owned())));
    }
}

impl ConnectionState {
    /// Calls that are under way.
    pub(super) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// Only the worker of the connection writes, so no exchange is needed.
    pub(super) fn set_active(&self, count: usize) {
        self.active.store(count, Ordering::Relaxed);
    }

    /// It takes no new calls any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_gone_is_not_seen() {
        let states = States::default();
        let (one, other) = (states.pool(), states.pool());
        let first = one.made(Lane::Unary);
        first.set_active(3);
        tokio::time::advance(Duration::from_secs(2)).await;
        let second = other.made(Lane::Streams);
        second.close();
        other.failed("refused");
        let seen = states.seen();
        assert_eq!(
            seen.connections,
            [
                SeenConnection {
                    lane: "unary",
                    open: true,
                    calls: 3,
                    age: Duration::from_secs(2)
                },
                SeenConnection {
                    lane: "streams",
                    open: false,
                    calls: 0,
                    age: Duration::ZERO
                },
            ]
        );
        assert_eq!((seen.made, seen.failed), (2, 1));
        assert_eq!(
            seen.last_failure,
            Some((Duration::ZERO, "refused".to_owned()))
        );
        drop((first, other, second));
        assert_eq!(states.seen().connections, []);
        assert_eq!(states.seen().failed, 0, "the figures of a pool end with it");
    }
}
