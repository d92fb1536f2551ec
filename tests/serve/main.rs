//! The data port against clients that behave well and badly, byte by byte.

#![allow(clippy::indexing_slicing, reason = "a failing test may panic")]

mod http1;
mod http2;
mod server;
