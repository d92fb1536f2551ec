//! One call: its attempts, until an answer begins.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use http::Response;
use tokio::time::Instant;

use super::incoming::Running;
use super::outgoing::{self, Outgoing};
use super::pool::{Lane, Lease, Pool};
use super::request::{self, Head};
use super::{answer, fault};
use crate::call::{Call, Fault, Record, Reply, Retry};
use crate::life::task::{self, Task};
use crate::schema::StreamKind;

/// A stream whose answer has not begun. Dropping it resets the stream.
pub(super) struct Unanswered {
    response: ResponseFuture,
    lease: Lease,
}

/// A call as its attempts need it.
struct Sending {
    head: Head,
    outgoing: Outgoing,
    record: Record,
    lane: Lane,
    /// How long the client may leave an answer unread.
    stall: Duration,
}

/// How an attempt failed.
enum Failed {
    /// The connection was gone before anything was sent on it.
    Unsent(Fault),
    Sent(Fault),
}

/// Sends a call, once more if the application surely never saw it (E6), and waits for the head
/// of the answer.
pub(super) async fn exchange(pool: Rc<Pool>, call: Call) -> Result<Reply, Fault> {
    const UNSENT_ATTEMPTS: u32 = 3;
    request::ensure_time(call.deadline)?;
    let sending = Sending::new(call);
    let mut retried = false;
    let mut unsent = 0;
    loop {
        let lease = pool.acquire(sending.lane).await?;
        sending.note_start(&pool);
        let fault = match attempt(&pool, lease, &sending).await {
            Ok((response, running)) => {
                return answer::reply(response, running, sending.lane, sending.stall).await;
            }
            Err(Failed::Unsent(fault)) => {
                unsent += 1;
                if unsent < UNSENT_ATTEMPTS {
                    continue;
                }
                return Err(fault);
            }
            Err(Failed::Sent(fault)) => fault,
        };
        let never_processed = fault.retry() == Retry::NeverProcessed;
        if retried || !never_processed || !sending.outgoing.rewind() {
            return Err(fault);
        }
        retried = true;
    }
}

impl Sending {
    fn new(call: Call) -> Self {
        let lane = match call.kind() {
            StreamKind::Unary => Lane::Unary,
            StreamKind::ClientStream | StreamKind::ServerStream | StreamKind::Bidi => Lane::Streams,
        };
        Self {
            lane,
            stall: call.policy.timeouts.response_stall,
            head: Head {
                path: call.path,
                authority: call.authority,
                metadata: call.metadata,
                deadline: call.deadline,
            },
            outgoing: Outgoing::new(call.body),
            record: call.record,
        }
    }

    fn note_start(&self, pool: &Pool) {
        let mut record = self.record.note();
        record.attempts += 1;
        record.endpoint = Some(pool.name.clone());
        record.upstream_started = Some(Instant::now().into_std());
    }
}

async fn attempt(
    pool: &Rc<Pool>,
    lease: Lease,
    sending: &Sending,
) -> Result<(Response<RecvStream>, Running), Failed> {
    let outgoing = &sending.outgoing;
    let deadline = sending.head.deadline;
    let request = sending.head.request(&pool.authority);
    let request = request.map_err(Failed::Sent)?;
    let bare = matches!(outgoing, Outgoing::Whole(data) if data.is_empty());
    let (response, stream) = match lease.connection.open(request, bare) {
        Ok(opened) => opened,
        // A good connection refuses only what is not HTTP/2.
        Err(error) if lease.connection.is_open() => {
            return Err(Failed::Sent(request::cannot_send(error)));
        }
        Err(error) => {
            let fault = fault::of(&error, deadline).never_processed();
            return Err(Failed::Unsent(fault));
        }
    };
    let mut waiting = Waiting {
        pool,
        call: Some(Unanswered { response, lease }),
        sent: Instant::now(),
    };
    let pump = send_body(stream, outgoing);
    let (response, lease) = waiting.answer().await;
    let response = response.map_err(|error| {
        // A body that broke off is why the stream was reset.
        let broken = outgoing.take_fault();
        Failed::Sent(broken.unwrap_or_else(|| fault::of(&error, deadline)))
    })?;
    sending.record.note().upstream_answered = Some(Instant::now().into_std());
    outgoing.forget();
    let running = Running::new(lease, pump, outgoing.clone(), deadline);
    Ok((response, running))
}

fn send_body(mut stream: SendStream<Bytes>, outgoing: &Outgoing) -> Option<Task<()>> {
    match outgoing {
        Outgoing::Whole(data) => {
            if !data.is_empty() {
                // An error here means that the stream is over, which the answer tells better.
                drop(stream.send_data(data.clone(), true));
            }
            None
        }
        Outgoing::Stream(source) => {
            let pump = outgoing::pump(Rc::clone(source), stream);
            Some(task::spawn_local("request body", pump))
        }
    }
}

/// Waits for the head of an answer. Dropped before it came, it leaves the call to the pool.
struct Waiting<'a> {
    pool: &'a Rc<Pool>,
    call: Option<Unanswered>,
    sent: Instant,
}

impl Waiting<'_> {
    async fn answer(&mut self) -> (Result<Response<RecvStream>, h2::Error>, Lease) {
        poll_fn(|context| {
            let call = self
                .call
                .as_mut()
                .expect("it is taken only when it is ready");
            let response = std::task::ready!(Pin::new(&mut call.response).poll(context));
            let call = self.call.take().expect("it was there just now");
            std::task::Poll::Ready((response, call.lease))
        })
        .await
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            call.lease.count_reset();
            self.pool.abandon(self.sent, call);
        }
    }
}
