//! Bodies that pass as they are, their frames followed: counted, and held to the size limit
//! (invariant 10).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame};

use super::Dialect;
use super::trailers::Ending;
use crate::call::{Blame, Body, Code, Fault, Record, Status};
use crate::protocol::reader::no_status;
use crate::schema::policy::Policy;
use crate::wire::frame::{COMPRESSED, Follower, FrameError, Rules};

/// A request whose envelopes are gRPC's.
pub(in crate::protocol) struct Asked {
    body: Body,
    follower: Follower,
    record: Record,
    ended: bool,
}

impl Asked {
    /// Follows `body`; `flags` are those that may be set.
    pub(in crate::protocol) fn new(body: Body, flags: u8, policy: &Policy, record: Record) -> Self {
        let limit = policy.limits.message_bytes;
        Self {
            body,
            follower: Follower::new(Rules { limit, flags }),
            record,
            ended: false,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(frame) => frame?,
            None if self.follower.at_boundary() => return Poll::Ready(None),
            None => {
                let fault = frame_fault(&FrameError::Truncated, Blame::Client);
                return Poll::Ready(Some(Err(fault)));
            }
        };
        if let Some(data) = frame.data_ref() {
            let followed = self.follower.advance(data);
            let mut record = self.record.note();
            record.bytes_in += data.len() as u64;
            record.messages_in = self.follower.messages();
            drop(record);
            followed.map_err(|error| frame_fault(&error, Blame::Client))?;
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

impl http_body::Body for Asked {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = ready!(self.poll(context));
        self.ended = matches!(polled, Some(Err(_)));
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || (self.body.is_end_stream() && self.follower.at_boundary())
    }
}

/// An answer whose messages pass as the app framed them, with the end that the client wants.
pub(in crate::protocol) struct Answered {
    body: Body,
    follower: Follower,
    record: Record,
    ending: Ending,
    ended: bool,
}

impl Answered {
    /// Follows `body`.
    pub(in crate::protocol) fn new(
        body: Body,
        ending: Ending,
        policy: &Policy,
        record: Record,
    ) -> Self {
        Self {
            body,
            follower: Follower::new(Rules {
                limit: policy.limits.response_message_bytes,
                flags: COMPRESSED,
            }),
            record,
            ending,
            ended: false,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let whole = self.follower.at_boundary();
        let next = ready!(Pin::new(&mut self.body).poll_frame(context)).transpose();
        let next = next.and_then(|frame| self.take(frame));
        Poll::Ready(match next {
            Ok(frame) => frame.map(Ok),
            Err(fault) => {
                self.ended = true;
                self.record.note().fault(&fault);
                // The answer has begun: its explicit end is a status (invariant 14). Within a
                // message an envelope would be taken for a part of it, so the answer breaks off.
                Some(if whole || self.ending.dialect == Dialect::Grpc {
                    Ok(self.ending.broken(&fault))
                } else {
                    Err(fault)
                })
            }
        })
    }

    fn take(&mut self, frame: Option<Frame<Bytes>>) -> Result<Option<Frame<Bytes>>, Fault> {
        let Some(frame) = frame else {
            return match self.ending.dialect {
                // HTTP/2 tells this end as it is.
                Dialect::Grpc => Ok(None),
                Dialect::GrpcWeb | Dialect::GrpcWebText | Dialect::Connect => Err(no_status()),
            };
        };
        let trailers = match frame.into_data() {
            Ok(data) => {
                let followed = self.follower.advance(&data);
                self.record.note().messages_out = self.follower.messages();
                followed.map_err(|error| frame_fault(&error, Blame::Upstream))?;
                return Ok(Some(Frame::data(data)));
            }
            Err(frame) => frame.into_trailers().unwrap_or_default(),
        };
        let status = note_status(&self.record, &trailers);
        if self.ending.dialect == Dialect::Grpc {
            // A cut message under a good status would look complete (invariant 14).
            if status.is_some_and(|status| status.is_ok()) {
                self.whole()?;
            }
            return Ok(Some(Frame::trailers(trailers)));
        }
        let status = status.ok_or_else(no_status)?;
        self.whole()?;
        self.ended = true;
        Ok(Some(self.ending.end(&status, trailers)))
    }

    /// The answer may end here.
    fn whole(&self) -> Result<(), Fault> {
        self.follower
            .finish()
            .map_err(|error| frame_fault(&error, Blame::Upstream))
    }
}

impl http_body::Body for Answered {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.poll(context)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || (self.ending.dialect == Dialect::Grpc && self.body.is_end_stream())
    }
}

/// Notes how the app ended a call.
pub(in crate::protocol) fn note_status(record: &Record, trailers: &HeaderMap) -> Option<Status> {
    let status = Status::from_trailers(trailers);
    record.note().code = Some(status.as_ref().map_or(Code::Unknown, |status| status.code));
    status
}

/// What a broken envelope means.
pub(in crate::protocol) fn frame_fault(error: &FrameError, blame: Blame) -> Fault {
    let what = match blame {
        Blame::Upstream => "response",
        Blame::Client | Blame::Gateway => "request",
    };
    match error {
        FrameError::TooLarge { len, limit } => Fault::new(
            blame,
            Code::ResourceExhausted,
            "MESSAGE_TOO_LARGE",
            format!("a {what} message of {len} bytes is over the limit of {limit}"),
        ),
        FrameError::BadFlag { flag } => Fault::new(
            blame,
            Code::Internal,
            "BAD_FRAME",
            format!("a {what} message has the unknown flag {flag}"),
        ),
        FrameError::Truncated => Fault::new(
            blame,
            Code::Internal,
            "TRUNCATED_MESSAGE",
            format!("the {what} ended in the middle of a message"),
        ),
    }
}
