//! What the integration tests are made of: a scripted application, clients that see every byte,
//! and gateways to aim them at.
//!
//! Nothing here uses the codec, the routes or the call model of the product: what a test expects
//! never comes from the code that it tests.

#![allow(
    dead_code,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::infinite_loop,
    clippy::let_underscore_must_use,
    clippy::map_err_ignore,
    let_underscore_drop,
    reason = "shared by several test programs, each of which uses a part; a failing test may panic"
)]

pub(crate) mod case;
pub(crate) mod client;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod target;
pub(crate) mod upstream;
pub(crate) mod websocket;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A patience that a program chose for itself, in seconds; 0 when it did not.
pub(crate) static PATIENCE: AtomicU64 = AtomicU64::new(0);

/// How long anything that has to happen may take before a test gives up on it.
pub(crate) fn patience() -> Duration {
    let chosen = PATIENCE.load(Ordering::Relaxed);
    if chosen > 0 {
        return Duration::from_secs(chosen);
    }
    let seconds = std::env::var("SIDEGATE_TEST_PATIENCE")
        .ok()
        .and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(20))
}
