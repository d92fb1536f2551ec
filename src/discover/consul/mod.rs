//! Consul: the healthy places of a service, by blocking queries; and our own, with a check that we
//! keep passing.
//!
//! It is asked through the HTTP API of its agent, as documented; nothing is cached by the agent.

mod client;
mod follow;
mod register;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use super::Place;

pub use follow::follow;
pub use register::register;

/// How Consul is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// The agent.
    pub agent: Place,
    /// The file with the token that it wants.
    pub token: Option<PathBuf>,
}

/// Which places of a service are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// A tag that they have to bear.
    pub tag: Option<String>,
    /// Another datacenter than the agent's own.
    pub datacenter: Option<String>,
}
