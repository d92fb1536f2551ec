//! Answers of many messages: the status is chosen before the first one, a later failure is told
//! in-band and the stream visibly broken (S1-S4, invariant 14).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, TRAILER};
use http::{HeaderMap, Response, StatusCode};
use http_body::Frame;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::answer::Answer;
use super::error::Told;
use super::framing::Framing;
use super::media::{ResponseStream, stream_type};
use super::{error, headers, sent_headers, size, unary};
use crate::call::{Body, Code, Fault, LocalFuture, Reply, Status};
use crate::protocol::Respond;
use crate::protocol::replies::{Source, Step};
use crate::schema::policy::StreamShape;

/// More than stands around a message in any framing.
const FRAMING_BYTES: usize = 16;

/// A server-sent comment, which every client skips.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// Answers a call whose answer is a stream.
pub(super) struct Streaming {
    answer: Answer,
    shape: StreamShape,
    asked: Instant,
}

impl Streaming {
    pub(super) fn new(answer: Answer, framing: ResponseStream) -> Self {
        let shape = if answer.asked.sse {
            StreamShape::Sse
        } else {
            framing.0
        };
        let asked = Instant::now();
        Self {
            answer,
            shape,
            asked,
        }
    }
}

impl Respond for Streaming {
    fn patience(&self) -> Option<Duration> {
        (self.shape == StreamShape::Sse).then_some(self.answer.policy.rest.sse_early)
    }

    fn respond(self: Box<Self>, outcome: Result<Reply, Fault>) -> LocalFuture<Response<Body>> {
        Box::pin(async move {
            let Self {
                mut answer,
                shape,
                asked,
            } = *self;
            let reply = match outcome {
                Ok(reply) => reply,
                Err(fault) => return error::from_fault(&answer, &fault),
            };
            let metadata = reply.metadata.clone();
            let limit = answer.policy.limits.response_message_bytes;
            let mut source = match Source::new(reply, limit) {
                Ok(source) => source,
                Err(fault) => return error::from_fault(&answer, &fault),
            };
            // An early failure still has its true HTTP status (S3).
            let begins = asked + answer.policy.rest.sse_early;
            let first = first_step(begins, shape, &mut source).await;
            // Who reads lines of results finds an early failure as he finds a late one.
            answer.failed_as = Some(shape).filter(|shape| *shape == StreamShape::Result);
            match first {
                Some(Step::Failed(fault)) => error::from_fault(&answer, &fault),
                Some(Step::Ended(status, trailers)) if !status.is_ok() => {
                    error::from_status(&answer, &status, &[&metadata, &trailers])
                }
                first => begin(answer, shape, &metadata, source, first),
            }
        })
    }
}

/// Waits for the first message or the end; an event stream does not wait for ever.
async fn first_step(begins: Instant, shape: StreamShape, source: &mut Source) -> Option<Step> {
    let first = poll_fn(|context| source.poll_step(context));
    if shape != StreamShape::Sse {
        return first.await;
    }
    tokio::time::timeout_at(begins, first).await.ok().flatten()
}

/// The head goes out; from here on only the body can tell.
fn begin(
    answer: Answer,
    shape: StreamShape,
    metadata: &HeaderMap,
    source: Source,
    first: Option<Step>,
) -> Response<Body> {
    const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
    let mut response = Response::new(Body::empty());
    let status = headers::chosen_status(&[metadata], true).unwrap_or(StatusCode::OK);
    *response.status_mut() = status;
    let head = response.headers_mut();
    headers::append(
        head,
        metadata,
        answer.policy.rest.metadata_prefix.as_deref(),
    );
    if let Some(Step::Message(message)) = &first {
        sent_headers::write(&answer, message, head);
    }
    if headers::is_bodiless(status) {
        answer.record.note().code = Some(Code::Ok);
        return response;
    }
    head.insert(CONTENT_TYPE, stream_type(shape));
    if shape == StreamShape::Sse {
        head.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        head.insert(NO_BUFFERING, HeaderValue::from_static("no"));
    }
    if answer.asked.trailers && !answer.http2 {
        head.insert(
            TRAILER,
            HeaderValue::from_static("grpc-status, grpc-message"),
        );
    }
    if answer.asked.head_only {
        answer.record.note().code = Some(Code::Ok);
        return response;
    }
    let packing = answer.packing;
    let mut body = Framed::new(answer, shape, source);
    match first {
        // Nothing has gone out yet: a message that cannot be written has its true status too.
        Some(Step::Message(message)) => {
            let mut out = Vec::new();
            if let Err(fault) = body.write(&message, &mut out) {
                return error::from_fault(&body.answer, &fault);
            }
            body.written.add(out.len());
            body.written.bytes = out.into();
        }
        Some(last) => body.take(last),
        // An early head leaves at once only if something follows it.
        None => body.ready.push_back(Ok(Frame::data(COMMENT))),
    }
    *response.body_mut() = Body::raw(body);
    packing.apply(response)
}

fn keep_alive(answer: &Answer) -> Interval {
    let period = answer.policy.rest.sse_keep_alive;
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// A streamed answer: one frame a message, never two in one (S2).
struct Framed {
    answer: Answer,
    source: Source,
    framing: Framing,
    /// Messages on their way out; what is in `ready` comes after them.
    written: Written,
    ready: VecDeque<Result<Frame<Bytes>, Fault>>,
    keep_alive: Option<Interval>,
    /// Something has left since the app was last waited for.
    left: bool,
    ended: bool,
}

/// Messages that are written, one after the other in one piece of memory.
#[derive(Default)]
struct Written {
    bytes: Bytes,
    lengths: VecDeque<usize>,
}

impl Written {
    fn add(&mut self, length: usize) {
        self.lengths.push_back(length);
    }

    fn next(&mut self) -> Option<Bytes> {
        let length = self.lengths.pop_front()?;
        if self.lengths.is_empty() {
            return Some(std::mem::take(&mut self.bytes));
        }
        Some(self.bytes.split_to(length))
    }
}

impl Framed {
    fn new(answer: Answer, shape: StreamShape, source: Source) -> Self {
        let numbered = answer.policy.rest.sse_ids;
        Self {
            keep_alive: (shape == StreamShape::Sse).then(|| keep_alive(&answer)),
            answer,
            source,
            framing: Framing::new(shape).numbered(numbered),
            written: Written::default(),
            ready: VecDeque::new(),
            left: false,
            ended: false,
        }
    }

    /// Appends one message as it leaves.
    fn write(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        // Lines and events must not be broken by indentation.
        let indent = match self.framing.shape() {
            StreamShape::Array => self.answer.json.indent,
            StreamShape::Ndjson | StreamShape::Sse | StreamShape::Result => 0,
        };
        self.framing.begin(out);
        unary::to_json(&self.answer, message, indent, out)?;
        self.framing.finish(out);
        self.answer.record.note().messages_out += 1;
        Ok(())
    }

    /// Writes a message, and with it those that have come already, so that they share memory:
    /// each is a frame of its own all the same.
    fn write_all(&mut self, first: Bytes) {
        /// More than this is not written before it is asked for.
        const AT_ONCE: usize = 16 << 10;
        let ahead = (first.len() + self.source.waiting()).min(AT_ONCE / 2);
        let mut out = Vec::with_capacity(size::expected(ahead) + FRAMING_BYTES);
        let mut next = Some(Ok(first));
        let mut failed = None;
        while let Some(message) = next {
            let before = out.len();
            let written = message.and_then(|message| self.write(&message, &mut out));
            if let Err(fault) = written {
                out.truncate(before);
                failed = Some(fault);
                break;
            }
            self.written.add(out.len() - before);
            next = (out.len() < AT_ONCE)
                .then(|| self.source.ready_message())
                .flatten();
        }
        self.written.bytes = out.into();
        if let Some(fault) = failed {
            self.take(Step::Failed(fault));
        }
    }

    /// Turns one step of the app into what leaves.
    fn take(&mut self, step: Step) {
        match step {
            Step::Message(message) => self.write_all(message),
            Step::Ended(status, trailers) if status.is_ok() => {
                self.answer.record.note().code = Some(Code::Ok);
                let end = self.framing.end();
                if !end.is_empty() {
                    self.ready
                        .push_back(Ok(Frame::data(Bytes::from_static(end))));
                }
                self.finish(&status, &trailers);
            }
            Step::Ended(status, trailers) => {
                self.answer.record.note().code = Some(status.code);
                let told = Told::status(&self.answer, &status, status.code.http());
                self.fail(&told, &status, &trailers, || {
                    Fault::from_status(status.clone())
                });
            }
            Step::Failed(fault) => {
                self.answer.record.note().fault(&fault);
                let told = Told::fault(&self.answer, &fault);
                let status = Status::new(fault.code(), fault.message());
                self.fail(&told, &status, &HeaderMap::new(), || fault);
            }
        }
    }

    /// A failure after the head went out (S4).
    fn fail(
        &mut self,
        told: &Told,
        status: &Status,
        trailers: &HeaderMap,
        broken: impl FnOnce() -> Fault,
    ) {
        let shape = self.answer.shape_within(self.framing.shape());
        if let Some(last) = self.framing.failure(&told.in_band(shape)) {
            self.ready.push_back(Ok(Frame::data(last.into())));
            self.finish(status, trailers);
        } else {
            self.ready.push_back(Err(broken()));
            self.ended = true;
        }
    }

    /// The last word, in HTTP trailers where the client takes them.
    fn finish(&mut self, status: &Status, trailers: &HeaderMap) {
        self.ended = true;
        self.answer.record.note().code = Some(status.code);
        let mut last = HeaderMap::new();
        if self.answer.http2 || self.answer.asked.trailers {
            headers::append(
                &mut last,
                trailers,
                self.answer.policy.rest.metadata_prefix.as_deref(),
            );
        }
        if self.answer.asked.trailers {
            last.extend(status.to_trailers());
        }
        if !last.is_empty() {
            self.ready.push_back(Ok(Frame::trailers(last)));
        }
    }
}

impl http_body::Body for Framed {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = self.get_mut();
        loop {
            let message = this.written.next().map(|data| Ok(Frame::data(data)));
            if let Some(frame) = message.or_else(|| this.ready.pop_front()) {
                this.left = true;
                return Poll::Ready(Some(frame));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            match this.source.poll_step(context) {
                Poll::Ready(Some(step)) => this.take(step),
                Poll::Ready(None) => this.ended = true,
                Poll::Pending => {
                    let Some(interval) = &mut this.keep_alive else {
                        return Poll::Pending;
                    };
                    if std::mem::take(&mut this.left) {
                        interval.reset();
                    }
                    ready!(interval.poll_tick(context));
                    this.ready.push_back(Ok(Frame::data(COMMENT)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.written.lengths.is_empty() && self.ready.is_empty()
    }
}
