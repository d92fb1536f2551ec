//! [`State`]: what the task of a connection and those of its streams tell each other, and how
//! long the connection may last.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::super::Params;
use super::super::socket::Socket;

/// How long a client without a request may take to leave after it was told to: long enough for
/// one that is on its way, short enough for a process that is to stop.
const LEAVING: Duration = Duration::from_secs(2);

pub(super) struct State {
    socket: Socket,
    /// Streams that are open.
    open: Cell<u32>,
    /// Streams that there ever were, as far as counting goes.
    served: Cell<u64>,
    /// Since when no stream has been open.
    idle_since: Cell<Instant>,
    /// Since when a header block has been on its way.
    head_since: Cell<Option<Instant>>,
    /// Streams that were reset as soon as they were open, since the instant.
    early_resets: Cell<(Instant, u32)>,
    abused: Cell<bool>,
    /// The client was told to leave.
    leaving: Cell<bool>,
    /// It may ask once before it is told.
    late: Cell<bool>,
    task: RefCell<Option<Waker>>,
    /// Counts how often the connection has sent what it could.
    turns: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

/// Why a connection should not go on as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There has been no stream for long.
    Idle,
    /// The client sends or reads too slowly.
    TooSlow,
}

/// A stream that is open, until this is dropped.
pub(super) struct OpenStream(Rc<State>);

impl State {
    pub(super) fn new(socket: Socket) -> Rc<Self> {
        let now = Instant::now();
        Rc::new(Self {
            socket,
            open: Cell::new(0),
            served: Cell::new(0),
            idle_since: Cell::new(now),
            head_since: Cell::new(None),
            early_resets: Cell::new((now, 0)),
            abused: Cell::new(false),
            leaving: Cell::new(false),
            late: Cell::new(false),
            task: RefCell::new(None),
            turns: Cell::new(0),
            waiting: RefCell::default(),
        })
    }

    /// Whose waker to use when something here changes.
    pub(super) fn polled_by(&self, context: &Context<'_>) {
        let mut task = self.task.borrow_mut();
        if !task
            .as_ref()
            .is_some_and(|task| task.will_wake(context.waker()))
        {
            *task = Some(context.waker().clone());
        }
    }

    pub(super) fn begin(self: &Rc<Self>) -> OpenStream {
        self.open.set(self.open.get() + 1);
        self.served.set(self.served.get().saturating_add(1));
        OpenStream(Rc::clone(self))
    }

    pub(super) fn has_served(&self) -> bool {
        self.served.get() > 0
    }

    pub(super) fn leave(&self) {
        self.leaving.set(true);
        if self.open.get() == 0 {
            self.idle_since.set(Instant::now());
        }
    }

    /// The client came while all are told to leave.
    pub(super) fn come_late(&self) {
        self.late.set(true);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.get()
    }

    /// A header block is on its way; `None` when there is none.
    pub(super) fn set_head_since(&self, since: Option<Instant>) {
        self.head_since.set(since);
    }

    pub(super) fn head_since(&self) -> Option<Instant> {
        self.head_since.get()
    }

    /// A stream was reset by the client before it was answered. Whoever does that at once, and
    /// often, makes work without waiting for any.
    pub(super) fn note_reset(&self, opened: Instant, params: &Params) {
        const AT_ONCE: Duration = Duration::from_millis(100);
        const WINDOW: Duration = Duration::from_secs(1);
        let now = Instant::now();
        if now.duration_since(opened) > AT_ONCE {
            return;
        }
        let (since, count) = self.early_resets.get();
        let fresh = now.duration_since(since) > WINDOW;
        let (since, count) = if fresh { (now, 1) } else { (since, count + 1) };
        self.early_resets.set((since, count));
        if count > params.early_resets {
            self.abused.set(true);
            self.wake();
        }
    }

    /// The connection has sent what it could.
    pub(super) fn end_turn(&self) {
        self.turns.set(self.turns.get().wrapping_add(1));
        if self.waiting.borrow().is_empty() {
            return;
        }
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until the connection has sent what it can: to reset a stream is to take back what
    /// was not sent.
    pub(super) async fn turn(&self) {
        let before = self.turns.get();
        std::future::poll_fn(|context| {
            if self.turns.get() != before {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(context.waker().clone());
            self.wake();
            Poll::Pending
        })
        .await;
    }

    fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    pub(super) fn is_abused(&self) -> bool {
        self.abused.get()
    }

    /// Ends with what is wrong with the connection.
    ///
    /// It sleeps no longer than the shortest limit, so that a limit which begins meanwhile is
    /// never missed.
    pub(super) async fn watch(&self, params: &Params) -> Verdict {
        let nap = params.head.min(params.idle).min(params.response_stall);
        let nap = nap.min(LEAVING);
        loop {
            let now = Instant::now();
            let head = self.head_since.get().map(|since| since + params.head);
            let stuck = self.socket.stuck_since();
            let stuck = stuck.map(|since| since + params.response_stall);
            let idle = (self.open.get() == 0).then(|| {
                let idle = if self.leaving.get() || self.late.get() {
                    LEAVING
                } else {
                    params.idle
                };
                self.idle_since.get() + idle
            });
            let slow = [head, stuck].into_iter().flatten().min();
            if slow.is_some_and(|due| due <= now) {
                return Verdict::TooSlow;
            }
            if idle.is_some_and(|due| due <= now) {
                return Verdict::Idle;
            }
            let due = [slow, idle].into_iter().flatten().min();
            let nap_ends = now + nap;
            tokio::time::sleep_until(due.map_or(nap_ends, |due| due.min(nap_ends))).await;
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let open = self.0.open.get().saturating_sub(1);
        self.0.open.set(open);
        if open == 0 {
            self.0.idle_since.set(Instant::now());
        }
    }
}
