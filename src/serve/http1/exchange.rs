//! [`Exchange`]: in which phase an HTTP/1 connection is.
//!
//! hyper's own timer runs from one answer to the next head, so that it cannot tell a connection
//! that rests from one that drips. Here the phases are told apart: a head that has begun has
//! little time in total, a connection without a request has more, and while an answer is made
//! only the client's reading is watched.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::super::Params;
use super::super::socket::Socket;
use super::upgrade::Offer;
use crate::call::Body;

/// What the parts of a connection's task tell each other.
pub(super) struct Exchange {
    socket: Socket,
    phase: Cell<Phase>,
    /// Whether the beginning of a head has come.
    in_head: Cell<bool>,
    /// Whether the client has closed its side while an answer was made.
    half_closed: Cell<bool>,
    /// Whether the client knows the end of an answer only by the end of the connection.
    until_close: Cell<bool>,
    /// Whether hyper waits for something to read that is kept from it while an answer is made.
    held_back: Cell<bool>,
    /// Whether such an answer was cut off.
    cut: Cell<bool>,
    /// A request body that nobody wants.
    leftover: RefCell<Option<Leftover>>,
    /// The connection goes on in another protocol, with this as what the client gets.
    taken: RefCell<Option<(Offer, Body)>>,
    task: RefCell<Option<Waker>>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    /// The client's bytes or an answer broke off.
    Broken,
    Gone,
    TooSlow,
    /// After an upgrade: what the handler had to say did not come to its end.
    Cut,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// No request, since the instant.
    Idle(Instant),
    /// A head comes, since the instant.
    Head(Instant),
    /// A request is answered.
    Busy,
}

struct Leftover {
    body: Incoming,
    read: usize,
}

impl Exchange {
    /// A connection that was accepted at `at`; its first head is on its way.
    pub(super) fn new(socket: Socket, at: Instant) -> Rc<Self> {
        Rc::new(Self {
            socket,
            phase: Cell::new(Phase::Head(at)),
            in_head: Cell::new(false),
            half_closed: Cell::new(false),
            until_close: Cell::new(false),
            held_back: Cell::new(false),
            cut: Cell::new(false),
            leftover: RefCell::new(None),
            taken: RefCell::new(None),
            task: RefCell::new(None),
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

    fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Bytes have come; the last of them may belong to a head that has not ended.
    pub(super) fn note_bytes(&self, in_head: bool) {
        self.in_head.set(in_head);
        if matches!(self.phase.get(), Phase::Idle(_)) {
            self.phase.set(Phase::Head(Instant::now()));
        }
    }

    /// A head is complete.
    pub(super) fn begin(&self) {
        self.phase.set(Phase::Busy);
    }

    /// The head of the answer is there.
    pub(super) fn answer(&self, until_close: bool) {
        self.until_close.set(until_close);
        if self.half_closed.get() {
            self.wake();
        }
    }

    /// The answer is out, or is given up.
    pub(super) fn end(&self, complete: bool) {
        self.cut.set(self.until_close.get() && !complete);
        let now = Instant::now();
        self.phase.set(if self.in_head.get() {
            Phase::Head(now)
        } else {
            Phase::Idle(now)
        });
        self.until_close.set(false);
        // Otherwise whoever drops the answer looks at the connection himself.
        if self.held_back.take() {
            self.wake();
        }
    }

    /// The reader is told nothing until the answer is out.
    pub(super) fn hold_back(&self) {
        self.held_back.set(true);
    }

    pub(super) fn is_busy(&self) -> bool {
        matches!(self.phase.get(), Phase::Busy)
    }

    /// The client has closed its side while an answer is made. It might still read one, but a
    /// client that left looks the same until something is written to it; so it counts as gone, as
    /// it does with most servers, and the app hears of it at once (E6).
    pub(super) fn half_close(&self) {
        self.half_closed.set(true);
        self.wake();
    }

    pub(super) fn client_is_gone(&self) -> bool {
        self.half_closed.get()
    }

    /// Whether the close of the connection would make a broken answer look complete.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.get()
    }

    /// An offer to change the protocol, unless bytes have come already that are in neither.
    pub(super) fn offer(&self) -> Option<Offer> {
        (!self.in_head.get()).then(|| Offer::new(self.socket.clone()))
    }

    /// The offer is taken: once the head of the answer is out, the client gets `body`.
    pub(super) fn take_over(&self, offer: Offer, body: Body) {
        *self.taken.borrow_mut() = Some((offer, body));
    }

    /// How the connection goes on after its last answer, if it does.
    pub(super) fn taken_over(&self) -> Option<(Offer, Body)> {
        self.taken.borrow_mut().take()
    }

    /// Takes a request body that nobody wants.
    pub(super) fn leave(&self, body: Incoming) {
        *self.leftover.borrow_mut() = Some(Leftover { body, read: 0 });
        self.wake();
    }

    /// Whether a request body was left unread.
    pub(super) fn has_leftover(&self) -> bool {
        self.leftover.borrow().is_some()
    }

    /// Reads some of a body that nobody wants. When it is too long it is dropped, and hyper
    /// closes the connection after the answer.
    pub(super) fn poll_leftover(&self, context: &mut Context<'_>, most: usize) {
        let mut leftover = self.leftover.borrow_mut();
        while let Some(left) = &mut *leftover {
            match Pin::new(&mut left.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    left.read += frame.data_ref().map_or(0, bytes::Bytes::len);
                    if left.read > most {
                        *leftover = None;
                    }
                }
                Poll::Ready(Some(Err(_)) | None) => *leftover = None,
                Poll::Pending => return,
            }
        }
    }

    /// Ends when the client was too slow.
    ///
    /// It sleeps no longer than the shortest limit, so that a limit which begins meanwhile is
    /// never missed.
    pub(super) async fn watch(&self, params: &Params) {
        let nap = params.head.min(params.idle).min(params.response_stall);
        loop {
            let now = Instant::now();
            let phase_ends = match self.phase.get() {
                Phase::Idle(since) => Some(since + params.idle),
                Phase::Head(since) => Some(since + params.head),
                Phase::Busy => None,
            };
            let stuck_ends = self.socket.stuck_since();
            let stuck_ends = stuck_ends.map(|since| since + params.response_stall);
            let due = [phase_ends, stuck_ends].into_iter().flatten().min();
            if due.is_some_and(|due| due <= now) {
                return;
            }
            let nap_ends = now + nap;
            tokio::time::sleep_until(due.map_or(nap_ends, |due| due.min(nap_ends))).await;
        }
    }
}
