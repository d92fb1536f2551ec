//! The data port against clients that behave well and badly, byte by byte.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod frames;
mod http1;
mod http1_answers;
mod http2;
mod lifecycle;
mod server;
mod upgrade;
