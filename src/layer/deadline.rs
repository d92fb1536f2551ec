//! Ends calls at their deadline: before they are sent, while the app is silent, and in the middle
//! of an answer (M4, E6, fault 26); and when the gateway stops and has waited enough (fault 42).

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower::Service;

use crate::call::{Body, Call, Fault, Reply};
use crate::life::alarm::{Alarm, Alarms};
use crate::life::drain::Drain;

/// The deadline layer around `S`.
#[derive(Clone, Debug)]
pub struct Deadlines<S> {
    inner: S,
    alarms: Alarms,
}

impl<S> Deadlines<S> {
    /// Wraps `inner`.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            alarms: Alarms::new(),
        }
    }

    /// The same, and every call ends when `drain` says that calls have to.
    #[must_use]
    pub fn ending_with(self, drain: Drain) -> Self {
        Self {
            alarms: Alarms::ending_with(drain),
            ..self
        }
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
        let Some(at) = call.deadline.at() else {
            return DeadlineFuture {
                alarm: self.alarms.may_end().then(|| self.alarms.set_for_the_end()),
                inner: Some(self.inner.call(call)),
            };
        };
        if at <= call.record.started() {
            // The app never hears of a call that nobody waits for any more.
            return DeadlineFuture {
                alarm: None,
                inner: None,
            };
        }
        DeadlineFuture {
            alarm: Some(self.alarms.set(Instant::from_std(at))),
            inner: Some(self.inner.call(call)),
        }
    }
}

pin_project! {
    /// A call that ends with its deadline; one without `inner` is late already.
    pub struct DeadlineFuture<F> {
        alarm: Option<Alarm>,
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
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(Err(Fault::deadline().never_processed()));
        };
        if let Poll::Ready(outcome) = inner.poll(context) {
            let alarm = this.alarm.take();
            return Poll::Ready(outcome.map(|reply| guard(reply, alarm)));
        }
        match this.alarm {
            Some(alarm) => alarm.poll(context).map(|()| {
                // Dropping the call resets its stream towards the app.
                this.inner.set(None);
                Err(reason(alarm))
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

/// Why an alarm has ended a call.
fn reason(alarm: &Alarm) -> Fault {
    if alarm.is_cut() {
        Fault::stopping()
    } else {
        Fault::deadline()
    }
}

/// Lets the deadline hold for the body too.
fn guard(mut reply: Reply, alarm: Option<Alarm>) -> Reply {
    let Some(alarm) = alarm else { return reply };
    if reply.body.is_there() {
        // Nothing more is waited for.
        return reply;
    }
    let inner = Some(reply.body);
    reply.body = Body::stream(DeadlineBody {
        alarm,
        until_look: LOOK_EVERY,
        inner,
    });
    reply
}

/// An app that always has something ready leaves no time for the alarm, so the clock itself is
/// looked at every so many frames.
const LOOK_EVERY: u32 = 32;

/// A body that fails at the deadline.
struct DeadlineBody {
    alarm: Alarm,
    until_look: u32,
    inner: Option<Body>,
}

impl DeadlineBody {
    fn is_late(&mut self) -> bool {
        self.until_look -= 1;
        if self.until_look > 0 {
            // An alarm that has rung woke whoever polls this; a few frames more do no harm.
            return false;
        }
        self.until_look = LOOK_EVERY;
        self.alarm.is_over() || self.alarm.at().is_none_or(|at| at <= Instant::now())
    }
}

impl http_body::Body for DeadlineBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let late = self.is_late();
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        if !late {
            if let Poll::Ready(frame) = Pin::new(inner).poll_frame(context) {
                return Poll::Ready(frame);
            }
            if self.alarm.poll(context).is_pending() {
                return Poll::Pending;
            }
        }
        self.inner = None;
        Poll::Ready(Some(Err(reason(&self.alarm))))
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

    use http_body::Body as _;
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

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn m4_an_answer_that_never_pauses_ends_at_the_deadline() {
        let reply = Reply {
            metadata: http::HeaderMap::new(),
            trailers_only: None,
            body: Body::stream(Flood),
        };
        let alarm = Alarms::new().set(Instant::now() + Duration::from_secs(1));
        let mut body = guard(reply, Some(alarm)).body;
        let mut next = async || poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        for _ in 0..1000 {
            assert!(matches!(next().await, Some(Ok(_))));
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        let mut more = 0;
        let fault = loop {
            match next().await.expect("the last word is a fault") {
                Ok(_) => more += 1,
                Err(fault) => break fault,
            }
        };
        assert!(more <= LOOK_EVERY, "{more} frames after the deadline");
        assert_eq!(fault.code(), Code::DeadlineExceeded);
        assert!(next().await.is_none());
    }
}
