//! Ends calls at their deadline: before they are sent, while the app is silent, and in the middle
//! of an answer (M4, E6, fault 26).

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};
use tower::Service;

use crate::call::{Body, Call, Fault, Reply};

/// The deadline layer around `S`.
#[derive(Clone, Debug)]
pub struct Deadlines<S> {
    inner: S,
}

impl<S> Deadlines<S> {
    /// Wraps `inner`.
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S> Service<Call> for Deadlines<S>
where
    S: Service<Call, Response = Reply, Error = Fault>,
{
    type Response = Reply;
    type Error = Fault;
    type Future = DeadlineFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let Some(at) = call.deadline.at().map(Instant::from_std) else {
            return DeadlineFuture {
                timer: None,
                expired: false,
                inner: Some(self.inner.call(call)),
            };
        };
        if at <= Instant::now() {
            // The app never hears of a call that nobody waits for any more.
            return DeadlineFuture {
                timer: None,
                expired: true,
                inner: None,
            };
        }
        let timer = Some(Box::pin(tokio::time::sleep_until(at)));
        DeadlineFuture {
            timer,
            expired: false,
            inner: Some(self.inner.call(call)),
        }
    }
}

pin_project! {
    /// A call that ends with its deadline.
    pub struct DeadlineFuture<F> {
        timer: Option<Pin<Box<Sleep>>>,
        expired: bool,
        #[pin]
        inner: Option<F>,
    }
}

impl<F> Future for DeadlineFuture<F>
where
    F: Future<Output = Result<Reply, Fault>>,
{
    type Output = Result<Reply, Fault>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if *this.expired {
            return Poll::Ready(Err(Fault::deadline().never_processed()));
        }
        if let Some(inner) = this.inner.as_mut().as_pin_mut()
            && let Poll::Ready(outcome) = inner.poll(context)
        {
            let timer = this.timer.take();
            return Poll::Ready(outcome.map(|reply| guard(reply, timer)));
        }
        match this.timer {
            Some(timer) => timer.as_mut().poll(context).map(|()| {
                // Dropping the call resets its stream towards the app.
                this.inner.set(None);
                Err(Fault::deadline())
            }),
            None => Poll::Pending,
        }
    }
}

impl<F> std::fmt::Debug for DeadlineFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadlineFuture").finish_non_exhaustive()
    }
}

/// Lets the deadline hold for the body too.
fn guard(mut reply: Reply, timer: Option<Pin<Box<Sleep>>>) -> Reply {
    if let Some(timer) = timer
        && !reply.body.is_end_stream()
    {
        let inner = Some(reply.body);
        reply.body = Body::stream(DeadlineBody { timer, inner });
    }
    reply
}

/// A body that fails at the deadline.
struct DeadlineBody {
    timer: Pin<Box<Sleep>>,
    inner: Option<Body>,
}

impl http_body::Body for DeadlineBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        // An app that always has something ready is late all the same, and the timer, which is
        // asked only while the app is silent, would never tell.
        let late = self.timer.deadline() <= Instant::now();
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        if !late && let Poll::Ready(frame) = Pin::new(inner).poll_frame(context) {
            return Poll::Ready(frame);
        }
        self.timer.as_mut().poll(context).map(|()| {
            self.inner = None;
            Some(Err(Fault::deadline()))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(SizeHint::default, Body::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::Duration;

    use super::*;
    use crate::call::Code;

    /// Always has one more byte.
    struct Flood;

    impl http_body::Body for Flood {
        type Data = Bytes;
        type Error = Fault;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn m4_an_answer_that_never_pauses_ends_at_the_deadline() {
        let reply = Reply {
            metadata: http::HeaderMap::new(),
            trailers_only: None,
            body: Body::stream(Flood),
        };
        let timer = Box::pin(tokio::time::sleep(Duration::from_secs(1)));
        let mut body = guard(reply, Some(timer)).body;
        let mut next = async || poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert!(matches!(next().await, Some(Ok(_))));
        tokio::time::advance(Duration::from_secs(1)).await;
        let fault = next().await.and_then(Result::err).expect("it is over");
        assert_eq!(fault.code(), Code::DeadlineExceeded);
        assert!(next().await.is_none());
    }
}
