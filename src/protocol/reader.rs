//! Reading bodies: requests with an idle limit or as a whole under a size limit, answers message
//! by message.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::call::metadata::lookup;
use crate::call::{Blame, Body, Code, Fault, Metadata};
use crate::wire::compress::{Encoding, decompress};
use crate::wire::frame::{Deframer, FrameError, Rules};

/// A body whose sender must not pause longer than a limit.
pub struct IdleBody {
    body: Body,
    idle: Duration,
    /// Made when the sender first pauses: most bodies are there at once.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl IdleBody {
    /// `body`, failing when nothing came for `idle` while it was waited for.
    pub fn new(body: Body, idle: Duration) -> Self {
        Self {
            body,
            idle,
            timer: None,
            waiting: false,
        }
    }
}

impl http_body::Body for IdleBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waiting = false;
            return Poll::Ready(frame);
        }
        let until = Instant::now() + self.idle;
        let restart = !std::mem::replace(&mut self.waiting, true);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if restart {
            timer.as_mut().reset(until);
        }
        timer
            .as_mut()
            .poll(context)
            .map(|()| Some(Err(idle_fault())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl std::fmt::Debug for IdleBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdleBody")
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}

fn idle_fault() -> Fault {
    Fault::new(
        Blame::Client,
        Code::Cancelled,
        "REQUEST_IDLE",
        "the request body did not arrive in time",
    )
    .with_http(StatusCode::REQUEST_TIMEOUT)
}

/// The fault of a request body that is over its limit (E7).
pub fn too_large(limit: usize) -> Fault {
    Fault::new(
        Blame::Client,
        Code::ResourceExhausted,
        "REQUEST_TOO_LARGE",
        format!("the request body is over the limit of {limit} bytes"),
    )
    .with_http(StatusCode::PAYLOAD_TOO_LARGE)
}

/// A body that is read as a whole, of at most so many bytes.
#[derive(Debug)]
pub struct Whole {
    body: IdleBody,
    limit: usize,
    /// The first piece: most bodies come in one and need no copy.
    first: Bytes,
    /// All pieces, once there are two.
    joined: BytesMut,
}

impl Whole {
    /// Reads `body`, of which at most `limit` bytes are taken.
    pub fn new(body: IdleBody, limit: usize) -> Self {
        Self {
            body,
            limit,
            first: Bytes::new(),
            joined: BytesMut::new(),
        }
    }

    /// Ready with all bytes, once. A body that says beforehand that it is larger is refused
    /// before anything of it is read.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        if self.body.size_hint().lower() > self.limit as u64 {
            return Poll::Ready(Err(too_large(self.limit)));
        }
        while let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            if self.first.len() + self.joined.len() + data.len() > self.limit {
                return Poll::Ready(Err(too_large(self.limit)));
            }
            if self.first.is_empty() && self.joined.is_empty() {
                self.first = data;
            } else {
                let first = std::mem::take(&mut self.first);
                self.joined.extend_from_slice(&first);
                self.joined.extend_from_slice(&data);
            }
        }
        Poll::Ready(Ok(if self.joined.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            std::mem::take(&mut self.joined).freeze()
        }))
    }
}

/// The messages of an answer, decompressed and held to their limit (E7, M5).
#[derive(Debug)]
pub struct Messages {
    deframer: Deframer,
    encoding: Encoding,
    limit: usize,
}

impl Messages {
    /// Messages of an answer with this initial metadata; an encoding that nobody here speaks is
    /// the app's mistake, as it was never offered.
    pub fn new(metadata: &Metadata, limit: usize) -> Result<Self, Fault> {
        let name =
            lookup(metadata, "grpc-encoding").map_or(&b"identity"[..], HeaderValue::as_bytes);
        let encoding = Encoding::parse(name).ok_or_else(|| {
            Fault::upstream(
                Code::Internal,
                "BAD_ENCODING",
                "the application compressed its answer in a way that was not asked for",
            )
        })?;
        Ok(Self {
            deframer: Deframer::new(Rules::grpc(limit)),
            encoding,
            limit,
        })
    }

    /// Adds bytes.
    pub fn push(&mut self, data: Bytes) {
        self.deframer.push(data);
    }

    /// The next complete message.
    pub fn take(&mut self) -> Result<Option<Bytes>, Fault> {
        let Some(message) = self.deframer.next().map_err(bad_frame)? else {
            return Ok(None);
        };
        if !message.compressed {
            return Ok(Some(message.payload));
        }
        if self.encoding == Encoding::Identity {
            return Err(Fault::upstream(
                Code::Internal,
                "BAD_FRAME",
                "the application marked a message as compressed without naming how",
            ));
        }
        let plain = decompress(self.encoding, &message.payload, self.limit);
        plain.map(Some).map_err(|error| {
            Fault::upstream(
                Code::Internal,
                "BAD_COMPRESSION",
                "a message of the application cannot be decompressed",
            )
            .with_cause(error)
        })
    }

    /// How many bytes wait that were added and not taken.
    pub fn waiting(&self) -> usize {
        self.deframer.waiting()
    }

    /// The bytes are over: nothing may be left of them.
    pub fn finish(&self) -> Result<(), Fault> {
        self.deframer.finish().map_err(bad_frame)
    }
}

fn bad_frame(error: FrameError) -> Fault {
    let reason = match error {
        FrameError::TooLarge { .. } => "RESPONSE_TOO_LARGE",
        FrameError::BadFlag { .. } | FrameError::Truncated => "BAD_FRAME",
    };
    Fault::upstream(
        Code::Internal,
        reason,
        "the answer of the application cannot be read",
    )
    .with_cause(error)
}

/// The fault of an answer that ended without `grpc-status` (E2).
pub fn no_status() -> Fault {
    Fault::upstream(
        Code::Internal,
        "NO_STATUS",
        "the application ended its answer without a status",
    )
}
