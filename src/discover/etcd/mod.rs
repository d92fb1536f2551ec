//! etcd: places of others under a prefix, watched; and our own, as long as we live.
//!
//! The layout is that of etcd's own package for gRPC, `clientv3/naming/endpoints`, so that its
//! users find us and we find what they have told. It is asked through the JSON gateway that every
//! etcd has: requests of a few bytes a second need no client of another protocol.

mod client;
mod follow;
mod naming;
mod register;

use std::path::PathBuf;

use super::Place;

pub use follow::follow;
pub use register::register;

/// How etcd is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    /// Its members.
    pub servers: Vec<Place>,
    /// Who asks, if it wants to know: a name and the file with the password.
    pub user: Option<(String, PathBuf)>,
}
