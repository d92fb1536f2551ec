//! An answer whose head may come later than the answer begins (S3).
//!
//! Many applications send their head with their first message only. A responder that must begin
//! before that gets a [`Reply`] whose body waits for the real one. What the head then says comes
//! too late to be told; how the call ends does not.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use crate::call::{Body, Fault, LocalFuture, Reply};

/// The outcome when it is there within `patience`, else a reply that waits for it.
pub(super) async fn within(
    patience: Duration,
    mut outcome: LocalFuture<Result<Reply, Fault>>,
) -> Result<Reply, Fault> {
    match tokio::time::timeout(patience, &mut outcome).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Ok(Reply {
            metadata: HeaderMap::new(),
            trailers_only: None,
            body: Body::stream(Late::Waiting(outcome)),
        }),
    }
}

/// The body of a reply that is not there yet.
enum Late {
    Waiting(LocalFuture<Result<Reply, Fault>>),
    There(Body),
}

impl http_body::Body for Late {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        loop {
            match &mut *self {
                Self::There(body) => return pin!(body).poll_frame(context),
                Self::Waiting(outcome) => {
                    let reply = match ready!(outcome.as_mut().poll(context)) {
                        Ok(reply) => reply,
                        Err(fault) => {
                            *self = Self::There(Body::empty());
                            return Poll::Ready(Some(Err(fault)));
                        }
                    };
                    *self = Self::There(match reply.trailers_only {
                        Some(trailers) => Body::whole(Bytes::new(), Some(trailers)),
                        None => reply.body,
                    });
                }
            }
        }
    }
}
