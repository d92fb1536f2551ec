//! Where calls go when there is more than one upstream.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a failing test may panic"
)]

mod app;
mod scene;
mod several;
mod split;

use std::time::Duration;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// How long anything that has to happen may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);
