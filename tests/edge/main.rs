//! Who may call, and how many: what the edge of the gateway asks before anything is sent.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::large_futures,
    reason = "a failing test may panic, and its server ends with its runtime"
)]

mod auth;
mod limits;
mod scene;
#[path = "../support/mod.rs"]
mod support;
