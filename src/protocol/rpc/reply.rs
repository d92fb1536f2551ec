//! Answers a call in an enveloping dialect.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response};
use http_body::Frame;

use super::codec::{Translator, seal};
use super::dialect::Spoken;
use super::follow::{Answered, note_status};
use super::open::{self, Ask, GRPC_PROTO};
use super::trailers::Ending;
use super::{Dialect, encoding, request, tell_reason, text, told, trailers};
use crate::call::{Body, Code, Fault, LocalFuture, Record, Reply, Status};
use crate::protocol::replies::{Source, Step};
use crate::protocol::{Entry, Incoming, Params, Respond};
use crate::schema::policy::Policy;
use crate::wire::compress::{Encoding, compress};
use crate::wire::frame::{COMPRESSED, HEADER_BYTES};

/// Makes a call of a request in `spoken`, whose method was found, or tells at once why not.
pub(in crate::protocol) fn accept(
    params: &Rc<Params>,
    incoming: Incoming,
    spoken: Spoken,
) -> Entry {
    let record = incoming.record.clone();
    match call(params, incoming, spoken) {
        Ok(entry) => entry,
        Err(fault) => {
            record.note().fault(&fault);
            Entry::Answered(only_end(spoken, &fault, params.reason_header))
        }
    }
}

fn call(params: &Rc<Params>, incoming: Incoming, spoken: Spoken) -> Result<Entry, Fault> {
    let path = incoming.head.uri.path();
    let Some(found) = open::find(&incoming.schema, &params.own, path) else {
        return Err(open::unknown(&incoming.schema, path));
    };
    let translator = found.translator(spoken.codec)?;
    let ask = Ask {
        params,
        grpc: spoken.dialect != Dialect::Connect,
        content_type: &GRPC_PROTO,
    };
    let mut opened = open::open(incoming, &found, ask)?;
    let accepted = Accepted::of(spoken.dialect, &translator, &opened.head.headers);
    opened.call.metadata.remove("grpc-encoding");
    opened.call.metadata.remove("grpc-accept-encoding");
    for value in &accepted.forwarded {
        opened
            .call
            .metadata
            .append("grpc-accept-encoding", value.clone());
    }
    let call = request::attach(opened, spoken.dialect, &translator)?;
    let respond = Responder {
        spoken,
        ending: Ending::of(spoken.dialect, &call.schema),
        translator,
        accepted,
        policy: Arc::clone(&call.policy),
        record: call.record.clone(),
        reason_header: params.reason_header,
    };
    Ok(Entry::Call(call, Box::new(respond)))
}

/// How the answer may be compressed.
#[derive(Debug)]
struct Accepted {
    /// What the app may use, because the client undoes it: only where messages pass as they are.
    forwarded: Vec<HeaderValue>,
    /// What the gateway uses where it writes messages itself.
    own: Encoding,
}

impl Accepted {
    fn of(dialect: Dialect, translator: &Translator, headers: &HeaderMap) -> Self {
        let name = dialect.accept_encoding();
        match (translator, dialect) {
            (Translator::Proto, Dialect::Grpc | Dialect::GrpcWeb | Dialect::Connect) => Self {
                forwarded: headers.get_all(name).iter().cloned().collect(),
                own: Encoding::Identity,
            },
            (Translator::Proto | Translator::Json(..), _) => Self {
                forwarded: Vec::new(),
                own: encoding::preferred(headers, name),
            },
        }
    }

    /// Whether the client undoes what the app did.
    fn passes(&self, encoding: Option<&HeaderValue>) -> bool {
        let Some(encoding) = encoding else {
            return true;
        };
        let mut listed = HeaderMap::new();
        for value in &self.forwarded {
            listed.append("grpc-accept-encoding", value.clone());
        }
        encoding::lists(&listed, "grpc-accept-encoding", encoding.as_bytes())
    }
}

/// Owns the answer.
struct Responder {
    spoken: Spoken,
    ending: Ending,
    translator: Translator,
    accepted: Accepted,
    policy: Arc<Policy>,
    record: Record,
    reason_header: bool,
}

impl Respond for Responder {
    fn respond(self: Box<Self>, outcome: Result<Reply, Fault>) -> LocalFuture<Response<Body>> {
        let this = *self;
        let (spoken, reason_header) = (this.spoken, this.reason_header);
        let record = this.record.clone();
        let response = outcome
            .and_then(|reply| this.reply(reply))
            .unwrap_or_else(|fault| {
                record.note().fault(&fault);
                only_end(spoken, &fault, reason_header)
            });
        Box::pin(std::future::ready(response))
    }
}

impl Responder {
    fn reply(self, reply: Reply) -> Result<Response<Body>, Fault> {
        let mut response = head(self.spoken);
        let headers = response.headers_mut();
        trailers::append(headers, &reply.metadata);
        let dialect = self.spoken.dialect;
        if let Some(last) = reply.trailers_only {
            let status = note_status(&self.record, &last);
            if dialect == Dialect::Connect {
                let status = status.unwrap_or_else(|| Status::new(Code::Unknown, ""));
                *response.body_mut() = only(self.ending.end(&status, last));
            } else {
                trailers::append(headers, &last);
            }
            return Ok(response);
        }
        let encoding = reply.metadata.get("grpc-encoding");
        let as_is = matches!(self.translator, Translator::Proto)
            && dialect != Dialect::GrpcWebText
            && self.accepted.passes(encoding);
        if as_is {
            if let Some(encoding) = encoding {
                headers.insert(
                    HeaderName::from_static(dialect.encoding()),
                    encoding.clone(),
                );
            }
            let body = Answered::new(reply.body, self.ending, &self.policy, self.record);
            *response.body_mut() = Body::raw(body);
            return Ok(response);
        }
        let own = self.accepted.own;
        if own != Encoding::Identity {
            let value = HeaderValue::from_static(own.name());
            headers.insert(HeaderName::from_static(dialect.encoding()), value);
        }
        let limit = self.policy.limits.response_message_bytes;
        *response.body_mut() = Body::raw(Translated {
            source: Source::new(reply, limit)?,
            writer: Writer {
                translator: self.translator,
                encoding: own,
                text: dialect == Dialect::GrpcWebText,
                limit,
            },
            ending: self.ending,
            record: self.record,
            ended: false,
        });
        Ok(response)
    }
}

fn head(spoken: Spoken) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let content_type = HeaderValue::from_static(spoken.content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// An answer that is nothing but its end.
pub(in crate::protocol) fn only_end(
    spoken: Spoken,
    fault: &Fault,
    reason_header: bool,
) -> Response<Body> {
    let mut response = head(spoken);
    if fault.reason() == encoding::UNKNOWN {
        response.headers_mut().insert(
            HeaderName::from_static(spoken.dialect.accept_encoding()),
            HeaderValue::from_static(Encoding::ACCEPTED),
        );
    }
    if spoken.dialect == Dialect::Connect {
        *response.body_mut() = only(Ending::own(spoken.dialect).broken(fault));
    } else {
        response.headers_mut().extend(told(fault).to_trailers());
    }
    tell_reason(&mut response, fault, reason_header);
    response
}

fn only(frame: Frame<Bytes>) -> Body {
    Body::whole(frame.into_data().unwrap_or_default(), None)
}

/// An answer whose messages are written anew, one frame a message (S2).
struct Translated {
    source: Source,
    writer: Writer,
    ending: Ending,
    record: Record,
    ended: bool,
}

/// Writes messages into envelopes.
struct Writer {
    translator: Translator,
    encoding: Encoding,
    text: bool,
    limit: usize,
}

impl Writer {
    fn message(&self, message: &[u8], record: &Record) -> Result<Bytes, Fault> {
        let mut out = Vec::with_capacity(HEADER_BYTES + message.len().saturating_mul(2));
        out.resize(HEADER_BYTES, 0);
        self.translator
            .reply(message, self.limit, record, &mut out)?;
        let mut flag = 0;
        let written = out.len() - HEADER_BYTES;
        if self.encoding != Encoding::Identity && written >= encoding::WORTHWHILE_BYTES {
            let plain = Bytes::from(out.split_off(HEADER_BYTES));
            out.extend_from_slice(&compress(self.encoding, &plain));
            flag = COMPRESSED;
        }
        let frame = seal(out, flag, usize::MAX)?;
        Ok(if self.text {
            text::encode(&frame)
        } else {
            frame
        })
    }
}

impl Translated {
    fn step(&mut self, step: Step) -> Frame<Bytes> {
        let failed = match step {
            Step::Message(message) => match self.writer.message(&message, &self.record) {
                Ok(frame) => {
                    self.record.note().messages_out += 1;
                    return Frame::data(frame);
                }
                Err(fault) => fault,
            },
            Step::Ended(status, trailers) => {
                self.ended = true;
                self.record.note().code = Some(status.code);
                return self.ending.end(&status, trailers);
            }
            Step::Failed(fault) => fault,
        };
        self.ended = true;
        self.record.note().fault(&failed);
        self.ending.broken(&failed)
    }
}

impl http_body::Body for Translated {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let step = ready!(this.source.poll_step(context));
        Poll::Ready(step.map(|step| Ok(this.step(step))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
