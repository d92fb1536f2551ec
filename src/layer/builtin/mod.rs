//! The gRPC services that the gateway answers itself when the app does not: health and server
//! reflection (PROTOCOLS, "Server reflection").

mod exchange;
mod health;
mod reflection;

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::Either;
use tower::Service;

use crate::call::{Call, Fault, LocalFuture, Reply};
use crate::life::ready::Ready;
use crate::schema::Schema;

/// What the built-in services need to know.
#[derive(Clone, Debug)]
pub struct Params {
    /// Knows whether the app can be reached.
    pub ready: Ready,
    /// The descriptors of the built-in services themselves.
    pub own: Arc<Schema>,
}

/// The layer of built-in services around `S`.
#[derive(Clone, Debug)]
pub struct Builtin<S> {
    inner: S,
    params: Rc<Params>,
}

impl<S> Builtin<S> {
    /// Wraps `inner`.
    pub fn new(inner: S, params: Params) -> Self {
        Self {
            inner,
            params: Rc::new(params),
        }
    }
}

impl<S> Service<Call> for Builtin<S>
where
    S: Service<Call, Response = Reply, Error = Fault> + Clone + 'static,
{
    type Response = Reply;
    type Error = Fault;
    type Future = Either<S::Future, LocalFuture<Result<Reply, Fault>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        // Everything of these services starts alike, and nothing else does.
        let Some(rest) = call.path.path().strip_prefix("/grpc.") else {
            return Either::Left(self.inner.call(call));
        };
        if let Some(version) = reflection::Version::of(rest)
            && !version.passes_through(&call.schema)
        {
            let own = Arc::clone(&self.params.own);
            return Either::Right(Box::pin(std::future::ready(Ok(reflection::answer(
                call, own,
            )))));
        }
        match health::Method::of(rest) {
            Some(method) => {
                let params = Rc::clone(&self.params);
                Either::Right(Box::pin(health::answer(
                    method,
                    call,
                    self.inner.clone(),
                    params,
                )))
            }
            None => Either::Left(self.inner.call(call)),
        }
    }
}
