//! A call with one message to the application: its attempts through our own HTTP/2 client, and the
//! answer, which is one message or many.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame};
use tokio::time::Instant;

use super::attempts::{Attempts, Failed, Unanswered, note_start};
use super::balance::Balance;
use super::connection::Speaker;
use super::http2::{self, Answer, Asked, Failure, Next, Pieces, Unsent};
use super::load::Outcome;
use super::pool::{Lane, Lease, Pool};
use super::request::{self, Head};
use super::retry::Retries;
use super::{answer, fault};
use crate::call::{Body, Call, Code, Deadline, Fault, Record, Reply};
use crate::schema::StreamKind;

/// A call as its attempts need it.
struct Sending {
    head: Head,
    body: Pieces,
    record: Record,
    lane: Lane,
    /// How long the client may leave an answer of many messages unread.
    stall: Option<Duration>,
}

/// What comes of an answer after its head. Dropped before the end, it resets the stream.
pub(super) struct Rest {
    asked: Asked,
    lease: Lease,
    deadline: Deadline,
    /// A status that the head had already.
    early_status: Option<HeaderMap>,
    over: bool,
}

/// Sends a call, once more if the application surely never saw it (E6) or as its policy has it,
/// and waits for the answer, or for as much of it as comes at once.
pub(super) async fn exchange(balance: Rc<Balance>, mut call: Call) -> Result<Reply, Fault> {
    request::ensure_time(call.deadline)?;
    let mut retries = Retries::of(&call, &balance.budget);
    let streamed = call.kind() == StreamKind::ServerStream;
    // What comes in pieces is gathered, so that a request that breaks off is never begun.
    let body = match call.body.take_whole() {
        Some(whole) => Pieces::from_elem(whole, 1),
        None => gather(call.body).await?,
    };
    retries.limit(body.iter().map(Bytes::len).sum());
    let mut sending = Sending {
        lane: if streamed { Lane::Answers } else { Lane::Unary },
        stall: streamed.then_some(call.policy.timeouts.response_stall),
        head: Head {
            path: call.path,
            authority: call.authority,
            metadata: call.metadata,
            deadline: call.deadline,
            told: call.record.told(),
        },
        body,
        record: call.record,
    };
    let mut attempts = Attempts::among(balance.count());
    let mut tried = None;
    loop {
        let member = balance.pick(tried.as_ref())?;
        let patience = attempts.patience(&balance.params);
        let flight = balance.begin(&member, sending.head.deadline);
        let answer = match attempt(&member.pool, &sending, patience).await {
            Ok((answer, rest)) => answer::of_unary(answer, rest).await,
            // All of the request is kept.
            Err(failed) => match attempts.again(failed, || true) {
                Ok(outcome) => {
                    flight.end(|| outcome);
                    tried = Some(member);
                    continue;
                }
                Err(fault) => Err(fault),
            },
        };
        flight.end(|| Outcome::of(&answer));
        let Some(pause) = retries.again(&answer, || balance.random()) else {
            return answer;
        };
        drop(answer);
        tokio::time::sleep(pause).await;
        sending.head.count_attempts(retries.before());
        tried = Some(member);
    }
}

async fn gather(mut body: Body) -> Result<Pieces, Fault> {
    let mut pieces = Pieces::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        // Trailers of a request mean nothing in gRPC.
        pieces.extend(frame?.into_data());
    }
    Ok(pieces)
}

async fn attempt(
    pool: &Rc<Pool>,
    sending: &Sending,
    patience: Duration,
) -> Result<(Answer, Rest), Failed> {
    let lease = pool
        .acquire(sending.lane, patience)
        .await
        .map_err(Failed::Unplaced)?;
    note_start(&sending.record, pool);
    let deadline = sending.head.deadline;
    let timeout = sending.head.timeout().map_err(Failed::Sent)?;
    let request = http2::Request {
        path: sending.head.path.as_str(),
        authority: sending.head.authority(&pool.authority).as_str(),
        metadata: &sending.head.metadata,
        timeout: timeout.as_deref(),
        told: sending.head.told.as_ref(),
    };
    let asked = open(&lease, &request, &sending.body)?;
    if let Some(stall) = sending.stall {
        asked.limit_stall(stall);
    }
    let mut waiting = Waiting {
        pool,
        call: Some((asked, lease)),
        sent: Instant::now(),
    };
    let (result, asked, lease) = waiting.answer().await;
    let answer = result.map_err(|failure| Failed::Sent(fault::of_failure(&failure, deadline)))?;
    sending.record.note().upstream_answered = Some(Instant::now().into_std());
    let over = answer.whole.is_some();
    let rest = Rest {
        asked,
        lease,
        deadline,
        early_status: None,
        over,
    };
    Ok((answer, rest))
}

fn open(lease: &Lease, request: &http2::Request<'_>, body: &Pieces) -> Result<Asked, Failed> {
    let opened = match lease.connection.speaker() {
        Speaker::Unary(client) => client.open(request, body),
        Speaker::Streams(_) => Err(Unsent::Closed),
    };
    opened.map_err(|unsent| match unsent {
        Unsent::Head(what) => Failed::Sent(request::cannot_send(what)),
        Unsent::Closed => Failed::Unsent(fault::unreachable("the connection was just closed")),
    })
}

/// Waits for an answer. Dropped before it came, it leaves the call to the pool.
struct Waiting<'a> {
    pool: &'a Rc<Pool>,
    call: Option<(Asked, Lease)>,
    sent: Instant,
}

impl Waiting<'_> {
    async fn answer(&mut self) -> (Result<Answer, Failure>, Asked, Lease) {
        poll_fn(|context| {
            let (asked, _) = self
                .call
                .as_mut()
                .expect("it is taken only when it is ready");
            let result = ready!(asked.poll_answer(context));
            let (asked, lease) = self.call.take().expect("it was there just now");
            Poll::Ready((result, asked, lease))
        })
        .await
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some((asked, lease)) = self.call.take() {
            lease.count_reset();
            self.pool
                .abandon(self.sent, Unanswered::Unary(asked, lease));
        }
    }
}

// === impl Rest ===

impl Rest {
    /// A status that the head had already counts when nothing else comes.
    pub(super) fn set_early_status(&mut self, status: Option<HeaderMap>) {
        self.early_status = status;
    }

    /// What comes next; `None` at the end.
    pub(super) async fn next_data(&mut self) -> Option<Bytes> {
        match poll_fn(|context| self.asked.poll_next(context)).await {
            Next::Data(data) => Some(data),
            Next::End(_) | Next::Failed(_) => {
                self.over = true;
                None
            }
        }
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if !self.over {
            self.lease.count_reset();
        }
    }
}

impl http_body::Body for Rest {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let end = match ready!(self.asked.poll_next(context)) {
            Next::Data(data) => {
                if !data.is_empty() {
                    self.early_status = None;
                }
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            Next::End(trailers) => {
                let trailers = trailers.or_else(|| self.early_status.take());
                trailers
                    .filter(|trailers| trailers.contains_key(answer::GRPC_STATUS))
                    .ok_or_else(|| fault::no_status(Code::Internal))
            }
            Next::Failed(failure) => {
                if matches!(failure, Failure::Stalled) {
                    self.lease.count_reset();
                }
                Err(fault::of_failure(&failure, self.deadline))
            }
        };
        self.over = true;
        Poll::Ready(Some(end.map(Frame::trailers)))
    }
}
