//! TLS: certificates and keys from files become what a handshake is made with.
//!
//! ```text
//! Params (paths, each with its place in the configuration)
//!     -> files are read, every problem is told -> a whole new configuration of rustls, published
//! ```
//!
//! [`Server`] is the side towards clients, [`Client`] that towards the application. What it publishes is immutable: a handshake takes what
//! there is when it begins, and a reload that finds anything wrong leaves it as it is. Nothing
//! here opens a socket or reads a clock; `rustls` is named nowhere else.

mod challenge;
mod choose;
mod client;
mod facts;
mod files;
mod identity;
mod managed;
mod self_signed;
mod server;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use challenge::{Challenges, Proof, is_challenge};
pub use client::{Client, ClientParams, Renewed};
pub use facts::{Facts, date};
pub use files::{File, Pair};
pub use identity::identity;
pub use managed::{Managed, check_managed, facts_of};
pub use server::{Changed, ClientAuth, Clients, Next, Params, Server, Version};

/// The one set of algorithms that everything here uses.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
