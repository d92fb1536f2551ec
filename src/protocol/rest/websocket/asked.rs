//! The messages of a client, as the application gets them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;

use crate::call::{Fault, Record};
use crate::protocol::reader::too_large;
use crate::protocol::websocket::{Message, Talk};
use crate::schema::binding::{Binding, BodyTarget};
use crate::schema::policy::Policy;
use crate::schema::{BindingId, Schema};
use crate::transcode::bind::Bound;
use crate::transcode::json_to_wire::{self, Rejection};
use crate::wire::frame::{HEADER_BYTES, encode_header};

/// What turns the client's messages into the application's.
pub(super) struct Reader {
    pub(super) schema: Arc<Schema>,
    pub(super) binding: BindingId,
    pub(super) policy: Arc<Policy>,
    /// What path and query say; it goes into the first message only.
    pub(super) bound: Bound,
    pub(super) record: Record,
}

/// The body of a call.
pub(super) struct Asked {
    talk: Talk,
    reader: Reader,
    /// The method takes any number of messages.
    streams: bool,
    sent: bool,
    done: bool,
}

impl Asked {
    pub(super) fn new(talk: Talk, reader: Reader) -> Self {
        let method = reader.binding().method;
        let streams = reader.schema.method(method).kind.client_streams();
        Self {
            talk,
            streams,
            reader,
            sent: false,
            done: false,
        }
    }

    /// Nothing is waited for: the URL says it all.
    fn is_said(&self) -> bool {
        !self.streams && self.reader.binding().body == BodyTarget::None
    }

    /// One message on its way.
    fn message(&mut self, message: &Message) -> Result<Bytes, Fault> {
        let bound = self.first();
        self.done = !self.streams;
        self.reader.record.note().bytes_in += message.bytes().len() as u64;
        match message {
            Message::Text(json) => self.reader.json(&bound, json),
            Message::Binary(wire) => self.reader.wire(&bound, wire),
        }
    }

    /// The client has nothing more to say: what the URL says is a message when there was no other
    /// and one is due, or it says something.
    fn alone(&mut self) -> Result<Option<Bytes>, Fault> {
        self.done = true;
        let due = !self.streams || !self.reader.bound.wire.is_empty();
        if self.sent || !due {
            return Ok(None);
        }
        let bound = self.first();
        self.reader.json(&bound, b"").map(Some)
    }

    fn first(&mut self) -> Bound {
        if std::mem::replace(&mut self.sent, true) {
            Bound::default()
        } else {
            std::mem::take(&mut self.reader.bound)
        }
    }
}

impl http_body::Body for Asked {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = &mut *self;
        if this.done {
            return Poll::Ready(None);
        }
        let frame = if this.is_said() {
            this.alone()
        } else {
            match ready!(this.talk.poll_message(context)).transpose() {
                Ok(Some(message)) => this.message(&message).map(Some),
                Ok(None) => this.alone(),
                Err(fault) => Err(fault),
            }
        };
        this.done |= frame.is_err();
        if this.done {
            this.talk.complete();
        }
        Poll::Ready(frame.transpose().map(|frame| frame.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.done
    }
}

impl Reader {
    fn binding(&self) -> &Binding {
        self.schema.binding(self.binding)
    }

    /// A message of JSON, which stands where a body of REST would. A rule without a body has no
    /// such place, and a stream of messages needs one: it is the whole message then.
    fn json(&self, bound: &Bound, json: &[u8]) -> Result<Bytes, Fault> {
        let binding = self.binding();
        let target = match &binding.body {
            BodyTarget::None if !json.is_empty() => &BodyTarget::Whole,
            target => target,
        };
        let request = json_to_wire::Request {
            tables: &self.schema.tables,
            message: self.schema.method(binding.method).input,
            target,
            bound,
            options: &self.policy.json,
            limit: self.policy.limits.message_bytes,
        };
        let room = HEADER_BYTES + json.len() + json_to_wire::ROOM + bound.wire.len();
        let mut frame = Vec::with_capacity(room);
        frame.resize(HEADER_BYTES, 0);
        json_to_wire::transcode(&request, json, &mut frame).map_err(
            |rejection| match rejection {
                Rejection::Invalid(violations) => Fault::violations(violations),
                Rejection::TooLarge => too_large(request.limit),
            },
        )?;
        self.framed(frame)
    }

    /// A message of protobuf; what the URL says comes after it and so counts.
    fn wire(&self, bound: &Bound, wire: &[u8]) -> Result<Bytes, Fault> {
        let mut frame = Vec::with_capacity(HEADER_BYTES + wire.len() + bound.wire.len());
        frame.resize(HEADER_BYTES, 0);
        frame.extend_from_slice(wire);
        frame.extend_from_slice(&bound.wire);
        self.framed(frame)
    }

    /// Writes the head of a frame into the place that was left for it.
    fn framed(&self, mut frame: Vec<u8>) -> Result<Bytes, Fault> {
        let limit = self.policy.limits.message_bytes;
        let length = frame.len() - HEADER_BYTES;
        let length = u32::try_from(length).ok().filter(|_| length <= limit);
        let header = encode_header(0, length.ok_or_else(|| too_large(limit))?);
        for (place, byte) in frame.iter_mut().zip(header) {
            *place = byte;
        }
        self.record.note().messages_in += 1;
        Ok(frame.into())
    }
}
