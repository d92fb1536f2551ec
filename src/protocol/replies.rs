//! The app's answer message by message, then its last word: what responders read that cannot hand
//! the bytes on as they are.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame};

use super::reader::{Messages, no_status};
use crate::call::{Body, Fault, Reply, Status};

/// What an answer yields next.
#[derive(Debug)]
pub enum Step {
    /// A message, decompressed.
    Message(Bytes),
    /// The app's last word, and the trailers it stands in.
    Ended(Status, HeaderMap),
    /// The answer broke off.
    Failed(Fault),
}

/// The app's side of an answer: messages, then one last word.
#[derive(Debug)]
pub struct Source {
    body: Body,
    messages: Messages,
    trailers_only: Option<HeaderMap>,
    done: bool,
}

impl Source {
    /// The answer in `reply`, whose messages have at most `limit` bytes.
    pub fn new(reply: Reply, limit: usize) -> Result<Self, Fault> {
        let messages = Messages::new(&reply.metadata, limit)?;
        let Reply {
            body,
            trailers_only,
            ..
        } = reply;
        Ok(Self {
            body,
            messages,
            trailers_only,
            done: false,
        })
    }

    /// The next step; nothing follows an end or a failure.
    pub fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Option<Step>> {
        if self.done {
            return Poll::Ready(None);
        }
        let step = match ready!(self.poll_inner(context)) {
            Ok(step) => step,
            Err(fault) => Step::Failed(fault),
        };
        self.done = !matches!(step, Step::Message(_));
        Poll::Ready(Some(step))
    }

    /// How many bytes have come of messages that were not taken yet.
    pub fn waiting(&self) -> usize {
        self.messages.waiting()
    }

    /// The next message, if all of it has come already; nothing follows a failure.
    pub fn ready_message(&mut self) -> Option<Result<Bytes, Fault>> {
        if self.done || self.trailers_only.is_some() {
            return None;
        }
        let next = self.messages.take().transpose();
        self.done = matches!(next, Some(Err(_)));
        next
    }

    fn poll_inner(&mut self, context: &mut Context<'_>) -> Poll<Result<Step, Fault>> {
        loop {
            if let Some(trailers) = self.trailers_only.take() {
                return Poll::Ready(ended(trailers));
            }
            if let Some(message) = self.messages.take()? {
                return Poll::Ready(Ok(Step::Message(message)));
            }
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context)).transpose()?;
            match frame.map(Frame::into_data) {
                Some(Ok(data)) => self.messages.push(data),
                Some(Err(frame)) => {
                    self.messages.finish()?;
                    return Poll::Ready(ended(frame.into_trailers().unwrap_or_default()));
                }
                None => return Poll::Ready(Err(no_status())),
            }
        }
    }
}

fn ended(trailers: HeaderMap) -> Result<Step, Fault> {
    let status = Status::from_trailers(&trailers).ok_or_else(no_status)?;
    Ok(Step::Ended(status, trailers))
}
