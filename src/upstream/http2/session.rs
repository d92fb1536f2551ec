//! [`Session`]: the client's side of one HTTP/2 connection, without the socket.
//!
//! Calls put requests in and take answers out; the driver carries bytes: what came goes into
//! [`receive`](Session::receive), what is to go out waits in `output`. It belongs to one thread,
//! takes no lock, and knows nothing of gRPC but what a request's head looks like.

use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use super::frame::{self, Broken, Head};
use super::hpack::{self, Decoder, Encoder, Request};
use super::output::Output;
use super::receive::Block;
use super::stream::{End, Failure, Key, Pieces, Stream, Streams};
use super::window::{self, ReceiveWindow, SendWindow};

/// What we allow the far side.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) struct Limits {
    pub(in crate::upstream) stream_window: u32,
    pub(in crate::upstream) connection_window: u32,
    pub(in crate::upstream) max_header_list: u32,
}

/// What the far side allows us.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// Whether its SETTINGS have come.
    pub(super) introduced: bool,
    pub(super) max_streams: usize,
    pub(super) max_payload: usize,
    pub(super) stream_window: u32,
}

/// A connection's state.
#[derive(Debug)]
pub(in crate::upstream) struct Session {
    pub(super) limits: Limits,
    pub(super) peer: Peer,
    pub(super) streams: Streams,
    /// The id of the next stream; ids below it are or were in use.
    pub(super) next_id: u32,
    pub(super) encoder: Encoder,
    pub(super) decoder: Decoder,
    pub(super) send_window: SendWindow,
    pub(super) receive_window: ReceiveWindow,
    /// Streams that have something to send and room in their own window, in turn.
    pub(super) senders: VecDeque<Key>,
    /// A header block that goes on in the next frame.
    pub(super) block: Option<Block>,
    pub(super) output: Output,
    /// Room for a header block that is written.
    scratch: Vec<u8>,
    /// No new streams; the connection ends with those that run.
    pub(super) leaving: bool,
    /// Nothing comes or goes any more.
    pub(super) over: bool,
    /// Whom to wake when the session is not borrowed any more.
    pub(super) woken: Vec<Waker>,
    pub(super) driver: Option<Waker>,
    /// When to look for answers that nobody reads.
    pub(super) look_at: Option<Instant>,
}

/// Why a request was not sent.
#[derive(Debug)]
pub(in crate::upstream) enum Unsent {
    /// The connection takes no new streams.
    Closed,
    /// HTTP/2 has no such head; what is wrong with it.
    Head(String),
}

/// What comes next of an answer after its head.
#[derive(Debug)]
pub(in crate::upstream) enum Next {
    Data(Bytes),
    End(Option<HeaderMap>),
    Failed(Failure),
}

/// The last id of a stream there is.
const LAST_ID: u32 = (1 << 31) - 1;

/// When so much waits to be written, bodies wait for their turn.
const ENOUGH: usize = 256 << 10;

impl Session {
    /// A session that has introduced itself, in its output.
    pub(super) fn new(limits: Limits) -> Self {
        let mut session = Self {
            limits,
            peer: Peer {
                introduced: false,
                max_streams: usize::MAX,
                max_payload: frame::MAX_PAYLOAD,
                stream_window: window::INITIAL,
            },
            streams: Streams::default(),
            next_id: 1,
            encoder: Encoder::new(),
            decoder: Decoder::new(),
            send_window: SendWindow::new(window::INITIAL),
            receive_window: ReceiveWindow::new(limits.connection_window),
            senders: VecDeque::new(),
            block: None,
            output: Output::default(),
            scratch: Vec::new(),
            leaving: false,
            over: false,
            woken: Vec::new(),
            driver: None,
            look_at: None,
        };
        session.introduce();
        session
    }

    fn introduce(&mut self) {
        const ENABLE_PUSH: u16 = 2;
        const INITIAL_WINDOW_SIZE: u16 = 4;
        const MAX_HEADER_LIST_SIZE: u16 = 6;
        let mut payload = Vec::new();
        for (id, value) in [
            (ENABLE_PUSH, 0),
            (INITIAL_WINDOW_SIZE, self.limits.stream_window),
            (MAX_HEADER_LIST_SIZE, self.limits.max_header_list),
        ] {
            payload.extend(id.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        self.output.push(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        self.push_frame(frame::SETTINGS, 0, 0, &payload);
        let more = self
            .limits
            .connection_window
            .saturating_sub(window::INITIAL);
        if more > 0 {
            self.push_window_update(0, more);
        }
    }

    /// Whether new streams may be opened.
    pub(super) fn is_open(&self) -> bool {
        !self.leaving && !self.over && self.next_id <= LAST_ID
    }

    /// Sends a request: all of it, if the windows allow it.
    pub(super) fn open(&mut self, request: &Request<'_>, body: &Pieces) -> Result<Key, Unsent> {
        if !self.is_open() {
            return Err(Unsent::Closed);
        }
        if let Some(name) = hpack::find_forbidden(request.metadata) {
            return Err(Unsent::Head(format!(
                "the header field {name} belongs to HTTP/1.1"
            )));
        }
        let id = self.next_id;
        self.next_id += 2;
        let empty = body.iter().all(Bytes::is_empty);
        self.push_request(id, request, empty);
        let send_window = SendWindow::new(self.peer.stream_window);
        let mut stream = Stream::new(id, send_window, self.limits.stream_window);
        if !empty && !self.send_at_once(&mut stream, body) {
            stream
                .unsent
                .extend(body.iter().filter(|piece| !piece.is_empty()).cloned());
            stream.queued = true;
            let key = self.streams.insert(stream);
            self.senders.push_back(key);
            self.send_bodies();
            self.wake_driver();
            return Ok(key);
        }
        self.wake_driver();
        Ok(self.streams.insert(stream))
    }

    /// Sends a small body with its head, without keeping it; `false` when it has to wait.
    fn send_at_once(&mut self, stream: &mut Stream, body: &Pieces) -> bool {
        let [only] = body.as_slice() else {
            return false;
        };
        let room = self
            .peer
            .max_payload
            .min(stream.send_window.room())
            .min(self.send_window.room());
        if only.len() > room || !self.senders.is_empty() || self.output.len() >= ENOUGH {
            return false;
        }
        self.push_head(frame::DATA, frame::END_STREAM, stream.id, only.len());
        self.output.push_data(only.clone());
        stream.send_window.take(only.len());
        self.send_window.take(only.len());
        true
    }

    fn push_request(&mut self, id: u32, request: &Request<'_>, end: bool) {
        let mut block = std::mem::take(&mut self.scratch);
        block.clear();
        self.encoder.encode(request, &mut block);
        let mut kind = frame::HEADERS;
        let mut flags = if end { frame::END_STREAM } else { 0 };
        let mut rest = block.as_slice();
        loop {
            let (piece, after) = rest
                .split_at_checked(self.peer.max_payload)
                .unwrap_or((rest, &[]));
            if after.is_empty() {
                flags |= frame::END_HEADERS;
            }
            self.push_frame(kind, flags, id, piece);
            if after.is_empty() {
                break;
            }
            (kind, flags, rest) = (frame::CONTINUATION, 0, after);
        }
        self.scratch = block;
    }

    /// Sends what the windows allow, a frame of each stream in turn, until enough waits to be
    /// written.
    pub(super) fn send_bodies(&mut self) {
        while self.output.len() < ENOUGH
            && self.send_window.room() > 0
            && let Some(key) = self.senders.pop_front()
        {
            self.send_piece(key);
        }
    }

    fn send_piece(&mut self, key: Key) {
        let most = self.peer.max_payload.min(self.send_window.room());
        let Some(stream) = self.streams.get(key) else {
            return;
        };
        stream.queued = false;
        let len = most.min(stream.send_window.room());
        let Some(piece) = stream.unsent.front_mut().filter(|_| len > 0) else {
            return;
        };
        let data = piece.split_to(len.min(piece.len()));
        if piece.is_empty() {
            stream.unsent.pop_front();
        }
        stream.send_window.take(data.len());
        self.send_window.take(data.len());
        let last = stream.unsent.is_empty();
        stream.queued = !last;
        if !last {
            self.senders.push_back(key);
        }
        let flags = if last { frame::END_STREAM } else { 0 };
        self.push_head(frame::DATA, flags, key.id(), data.len());
        self.output.push_data(data);
    }

    /// A stream has room to send again.
    pub(super) fn queue(&mut self, key: Key) {
        if let Some(stream) = self.streams.get(key)
            && !stream.queued
            && !stream.unsent.is_empty()
        {
            stream.queued = true;
            self.senders.push_back(key);
        }
    }

    /// The head of an answer; its stream is gone when it failed before there was one.
    pub(super) fn poll_head(
        &mut self,
        key: Key,
        context: &Context<'_>,
    ) -> Poll<Result<(StatusCode, HeaderMap), Failure>> {
        let Some(stream) = self.streams.get(key) else {
            return Poll::Ready(Err(Failure::Lost("the stream is gone".into())));
        };
        if let Some(head) = stream.head.take() {
            return Poll::Ready(Ok(head));
        }
        if let Some(End::Failed(failure)) = &stream.end {
            return Poll::Ready(Err(failure.clone()));
        }
        stream.register(context);
        Poll::Pending
    }

    /// The rest of an answer, if all of it is there in one piece or none; the stream is gone
    /// then.
    pub(super) fn take_whole(&mut self, key: Key) -> Option<(Bytes, Option<HeaderMap>)> {
        let stream = self.streams.get(key)?;
        if !matches!(stream.end, Some(End::Complete)) || stream.pieces() > 1 {
            return None;
        }
        // What many messages lack at their end takes none of them back.
        if stream.may_last() && stream.pieces() > 0 && stream.trailers.is_none() {
            return None;
        }
        let data = stream.take_data().unwrap_or_default();
        let trailers = stream.trailers.take();
        self.streams.remove(key);
        Some((data, trailers))
    }

    /// What comes next after the head.
    pub(super) fn poll_next(&mut self, key: Key, context: &Context<'_>) -> Poll<Next> {
        let Some(stream) = self.streams.get(key) else {
            return Poll::Ready(Next::Failed(Failure::Lost("the stream is gone".into())));
        };
        if let Some(data) = stream.take_data() {
            let back = stream.receive_window.consume(data.len());
            if let Some(back) = back.filter(|_| stream.end.is_none()) {
                self.push_window_update(key.id(), back);
                self.wake_driver();
            }
            return Poll::Ready(Next::Data(data));
        }
        match &stream.end {
            Some(End::Complete) => Poll::Ready(Next::End(stream.trailers.take())),
            Some(End::Failed(failure)) => Poll::Ready(Next::Failed(failure.clone())),
            None => {
                stream.register(context);
                Poll::Pending
            }
        }
    }

    /// The call lets go of its stream, which is reset if it has not ended.
    pub(super) fn release(&mut self, key: Key) {
        let Some(stream) = self.streams.remove(key) else {
            return;
        };
        if stream.end.is_none() && !self.over {
            self.push_reset(key.id(), Reason::CANCEL);
        }
        // The last one may have been waited for.
        self.wake_driver();
    }

    /// Asks whether the far side lives.
    pub(super) fn ping(&mut self) {
        self.push_frame(frame::PING, 0, 0, b"sidegate");
        self.wake_driver();
    }

    /// No new streams; the connection ends when none is left.
    pub(super) fn leave(&mut self) {
        if !std::mem::replace(&mut self.leaving, true) {
            self.push_go_away(Reason::NO_ERROR);
            self.wake_driver();
        }
    }

    /// The far side broke the protocol: it is told so, and nothing else happens any more.
    pub(super) fn break_off(&mut self, broken: Broken) {
        self.push_go_away(broken.reason);
        self.fail(&broken.to_string());
    }

    /// The connection is gone, and with it every stream.
    pub(super) fn fail(&mut self, cause: &str) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        self.senders.clear();
        let cause = Rc::from(cause);
        for key in self.streams.running() {
            self.end(key, End::Failed(Failure::Lost(Rc::clone(&cause))));
        }
    }

    /// Whether the driver has nothing to do any more but write.
    pub(super) fn has_ended(&self) -> bool {
        self.over || (self.leaving && self.streams.are_over())
    }

    /// Nothing more comes on a stream; whoever waits is told.
    pub(super) fn end(&mut self, key: Key, end: End) {
        self.streams.finish(key);
        let Some(stream) = self.streams.get(key) else {
            return;
        };
        stream.end = Some(end);
        let cut = !stream.unsent.is_empty();
        stream.unsent.clear();
        let complete = matches!(stream.end, Some(End::Complete));
        self.woken.extend(stream.take_waker());
        if cut && complete {
            // The answer came before the request had ended, so the rest is not wanted.
            self.push_reset(key.id(), Reason::CANCEL);
        }
    }

    pub(super) fn wake_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    fn push_head(&mut self, kind: u8, flags: u8, stream: u32, len: usize) {
        let head = Head {
            len,
            kind,
            flags,
            stream,
        };
        self.output.push(&head.encode());
    }

    pub(super) fn push_frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.push_head(kind, flags, stream, payload.len());
        self.output.push(payload);
    }

    pub(super) fn push_window_update(&mut self, stream: u32, more: u32) {
        self.push_frame(frame::WINDOW_UPDATE, 0, stream, &more.to_be_bytes());
    }

    pub(super) fn push_reset(&mut self, stream: u32, reason: Reason) {
        let reason = u32::from(reason).to_be_bytes();
        self.push_frame(frame::RST_STREAM, 0, stream, &reason);
    }

    /// No stream of the far side was ever processed: it cannot open any.
    fn push_go_away(&mut self, reason: Reason) {
        let [a, b, c, d] = u32::from(reason).to_be_bytes();
        self.push_frame(frame::GOAWAY, 0, 0, &[0, 0, 0, 0, a, b, c, d]);
    }
}
