//! Request bodies: JSON in, gRPC frames out, nothing before it is polled for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderValue;
use http_body::{Body as _, Frame};

use super::media::RequestStream;
use crate::call::{Body, Fault, Record};
use crate::protocol::reader::{IdleBody, Whole, too_large};
use crate::schema::binding::{Binding, BodyTarget};
use crate::schema::policy::Policy;
use crate::schema::{BindingId, Schema};
use crate::transcode::bind::Bound;
use crate::transcode::http_body::HttpBody;
use crate::transcode::json_to_wire::{self, Rejection};
use crate::transcode::split::Splitter;
use crate::wire::frame::{HEADER_BYTES, encode_header};

/// Everything that turns the JSON of one request into messages.
pub(super) struct Reader {
    pub(super) schema: Arc<Schema>,
    pub(super) binding: BindingId,
    pub(super) policy: Arc<Policy>,
    /// What path and query say; it goes into the first message only.
    pub(super) bound: Bound,
    pub(super) record: Record,
}

impl Reader {
    fn binding(&self) -> &Binding {
        self.schema.binding(self.binding)
    }

    /// One message as a gRPC frame, of bytes that are no JSON (S8).
    pub(super) fn raw(
        &self,
        bound: &Bound,
        content_type: Option<&HeaderValue>,
        data: &[u8],
    ) -> Result<Bytes, Fault> {
        let within = match self.binding().body {
            BodyTarget::None | BodyTarget::Whole => None,
            BodyTarget::Field(step) => Some(step.number),
        };
        let body = HttpBody {
            content_type: content_type.map_or(b"", HeaderValue::as_bytes),
            data,
        };
        let mut frame = vec![0; HEADER_BYTES];
        body.write(within, &mut frame);
        frame.extend_from_slice(&bound.wire);
        self.framed(frame)
    }

    /// The message of a unary request whose body is all there.
    fn whole(&self, form: &Form, body: &Bytes) -> Result<Bytes, Fault> {
        self.record.note().bytes_in += body.len() as u64;
        match form {
            Form::Raw(content_type) => self.raw(&self.bound, content_type.as_ref(), body),
            Form::Json if self.binding().body == BodyTarget::None && !body.is_empty() => Err(
                Fault::invalid("UNEXPECTED_BODY", "this route takes no request body"),
            ),
            Form::Json => self.message(&self.bound, body),
        }
    }

    /// One message as a gRPC frame.
    fn message(&self, bound: &Bound, json: &[u8]) -> Result<Bytes, Fault> {
        let binding = self.binding();
        let request = json_to_wire::Request {
            tables: &self.schema.tables,
            message: self.schema.method(binding.method).input,
            target: &binding.body,
            bound,
            options: &self.policy.json,
            limit: self.policy.limits.message_bytes,
        };
        // A body that is none needs none.
        let room = match json.len() {
            0 => 0,
            length => length + json_to_wire::ROOM,
        };
        let mut frame = Vec::with_capacity(HEADER_BYTES + room + bound.wire.len());
        frame.resize(HEADER_BYTES, 0);
        json_to_wire::transcode(&request, json, &mut frame)
            .map_err(|rejection| rejected(rejection, request.limit))?;
        self.framed(frame)
    }

    /// Writes the head of a frame into the place that was left for it.
    fn framed(&self, mut frame: Vec<u8>) -> Result<Bytes, Fault> {
        let limit = self.policy.limits.message_bytes;
        let length = frame.len() - HEADER_BYTES;
        let length = u32::try_from(length).ok().filter(|_| length <= limit);
        let Some(length) = length else {
            return Err(too_large(limit));
        };
        let header = encode_header(0, length);
        for (place, byte) in frame.iter_mut().zip(header) {
            *place = byte;
        }
        self.record.note().messages_in += 1;
        Ok(frame.into())
    }
}

/// What the body of a unary request is.
enum Form {
    Json,
    /// Bytes of this type, which are passed as they are (S8).
    Raw(Option<HeaderValue>),
}

/// The one message of a unary request whose body is no JSON (S8).
pub(super) fn raw(reader: Reader, body: Body, content_type: Option<HeaderValue>) -> Body {
    one(reader, body, Form::Raw(content_type))
}

/// The one message of a unary request.
pub(super) fn unary(reader: Reader, body: Body) -> Body {
    one(reader, body, Form::Json)
}

fn one(reader: Reader, body: Body, form: Form) -> Body {
    if body.is_end_stream() {
        // There is nothing to read: the message is what path and query say.
        return match reader.whole(&form, &Bytes::new()) {
            Ok(frame) => Body::whole(frame, None),
            Err(fault) => Body::stream(Failed(Some(fault))),
        };
    }
    let body = IdleBody::new(body, reader.policy.timeouts.body_idle);
    let whole = Whole::new(body, reader.policy.limits.request_bytes);
    Body::stream(Once(Some((reader, whole, form))))
}

/// A body of one frame that is still being made.
struct Once(Option<(Reader, Whole, Form)>);

impl http_body::Body for Once {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let Some((reader, whole, form)) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let json = ready!(whole.poll(context));
        let frame = json.and_then(|json| reader.whole(form, &json));
        self.0 = None;
        Poll::Ready(Some(frame.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

/// A body that is a fault and nothing else.
struct Failed(Option<Fault>);

impl http_body::Body for Failed {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        Poll::Ready(self.0.take().map(Err))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

/// The messages of a streaming request, each sent on as soon as it is complete (S5).
pub(super) fn stream(reader: Reader, body: Body, framing: RequestStream) -> Body {
    let limit = reader.policy.limits.message_bytes;
    let splitter = Splitter::new(framing.0, limit);
    Body::stream(Values {
        reader,
        body: Some(body),
        splitter,
        sent: false,
    })
}

struct Values {
    reader: Reader,
    /// `None` once the client has sent everything.
    body: Option<Body>,
    splitter: Splitter,
    sent: bool,
}

impl Values {
    /// The next message that is complete, if one is.
    fn take(&mut self) -> Result<Option<Bytes>, Fault> {
        let limit = self.reader.policy.limits.message_bytes;
        let next = self
            .splitter
            .next_value()
            .map_err(|rejection| rejected(rejection, limit))?;
        let Some(json) = next else { return Ok(None) };
        if self.reader.binding().body == BodyTarget::None {
            return Err(Fault::invalid(
                "UNEXPECTED_BODY",
                "this route takes no request body",
            ));
        }
        self.message(&json).map(Some)
    }

    /// Path and query belong to the first message.
    fn message(&mut self, json: &[u8]) -> Result<Bytes, Fault> {
        let first = !std::mem::replace(&mut self.sent, true);
        let bound = if first {
            std::mem::take(&mut self.reader.bound)
        } else {
            Bound::default()
        };
        self.reader.message(&bound, json)
    }

    /// After the last value: a message of path and query alone, when the body had none and there
    /// is something that it would say.
    fn alone(&mut self) -> Result<Option<Bytes>, Fault> {
        let says =
            self.reader.binding().body == BodyTarget::None || !self.reader.bound.wire.is_empty();
        if self.sent || !says {
            Ok(None)
        } else {
            self.message(b"").map(Some)
        }
    }
}

impl http_body::Body for Values {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = self.get_mut();
        loop {
            if let Some(frame) = this.take().transpose() {
                return Poll::Ready(Some(frame.map(Frame::data)));
            }
            let Some(body) = &mut this.body else {
                let alone = this.alone().transpose();
                return Poll::Ready(alone.map(|frame| frame.map(Frame::data)));
            };
            match ready!(Pin::new(body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    this.reader.record.note().bytes_in += data.len() as u64;
                    this.splitter.push(&data);
                }
                Some(Err(fault)) => return Poll::Ready(Some(Err(fault))),
                None => {
                    this.body = None;
                    this.splitter.finish();
                }
            }
        }
    }
}

fn rejected(rejection: Rejection, limit: usize) -> Fault {
    match rejection {
        Rejection::Invalid(violations) => Fault::violations(violations),
        Rejection::TooLarge => too_large(limit),
    }
}
