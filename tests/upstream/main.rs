//! The upstream against an application of which every frame is decided here.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod app;
mod balance;
mod basics;
mod call;
mod failures;
mod retries;
mod sharing;
mod timing;
