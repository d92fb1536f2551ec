//! A handler that panics costs its own request, never the connection.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use http::Response;

use super::Handler;
use super::stats::Stats;
use crate::call::{Body, SharedPeer};

/// Runs the handler; `None` when it panicked.
pub(super) async fn shield(
    handler: Handler,
    stats: &Stats,
    peer: SharedPeer,
    request: http::Request<Body>,
) -> Option<Response<Body>> {
    // Whatever the handler shares with other requests has to stand a dropped future anyway.
    let answering = AssertUnwindSafe(async move { handler(peer, request).await });
    match answering.catch_unwind().await {
        Ok(response) => Some(response),
        Err(_panic) => {
            stats.count_panic();
            tracing::error!("a handler panicked");
            None
        }
    }
}
