//! Where an application is found, asked of somebody who knows: [`Source`], and what is [`Found`].
//!
//! Each source has a task that follows it and tells [`Update`]s; whoever starts the task makes
//! endpoints of them. A source that cannot be asked changes nothing: what was found last holds.
//! Nothing here connects to an application or knows what a call is.
//!
//! ```
//! use sidegate::discover::Source;
//!
//! let source = Source::parse("dns:///app.default.svc:50051").unwrap().unwrap();
//! assert_eq!(source.to_string(), "dns:///app.default.svc:50051");
//! assert!(Source::parse("http://app:50051").is_none());
//! ```

pub mod consul;
pub mod dns;
pub mod etcd;
mod exchange;
pub mod file;
mod own;
mod patience;
mod place;
mod source;

use serde_json::Value;

pub use own::{Own, Told};
pub use place::Place;
pub use source::Source;

/// One place where an application listens, and what the source says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Where.
    pub place: Place,
    /// How much of the whole it is meant for, beside others.
    pub weight: u32,
    /// What else is said of it.
    pub metadata: Option<Value>,
}

impl Found {
    /// A place of which nothing more is said.
    pub fn at(place: Place) -> Self {
        Self {
            place,
            weight: 1,
            metadata: None,
        }
    }
}

/// What a source says.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// All places that there are.
    Found(Vec<Found>),
    /// It could not be asked, or does not know; in words.
    Failed(String),
}

/// How the sources are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// How names are resolved.
    pub dns: dns::Params,
    /// How etcd is asked.
    pub etcd: etcd::Params,
    /// How Consul is asked.
    pub consul: consul::Params,
}
