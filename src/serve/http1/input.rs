//! [`Input`]: what a client sends, read when somebody wants it.
//!
//! The connection reads heads, and the holder of a request's body reads that, from whatever task
//! it is polled in. Bytes lie in a buffer that is made when they have come: a connection that
//! rests holds none.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::socket::Socket;
use super::decode::{Decoder, Item};
use super::head::{self, Head, Limits, Stop};
use crate::call::{Body, Fault};

/// How much is read where no more is expected.
const CHUNK: usize = 8 << 10;
/// How much is read of a long body.
const LARGE: usize = 64 << 10;

pub(super) struct Input(RefCell<State>);

struct State {
    socket: Socket,
    limits: Limits,
    buffer: BytesMut,
    /// The last read filled its buffer, so that more is surely there.
    plenty: bool,
    /// The client has closed its side.
    ended: bool,
    /// What is to come of the body of a request.
    body: Decoder,
    /// The body is no body, or broke off.
    broken: bool,
    holder: Holder,
    /// What is still to be sent before the client sends the body.
    interim: Option<&'static [u8]>,
    /// What was read of a body that nobody wants.
    unwanted: usize,
}

/// Who has the body of a request, and whom to tell what he does.
#[derive(Default)]
struct Holder {
    /// The request whose body somebody has.
    has: Option<u64>,
    /// The request whose head was taken last.
    request: u64,
    /// The connection's task, which is told of what happens outside of its turn.
    task: Option<Waker>,
    in_turn: bool,
}

/// What becomes of the connection after an answer, as far as the request's body is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The next request can be found.
    Keep,
    Close,
}

/// What the client does while it is not its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    Waits,
    Gone,
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl Input {
    pub(super) fn new(socket: Socket, limits: Limits) -> Self {
        Self(RefCell::new(State {
            socket,
            limits,
            buffer: BytesMut::new(),
            plenty: false,
            ended: false,
            body: Decoder::done(),
            broken: false,
            holder: Holder::default(),
            interim: None,
            unwanted: 0,
        }))
    }

    /// It is the connection's turn: whoever changes something need not wake it.
    pub(super) fn begin_turn(&self) {
        self.0.borrow_mut().holder.in_turn = true;
    }

    pub(super) fn end_turn(&self, context: &Context<'_>) {
        let holder = &mut self.0.borrow_mut().holder;
        holder.in_turn = false;
        let task = holder.task.as_ref();
        if holder.has.is_some() && !task.is_some_and(|task| task.will_wake(context.waker())) {
            holder.task = Some(context.waker().clone());
        }
    }

    /// Takes the head of the next request, if it has come.
    pub(super) fn take_head(&self) -> Result<Head, Stop> {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        let blank = state.buffer.chunks_exact(2);
        let blank = blank.take_while(|pair| *pair == b"\r\n").count() * 2;
        if blank > 0 {
            drop(head::take(&mut state.buffer, blank));
        }
        match state.buffer.first() {
            None => return Err(Stop::More),
            Some(b'\r') if state.buffer.len() == 1 => return Err(Stop::More),
            Some(_) => {}
        }
        let head = head::parse(&mut state.buffer, state.limits)?;
        state.body = Decoder::new(head.framing);
        state.interim = head.expects.then_some(CONTINUE);
        state.unwanted = 0;
        state.holder.request += 1;
        Ok(head)
    }

    /// The body of the request whose head was taken, when all of it is here.
    pub(super) fn take_whole_body(&self) -> Option<Body> {
        let mut state = self.0.borrow_mut();
        let left = usize::try_from(state.body.left()?).ok()?;
        if left > state.buffer.len() {
            return None;
        }
        state.body = Decoder::done();
        state.interim = None;
        if left == 0 {
            return Some(Body::empty());
        }
        let data = head::take(&mut state.buffer, left);
        Some(Body::whole(data, None))
    }

    /// Whether nothing has come that was not taken.
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().buffer.is_empty()
    }

    /// Whether what has come is nothing, or another request.
    pub(super) fn is_sound(&self) -> bool {
        let state = self.0.borrow();
        state.buffer.is_empty() || head::parse(&mut state.buffer.clone(), state.limits).is_ok()
    }

    /// Whether the beginning of a head has come.
    pub(super) fn is_in_head(&self) -> bool {
        let state = self.0.borrow();
        state.body.is_done() && !matches!(&*state.buffer, b"" | b"\r")
    }

    /// Reads some bytes; none when the client has closed its side.
    pub(super) fn poll_fill(&self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().poll_fill(context)
    }

    /// Gives the body of the request whose head was taken to somebody, who names it by this.
    pub(super) fn hold(&self) -> u64 {
        let holder = &mut self.0.borrow_mut().holder;
        holder.has = Some(holder.request);
        holder.request
    }

    pub(super) fn let_go(&self, body: u64) {
        let holder = &mut self.0.borrow_mut().holder;
        if holder.has == Some(body) {
            holder.has = None;
            holder.wake();
        }
    }

    /// The answer is out: a body that somebody still has is his no more.
    pub(super) fn take_back(&self) {
        self.0.borrow_mut().holder.has = None;
    }

    /// How much of a body is to come for its holder.
    pub(super) fn left(&self, body: u64) -> Option<u64> {
        let state = self.0.borrow();
        if state.broken || state.holder.has != Some(body) {
            return Some(0);
        }
        state.body.left()
    }

    /// Takes the next frame of a body for its holder; the client is gone for one that was taken
    /// back.
    pub(super) fn poll_body(
        &self,
        body: u64,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let mut state = self.0.borrow_mut();
        if state.broken || state.holder.has != Some(body) {
            return Poll::Ready(Some(Err(Fault::client_gone())));
        }
        let frame = ready!(state.poll_body(context));
        if state.broken || state.body.is_done() {
            state.holder.wake();
        }
        Poll::Ready(frame)
    }

    /// Looks what the client does while its request is answered, and reads what it sends of a body
    /// that nobody wants, up to a limit.
    pub(super) fn watch(&self, context: &mut Context<'_>, most: usize) -> Client {
        let mut state = self.0.borrow_mut();
        if !state.is_over(most) && state.poll_unwanted(context, most).is_pending() {
            return state.client();
        }
        // What comes now is the next request, which waits.
        if state.buffer.is_empty()
            && !state.ended
            && let Poll::Ready(Err(_)) = state.poll_fill(context)
        {
            state.ended = true;
        }
        state.client()
    }

    /// Whether the connection can be kept after the answer that is about to begin.
    pub(super) fn fate(&self, context: &mut Context<'_>, most: usize) -> Fate {
        let mut state = self.0.borrow_mut();
        if !state.is_over(most) && state.poll_unwanted(context, most).is_ready() && !state.broken {
            return Fate::Keep;
        }
        if state.broken || state.interim.is_some() {
            return Fate::Close;
        }
        let left = state.body.left();
        match left.map(|left| left.saturating_add(state.unwanted as u64)) {
            Some(all) if all <= most as u64 => Fate::Keep,
            // It might be longer than what is read of it, and then nobody must count on more: whoever
            // reads it now may leave it as soon as the answer has its end.
            Some(_) | None => Fate::Close,
        }
    }

    /// Ready when the body of the last request is read; whether that was possible.
    pub(super) fn poll_rest(&self, context: &mut Context<'_>, most: usize) -> Poll<bool> {
        let mut state = self.0.borrow_mut();
        if !state.is_over(most) && state.poll_unwanted(context, most).is_ready() {
            return Poll::Ready(!state.broken && state.body.is_done());
        }
        // Nothing wakes a connection that does not go on reading.
        if state.is_over(most) {
            return Poll::Ready(false);
        }
        Poll::Pending
    }

    /// Sends what was begun of an interim answer.
    pub(super) fn poll_interim(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        match state.interim {
            Some(left) if left.len() < CONTINUE.len() => state.poll_interim(context),
            _ => Poll::Ready(Ok(())),
        }
    }
}

// === impl Holder ===

impl Holder {
    fn wake(&self) {
        if let (false, Some(task)) = (self.in_turn, &self.task) {
            task.wake_by_ref();
        }
    }
}

// === impl State ===

impl State {
    fn client(&self) -> Client {
        if self.ended {
            Client::Gone
        } else {
            Client::Waits
        }
    }

    /// Whether nobody wants the body and nobody reads it.
    fn is_over(&self, most: usize) -> bool {
        self.holder.has.is_none() && (self.broken || self.unwanted > most || self.interim.is_some())
    }

    /// Ready when the body is read to its end or broken, if nobody has it.
    fn poll_unwanted(&mut self, context: &mut Context<'_>, most: usize) -> Poll<()> {
        while !self.body.is_done() && !self.broken {
            if self.holder.has.is_some() || self.unwanted > most {
                return Poll::Pending;
            }
            match ready!(self.poll_body(context)) {
                Some(Ok(frame)) => self.unwanted += frame.data_ref().map_or(0, Bytes::len),
                Some(Err(_)) | None => break,
            }
        }
        Poll::Ready(())
    }

    fn poll_body(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        loop {
            match self.body.next(&mut self.buffer, self.limits) {
                Ok(Item::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Item::Trailers(fields)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(fields))));
                }
                Ok(Item::End) => return Poll::Ready(None),
                Ok(Item::More) => {}
                Err(_wrong) => {
                    self.broken = true;
                    let fault = Fault::invalid("BAD_BODY", "the request body is not valid HTTP");
                    return Poll::Ready(Some(Err(fault)));
                }
            }
            let read = match self.poll_interim(context) {
                Poll::Ready(Ok(())) => ready!(self.poll_fill(context)),
                Poll::Ready(Err(error)) => Err(error),
                Poll::Pending => return Poll::Pending,
            };
            let fault = match read {
                Ok(0) => Fault::client_gone(),
                Ok(_) => continue,
                Err(error) => Fault::client_gone().with_cause(error),
            };
            (self.broken, self.ended) = (true, true);
            return Poll::Ready(Some(Err(fault)));
        }
    }

    fn poll_interim(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(left) = self.interim {
            if left.is_empty() {
                ready!(Pin::new(&mut self.socket).poll_flush(context))?;
                self.interim = None;
                break;
            }
            let written = ready!(Pin::new(&mut self.socket).poll_write(context, left))?;
            self.interim = left.get(written..);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.plenty && self.body.left() != Some(0) {
            self.plenty = false;
            return self.poll_fill_large(context);
        }
        let mut chunk = [MaybeUninit::uninit(); CHUNK];
        let mut chunk = ReadBuf::uninit(&mut chunk);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut chunk))?;
        let read = chunk.filled();
        if self.buffer.is_empty() {
            self.buffer = BytesMut::from(read);
        } else {
            self.buffer.extend_from_slice(read);
        }
        self.plenty = read.len() == CHUNK;
        self.ended = read.is_empty();
        Poll::Ready(Ok(read.len()))
    }

    /// Reads where the bytes are going to stay.
    fn poll_fill_large(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let before = self.buffer.len();
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.reserve(LARGE);
        let polled = {
            let reading = tokio::io::AsyncReadExt::read_buf(&mut self.socket, &mut buffer);
            std::pin::pin!(reading).poll(context)
        };
        if before > 0 || !buffer.is_empty() {
            self.buffer = buffer;
        }
        let read = ready!(polled)?;
        self.plenty = read >= CHUNK;
        self.ended = read == 0;
        Poll::Ready(Ok(read))
    }
}
