//! Bodies that are no JSON: `google.api.HttpBody` in requests and answers, whole and streamed (S8).
//!
//! Content is never parsed, and never held together on its way: an upload becomes a message with
//! every piece that comes, a download goes out as it comes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body::Frame;

use super::answer::Answer;
use super::request::Reader;
use super::{error, headers, sent_headers};
use crate::call::{Body, Code, Fault, LocalFuture, Reply, Status};
use crate::protocol::Respond;
use crate::protocol::replies::{Source, Step};
use crate::transcode::http_body::HttpBody;

/// The most of an upload that goes into one message, in bytes.
const MOST: usize = 1 << 20;

/// The messages of a streamed upload. An empty body is one message, too.
pub(super) fn upload(reader: Reader, body: Body, content_type: Option<HeaderValue>) -> Body {
    // Type, tags and lengths take their share of a message.
    let overhead = 64 + content_type.as_ref().map_or(0, HeaderValue::len) + reader.bound.wire.len();
    let most = reader.policy.limits.message_bytes.saturating_sub(overhead);
    Body::stream(Upload {
        most: most.clamp(1, MOST),
        reader,
        body,
        content_type,
        rest: Bytes::new(),
        begun: false,
        ended: false,
    })
}

struct Upload {
    reader: Reader,
    body: Body,
    /// For the first message only.
    content_type: Option<HeaderValue>,
    /// What came and is not sent on yet.
    rest: Bytes,
    most: usize,
    begun: bool,
    ended: bool,
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = self.get_mut();
        while this.rest.is_empty() && !this.ended {
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    this.reader.record.note().bytes_in += data.len() as u64;
                    this.rest = data;
                }
                Some(Err(fault)) => return Poll::Ready(Some(Err(fault))),
                None => this.ended = true,
            }
        }
        if this.rest.is_empty() && this.begun {
            return Poll::Ready(None);
        }
        let piece = this.rest.split_to(this.rest.len().min(this.most));
        let bound = (!this.begun).then(|| std::mem::take(&mut this.reader.bound));
        this.begun = true;
        let content_type = this.content_type.take();
        let message = this.reader.raw(
            &bound.unwrap_or_default(),
            content_type.as_ref(),
            piece.as_ref(),
        );
        Poll::Ready(Some(message.map(Frame::data)))
    }
}

/// The content of one message of the answer, without a copy.
fn content(answer: &Answer, message: &Bytes) -> Result<(Option<HeaderValue>, Bytes), Fault> {
    let within = answer
        .output
        .and_then(|(_, selection)| selection)
        .map(|step| step.number);
    let body = HttpBody::read(message, within).map_err(|error| {
        Fault::upstream(
            Code::Internal,
            "BAD_RESPONSE",
            "the response of the application cannot be read",
        )
        .with_cause(error)
    })?;
    let content_type = (!body.content_type.is_empty())
        .then(|| HeaderValue::from_bytes(body.content_type).ok())
        .flatten();
    Ok((content_type, message.slice_ref(body.data)))
}

/// A whole answer under the type that the application gave it.
pub(super) fn whole(answer: &Answer, message: &Bytes) -> Result<Response<Body>, Fault> {
    let (content_type, data) = content(answer, message)?;
    let length = HeaderValue::from(data.len());
    let mut response = Response::new(if answer.asked.head_only {
        Body::empty()
    } else {
        Body::whole(data, None)
    });
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, length);
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, content_type);
    }
    Ok(response)
}

/// Answers with the content of a stream of messages, one after the other.
pub(super) struct Download(pub(super) Answer);

impl Respond for Download {
    fn respond(self: Box<Self>, outcome: Result<Reply, Fault>) -> LocalFuture<Response<Body>> {
        Box::pin(async move {
            let answer = self.0;
            match begin(&answer, outcome).await {
                Ok(Begun::Content(mut response, source, ready)) => {
                    let packing = answer.packing;
                    *response.body_mut() = Body::raw(Content {
                        answer,
                        source,
                        ready,
                    });
                    packing.apply(response)
                }
                Ok(Begun::Answered(response)) => response,
                Err(fault) => error::from_fault(&answer, &fault),
            }
        })
    }
}

/// What is known when the head of a download goes out.
enum Begun {
    /// There is no content.
    Answered(Response<Body>),
    /// The first message is there, and more may follow.
    Content(Response<Body>, Box<Source>, VecDeque<Frame<Bytes>>),
}

/// Waits for the first message, which knows the type; an early failure has its true status (S3).
async fn begin(answer: &Answer, outcome: Result<Reply, Fault>) -> Result<Begun, Fault> {
    let reply = outcome?;
    let metadata = reply.metadata.clone();
    let mut source = Source::new(reply, answer.policy.limits.response_message_bytes)?;
    let mut response = Response::new(Body::empty());
    let mut ready = VecDeque::new();
    let mut first = None;
    match poll_fn(|context| source.poll_step(context)).await {
        Some(Step::Failed(fault)) => return Err(fault),
        Some(Step::Ended(status, trailers)) if !status.is_ok() => {
            let response = error::from_status(answer, &status, &[&metadata, &trailers]);
            return Ok(Begun::Answered(response));
        }
        Some(Step::Ended(_, trailers)) => ready.extend(last(answer, &Status::ok(), &trailers)),
        Some(Step::Message(message)) => {
            let (content_type, data) = content(answer, &message)?;
            answer.record.note().messages_out += 1;
            if let Some(content_type) = content_type {
                response.headers_mut().insert(CONTENT_TYPE, content_type);
            }
            ready.extend((!data.is_empty()).then(|| Frame::data(data)));
            first = Some(message);
        }
        None => {}
    }
    let status = headers::chosen_status(&[&metadata], true).unwrap_or(StatusCode::OK);
    *response.status_mut() = status;
    let prefix = answer.policy.rest.metadata_prefix.as_deref();
    headers::append(response.headers_mut(), &metadata, prefix);
    if let Some(first) = first {
        sent_headers::write(answer, &first, response.headers_mut());
    }
    if headers::is_bodiless(status) || answer.asked.head_only {
        answer.record.note().code = Some(Code::Ok);
        return Ok(Begun::Answered(response));
    }
    Ok(Begun::Content(response, Box::new(source), ready))
}

/// The last word, in HTTP trailers where the client takes them.
fn last(answer: &Answer, status: &Status, trailers: &HeaderMap) -> Option<Frame<Bytes>> {
    answer.record.note().code = Some(status.code);
    let mut last = HeaderMap::new();
    if answer.http2 || answer.asked.trailers {
        let prefix = answer.policy.rest.metadata_prefix.as_deref();
        headers::append(&mut last, trailers, prefix);
    }
    if answer.asked.trailers {
        last.extend(status.to_trailers());
    }
    (!last.is_empty()).then(|| Frame::trailers(last))
}

/// A download under way.
struct Content {
    answer: Answer,
    source: Box<Source>,
    ready: VecDeque<Frame<Bytes>>,
}

impl Content {
    /// A failure in the middle can only be told by breaking off (S4).
    fn broken(&self, fault: Fault) -> Fault {
        self.answer.record.note().fault(&fault);
        fault
    }
}

impl http_body::Body for Content {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = self.get_mut();
        loop {
            if let Some(frame) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            let Some(step) = ready!(this.source.poll_step(context)) else {
                return Poll::Ready(None);
            };
            match step {
                Step::Message(message) => match content(&this.answer, &message) {
                    Ok((_, data)) => {
                        this.answer.record.note().messages_out += 1;
                        this.ready
                            .extend((!data.is_empty()).then(|| Frame::data(data)));
                    }
                    Err(fault) => return Poll::Ready(Some(Err(this.broken(fault)))),
                },
                Step::Ended(status, trailers) if status.is_ok() => {
                    this.ready.extend(last(&this.answer, &status, &trailers));
                }
                Step::Ended(status, _) => {
                    this.answer.record.note().code = Some(status.code);
                    return Poll::Ready(Some(Err(Fault::from_status(status))));
                }
                Step::Failed(fault) => return Poll::Ready(Some(Err(this.broken(fault)))),
            }
        }
    }
}
