//! [`Conversation`]: what a client gets on its WebSocket, from the first message to the goodbye.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep};

use super::talk::{End, Side, Talk};
use crate::call::{Blame, Code, Fault, LocalFuture, Record};
use crate::life::drain::Drain;
use crate::wire::websocket::{self, Opcode, Violation};

/// How long a client may take to answer a goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// What is said next.
#[derive(Debug)]
pub(in crate::protocol) enum Say {
    /// A frame.
    Frame(Bytes),
    /// Goodbye, after a last frame perhaps.
    Close {
        last: Option<Bytes>,
        code: u16,
        reason: String,
    },
}

/// Who has the word.
pub(in crate::protocol) trait Speak {
    /// What is said next; nothing follows a goodbye.
    fn poll_say(&mut self, context: &mut Context<'_>) -> Poll<Say>;

    /// What is said of a fault of the connection, which ends the call.
    fn fail(&mut self, fault: &Fault) -> Say;
}

/// The body of a 101. It owns the call: when the client leaves, so does it.
pub(in crate::protocol) struct Conversation<S> {
    talk: Talk,
    /// Gone after the goodbye, and with it the call.
    speaker: Option<S>,
    record: Record,
    ready: VecDeque<Bytes>,
    /// Ends when the gateway waits no longer for what runs.
    end: LocalFuture<()>,
    pings: Interval,
    /// Runs from the goodbye on.
    leaving: Option<Pin<Box<Sleep>>>,
    over: bool,
}

impl<S: Speak> Conversation<S> {
    /// `speaker` on the connection of `talk`, with a ping every `period`.
    pub(in crate::protocol) fn new(
        talk: Talk,
        speaker: S,
        record: Record,
        drain: &Drain,
        period: Duration,
    ) -> Self {
        let mut pings = tokio::time::interval_at(Instant::now() + period, period);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            talk,
            speaker: Some(speaker),
            record,
            ready: VecDeque::new(),
            end: Box::pin(drain.ended()),
            pings,
            leaving: None,
            over: false,
        }
    }

    fn say(&mut self, say: Say) {
        match say {
            Say::Frame(frame) => self.ready.push_back(frame),
            Say::Close { last, code, reason } => {
                self.ready.extend(last);
                self.close(code, &reason);
            }
        }
    }

    fn close(&mut self, code: u16, reason: &str) {
        self.ready.push_back(websocket::close(code, reason));
        self.speaker = None;
        self.talk.ignore();
        self.leaving = Some(Box::pin(tokio::time::sleep(GOODBYE)));
    }

    /// The call ends because of what its client did.
    fn fail(&mut self, fault: &Fault) {
        self.record.note().fault(fault);
        if let Some(say) = self.speaker.as_mut().map(|speaker| speaker.fail(fault)) {
            self.say(say);
        }
    }

    /// The client says nothing more.
    fn hang_up(&mut self, end: End) -> Option<Fault> {
        match end {
            End::Closed(code) => {
                if self.speaker.is_some() {
                    self.record.note().fault(&Fault::client_gone());
                    self.close(code.unwrap_or(super::NORMAL), "");
                }
                self.over = true;
                None
            }
            End::Gone => {
                self.over = true;
                self.speaker.take().map(|_call| Fault::client_gone())
            }
            End::Wrong(Violation::TooLarge) if self.speaker.is_some() => {
                self.fail(&too_large());
                None
            }
            End::Wrong(violation) => {
                if self.speaker.is_some() {
                    let fault = Fault::invalid("BAD_FRAME", violation.to_string());
                    self.record.note().fault(&fault);
                    self.close(violation.close_code(), &violation.to_string());
                }
                // Where frames end cannot be known any more, and so neither an answer to this.
                self.over = true;
                None
            }
        }
    }

    /// Looks at everything but the call; whether something is there to send, or the end.
    fn attend(&mut self, context: &mut Context<'_>) -> Option<Fault> {
        self.talk.read(Side::Answer, context);
        if let Some(payload) = self.talk.take_ping()
            && self.leaving.is_none()
        {
            let pong = websocket::frame(Opcode::Pong, &payload);
            self.ready.push_back(pong);
        }
        if let Some(end) = self.talk.end() {
            return self.hang_up(end);
        }
        if let Some(leaving) = &mut self.leaving {
            self.over |= leaving.as_mut().poll(context).is_ready();
            return None;
        }
        if self.talk.has_surplus() {
            self.fail(&surplus());
            return None;
        }
        if self.end.as_mut().poll(context).is_ready() {
            self.fail(&Fault::stopping());
            return None;
        }
        if self.pings.poll_tick(context).is_ready() {
            let patience = self.pings.period() * 2;
            let silent = self.talk.silent_since();
            if silent.is_some_and(|since| since.elapsed() > patience) {
                self.over = true;
                self.speaker = None;
                return Some(Fault::client_gone());
            }
            self.ready.push_back(websocket::frame(Opcode::Ping, b""));
        }
        None
    }
}

fn too_large() -> Fault {
    Fault::new(
        Blame::Client,
        Code::ResourceExhausted,
        "MESSAGE_TOO_LARGE",
        "a message is over the limit",
    )
}

fn surplus() -> Fault {
    Fault::invalid(
        "SURPLUS_MESSAGE",
        "a message came after the last one of the request",
    )
}

impl<S: Speak + Unpin> http_body::Body for Conversation<S> {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = &mut *self;
        loop {
            if let Some(frame) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(frame))));
            }
            if this.over {
                return Poll::Ready(None);
            }
            if let Some(fault) = this.attend(context) {
                return Poll::Ready(Some(Err(fault)));
            }
            if !this.ready.is_empty() || this.over {
                continue;
            }
            let Some(speaker) = &mut this.speaker else {
                return Poll::Pending;
            };
            let say = ready!(speaker.poll_say(context));
            this.say(say);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over && self.ready.is_empty()
    }
}

impl<S> std::fmt::Debug for Conversation<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::rc::Rc;
    use std::sync::Arc;

    use super::*;
    use crate::call::record::{CallRecord, Sink};
    use crate::call::{Body, Peer};

    /// Never has anything to say.
    struct Silent;

    impl Speak for Silent {
        fn poll_say(&mut self, _: &mut Context<'_>) -> Poll<Say> {
            Poll::Pending
        }

        fn fail(&mut self, fault: &Fault) -> Say {
            Say::Close {
                last: None,
                code: 4000,
                reason: fault.message().to_owned(),
            }
        }
    }

    struct Forget;

    impl Sink for Forget {
        fn finished(&self, _: &CallRecord) {}
    }

    /// A client that says nothing and does not leave.
    struct Quiet;

    impl http_body::Body for Quiet {
        type Data = Bytes;
        type Error = Fault;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
            Poll::Pending
        }
    }

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn s7_a_gateway_that_goes_away_says_so() {
        let at = ([127, 0, 0, 1], 1).into();
        let (head, ()) = http::Request::new(()).into_parts();
        let now = Instant::now();
        let record = CallRecord::new(now.into_std(), Rc::new(Peer::new(at, at, false)), &head);
        let record = Record::new(record, Arc::new(Forget));
        let drain = Drain::new();
        let talk = Talk::new(Body::raw(Quiet), 1024);
        let period = Duration::from_secs(3600);
        let body = Conversation::new(talk, Silent, record.clone(), &drain, period);
        let mut body = Body::raw(body);
        let mut next = async || {
            let frame =
                poll_fn(|context| http_body::Body::poll_frame(Pin::new(&mut body), context));
            frame.await.map(|frame| frame.unwrap().into_data().unwrap())
        };
        drain.start();
        let waiting = tokio::time::timeout(Duration::from_secs(60), next());
        assert!(waiting.await.is_err(), "what runs may go on");
        drain.end();
        let goodbye = next().await.unwrap();
        assert_eq!(goodbye, websocket::close(4000, "the gateway is going away"));
        // The client does not answer, and is not waited for longer than a goodbye takes.
        let before = Instant::now();
        assert!(next().await.is_none());
        assert_eq!(before.elapsed(), GOODBYE);
        assert_eq!(record.note().reason, Some("DRAINING"));
    }
}
