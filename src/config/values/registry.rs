//! Where a registry is asked: [`RegistryUrl`].

use std::fmt;

use super::{Refused, Typed};
use crate::discover::Place;

/// The place of etcd or Consul, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryUrl(pub Place);

impl Typed for RegistryUrl {
    const FORMAT: &'static str = "sidegate-registry";
    const EXPECTED: &'static str = "a URL such as `http://127.0.0.1:2379`";

    fn read(text: &str) -> Result<Self, Refused> {
        if text.starts_with("https://") {
            let why = "cannot be asked over TLS; ask a member or agent on the same host";
            return Err(Refused::Because(String::from(why)));
        }
        match Place::parse(text) {
            Some(place @ Place::Tcp { .. }) => Ok(Self(place)),
            Some(Place::Unix(_)) | None => Err(Refused::Form),
        }
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}
