//! Reading bodies: requests with an idle limit or as a whole under a size limit, answers message
//! by message.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

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

/// Reads a whole body of at most `limit` bytes. A body that says beforehand that it is larger is
/// refused before anything of it is read.
pub async fn read_whole(mut body: Body, limit: usize) -> Result<Bytes, Fault> {
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let mut whole = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if whole.len() + joined.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        if whole.is_empty() && joined.is_empty() {
            // Most bodies come in one piece and need no copy.
            whole = data;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut whole));
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() {
        whole
    } else {
        joined.freeze()
    })
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
        let name = metadata
            .get("grpc-encoding")
            .map_or(&b"identity"[..], HeaderValue::as_bytes);
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
