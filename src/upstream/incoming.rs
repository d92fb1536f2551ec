//! The body of an answer as it comes from the connection.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;

use super::fault;
use super::outgoing::Outgoing;
use super::pool::Lease;
use crate::call::{Code, Deadline, Fault};
use crate::life::task::Task;

/// What a call holds on to while its answer comes. Dropped before the end, it counts as a reset.
pub(super) struct Running {
    lease: Lease,
    /// Sends the rest of the request; it has no use once the answer is over.
    pump: Option<Task<()>>,
    outgoing: Outgoing,
    deadline: Deadline,
    finished: bool,
}

/// The rest of an answer.
pub(super) struct Incoming {
    recv: RecvStream,
    running: Option<Running>,
    /// A status that the head had already.
    early_status: Option<HeaderMap>,
    data_over: bool,
}

/// What comes next of an answer.
pub(super) enum Event {
    Data(Bytes),
    /// The trailers, or why there are none. Nothing follows.
    End(Result<HeaderMap, Fault>),
}

// === impl Running ===

impl Running {
    pub(super) fn new(
        lease: Lease,
        pump: Option<Task<()>>,
        outgoing: Outgoing,
        deadline: Deadline,
    ) -> Self {
        Self {
            lease,
            pump,
            outgoing,
            deadline,
            finished: false,
        }
    }

    /// The answer is over: nothing is left to reset.
    pub(super) fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.pump = None;
        if !self.finished {
            self.lease.count_reset();
        }
    }
}

// === impl Incoming ===

impl Incoming {
    pub(super) fn new(recv: RecvStream, running: Running, early_status: Option<HeaderMap>) -> Self {
        Self {
            recv,
            running: Some(running),
            early_status,
            data_over: false,
        }
    }

    /// The handle through which capacity goes back.
    pub(super) fn flow_control(&mut self) -> &mut h2::FlowControl {
        self.recv.flow_control()
    }

    pub(super) fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        if !self.data_over {
            match ready!(self.recv.poll_data(context)) {
                Some(Ok(data)) => {
                    if !data.is_empty() {
                        self.early_status = None;
                    }
                    return Poll::Ready(Event::Data(data));
                }
                Some(Err(error)) => return Poll::Ready(Event::End(Err(self.fail(&error)))),
                None => self.data_over = true,
            }
        }
        let end = match ready!(self.recv.poll_trailers(context)) {
            Ok(trailers) => {
                if let Some(running) = self.running.take() {
                    running.finish();
                }
                let trailers = trailers.or_else(|| self.early_status.take());
                trailers
                    .filter(|trailers| trailers.contains_key("grpc-status"))
                    .ok_or_else(|| fault::no_status(Code::Internal))
            }
            Err(error) => Err(self.fail(&error)),
        };
        Poll::Ready(Event::End(end))
    }

    fn fail(&mut self, error: &h2::Error) -> Fault {
        let Some(running) = self.running.take() else {
            return fault::of(error, Deadline::NEVER);
        };
        // A request body that broke off is why the stream was reset.
        let broken = running.outgoing.take_fault();
        let fault = broken.unwrap_or_else(|| fault::of(error, running.deadline));
        running.finish();
        fault
    }
}
