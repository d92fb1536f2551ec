//! The request body on its way to the application.
//!
//! A body that is all there goes out with the head. Any other is pumped by a task of the call,
//! chunk by chunk, as the application gives way. What was pumped is remembered up to a limit
//! until the application answers, so that a call which it surely never saw can be sent again.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::Body as _;

use crate::call::{Body, Fault};

/// A request body that may be sent more than once. Clones are the same body.
#[derive(Clone)]
pub(super) enum Outgoing {
    Whole(Bytes),
    Stream(Rc<RefCell<Source>>),
}

/// A body that comes as it comes, and what of it was taken.
pub(super) struct Source {
    body: Body,
    taken: Vec<Bytes>,
    taken_bytes: usize,
    /// How many of `taken` have gone out in this attempt.
    replayed: usize,
    remember: bool,
    ended: bool,
    fault: Option<Fault>,
}

/// A piece of a body, and whether it is the last.
struct Chunk {
    data: Bytes,
    last: bool,
}

impl Outgoing {
    pub(super) fn new(mut body: Body) -> Self {
        match body.take_whole() {
            Some(data) => Self::Whole(data),
            None => Self::Stream(Rc::new(RefCell::new(Source {
                body,
                taken: Vec::new(),
                taken_bytes: 0,
                replayed: 0,
                remember: true,
                ended: false,
                fault: None,
            }))),
        }
    }

    /// Back to the beginning; `false` when that is forgotten.
    pub(super) fn rewind(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Stream(source) => {
                let mut source = source.borrow_mut();
                source.replayed = 0;
                source.remember && source.fault.is_none()
            }
        }
    }

    /// The application has answered: nothing will be sent again.
    pub(super) fn forget(&self) {
        if let Self::Stream(source) = self {
            source.borrow_mut().forget();
        }
    }

    /// Why the body broke off, if it did.
    pub(super) fn take_fault(&self) -> Option<Fault> {
        match self {
            Self::Whole(_) => None,
            Self::Stream(source) => source.borrow_mut().fault.take(),
        }
    }
}

impl Source {
    fn forget(&mut self) {
        self.remember = false;
        self.taken = Vec::new();
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Chunk, Fault>>> {
        if let Some(data) = self.taken.get(self.replayed) {
            self.replayed += 1;
            let last = self.ended && self.replayed == self.taken.len();
            let data = data.clone();
            return Poll::Ready(Some(Ok(Chunk { data, last })));
        }
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            let frame = match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(fault)) => return Poll::Ready(Some(Err(fault))),
                None => {
                    self.ended = true;
                    return Poll::Ready(None);
                }
            };
            self.ended = self.body.is_end_stream();
            // Trailers of a request mean nothing in gRPC.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if data.is_empty() {
                continue;
            }
            self.note(&data);
            let last = self.ended;
            return Poll::Ready(Some(Ok(Chunk { data, last })));
        }
    }

    /// Remembers a piece, or gives up remembering.
    fn note(&mut self, data: &Bytes) {
        const REMEMBERED_BYTES: usize = 64 << 10;
        const REMEMBERED_PIECES: usize = 256;
        if !self.remember {
            return;
        }
        self.taken_bytes += data.len();
        if self.taken_bytes > REMEMBERED_BYTES || self.taken.len() >= REMEMBERED_PIECES {
            self.forget();
            return;
        }
        self.taken.push(data.clone());
        self.replayed = self.taken.len();
    }
}

/// Moves the body into the stream until it ends, breaks, or the application has had enough.
pub(super) async fn pump(source: Rc<RefCell<Source>>, stream: SendStream<Bytes>) {
    let mut stream = stream;
    loop {
        // A stream that was reset takes no more, however long the client goes on sending.
        let next = poll_fn(|context| {
            if stream.poll_reset(context).is_ready() {
                return Poll::Ready(None);
            }
            source.borrow_mut().poll_chunk(context).map(Some)
        })
        .await;
        let Some(chunk) = next else {
            return;
        };
        match chunk {
            Some(Ok(chunk)) => {
                let last = chunk.last;
                if send(&mut stream, chunk).await.is_err() || last {
                    return;
                }
            }
            Some(Err(fault)) => {
                source.borrow_mut().fault = Some(fault);
                stream.send_reset(Reason::CANCEL);
                return;
            }
            None => {
                // An error here means that the stream is over already.
                drop(stream.send_data(Bytes::new(), true));
                return;
            }
        }
    }
}

/// The stream takes nothing more.
struct Gone;

async fn send(stream: &mut SendStream<Bytes>, chunk: Chunk) -> Result<(), Gone> {
    let mut data = chunk.data;
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = match stream.capacity() {
            // Only an increase is told, so what is there already has to be asked for.
            0 => poll_fn(|context| stream.poll_capacity(context)).await,
            room => Some(Ok(room)),
        };
        let Some(Ok(room)) = room else {
            return Err(Gone);
        };
        let piece = data.split_to(room.min(data.len()));
        let end = chunk.last && data.is_empty();
        stream.send_data(piece, end).map_err(|_over| Gone)?;
    }
    Ok(())
}
