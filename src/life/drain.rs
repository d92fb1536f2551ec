//! [`Drain`]: how the process stops taking work and knows when the last of it is done.
//!
//! Draining is a wish, not a door: listeners go on accepting, connections tell their clients to
//! go elsewhere, and what is in flight ends by itself. Whoever carries work holds an
//! [`InFlight`] guard. At the deadline [`Drain::end`] tells calls to end now, each with a status
//! (fault 42). Everything here is shared by all workers.
//!
//! ```
//! # let runtime = sidegate::life::task::local_runtime().unwrap();
//! # runtime.block_on(async {
//! use std::time::Duration;
//! use sidegate::life::drain::Drain;
//!
//! let drain = Drain::new();
//! let call = drain.in_flight();
//! drain.start();
//! assert_eq!(drain.finished(Duration::ZERO).await, Err(1));
//! drop(call);
//! assert_eq!(drain.finished(Duration::ZERO).await, Ok(()));
//! # });
//! ```

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// The one signal of a process, and the count of what is in flight. Clones are the same drain.
#[derive(Clone, Debug)]
pub struct Drain(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stage: watch::Sender<Stage>,
    /// When draining began.
    since: OnceLock<Instant>,
    in_flight: AtomicUsize,
    idle: Notify,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Serving,
    Draining,
    /// Nothing is waited for any more.
    Ending,
}

/// Something that a stop should wait for; it ends when this is dropped.
#[derive(Debug)]
#[must_use = "it counts only while it is held"]
pub struct InFlight(Drain);

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl Drain {
    /// Nobody drains and nothing is in flight.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            stage: watch::Sender::new(Stage::Serving),
            since: OnceLock::new(),
            in_flight: AtomicUsize::new(0),
            idle: Notify::new(),
        }))
    }

    /// Asks everybody to wind down. It cannot be taken back.
    pub fn start(&self) {
        self.0.since.get_or_init(Instant::now);
        self.reach(Stage::Draining);
    }

    /// Whether it was asked for.
    pub fn is_draining(&self) -> bool {
        *self.0.stage.borrow() >= Stage::Draining
    }

    /// How long ago it was asked for first; nothing when it was not.
    pub fn age(&self) -> Option<Duration> {
        self.0.since.get().map(Instant::elapsed)
    }

    /// Ends when draining begins; at once when it has.
    pub fn started(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.reached(Stage::Draining)
    }

    /// Tells every call to end now: the time that they were given is over.
    pub fn end(&self) {
        self.start();
        self.reach(Stage::Ending);
    }

    /// Ends when calls have to.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.reached(Stage::Ending)
    }

    fn reach(&self, stage: Stage) {
        self.0.stage.send_if_modified(|now| {
            let later = *now < stage;
            *now = stage.max(*now);
            later
        });
    }

    fn reached(&self, stage: Stage) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut stages = self.0.stage.subscribe();
        let keep = self.clone();
        async move {
            // The sender lives as long as `keep`, so waiting cannot fail.
            drop(stages.wait_for(|now| *now >= stage).await);
            drop(keep);
        }
    }

    /// Counts something that a stop should wait for.
    pub fn in_flight(&self) -> InFlight {
        self.0.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight(self.clone())
    }

    /// How much is in flight.
    pub fn count(&self) -> usize {
        self.0.in_flight.load(Ordering::Acquire)
    }

    /// Waits until nothing is in flight, but no longer than `patience`; an error says how much
    /// still is.
    pub async fn finished(&self, patience: Duration) -> Result<(), usize> {
        if self.count() == 0 {
            return Ok(());
        }
        match tokio::time::timeout(patience, self.idle()).await {
            Ok(()) => Ok(()),
            Err(_) => match self.count() {
                0 => Ok(()),
                left => Err(left),
            },
        }
    }

    async fn idle(&self) {
        loop {
            let notified = self.0.idle.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            notified.await;
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn the_signal_reaches_those_who_wait_and_those_who_come_late() {
        let drain = Drain::new();
        let early = tokio::time::timeout(LONG, drain.started());
        drain.clone().start();
        assert!(early.await.is_ok());
        assert!(drain.is_draining());
        assert!(tokio::time::timeout(LONG, drain.started()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_ended_later_than_asked_to_and_never_earlier() {
        let drain = Drain::new();
        assert_eq!(drain.age(), None);
        drain.start();
        let ended = tokio::time::timeout(LONG, drain.ended());
        assert!(ended.await.is_err(), "draining alone ends nothing");
        drain.start();
        assert_eq!(drain.age(), Some(LONG), "it began once");
        drain.end();
        drain.start();
        assert!(tokio::time::timeout(LONG, drain.ended()).await.is_ok());
        assert!(drain.is_draining());

        let at_once = Drain::new();
        at_once.end();
        assert!(tokio::time::timeout(LONG, at_once.started()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_with_the_last_guard_or_at_the_deadline() {
        let drain = Drain::new();
        let first = drain.in_flight();
        let second = drain.in_flight();
        drop(first);
        let began = Instant::now();
        assert_eq!(drain.finished(LONG).await, Err(1));
        assert_eq!(began.elapsed(), LONG);

        let (result, ()) = tokio::join!(drain.finished(LONG), async {
            tokio::task::yield_now().await;
            drop(second);
        });
        assert_eq!(result, Ok(()));
        assert_eq!(began.elapsed(), LONG, "it did not wait for the deadline");
    }

    #[test]
    fn guards_count_across_threads() {
        let drain = Drain::new();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let drain = drain.clone();
                std::thread::spawn(move || {
                    for _ in 0..1000 {
                        drop(drain.in_flight());
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(drain.count(), 0);
    }
}
