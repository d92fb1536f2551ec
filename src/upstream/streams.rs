//! A call that may last: its attempts through the `h2` crate, until an answer begins.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::Response;
use tokio::time::Instant;

use super::attempts::{Attempts, Failed, Unanswered, note_start};
use super::balance::Balance;
use super::connection::Speaker;
use super::incoming::Running;
use super::load::Outcome;
use super::outgoing::{self, Outgoing};
use super::pool::{Lane, Lease, Pool};
use super::request::{self, Head};
use super::{answer, fault};
use crate::call::{Call, Fault, Record, Reply};
use crate::life::task::{self, Task};

/// A call as its attempts need it.
struct Sending {
    head: Head,
    outgoing: Outgoing,
    record: Record,
    /// How long the client may leave an answer unread.
    stall: Duration,
}

/// Sends a call, once more if the application surely never saw it (E6), and waits for the head
/// of the answer.
pub(super) async fn exchange(balance: Rc<Balance>, call: Call) -> Result<Reply, Fault> {
    request::ensure_time(call.deadline)?;
    let sending = Sending::new(call);
    let mut attempts = Attempts::among(balance.count());
    let mut tried = None;
    loop {
        let member = balance.pick(tried.as_ref())?;
        let patience = attempts.patience(&balance.params);
        let flight = balance.begin(&member, sending.head.deadline);
        let answer = match attempt(&member.pool, &sending, patience).await {
            Ok((response, running)) => answer::of_stream(response, running, sending.stall).await,
            Err(failed) => match attempts.again(failed, || sending.outgoing.rewind()) {
                Ok(outcome) => {
                    flight.end(|| outcome);
                    tried = Some(member);
                    continue;
                }
                Err(fault) => Err(fault),
            },
        };
        flight.end(|| Outcome::of_stream(&answer));
        return answer;
    }
}

impl Sending {
    fn new(call: Call) -> Self {
        Self {
            stall: call.policy.timeouts.response_stall,
            head: Head {
                path: call.path,
                authority: call.authority,
                metadata: call.metadata,
                deadline: call.deadline,
                told: call.record.told(),
            },
            outgoing: Outgoing::new(call.body),
            record: call.record,
        }
    }
}

async fn attempt(
    pool: &Rc<Pool>,
    sending: &Sending,
    patience: Duration,
) -> Result<(Response<RecvStream>, Running), Failed> {
    let lease = pool
        .acquire(Lane::Streams, patience)
        .await
        .map_err(Failed::Unplaced)?;
    note_start(&sending.record, pool);
    let outgoing = &sending.outgoing;
    let deadline = sending.head.deadline;
    let request = sending.head.request(&pool.scheme, &pool.authority);
    let request = request.map_err(Failed::Sent)?;
    let bare = matches!(outgoing, Outgoing::Whole(data) if data.is_empty());
    let (response, stream) = match open(&lease, request, bare) {
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
        call: Some((response, lease)),
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

/// Opens a stream.
fn open(
    lease: &Lease,
    request: http::Request<()>,
    end: bool,
) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
    let Speaker::Streams(send) = lease.connection.speaker() else {
        return Err(h2::Reason::INTERNAL_ERROR.into());
    };
    // A clone never waits for a place: the pool counts places itself.
    let mut send: SendRequest<Bytes> = send.borrow().clone();
    send.send_request(request, end)
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
    call: Option<(ResponseFuture, Lease)>,
    sent: Instant,
}

impl Waiting<'_> {
    async fn answer(&mut self) -> (Result<Response<RecvStream>, h2::Error>, Lease) {
        poll_fn(|context| {
            let (response, _) = self
                .call
                .as_mut()
                .expect("it is taken only when it is ready");
            let response = std::task::ready!(Pin::new(response).poll(context));
            let (_, lease) = self.call.take().expect("it was there just now");
            std::task::Poll::Ready((response, lease))
        })
        .await
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some((response, lease)) = self.call.take() {
            lease.count_reset();
            self.pool
                .abandon(self.sent, Unanswered::Stream(response, lease));
        }
    }
}
