//! [`Alarms`]: the deadlines of one worker's calls behind a single timer.
//!
//! Nearly every call has a deadline and nearly none meets it, so what counts is what it costs to
//! set one and to take it back: here a place in a list. One task sleeps until the earliest
//! deadline that it knows; when it wakes it looks through the list, tells those whose time has
//! come, and sleeps until the next. It may wake for a call that is over, never too late for one
//! that is not. When the process has to stop, all of them are told at once.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::drain::Drain;
use super::task::{self, Task};

/// Any number of alarms on one worker; clones are the same ones.
#[derive(Clone, Default)]
pub struct Alarms(Rc<Shared>);

/// One moment that is waited for; dropping it takes it back.
pub struct Alarm {
    shared: Rc<Shared>,
    place: usize,
}

#[derive(Default)]
struct Shared {
    places: RefCell<Vec<Place>>,
    /// Places that hold nothing.
    free: RefCell<Vec<usize>>,
    /// When the task wakes next; `None` while it waits for something to wait for.
    next: Cell<Option<Instant>>,
    /// Something is due before that.
    earlier: Rc<Notify>,
    /// Made with the first alarm, when there surely is a runtime.
    sleeper: RefCell<Option<Task<()>>>,
    /// Whose end is that of all alarms.
    drain: Option<Drain>,
    ended: Cell<bool>,
}

struct Place {
    at: Instant,
    state: State,
}

enum State {
    Free,
    /// Set, with whom to wake.
    Set(Option<Waker>),
    Over,
    /// The process stops, whatever the time.
    Cut,
}

impl Alarms {
    /// No alarm yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// No alarm yet; all of them ring when `drain` says that calls have to end.
    pub fn ending_with(drain: Drain) -> Self {
        Self(Rc::new(Shared {
            drain: Some(drain),
            ..Shared::default()
        }))
    }

    /// Whether alarms may ring before their time, so that one without a time has a use.
    pub fn may_end(&self) -> bool {
        self.0.drain.is_some()
    }

    /// Waits for the end of all alarms alone. It belongs on a worker's runtime.
    pub fn set_for_the_end(&self) -> Alarm {
        /// Longer than a process lives, and no clock runs over.
        const FOR_EVER: Duration = Duration::from_secs(30 * 365 * 86_400);
        self.set(Instant::now() + FOR_EVER)
    }

    /// Waits for `at`. It belongs on a worker's runtime.
    pub fn set(&self, at: Instant) -> Alarm {
        let shared = &self.0;
        let place = shared.take_place(at);
        if shared.next.get().is_none_or(|next| at < next) {
            shared.next.set(Some(at));
            shared.earlier.notify_one();
        }
        if shared.sleeper.borrow().is_none() {
            let sleeping = sleep(
                Rc::downgrade(shared),
                Rc::clone(&shared.earlier),
                shared.drain.clone(),
            );
            let sleeper = task::spawn_local("alarms", sleeping);
            *shared.sleeper.borrow_mut() = Some(sleeper);
        }
        Alarm {
            shared: Rc::clone(shared),
            place,
        }
    }
}

impl fmt::Debug for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarms").finish_non_exhaustive()
    }
}

// === impl Alarm ===

impl Alarm {
    /// Ready when its time has come.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut places = self.shared.places.borrow_mut();
        match places.get_mut(self.place).map(|place| &mut place.state) {
            Some(State::Set(waker)) => {
                if !waker
                    .as_ref()
                    .is_some_and(|waker| waker.will_wake(context.waker()))
                {
                    *waker = Some(context.waker().clone());
                }
                Poll::Pending
            }
            Some(State::Over | State::Cut | State::Free) | None => Poll::Ready(()),
        }
    }

    /// When its time comes.
    pub fn at(&self) -> Option<Instant> {
        let places = self.shared.places.borrow();
        places.get(self.place).map(|place| place.at)
    }

    /// Whether its time has come and the task has seen it.
    pub fn is_over(&self) -> bool {
        let places = self.shared.places.borrow();
        let place = places.get(self.place);
        place.is_none_or(|place| matches!(place.state, State::Over | State::Cut))
    }

    /// Whether it rang because the process stops, before its time.
    pub fn is_cut(&self) -> bool {
        let places = self.shared.places.borrow();
        let place = places.get(self.place);
        place.is_some_and(|place| matches!(place.state, State::Cut))
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(place) = self.shared.places.borrow_mut().get_mut(self.place) {
            place.state = State::Free;
        }
        self.shared.free.borrow_mut().push(self.place);
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm").field("at", &self.at()).finish()
    }
}

// === impl Shared ===

impl Shared {
    fn take_place(&self, at: Instant) -> usize {
        let state = if self.ended.get() {
            State::Cut
        } else {
            State::Set(None)
        };
        let fresh = Place { at, state };
        let mut places = self.places.borrow_mut();
        if let Some(index) = self.free.borrow_mut().pop()
            && let Some(place) = places.get_mut(index)
        {
            *place = fresh;
            return index;
        }
        places.push(fresh);
        places.len() - 1
    }

    /// Wakes whose time has come at `now`, and finds out who is next.
    fn look(&self, now: Instant) {
        let mut due = Vec::new();
        let mut next: Option<Instant> = None;
        for place in self.places.borrow_mut().iter_mut() {
            let State::Set(waker) = &mut place.state else {
                continue;
            };
            if place.at <= now {
                due.extend(waker.take());
                place.state = State::Over;
            } else {
                next = Some(next.map_or(place.at, |next| next.min(place.at)));
            }
        }
        self.next.set(next);
        due.into_iter().for_each(Waker::wake);
    }

    /// Wakes everybody, and whoever comes later need not wait.
    fn end(&self) {
        self.ended.set(true);
        let mut due = Vec::new();
        for place in self.places.borrow_mut().iter_mut() {
            if let State::Set(waker) = &mut place.state {
                due.extend(waker.take());
                place.state = State::Cut;
            }
        }
        due.into_iter().for_each(Waker::wake);
    }
}

/// Sleeps until something is due; ends with its alarms.
async fn sleep(shared: Weak<Shared>, earlier: Rc<Notify>, drain: Option<Drain>) {
    let mut end = pin!(async {
        match drain {
            Some(drain) => drain.ended().await,
            None => std::future::pending().await,
        }
    });
    // While it sleeps it holds nothing that its alarms need to be gone.
    while let Some(next) = shared.upgrade().map(|shared| shared.next.get()) {
        let due = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = earlier.notified() => {}
            () = due => {
                if let Some(shared) = shared.upgrade() {
                    shared.look(Instant::now());
                }
            }
            () = &mut end => {
                if let Some(shared) = shared.upgrade() {
                    shared.end();
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn rings(alarm: &Alarm) -> Duration {
        let began = Instant::now();
        poll_fn(|context| alarm.poll(context)).await;
        began.elapsed()
    }

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn each_rings_at_its_time_whatever_the_order() {
        let alarms = Alarms::new();
        let now = Instant::now();
        let late = alarms.set(now + 30 * SECOND);
        tokio::task::yield_now().await;
        let early = alarms.set(now + SECOND);
        let between = alarms.set(now + 2 * SECOND);
        assert_eq!(rings(&early).await, SECOND);
        assert_eq!(rings(&between).await, SECOND);
        assert!(!late.is_over());
        assert_eq!(rings(&late).await, 28 * SECOND);
        assert!(late.is_over());
    }

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn places_are_used_again_and_old_alarms_never_ring_for_new_ones() {
        let alarms = Alarms::new();
        let now = Instant::now();
        for _ in 0..100 {
            drop(alarms.set(now + SECOND));
        }
        assert_eq!(alarms.0.places.borrow().len(), 1);
        let alarm = alarms.set(now + 3 * SECOND);
        assert_eq!(rings(&alarm).await, 3 * SECOND);
        drop(alarm);
        let again = alarms.set(now + 4 * SECOND);
        assert_eq!(rings(&again).await, SECOND);
    }

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn the_one_who_polls_last_is_woken() {
        let alarms = Alarms::new();
        let alarm = Rc::new(alarms.set(Instant::now() + SECOND));
        let first = Rc::clone(&alarm);
        let waiting = task::spawn_local("first", async move { rings(&first).await });
        tokio::task::yield_now().await;
        let waited = task::spawn_local("second", async move { rings(&alarm).await });
        assert_eq!(waited.await, Some(SECOND));
        drop(waiting);
    }

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn the_end_rings_for_those_who_wait_and_those_who_come_late() {
        let drain = Drain::new();
        let alarms = Alarms::ending_with(drain.clone());
        let timely = alarms.set(Instant::now() + SECOND);
        let endless = Rc::new(alarms.set_for_the_end());
        drain.start();
        assert_eq!(rings(&timely).await, SECOND);
        assert!(!timely.is_cut());
        let waits = Rc::clone(&endless);
        let waiting = task::spawn_local("waits", async move { rings(&waits).await });
        tokio::time::sleep(2 * SECOND).await;
        assert!(!endless.is_over());
        drain.end();
        assert_eq!(waiting.await, Some(2 * SECOND));
        assert!(endless.is_over() && endless.is_cut());
        let late = alarms.set(Instant::now() + SECOND);
        assert_eq!(rings(&late).await, Duration::ZERO);
        assert!(late.is_cut());
    }

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn the_sleeper_ends_with_its_alarms() {
        let alarms = Alarms::new();
        let weak = Rc::downgrade(&alarms.0);
        drop(alarms.set(Instant::now() + SECOND));
        drop(alarms);
        tokio::time::sleep(2 * SECOND).await;
        assert!(weak.upgrade().is_none());
    }
}
