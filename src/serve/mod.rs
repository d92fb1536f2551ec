//! Listeners, the acceptor, and connections with every limit in reach.
//!
//! ```text
//! Listener -> acceptor -> the least loaded worker -> (TLS) -> first bytes -> http1 or http2 -> Handler
//! ```
//!
//! Every worker is a thread with a runtime of its own; a connection lives on one worker from its
//! first byte to its last. Nothing here looks at what a request means: it is bounded in size and
//! time, freed of everything that two readers could understand differently, and handed on.
//!
//! ```no_run
//! use std::rc::Rc;
//! use std::sync::Arc;
//! use sidegate::call::Body;
//! use sidegate::life::drain::Drain;
//! use sidegate::serve::{Handler, Listener, MakeHandler, Params, Workers};
//!
//! # async fn run() -> std::io::Result<()> {
//! let drain = Drain::new();
//! let hello: MakeHandler = Arc::new(|| -> Handler {
//!     Rc::new(|_peer, _request| Box::pin(async { http::Response::new(Body::empty()) }))
//! });
//! let workers = Workers::start(2, &Params::new(), &drain, &hello)?;
//! let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
//! println!("{}", listener.address());
//! // Accepts until draining begins; the caller decides when.
//! listener.run(&workers, drain.started()).await;
//! # Ok(())
//! # }
//! ```

mod accept;
mod connection;
mod host;
mod http1;
mod http2;
mod params;
mod secure;
mod shield;
mod socket;
mod stats;
#[cfg(test)]
mod tests;
mod transport;
mod workers;

use std::rc::Rc;
use std::sync::Arc;

pub use accept::Listener;
#[doc(hidden)]
pub use http1::feed as feed_http1;
pub use params::{Params, open_files};
pub use stats::Stats;
pub use workers::Workers;

use crate::call::{Body, LocalFuture, SharedPeer};

/// Answers a request, on the worker whose connection it came on.
///
/// The bodies of both are bytes as HTTP has them, with trailers. Dropping the future or the body
/// of the response is how a client that left is told.
pub type Handler = Rc<dyn Fn(SharedPeer, http::Request<Body>) -> LocalFuture<http::Response<Body>>>;

/// Makes the handler of a worker, on its thread and within its runtime.
pub type MakeHandler = Arc<dyn Fn() -> Handler + Send + Sync>;
