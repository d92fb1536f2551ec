//! Request bodies: JSON, forms or protobuf in, gRPC frames out, nothing before it is polled for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderValue;
use http_body::{Body as _, Frame};

use super::media::RequestStream;
use super::sent::{self, Form, Sent};
use crate::call::{Body, Fault, Record};
use crate::protocol::reader::{IdleBody, Whole, too_large};
use crate::schema::binding::{Binding, BodyTarget};
use crate::schema::policy::Policy;
use crate::schema::{BindingId, Schema};
use crate::transcode::bind::{self, Bound};
use crate::transcode::http_body::HttpBody;
use crate::transcode::json_to_wire::{self, Rejection};
use crate::transcode::raw_message;
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
    fn whole(&mut self, sent: &Sent, body: Bytes) -> Result<Bytes, Fault> {
        self.record.note().bytes_in += body.len() as u64;
        let body = sent::decoded(sent.encoding, body, self.policy.limits.request_bytes)?;
        let form = match &sent.form {
            Form::Raw(content_type) => return self.raw(&self.bound, content_type.as_ref(), &body),
            _ if self.binding().body == BodyTarget::None && !body.is_empty() => {
                return Err(Fault::invalid(
                    "UNEXPECTED_BODY",
                    "this route takes no request body",
                ));
            }
            // Nothing is nothing in every form (B10).
            _ if body.is_empty() => return self.message(&self.bound, b""),
            Form::Json => {
                if self.binding().update_mask.is_some() {
                    let mut bound = std::mem::take(&mut self.bound);
                    bound.infer_update_mask(&self.input(), &body);
                    self.bound = bound;
                }
                return self.message(&self.bound, &body);
            }
            Form::Protobuf => return self.protobuf(&body),
            Form::Urlencoded => bind::Form::Urlencoded(&body),
            Form::Multipart(boundary) => bind::Form::Multipart {
                boundary,
                body: &body,
            },
        };
        let bound = std::mem::take(&mut self.bound);
        let bound = bind::form(&self.input(), bound, form).map_err(Fault::violations)?;
        self.message(&bound, b"")
    }

    /// Where the body goes.
    fn input(&self) -> bind::Input<'_> {
        let binding = self.binding();
        bind::Input {
            tables: &self.schema.tables,
            message: self.schema.method(binding.method).input,
            binding,
            captures: &[],
            headers: &[],
            query: None,
            rest: &self.policy.rest,
            json: &self.policy.json,
        }
    }

    fn request<'r>(&'r self, bound: &'r Bound) -> json_to_wire::Request<'r> {
        let binding = self.binding();
        json_to_wire::Request {
            tables: &self.schema.tables,
            message: self.schema.method(binding.method).input,
            target: &binding.body,
            bound,
            options: &self.policy.json,
            limit: self.policy.limits.message_bytes,
        }
    }

    /// A message that is one already, as a gRPC frame.
    fn protobuf(&self, body: &[u8]) -> Result<Bytes, Fault> {
        let request = self.request(&self.bound);
        let mut frame = vec![0; HEADER_BYTES];
        raw_message::append(&request, body, &mut frame)
            .map_err(|rejection| rejected(rejection, request.limit))?;
        self.framed(frame)
    }

    /// One message as a gRPC frame.
    fn message(&self, bound: &Bound, json: &[u8]) -> Result<Bytes, Fault> {
        let request = self.request(bound);
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

/// The one message of a unary request.
pub(super) fn unary(mut reader: Reader, body: Body, sent: Sent) -> Body {
    if body.is_end_stream() {
        // There is nothing to read: the message is what path and query say.
        return match reader.whole(&sent, Bytes::new()) {
            Ok(frame) => Body::whole(frame, None),
            Err(fault) => Body::stream(Failed(Some(fault))),
        };
    }
    let body = IdleBody::new(body, reader.policy.timeouts.body_idle);
    let whole = Whole::new(body, reader.policy.limits.request_bytes);
    Body::stream(Once(Some((reader, whole, sent))))
}

/// A body of one frame that is still being made.
struct Once(Option<(Reader, Whole, Sent)>);

impl http_body::Body for Once {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let Some((reader, whole, sent)) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let body = ready!(whole.poll(context));
        let frame = body.and_then(|body| reader.whole(sent, body));
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
