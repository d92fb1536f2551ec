//! [`Talk`]: what a client says on its WebSocket.
//!
//! Two tasks want to hear it: the one that sends messages to the application, and the one that
//! writes to the client, which answers pings and notices a goodbye. Either reads for both, so
//! that neither has to wait for the other; and nobody reads on while enough messages wait to be
//! taken, which is what holds a fast client up.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::{Buf, Bytes};
use http_body::Body as _;
use tokio::time::Instant;

use crate::call::{Body, Fault};
use crate::wire::websocket::{Decoder, Event, Violation};

/// Messages that may wait to be taken.
const MOST_WAITING: usize = 16;
/// The bytes from which on no further message is read.
const MOST_BYTES: usize = 64 << 10;

/// One message of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::protocol) enum Message {
    Text(Bytes),
    Binary(Bytes),
}

/// Why the client says nothing more.
#[derive(Clone, Copy, Debug)]
pub(in crate::protocol) enum End {
    /// It said goodbye, perhaps with a code.
    Closed(Option<u16>),
    /// It left without a word.
    Gone,
    /// It did what it must not.
    Wrong(Violation),
}

/// What becomes of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taking {
    /// They are waited for.
    Yes,
    /// The request is complete; one more is a mistake.
    Complete,
    /// Nobody wants them any more.
    No,
}

/// Who reads.
#[derive(Clone, Copy, Debug)]
pub(in crate::protocol) enum Side {
    /// The call's request.
    Request,
    /// What the client gets.
    Answer,
}

/// One client's side; clones are the same one.
#[derive(Clone)]
pub(in crate::protocol) struct Talk(Rc<RefCell<Inner>>);

struct Inner {
    client: Body,
    piece: Bytes,
    decoder: Decoder,
    waiting: VecDeque<Message>,
    waiting_bytes: usize,
    taking: Taking,
    half_closed: bool,
    /// A message came after the last one.
    surplus: bool,
    /// Whether the first message was bytes.
    binary: Option<bool>,
    /// The latest ping; earlier ones need no answer of their own.
    ping: Option<Bytes>,
    end: Option<End>,
    last_read: Instant,
    wakers: Arc<Wakers>,
}

/// Wakes both who wait.
#[derive(Default)]
struct Wakers(Mutex<[Option<Waker>; 2]>);

impl Talk {
    /// What `client` sends after the 101, in messages of at most `limit` bytes.
    pub(in crate::protocol) fn new(client: Body, limit: usize) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            client,
            piece: Bytes::new(),
            decoder: Decoder::new(limit),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            taking: Taking::Yes,
            half_closed: false,
            surplus: false,
            binary: None,
            ping: None,
            end: None,
            last_read: Instant::now(),
            wakers: Arc::default(),
        })))
    }

    /// Reads what there is; `side` is woken when there is more.
    pub(in crate::protocol) fn read(&self, side: Side, context: &Context<'_>) {
        self.0.borrow_mut().read(side, context);
    }

    /// The next message; none after the client has half-closed.
    pub(in crate::protocol) fn poll_message(
        &self,
        context: &Context<'_>,
    ) -> Poll<Option<Result<Message, Fault>>> {
        let mut inner = self.0.borrow_mut();
        inner.read(Side::Request, context);
        let was_full = inner.is_full();
        if let Some(message) = inner.waiting.pop_front() {
            inner.waiting_bytes -= message.bytes().len();
            if was_full {
                inner.wakers.wake_side(Side::Answer);
            }
            return Poll::Ready(Some(Ok(message)));
        }
        if inner.half_closed {
            return Poll::Ready(None);
        }
        match inner.end {
            Some(_) => Poll::Ready(Some(Err(Fault::client_gone()))),
            None => Poll::Pending,
        }
    }

    /// The request is complete without another message.
    pub(in crate::protocol) fn complete(&self) {
        let mut inner = self.0.borrow_mut();
        if inner.taking == Taking::Yes {
            inner.taking = Taking::Complete;
            inner.surplus |= !inner.waiting.is_empty();
            inner.wakers.wake_side(Side::Answer);
        }
    }

    /// Nobody wants another message.
    pub(in crate::protocol) fn ignore(&self) {
        let mut inner = self.0.borrow_mut();
        inner.taking = Taking::No;
        inner.waiting.clear();
        inner.waiting_bytes = 0;
        inner.wakers.wake_side(Side::Answer);
    }

    /// Whether the client's first message was bytes.
    pub(in crate::protocol) fn is_binary(&self) -> bool {
        self.0.borrow().binary == Some(true)
    }

    /// Whether a message came after the request was complete.
    pub(in crate::protocol) fn has_surplus(&self) -> bool {
        let inner = self.0.borrow();
        inner.surplus && inner.taking != Taking::No
    }

    /// A ping that is to be answered.
    pub(in crate::protocol) fn take_ping(&self) -> Option<Bytes> {
        self.0.borrow_mut().ping.take()
    }

    /// Why the client says nothing more, when it does not.
    pub(in crate::protocol) fn end(&self) -> Option<End> {
        self.0.borrow().end
    }

    /// Since when nothing has come, although it was waited for.
    pub(in crate::protocol) fn silent_since(&self) -> Option<Instant> {
        let inner = self.0.borrow();
        (!inner.is_full()).then_some(inner.last_read)
    }
}

impl Inner {
    fn is_full(&self) -> bool {
        self.waiting.len() >= MOST_WAITING || self.waiting_bytes >= MOST_BYTES
    }

    fn read(&mut self, side: Side, context: &Context<'_>) {
        self.wakers.set(side, context.waker());
        let waker = Waker::from(Arc::clone(&self.wakers));
        let mut both = Context::from_waker(&waker);
        let mut heard = false;
        while self.end.is_none() && !self.is_full() {
            if self.piece.is_empty() {
                match Pin::new(&mut self.client).poll_frame(&mut both) {
                    Poll::Pending => break,
                    Poll::Ready(Some(Ok(frame))) => {
                        self.piece = frame.into_data().unwrap_or_default();
                        self.last_read = Instant::now();
                    }
                    Poll::Ready(Some(Err(_)) | None) => self.end = Some(End::Gone),
                }
                heard |= self.end.is_some();
                continue;
            }
            match self.decoder.advance(&self.piece) {
                Ok((event, used)) => {
                    self.piece.advance(used);
                    if let Some(event) = event {
                        heard = true;
                        self.hear(event);
                    }
                }
                Err(violation) => {
                    heard = true;
                    self.end = Some(End::Wrong(violation));
                }
            }
        }
        if heard {
            self.wakers.wake_side(match side {
                Side::Request => Side::Answer,
                Side::Answer => Side::Request,
            });
        }
    }

    fn hear(&mut self, event: Event) {
        let message = match event {
            Event::Text(text) if text.is_empty() => {
                self.half_closed = true;
                return;
            }
            Event::Text(text) => Message::Text(text),
            Event::Binary(bytes) => Message::Binary(bytes),
            Event::Ping(payload) => {
                self.ping = Some(payload);
                return;
            }
            Event::Pong => return,
            Event::Close(code) => {
                self.end = Some(End::Closed(code));
                return;
            }
        };
        if self.half_closed || self.taking == Taking::Complete {
            self.surplus = true;
        } else if self.taking == Taking::Yes {
            let binary = matches!(message, Message::Binary(_));
            self.binary.get_or_insert(binary);
            self.waiting_bytes += message.bytes().len();
            self.waiting.push_back(message);
        }
    }
}

impl Message {
    /// The payload.
    pub(in crate::protocol) fn bytes(&self) -> &Bytes {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes,
        }
    }
}

// === impl Wakers ===

impl Wakers {
    fn set(&self, side: Side, waker: &Waker) {
        let mut wakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = wakers.get_mut(side as usize) {
            match place {
                Some(old) => old.clone_from(waker),
                None => *place = Some(waker.clone()),
            }
        }
    }

    fn wake_side(&self, side: Side) {
        let waker = {
            let mut wakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            wakers.get_mut(side as usize).and_then(Option::take)
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_side(Side::Request);
        self.wake_side(Side::Answer);
    }
}

impl std::fmt::Debug for Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Talk").finish_non_exhaustive()
    }
}
