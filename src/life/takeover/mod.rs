//! How a gateway gives its listening sockets to the one that replaces it, over a Unix socket.
//!
//! ```text
//! successor                                        predecessor, serving
//!   {"takeover":{"oldest":1,"newest":1},"version":"…","pid":…} ->
//!   <- {"takeover":1,"version":"…","pid":…,"ready":true,"sockets":[{"name":"listen","asked":"0.0.0.0:8081"},…]}
//!      with the sockets themselves, in that order (SCM_RIGHTS)
//!   … starts, and serves …
//!   {"serving":true} ->
//!   <- {"draining":true}                             … drains, and ends
//! ```
//!
//! Every message is a line of JSON; members that one side does not know are passed over, and the
//! number is the newest that both speak, so that versions may differ. A predecessor that cannot or
//! will not answers `{"refused":"why"}`. As long as `serving` has not been said the predecessor
//! goes on as if nobody had asked: a successor that fails just closes its end. Both look at whose
//! process the other one is, and speak with their own user and with root only.
//!
//! Both hold the same sockets for a while, so that no connection is refused at any moment.

mod ask;
mod line;
mod offer;
#[cfg(test)]
mod tests;

use std::net::TcpListener;

pub use ask::{Predecessor, ask};
pub use offer::{Offer, Successor};

/// A listening socket on its way to a successor.
#[derive(Debug)]
pub struct Handed {
    /// What it is for: `listen`, `admin` and the like.
    pub name: String,
    /// The address in the configuration that it was made for; its port may be 0.
    pub asked: String,
    /// The socket.
    pub socket: TcpListener,
}
