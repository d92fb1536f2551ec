//! The body of a streamed answer, read ahead by at most one stream window.
//!
//! h2 counts small frames that nobody reads against the whole connection, so nothing is left
//! unread in it: a task of the call moves every frame here at once. Capacity goes back only as
//! the client consumes, which is what holds the application up.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::FlowControl;
use http::HeaderMap;
use http_body::Frame;
use tokio::time::{Instant, sleep_until};

use super::fault;
use super::incoming::{Event, Incoming};
use crate::call::Fault;
use crate::life::task::{self, Task};

/// The body; dropping it ends the call.
pub(super) struct Drained {
    shared: Rc<RefCell<Shared>>,
    _reader: Task<()>,
}

/// Between the task that reads and the body that is polled.
struct Shared {
    chunks: VecDeque<Bytes>,
    end: Option<Result<HeaderMap, Fault>>,
    /// Gone when there is nobody left to give capacity to.
    flow: Option<FlowControl>,
    /// When the client last took something, or had nothing to take.
    taken_at: Instant,
    client: Option<Waker>,
}

impl Drained {
    /// Starts to read ahead. If the client takes nothing for `stall` while something waits, the
    /// call is broken off.
    pub(super) fn new(mut incoming: Incoming, stall: Duration) -> Self {
        let shared = Rc::new(RefCell::new(Shared {
            chunks: VecDeque::new(),
            end: None,
            flow: Some(incoming.flow_control().clone()),
            taken_at: Instant::now(),
            client: None,
        }));
        let reading = read(incoming, Rc::clone(&shared), stall);
        Self {
            shared,
            _reader: task::spawn_local("answer", reading),
        }
    }
}

async fn read(incoming: Incoming, shared: Rc<RefCell<Shared>>, stall: Duration) {
    let mut incoming = incoming;
    let mut armed = false;
    let mut timer = pin!(sleep_until(Instant::now() + stall));
    let end = poll_fn(|context| {
        while let Poll::Ready(event) = incoming.poll_event(context) {
            match event {
                Event::Data(data) => shared.borrow_mut().push(data),
                Event::End(end) => return Poll::Ready(end),
            }
        }
        loop {
            let Some(since) = shared.borrow().waiting_since() else {
                armed = false;
                return Poll::Pending;
            };
            // The timer is left alone while the client reads, and asked again when it rings.
            if !armed {
                timer.as_mut().reset(since + stall);
                armed = true;
            }
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if since.elapsed() >= stall {
                shared.borrow_mut().chunks.clear();
                return Poll::Ready(Err(fault::stalled()));
            }
            armed = false;
        }
    })
    .await;
    // The stream goes first: when it is not over, this is what resets it.
    drop(incoming);
    shared.borrow_mut().finish(end);
}

impl Shared {
    fn push(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        if self.chunks.is_empty() {
            self.taken_at = Instant::now();
        }
        self.chunks.push_back(data);
        self.wake();
    }

    fn waiting_since(&self) -> Option<Instant> {
        (!self.chunks.is_empty()).then_some(self.taken_at)
    }

    fn finish(&mut self, end: Result<HeaderMap, Fault>) {
        self.flow = None;
        self.end = Some(end);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(client) = self.client.take() {
            client.wake();
        }
    }
}

impl http_body::Body for Drained {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let mut shared = self.shared.borrow_mut();
        if let Some(data) = shared.chunks.pop_front() {
            shared.taken_at = Instant::now();
            if let Some(flow) = &mut shared.flow {
                // A stream that is over has no use for capacity.
                drop(flow.release_capacity(data.len()));
            }
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match shared.end.take() {
            Some(Ok(trailers)) if trailers.is_empty() => Poll::Ready(None),
            Some(Ok(trailers)) => {
                shared.end = Some(Ok(HeaderMap::new()));
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Some(Err(fault)) => {
                shared.end = Some(Ok(HeaderMap::new()));
                Poll::Ready(Some(Err(fault)))
            }
            None => {
                shared.client = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        // The reader's task goes with the body; this is the other handle on the stream.
        self.shared.borrow_mut().flow = None;
    }
}
