//! Bodies of HTTP/1: hyper's as the handler sees them, and the handler's as hyper does.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::exchange::Exchange;
use crate::call::{Body, Fault};

/// The body of a request. What is not read of it is left to the connection.
pub(super) struct RequestBody {
    incoming: Option<Incoming>,
    exchange: Rc<Exchange>,
    /// The client waits for `100 Continue` before it sends anything.
    expects: bool,
}

/// The body of an answer; when it is dropped the answer is out.
pub(super) struct ResponseBody {
    body: Body,
    /// Why the answer breaks off; told only when what came before has been flushed.
    failed: Option<Fault>,
    /// The end has been seen.
    complete: bool,
    exchange: Rc<Exchange>,
}

// === impl RequestBody ===

impl RequestBody {
    pub(super) fn new(incoming: Incoming, exchange: Rc<Exchange>, expects: bool) -> Self {
        Self {
            incoming: Some(incoming),
            exchange,
            expects,
        }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(incoming).poll_frame(context));
        // From now on the client sends without waiting.
        self.expects = false;
        let frame = match frame {
            Some(Ok(frame)) => Some(Ok(frame)),
            Some(Err(error)) => {
                self.incoming = None;
                Some(Err(fault(&error)))
            }
            None => {
                self.incoming = None;
                None
            }
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

fn fault(error: &hyper::Error) -> Fault {
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return Fault::client_gone().with_cause(error);
    }
    Fault::invalid("BAD_BODY", "the request body is not valid HTTP").with_cause(error)
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(incoming) = self.incoming.take() else {
            return;
        };
        // To read on would be to ask for a body that nobody wants.
        if !self.expects && !incoming.is_end_stream() {
            self.exchange.leave(incoming);
        }
    }
}

// === impl ResponseBody ===

impl ResponseBody {
    pub(super) fn new(body: Body, exchange: Rc<Exchange>) -> Self {
        Self {
            body,
            failed: None,
            complete: false,
            exchange,
        }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if let Some(fault) = self.failed.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Err(fault)) => {
                // hyper drops what it has buffered when a body fails, and flushes when it waits:
                // the client gets the head and every message that went before.
                self.failed = Some(fault);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            frame => {
                let end = frame.as_ref().is_none_or(|frame| {
                    frame.as_ref().is_ok_and(Frame::is_trailers) || self.body.is_end_stream()
                });
                self.complete = end;
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failed.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        let complete = self.complete || self.is_end_stream();
        self.exchange.end(complete);
    }
}
