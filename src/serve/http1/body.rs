//! [`RequestBody`]: the body of a request as the handler sees it.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::input::Input;
use crate::call::Fault;

/// Read from the connection as it is polled: nothing is read ahead. What is not read of it is left
/// to the connection.
pub(super) struct RequestBody {
    input: Rc<Input>,
    /// Which one it is: the connection may go on to another.
    which: u64,
    /// The last frame was taken.
    ended: bool,
}

impl RequestBody {
    /// The body that `input` stands before.
    pub(super) fn new(input: Rc<Input>) -> Self {
        Self {
            which: input.hold(),
            input,
            ended: false,
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
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(self.input.poll_body(self.which, context));
        self.ended = match &frame {
            Some(Ok(frame)) => frame.is_trailers() || self.input.left(self.which) == Some(0),
            Some(Err(_)) | None => true,
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        let left = if self.ended {
            Some(0)
        } else {
            self.input.left(self.which)
        };
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.input.let_go(self.which);
    }
}
