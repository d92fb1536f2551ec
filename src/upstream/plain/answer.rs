//! The body of an answer; its end gives the connection back.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::Lease;
use super::connection::fault;
use crate::call::{Body, Fault};

/// The body of an answer that came on a connection.
pub(super) fn body(incoming: Incoming, lease: Lease) -> Body {
    if incoming.is_end_stream() {
        lease.give_back();
        return Body::empty();
    }
    Body::raw(Answer {
        incoming,
        lease: Some(lease),
    })
}

/// Dropped before its end, it takes the connection along.
struct Answer {
    incoming: Incoming,
    lease: Option<Lease>,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(context));
        if (frame.is_none() || self.incoming.is_end_stream())
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
        Poll::Ready(frame.map(|frame| frame.map_err(|error| fault(&error))))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
