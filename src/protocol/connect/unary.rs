//! Unary calls: a message is the whole body, and the status of the answer is chosen after the
//! app's last word.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, VARY,
};
use http::{HeaderMap, Response};
use http_body::Frame;

use super::error;
use super::get::Query;
use crate::call::{Blame, Body, Code, Fault, LocalFuture, Record, Reply, Status};
use crate::protocol::reader::{IdleBody, Whole, no_status};
use crate::protocol::replies::{Source, Step};
use crate::protocol::rpc::codec::Translator;
use crate::protocol::rpc::open::{self, Ask, Found, GRPC_PROTO, Opened};
use crate::protocol::rpc::{Codec, encoding, request, trailers};
use crate::protocol::{Entry, Incoming, Params, Respond};
use crate::schema::Schema;
use crate::schema::policy::Policy;
use crate::wire::compress::{Encoding, compress};
use crate::wire::frame::{HEADER_BYTES, encode_header};

/// A call by POST, the message being the body.
pub(super) fn post(params: &Rc<Params>, incoming: Incoming, found: &Found, codec: Codec) -> Entry {
    answered(params, incoming, |incoming| {
        let encoding = encoding::of_request(&incoming.head.headers, CONTENT_ENCODING.as_str())?;
        call(params, incoming, (found, codec), |body| Message::Body {
            body,
            encoding,
        })
    })
}

/// A call by GET, the message being in the query.
pub(super) fn get(params: &Rc<Params>, incoming: Incoming, found: &Found, codec: Codec) -> Entry {
    answered(params, incoming, |incoming| {
        let query = Query::parse(&incoming.head.uri)?;
        call(params, incoming, (found, codec), |_unread| {
            Message::Query(query)
        })
    })
}

/// The entry that `accept` makes, or the error that it meets.
fn answered(
    params: &Params,
    incoming: Incoming,
    accept: impl FnOnce(Incoming) -> Result<Entry, Fault>,
) -> Entry {
    let record = incoming.record.clone();
    let entry = super::version(&incoming).and_then(|()| accept(incoming));
    entry.unwrap_or_else(|fault| {
        record.note().fault(&fault);
        Entry::Answered(error::from_fault(&fault, params.reason_header))
    })
}

/// Where the one message of a call is.
enum Message {
    Body { body: Body, encoding: Encoding },
    Query(Query),
}

fn call(
    params: &Rc<Params>,
    incoming: Incoming,
    (found, codec): (&Found, Codec),
    message: impl FnOnce(Body) -> Message,
) -> Result<Entry, Fault> {
    let translator = found.translator(codec)?;
    let ask = Ask {
        params,
        grpc: false,
        content_type: &GRPC_PROTO,
    };
    let Opened {
        mut call,
        body,
        head,
    } = open::open(incoming, found, ask)?;
    let reader = Reader {
        translator: translator.clone(),
        policy: Arc::clone(&call.policy),
        record: call.record.clone(),
    };
    let by_get = head.method == http::Method::GET;
    call.body = Body::stream(Chunks {
        reading: Some(Box::pin(reader.read(message(body)))),
        ready: VecDeque::new(),
    });
    let respond = Unary {
        translator,
        content_type: match codec {
            Codec::Proto => "application/proto",
            Codec::Json => "application/json",
        },
        encoding: encoding::preferred(&head.headers, ACCEPT_ENCODING.as_str()),
        varies: by_get || head.headers.contains_key(ACCEPT_ENCODING),
        policy: Arc::clone(&call.policy),
        schema: Arc::clone(&call.schema),
        record: call.record.clone(),
        reason_header: params.reason_header,
    };
    Ok(Entry::Call(call, Box::new(respond)))
}

/// Reads the message of a call.
struct Reader {
    translator: Translator,
    policy: Arc<Policy>,
    record: Record,
}

impl Reader {
    /// The pieces of its frame.
    async fn read(self, message: Message) -> Result<VecDeque<Bytes>, Fault> {
        let limit = self.policy.limits.message_bytes;
        let (message, encoding) = match message {
            Message::Query(query) => (query.message, query.encoding),
            Message::Body { body, encoding } => {
                let body = IdleBody::new(body, self.policy.timeouts.body_idle);
                let mut whole = Whole::new(body, limit);
                let whole = poll_fn(|context| whole.poll(context)).await?;
                self.record.note().bytes_in += whole.len() as u64;
                (whole, encoding)
            }
        };
        let message = request::plain(&message, encoding, limit)?;
        self.record.note().messages_in += 1;
        self.frame(message, limit)
    }

    fn frame(&self, message: Bytes, limit: usize) -> Result<VecDeque<Bytes>, Fault> {
        /// Up to here a copy costs less than a second piece.
        const SMALL: usize = 16 << 10;
        let as_is = matches!(self.translator, Translator::Proto) && message.len() > SMALL;
        let length = u32::try_from(message.len()).ok().filter(|_| as_is);
        match length {
            Some(length) if message.len() <= limit => {
                let header: [u8; HEADER_BYTES] = encode_header(0, length);
                Ok([Bytes::copy_from_slice(&header), message].into())
            }
            _ => Ok([self.translator.request(&message, limit)?].into()),
        }
    }
}

/// A body of a few pieces that are still being made.
struct Chunks {
    reading: Option<LocalFuture<Result<VecDeque<Bytes>, Fault>>>,
    ready: VecDeque<Bytes>,
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if let Some(reading) = &mut self.reading {
            let read = ready!(reading.as_mut().poll(context));
            self.reading = None;
            self.ready = read?;
        }
        Poll::Ready(self.ready.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.reading.is_none() && self.ready.is_empty()
    }
}

/// Owns the answer.
struct Unary {
    translator: Translator,
    content_type: &'static str,
    /// What the client likes best.
    encoding: Encoding,
    /// Whether the answer depends on what the client accepts.
    varies: bool,
    policy: Arc<Policy>,
    /// The types of error details.
    schema: Arc<Schema>,
    record: Record,
    reason_header: bool,
}

impl Respond for Unary {
    fn respond(self: Box<Self>, outcome: Result<Reply, Fault>) -> LocalFuture<Response<Body>> {
        Box::pin(async move {
            let answered = match outcome {
                Ok(reply) => self.answer(reply).await,
                Err(fault) => Err(fault),
            };
            answered.unwrap_or_else(|fault| {
                self.record.note().fault(&fault);
                error::from_fault(&fault, self.reason_header)
            })
        })
    }
}

impl Unary {
    async fn answer(&self, reply: Reply) -> Result<Response<Body>, Fault> {
        let metadata = reply.metadata.clone();
        let mut source = Source::new(reply, self.policy.limits.response_message_bytes)?;
        let mut message = None;
        loop {
            match poll_fn(|context| source.poll_step(context)).await {
                Some(Step::Message(next)) => {
                    if message.replace(next).is_some() {
                        return Err(cardinality("more than one message"));
                    }
                }
                Some(Step::Ended(status, trailers)) => {
                    return self.ended(&status, &metadata, (message, &trailers));
                }
                Some(Step::Failed(fault)) => return Err(fault),
                None => return Err(no_status()),
            }
        }
    }

    fn ended(
        &self,
        status: &Status,
        metadata: &HeaderMap,
        (message, trailers): (Option<Bytes>, &HeaderMap),
    ) -> Result<Response<Body>, Fault> {
        if !status.is_ok() {
            self.record.note().code = Some(status.code);
            let sent = (metadata, trailers);
            return Ok(error::from_status(status, sent, Some(&self.schema)));
        }
        let message = message.ok_or_else(|| cardinality("no message"))?;
        let mut response = self.content(message)?;
        let headers = response.headers_mut();
        trailers::append(headers, metadata);
        error::append_trailers(headers, trailers);
        let mut record = self.record.note();
        record.messages_out = 1;
        record.code = Some(Code::Ok);
        Ok(response)
    }

    fn content(&self, message: Bytes) -> Result<Response<Body>, Fault> {
        let limit = self.policy.limits.response_message_bytes;
        let body = match self.translator {
            Translator::Proto => message,
            Translator::Json(..) => {
                let mut json = Vec::with_capacity(message.len().saturating_mul(2));
                self.translator
                    .reply(&message, limit, &self.record, &mut json)?;
                json.into()
            }
        };
        let packs = self.encoding != Encoding::Identity && body.len() >= encoding::WORTHWHILE_BYTES;
        let body = if packs {
            compress(self.encoding, &body)
        } else {
            body
        };
        let length = HeaderValue::from(body.len());
        let mut response = Response::new(Body::whole(body, None));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CONTENT_LENGTH, length);
        if packs {
            let name = HeaderValue::from_static(self.encoding.name());
            headers.insert(CONTENT_ENCODING, name);
        }
        if self.varies {
            headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        Ok(response)
    }
}

fn cardinality(what: &str) -> Fault {
    Fault::new(
        Blame::Upstream,
        Code::Unimplemented,
        "CARDINALITY",
        format!("the application answered a unary call with {what}"),
    )
}
