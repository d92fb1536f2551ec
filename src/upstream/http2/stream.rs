//! [`Stream`]: one call on a connection, and [`Streams`]: all of them.

use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::Reason;
use http::{HeaderMap, StatusCode};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::window::{ReceiveWindow, SendWindow};

/// The pieces of a body.
pub(in crate::upstream) type Pieces = SmallVec<[Bytes; 1]>;

/// Why a stream came to nothing.
#[derive(Clone, Debug)]
pub(in crate::upstream) enum Failure {
    /// The application reset it.
    Reset(Reason),
    /// The application says that it never looked at it.
    Unprocessed(Reason),
    /// The application's answer breaks the protocol.
    Malformed(&'static str),
    /// The connection is gone.
    Lost(Rc<str>),
    /// Nobody read the answer.
    Stalled,
}

/// One call.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: u32,
    pub(super) send_window: SendWindow,
    /// What of the request is not sent yet.
    pub(super) unsent: VecDeque<Bytes>,
    /// Whether it waits in the session's queue to send.
    pub(super) queued: bool,
    pub(super) receive_window: ReceiveWindow,
    /// Whether a head has come; it is taken out before the rest.
    pub(super) answered: bool,
    pub(super) head: Option<(StatusCode, HeaderMap)>,
    data: VecDeque<Bytes>,
    /// Small pieces that came after `data`, joined: many that wait take little more room than
    /// what they hold.
    joined: BytesMut,
    /// How long data may wait, if there is a limit, and since when some does.
    stall: Option<Duration>,
    unread_since: Option<Instant>,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) end: Option<End>,
    waker: Option<Waker>,
}

/// Nothing more comes on a stream.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// As it should be.
    Complete,
    Failed(Failure),
}

/// Where a stream is, as its call knows it; ids are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    slot: usize,
    id: u32,
}

/// The streams of a connection. One that has ended stays until its call lets go of it, but is
/// not found by frames any more.
#[derive(Debug, Default)]
pub(super) struct Streams {
    slots: Vec<Option<Stream>>,
    free: Vec<usize>,
    running: FxHashMap<u32, usize>,
}

impl Stream {
    pub(super) fn new(id: u32, send_window: SendWindow, receive_window: u32) -> Self {
        Self {
            id,
            send_window,
            unsent: VecDeque::new(),
            queued: false,
            receive_window: ReceiveWindow::new(receive_window),
            answered: false,
            head: None,
            data: VecDeque::new(),
            joined: BytesMut::new(),
            stall: None,
            unread_since: None,
            trailers: None,
            end: None,
            waker: None,
        }
    }

    /// Data came that is kept as it is.
    pub(super) fn push_shared(&mut self, data: Bytes) {
        self.note_unread();
        if !self.joined.is_empty() {
            self.data
                .push_back(std::mem::take(&mut self.joined).freeze());
        }
        self.data.push_back(data);
    }

    /// Data came that is copied.
    pub(super) fn push_copied(&mut self, data: &[u8]) {
        self.note_unread();
        if self.pieces() == 0 {
            self.data.push_back(Bytes::copy_from_slice(data));
        } else {
            self.joined.extend_from_slice(data);
        }
    }

    /// How many pieces of data wait.
    pub(super) fn pieces(&self) -> usize {
        self.data.len() + usize::from(!self.joined.is_empty())
    }

    /// The next data that waits.
    pub(super) fn take_data(&mut self) -> Option<Bytes> {
        let data = self.data.pop_front().or_else(|| {
            let joined = std::mem::take(&mut self.joined);
            (!joined.is_empty()).then(|| joined.freeze())
        });
        if self.stall.is_some() {
            self.unread_since = (self.pieces() > 0).then(Instant::now);
        }
        data
    }

    /// Forgets what waits.
    pub(super) fn discard(&mut self) {
        self.data.clear();
        self.joined = BytesMut::new();
        self.unread_since = None;
    }

    /// Whether the answer is one of many messages: those have a limit.
    pub(super) fn may_last(&self) -> bool {
        self.stall.is_some()
    }

    pub(super) fn limit_stall(&mut self, stall: Duration) {
        self.stall = Some(stall);
    }

    /// When data will have waited too long, or could have at the earliest.
    pub(super) fn stalled_at(&self, now: Instant) -> Option<Instant> {
        let stall = self.stall?;
        Some(self.unread_since.unwrap_or(now) + stall)
    }

    fn note_unread(&mut self) {
        if self.stall.is_some() && self.unread_since.is_none() {
            self.unread_since = Some(Instant::now());
        }
    }

    /// Whoever polls next is woken when something comes.
    pub(super) fn register(&mut self, context: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            None => self.waker = Some(context.waker().clone()),
        }
    }

    pub(super) fn take_waker(&mut self) -> Option<Waker> {
        self.waker.take()
    }
}

impl Key {
    pub(super) fn id(self) -> u32 {
        self.id
    }
}

impl Streams {
    pub(super) fn insert(&mut self, stream: Stream) -> Key {
        let id = stream.id;
        let slot = self.free.pop().unwrap_or(self.slots.len());
        match self.slots.get_mut(slot) {
            Some(place) => *place = Some(stream),
            None => self.slots.push(Some(stream)),
        }
        self.running.insert(id, slot);
        Key { slot, id }
    }

    pub(super) fn get(&mut self, key: Key) -> Option<&mut Stream> {
        let stream = self.slots.get_mut(key.slot)?.as_mut()?;
        (stream.id == key.id).then_some(stream)
    }

    /// The stream a frame is for, unless it has ended.
    pub(super) fn find(&self, id: u32) -> Option<Key> {
        self.running.get(&id).map(|slot| Key { slot: *slot, id })
    }

    /// The call lets go of the stream.
    pub(super) fn remove(&mut self, key: Key) -> Option<Stream> {
        self.get(key)?;
        self.running.remove(&key.id);
        self.free.push(key.slot);
        self.slots.get_mut(key.slot)?.take()
    }

    /// No frame is for the stream any more.
    pub(super) fn finish(&mut self, key: Key) {
        self.running.remove(&key.id);
    }

    /// Those that have not ended.
    pub(super) fn running(&self) -> Vec<Key> {
        let keys = self.running.iter();
        keys.map(|(id, slot)| Key {
            slot: *slot,
            id: *id,
        })
        .collect()
    }

    /// Whether all have ended.
    pub(super) fn are_over(&self) -> bool {
        self.running.is_empty()
    }
}
