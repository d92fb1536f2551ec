//! A handler that panics costs its own request, never the connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;

use super::Handler;
use crate::call::{Body, LocalFuture, SharedPeer};

/// A handler that runs; its output is `None` when it panicked, and is gone when it has ended.
pub(super) struct Shielded(Option<LocalFuture<Response<Body>>>);

/// Runs the handler.
pub(super) fn shield(
    handler: &Handler,
    peer: SharedPeer,
    request: http::Request<Body>,
) -> Shielded {
    // Whatever the handler shares with other requests has to stand a dropped future anyway.
    let answering = catch_unwind(AssertUnwindSafe(|| handler(peer, request)));
    Shielded(answering.ok())
}

impl Future for Shielded {
    type Output = Option<Response<Body>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = match &mut self.0 {
            Some(answering) => {
                catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(context))).ok()
            }
            None => None,
        };
        match polled {
            Some(Poll::Pending) => return Poll::Pending,
            Some(Poll::Ready(response)) => {
                self.0 = None;
                return Poll::Ready(Some(response));
            }
            None => {}
        }
        // What is left of the handler may panic once more when it is dropped.
        let rest = self.0.take();
        drop(catch_unwind(AssertUnwindSafe(|| drop(rest))));
        tracing::error!("a handler panicked");
        Poll::Ready(None)
    }
}
