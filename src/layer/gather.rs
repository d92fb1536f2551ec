//! Waits for the one message of a unary request before anything is sent.
//!
//! Bad JSON is then the client's fault and the app never hears of it; a half-sent request never
//! occupies the app; and the cardinality that gRPC demands is checked here, because some servers
//! do not (PROTOCOLS, "gRPC"). Bytes are collected as they are, never joined (invariant 10).

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::Service;

use crate::call::{Blame, Body, Call, Code, Fault, Reply};
use crate::wire::frame::{Follower, Rules};

/// The gathering layer around `S`.
#[derive(Clone, Debug)]
pub struct Gather<S> {
    inner: S,
}

impl<S> Gather<S> {
    /// Wraps `inner`.
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S> Service<Call> for Gather<S>
where
    S: Service<Call, Response = Reply, Error = Fault> + Clone,
{
    type Response = Reply;
    type Error = Fault;
    type Future = GatherFuture<S>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        if call.kind().client_streams() {
            return GatherFuture::Asking {
                asked: self.inner.call(call),
            };
        }
        // Sizes were checked by whoever framed the body; here only frames are counted.
        let follower = Follower::new(Rules::grpc(usize::MAX));
        if let Some(whole) = call.body.whole_data() {
            let mut follower = follower;
            return match check(&mut follower, whole).and_then(|()| check_end(&follower)) {
                Ok(()) => GatherFuture::Asking {
                    asked: self.inner.call(call),
                },
                Err(fault) => GatherFuture::Refused { fault: Some(fault) },
            };
        }
        GatherFuture::Gathering {
            gathering: Box::new(Gathering {
                follower,
                chunks: VecDeque::new(),
                inner: self.inner.clone(),
                call: Some(call),
            }),
        }
    }
}

pin_project! {
    /// A call that is gathered, then asked.
    #[project = Stage]
    #[allow(missing_docs, reason = "the macro takes no documentation on these fields")]
    pub enum GatherFuture<S: Service<Call>> {
        /// The request is still coming.
        Gathering { gathering: Box<Gathering<S>> },
        /// The request was all there, and wrong.
        Refused { fault: Option<Fault> },
        /// The call is on its way.
        Asking { #[pin] asked: S::Future },
    }
}

/// What has come of a request so far.
pub struct Gathering<S> {
    follower: Follower,
    chunks: VecDeque<Bytes>,
    inner: S,
    call: Option<Call>,
}

impl<S> Future for GatherFuture<S>
where
    S: Service<Call, Response = Reply, Error = Fault>,
{
    type Output = Result<Reply, Fault>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let next = match self.as_mut().project() {
                Stage::Asking { asked } => return asked.poll(context),
                Stage::Refused { fault } => {
                    return fault
                        .take()
                        .map_or(Poll::Pending, |fault| Poll::Ready(Err(fault)));
                }
                Stage::Gathering { gathering } => {
                    let call = ready!(gathering.poll(context))?;
                    Self::Asking {
                        asked: gathering.inner.call(call),
                    }
                }
            };
            self.set(next);
        }
    }
}

impl<S> Gathering<S> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Call, Fault>> {
        let Some(call) = &mut self.call else {
            return Poll::Pending;
        };
        while let Some(frame) = ready!(Pin::new(&mut call.body).poll_frame(context)) {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            check(&mut self.follower, &data)?;
            self.chunks.push_back(data);
        }
        check_end(&self.follower)?;
        let mut chunks = std::mem::take(&mut self.chunks);
        let body = match chunks.pop_front() {
            Some(only) if chunks.is_empty() => Body::whole(only, None),
            Some(first) => {
                chunks.push_front(first);
                Body::stream(Chunks(chunks))
            }
            None => Body::empty(),
        };
        Poll::Ready(
            self.call
                .take()
                .map(|call| Call { body, ..call })
                .ok_or_else(bad_frame),
        )
    }
}

impl<S> std::fmt::Debug for Gathering<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gathering")
            .field("call", &self.call)
            .finish_non_exhaustive()
    }
}

impl<S: Service<Call>> std::fmt::Debug for GatherFuture<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatherFuture").finish_non_exhaustive()
    }
}

/// A request of several pieces that are all there.
struct Chunks(VecDeque<Bytes>);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|chunk| chunk.len() as u64).sum())
    }
}

/// Whether a piece of the request may be part of one message.
fn check(follower: &mut Follower, data: &[u8]) -> Result<(), Fault> {
    follower.advance(data).map_err(|_wrong| bad_frame())?;
    if follower.begun() > 1 {
        return Err(cardinality("more than one message"));
    }
    Ok(())
}

/// Whether all of it was one message.
fn check_end(follower: &Follower) -> Result<(), Fault> {
    follower.finish().map_err(|_wrong| bad_frame())?;
    if follower.messages() == 0 {
        return Err(cardinality("no message"));
    }
    Ok(())
}

fn cardinality(what: &str) -> Fault {
    Fault::new(
        Blame::Client,
        Code::Unimplemented,
        "CARDINALITY",
        format!("the request of a unary method holds {what}"),
    )
}

fn bad_frame() -> Fault {
    Fault::new(
        Blame::Client,
        Code::Internal,
        "BAD_FRAME",
        "the request is not framed as gRPC has it",
    )
}
