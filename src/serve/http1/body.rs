//! [`RequestBody`]: the body of a request as the handler sees it.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::input::Input;
use crate::call::Fault;

/// Read from the connection as it is polled: nothing is read ahead. What is not read of it is left
/// to the connection.
pub(super) struct RequestBody(Rc<Input>);

impl RequestBody {
    /// The body that `input` stands before.
    pub(super) fn new(input: Rc<Input>) -> Self {
        input.hold();
        Self(input)
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        self.0.poll_body(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.left() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .left()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.0.let_go();
    }
}
