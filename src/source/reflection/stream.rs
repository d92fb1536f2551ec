//! One stream of questions to the application's reflection service.
//!
//! The first question is there before the call goes out: some servers send their headers only
//! with the first answer. A stream holds no question that was not put, and reads no further than
//! the answer that is waited for.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::uri::PathAndQuery;
use http_body::{Body as _, Frame};
use prost::Message as _;
use tokio::time::Instant;

use super::{Params, Send, Version};
use crate::call::record::{CallRecord, Sink};
use crate::call::{Body, Call, Code, Deadline, Fault, Peer, Record, Reply, Status};
use crate::schema::builtin::pb::reflection::server_reflection_request::MessageRequest;
use crate::schema::builtin::pb::reflection::server_reflection_response::MessageResponse;
use crate::schema::builtin::pb::reflection::{ServerReflectionRequest, ServerReflectionResponse};
use crate::schema::compile::{Input, compile};
use crate::schema::policy::Policy;
use crate::source::raw;
use crate::wire::frame::{self, Deframer, Rules};

/// How long the application may take to end a stream after the last answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// An open stream.
pub(super) struct Stream {
    questions: Rc<RefCell<Questions>>,
    body: Body,
    deframer: Deframer,
    trailers: Option<HeaderMap>,
}

/// Why a stream gives no more answers.
#[derive(Debug)]
pub(super) enum Ended {
    /// The application ended it.
    Status(Status),
    /// The call failed.
    Fault(Fault),
    /// What came is no answer.
    Junk(String),
    /// All answers together are larger than they may be.
    Exhausted,
}

impl Stream {
    /// Opens a stream with its first question.
    pub(super) async fn open(
        send: &mut Send<'_>,
        version: Version,
        params: &Params,
        first: &MessageRequest,
    ) -> Result<Self, Ended> {
        let questions = Rc::new(RefCell::new(Questions::default()));
        put(&questions, first);
        let body = Body::stream(QuestionBody(Rc::clone(&questions)));
        let reply = send(call(version, params, body))
            .await
            .map_err(Ended::Fault)?;
        let Reply {
            trailers_only,
            body,
            ..
        } = reply;
        if let Some(trailers) = trailers_only {
            return Err(Ended::of_trailers(Some(&trailers)));
        }
        Ok(Self {
            questions,
            body,
            deframer: Deframer::new(Rules::grpc(params.max_answer_bytes)),
            trailers: None,
        })
    }

    /// Puts another question.
    pub(super) fn put(&self, question: &MessageRequest) {
        put(&self.questions, question);
    }

    /// Says that there are no more questions and waits a little for the application's end: a
    /// stream that is dropped instead is a reset, and connections count those.
    pub(super) async fn close(mut self) {
        self.questions.borrow_mut().finish();
        let end = async {
            let body = &mut self.body;
            while let Some(Ok(_)) =
                poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
            {}
        };
        // Whether it ended in time makes no difference to what was said.
        let _ended = tokio::time::timeout(PATIENCE, end).await;
    }

    /// The next answer; its bytes count against `left`.
    pub(super) async fn next(&mut self, left: &mut usize) -> Result<MessageResponse, Ended> {
        loop {
            let message = self.deframer.next().map_err(|error| junk(&error))?;
            if let Some(message) = message {
                if message.compressed {
                    return Err(junk(&"an answer is compressed, which nobody asked for"));
                }
                bounded(&message.payload)?;
                let answer = ServerReflectionResponse::decode(message.payload);
                let answer = answer.map_err(|error| junk(&error))?;
                return answer
                    .message_response
                    .ok_or_else(|| junk(&"an answer says nothing"));
            }
            let frame = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await;
            match frame
                .transpose()
                .map_err(Ended::Fault)?
                .map(Frame::into_data)
            {
                Some(Ok(data)) => {
                    let Some(rest) = left.checked_sub(data.len()) else {
                        *left = 0;
                        return Err(Ended::Exhausted);
                    };
                    *left = rest;
                    self.deframer.push(data);
                }
                Some(Err(frame)) => self.trailers = frame.into_trailers().ok(),
                None => return Err(Ended::of_trailers(self.trailers.as_ref())),
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.questions.borrow_mut().finish();
    }
}

impl Ended {
    fn of_trailers(trailers: Option<&HeaderMap>) -> Self {
        match trailers.and_then(Status::from_trailers) {
            Some(status) => Self::Status(status),
            None => junk(&"the stream has no status at its end"),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Status(status) => status.code,
            Self::Fault(fault) => fault.code(),
            Self::Junk(_) => Code::Internal,
            Self::Exhausted => Code::ResourceExhausted,
        }
    }

    /// Whether it would end the same way again: the application has spoken, and not about its
    /// health or about who asks.
    pub(super) fn is_lasting(&self) -> bool {
        !matches!(
            self.code(),
            Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::ResourceExhausted
                | Code::PermissionDenied
                | Code::Unauthenticated
        )
    }

    /// Whether it may be that the application has no such service. Not every server says so by
    /// UNIMPLEMENTED, least of all one that is behind something else.
    pub(super) fn may_be_other_version(&self) -> bool {
        matches!(
            self.code(),
            Code::Unimplemented | Code::Unknown | Code::NotFound | Code::Internal
        )
    }

    /// The reason, when it would end the same way again; else the fault to try again after.
    pub(super) fn into_lasting(self) -> Result<String, Fault> {
        if self.is_lasting() {
            return Ok(self.to_string());
        }
        Err(match self {
            Self::Status(status) => Fault::from_status(status),
            Self::Fault(fault) => fault,
            Self::Junk(why) => Fault::upstream(
                Code::Internal,
                "REFLECTION_JUNK",
                "the application's reflection cannot be read",
            )
            .with_cause(why),
            Self::Exhausted => Fault::upstream(
                Code::ResourceExhausted,
                "REFLECTION_TOO_LARGE",
                "the application's reflection is larger than the limit",
            ),
        })
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) if status.is_ok() => f.write_str("the stream ended"),
            Self::Status(status) if status.message.is_empty() => status.code.fmt(f),
            Self::Status(status) => write!(f, "{}: {}", status.code, status.message),
            Self::Fault(fault) => fault.fmt(f),
            Self::Junk(why) => f.write_str(why),
            Self::Exhausted => f.write_str("the answers are larger than the limit"),
        }
    }
}

/// The lists of an answer, as bytes: both have the form of a descriptor set.
#[derive(Clone, PartialEq, prost::Message)]
struct Lists {
    #[prost(bytes = "bytes", tag = "4")]
    files: Bytes,
    #[prost(bytes = "bytes", tag = "6")]
    services: Bytes,
}

/// Refuses an answer with very many items before they are decoded: each may take two bytes on the
/// wire and many times that much in memory.
fn bounded(answer: &Bytes) -> Result<(), Ended> {
    let lists = Lists::decode(answer.clone()).map_err(|error| junk(&error))?;
    for list in [lists.files, lists.services] {
        raw::files_of(&list).map_err(|error| junk(&error))?;
    }
    Ok(())
}

fn junk(why: &dyn fmt::Display) -> Ended {
    Ended::Junk(why.to_string())
}

/// Questions on their way; at most one, since the next is put when the last was answered.
#[derive(Default)]
struct Questions {
    frames: VecDeque<Bytes>,
    is_over: bool,
    waker: Option<Waker>,
}

impl Questions {
    fn finish(&mut self) {
        self.is_over = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

fn put(questions: &RefCell<Questions>, question: &MessageRequest) {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question.clone()),
    };
    // No question is near the four gigabytes that a frame holds.
    let frame = frame::frame(0, &request.encode_to_vec()).unwrap_or_default();
    let mut questions = questions.borrow_mut();
    questions.frames.push_back(frame);
    if let Some(waker) = questions.waker.take() {
        waker.wake();
    }
}

/// The request's side of a stream.
struct QuestionBody(Rc<RefCell<Questions>>);

impl http_body::Body for QuestionBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let mut questions = self.0.borrow_mut();
        if let Some(frame) = questions.frames.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(frame))));
        }
        if questions.is_over {
            return Poll::Ready(None);
        }
        questions.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// Nobody remembers the gateway's own calls.
struct Forget;

impl Sink for Forget {
    fn finished(&self, _record: &CallRecord) {}
}

fn call(version: Version, params: &Params, body: Body) -> Call {
    let path = PathAndQuery::from_static(version.path());
    let now = Instant::now().into_std();
    let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let peer = Rc::new(Peer::new(nobody, nobody, false));
    let (head, ()) = http::Request::new(()).into_parts();
    let record = CallRecord::new(now, peer, &head);
    let mut policy = Policy::default();
    policy.limits.response_message_bytes = params.max_bytes;
    Call {
        schema: Arc::new(compile(&Input::default()).0),
        method: None,
        path,
        authority: None,
        metadata: params.metadata.clone(),
        body,
        deadline: Deadline::after(now, params.timeout),
        policy: Arc::new(policy),
        record: Record::new(record, Arc::new(Forget)),
    }
}
