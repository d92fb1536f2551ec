//! The client's side of HTTP/2 for unary calls: a few thousand instructions a call.
//!
//! One task drives a connection; calls reach its state directly, since all of it belongs to one
//! thread. What many calls send leaves in one write. An answer is taken whole when all of it has
//! come, which is the usual case. Pushes, priorities and trailers of requests are left out; a
//! stream whose answer may last goes through the `h2` crate instead, which is also what the tests
//! compare this with.
//!
//! [`hpack`], [`frame`] and the state in [`session`] do no I/O and never panic, whatever comes; a
//! far side that breaks the protocol loses its connection, and one that breaks it on a stream
//! loses that stream.

mod client;
mod driver;
mod feed;
mod frame;
mod hpack;
mod output;
mod receive;
mod session;
mod stall;
mod stream;
#[cfg(test)]
mod tests;
mod window;

pub(super) use client::{Answer, Asked, Client};
pub(super) use driver::Driver;
pub use feed::feed;
pub(super) use hpack::Request;
pub(super) use session::{Limits, Next, Unsent};
pub(super) use stream::{Failure, Pieces};
