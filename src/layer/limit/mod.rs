//! Admits no more calls than there may be: of everybody, of each client, and none while memory is
//! short. It stands before anything of a body is read (invariant 11).
//!
//! A call has its place until its answer has ended. What cannot be had at once is waited for shortly,
//! by few, or told: 429 or 503 with `Retry-After`, RESOURCE_EXHAUSTED or UNAVAILABLE.

mod bucket;
mod clients;
mod load;

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::Either;
use http_body::{Frame, SizeHint};
use tower::Service;

use crate::call::metadata::lookup;
use crate::call::{Body, Call, Fault, LocalFuture, Reply};
pub use load::Loads;
use load::Place;

/// The layer around `S`.
#[derive(Clone, Debug)]
pub struct Limit<S> {
    inner: S,
    loads: Arc<Loads>,
}

impl<S> Limit<S> {
    /// Wraps `inner`.
    pub fn new(inner: S, loads: Arc<Loads>) -> Self {
        Self { inner, loads }
    }
}

impl<S> Service<Call> for Limit<S>
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
        if self.loads.is_short() {
            let fault = self.loads.refuse(load::short());
            return Either::Right(Box::pin(std::future::ready(Err(fault))));
        }
        if call.policy.quotas.is_empty() {
            return Either::Left(self.inner.call(call));
        }
        let (loads, mut inner) = (Arc::clone(&self.loads), self.inner.clone());
        Either::Right(Box::pin(async move {
            let places = enter(&loads, &call).await;
            let places = places.map_err(|fault| loads.refuse(fault))?;
            let reply = inner.call(call).await?;
            Ok(keep(reply, places))
        }))
    }
}

async fn enter(loads: &Loads, call: &Call) -> Result<Vec<Place>, Fault> {
    let now = loads.clock(tokio::time::Instant::now().into_std());
    let client = client(call);
    let mut places = Vec::with_capacity(call.policy.quotas.len());
    for quota in &call.policy.quotas {
        if let Some(load) = loads.of(quota) {
            places.push(load.enter(&client, now).await?);
        }
    }
    Ok(places)
}

/// Who asks: by name, if he had to be known, else by where he is.
fn client(call: &Call) -> Vec<u8> {
    let record = call.record.note();
    if let Some(caller) = &record.caller {
        return [&b"caller "[..], caller.as_bytes()].concat();
    }
    let address = behind_a_proxy(call).unwrap_or_else(|| record.peer.address.ip().to_canonical());
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        // A client has at least all of these.
        IpAddr::V6(address) => address.octets().get(..8).unwrap_or_default().to_vec(),
    }
}

/// The address from which a proxy that is believed has it. The last one is the proxy itself; of
/// others there is none but that.
fn behind_a_proxy(call: &Call) -> Option<IpAddr> {
    let chain = lookup(&call.metadata, "x-forwarded-for")?.to_str().ok()?;
    let mut from_here = chain.rsplit(',').map(str::trim);
    let (last, before) = (from_here.next()?, from_here.next());
    let client = before.unwrap_or(last);
    // Some proxies say the port too.
    let address = client.parse().ok();
    let address = address.or_else(|| Some(client.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// Lets the call have its places until its answer has ended.
fn keep(mut reply: Reply, places: Vec<Place>) -> Reply {
    if !reply.body.is_there() {
        let body = Kept {
            body: reply.body,
            places,
        };
        reply.body = Body::stream(body);
    }
    reply
}

struct Kept {
    body: Body,
    places: Vec<Place>,
}

impl http_body::Body for Kept {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(None | Some(Err(_))) = polled {
            self.places.clear();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
