//! The body of a request, read ahead by at most one stream window.
//!
//! h2 counts small frames that nobody reads and closes the connection when there are many, and a
//! client that sends small messages to a slow application is no attacker. So frames are taken at
//! once; capacity goes back as the body is consumed, which is what holds the client up.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use h2::{FlowControl, Reason, RecvStream};
use http::HeaderMap;
use http_body::Frame;

use crate::call::{Body, Fault};

/// Frames smaller than this are put together while nobody reads them: kept apart they cost many
/// times their size.
const SMALL: usize = 256;
const LARGE: usize = 16 << 10;

/// The body as the handler reads it.
struct RequestBody(Rc<RefCell<Flow>>);

/// Between the stream and the body.
struct Flow {
    chunks: VecDeque<Bytes>,
    end: Option<Result<Option<HeaderMap>, Fault>>,
    /// Gone when there is nobody left to give capacity to.
    capacity: Option<FlowControl>,
    reader: Option<Waker>,
    /// Nobody wants the rest.
    unwanted: bool,
    source: Option<Waker>,
}

/// Splits a stream into a body and the future that fills it. The future is the stream's own, to
/// be polled beside whatever uses the body; it never ends.
pub(super) fn split(mut recv: RecvStream) -> (Body, impl Future<Output = ()>) {
    let flow = Rc::new(RefCell::new(Flow {
        chunks: VecDeque::new(),
        end: None,
        capacity: Some(recv.flow_control().clone()),
        reader: None,
        unwanted: false,
        source: None,
    }));
    let body = Body::raw(RequestBody(Rc::clone(&flow)));
    let filling = async move {
        fill(recv, &flow).await;
        std::future::pending::<()>().await;
    };
    (body, filling)
}

async fn fill(recv: RecvStream, flow: &RefCell<Flow>) {
    let mut recv = recv;
    let end = poll_fn(|context| {
        loop {
            if flow.borrow_mut().is_unwanted(context) {
                return Poll::Ready(Ok(None));
            }
            match std::task::ready!(recv.poll_data(context)) {
                Some(Ok(data)) => flow.borrow_mut().push(data),
                Some(Err(error)) => return Poll::Ready(Err(fault(&error))),
                None => {
                    let trailers = std::task::ready!(recv.poll_trailers(context));
                    return Poll::Ready(trailers.map_err(|error| fault(&error)));
                }
            }
        }
    })
    .await;
    drop(recv);
    flow.borrow_mut().finish(end);
}

fn fault(error: &h2::Error) -> Fault {
    let left = error.reason() == Some(Reason::CANCEL) || error.is_io();
    if left || error.is_remote() {
        return Fault::client_gone().with_cause(error);
    }
    Fault::invalid("BAD_BODY", "the request body is not valid HTTP/2").with_cause(error)
}

impl Flow {
    fn is_unwanted(&mut self, context: &Context<'_>) -> bool {
        if !self.unwanted {
            self.source = Some(context.waker().clone());
        }
        self.unwanted
    }

    fn push(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        match self.chunks.back_mut() {
            Some(last) if data.len() < SMALL && last.len() < LARGE => {
                let mut both = std::mem::take(last)
                    .try_into_mut()
                    .unwrap_or_else(|last| BytesMut::from(&*last));
                both.extend_from_slice(&data);
                *last = both.freeze();
            }
            _ => self.chunks.push_back(data),
        }
        self.wake();
    }

    fn finish(&mut self, end: Result<Option<HeaderMap>, Fault>) {
        self.capacity = None;
        self.end = Some(end);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let mut flow = self.0.borrow_mut();
        if let Some(data) = flow.chunks.pop_front() {
            if let Some(capacity) = &mut flow.capacity {
                // A stream that is over has no use for capacity.
                drop(capacity.release_capacity(data.len()));
            }
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match flow.end.take() {
            Some(end) => {
                flow.end = Some(Ok(None));
                let frame = end
                    .map(|trailers| trailers.map(Frame::trailers))
                    .transpose();
                Poll::Ready(frame)
            }
            None => {
                flow.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let flow = self.0.borrow();
        flow.chunks.is_empty() && matches!(flow.end, Some(Ok(None)))
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let source = {
            let mut flow = self.0.borrow_mut();
            flow.unwanted = true;
            flow.capacity = None;
            flow.chunks = VecDeque::new();
            flow.source.take()
        };
        if let Some(source) = source {
            source.wake();
        }
    }
}
