//! Where a neighbour listens, without a scheme: [`PlaceName`].

use std::fmt;

use http::uri::Authority;

use super::{Refused, Typed};
use crate::export::http::Place;

/// A host and a port: `127.0.0.1:24224`, `fluent-bit:24224`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceName(pub Place);

impl PlaceName {
    /// A host and a port, if nothing else is said.
    pub(super) fn split(authority: &Authority) -> Option<(String, Option<u16>)> {
        let host = authority.host();
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let port = authority.port_u16();
        let written = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        // A user before the host, or a port that is none, was meant otherwise.
        (authority.as_str() == written && !bare.is_empty()).then(|| (bare.to_owned(), port))
    }
}

impl Typed for PlaceName {
    const FORMAT: &'static str = "sidegate-place";
    const EXPECTED: &'static str = "a host and a port such as `127.0.0.1:24224`";

    fn read(text: &str) -> Result<Self, Refused> {
        let authority = Authority::try_from(text).map_err(|_wrong| Refused::Form)?;
        match Self::split(&authority) {
            Some((host, Some(port @ 1..))) => Ok(Self(Place { host, port })),
            _ => Err(Refused::Form),
        }
    }
}

impl fmt::Display for PlaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.authority())
    }
}
