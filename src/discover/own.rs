//! [`Own`]: the place where we are found ourselves, as it is told to registries.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::Value;

use super::Place;

/// What is told of us.
#[derive(Clone, Debug, PartialEq)]
pub struct Own {
    /// Where others find us, if it was said.
    pub address: Option<Place>,
    /// Where we listen.
    pub listen: SocketAddr,
    /// What else is said of us.
    pub metadata: Option<Value>,
    /// How long others may believe that we live when they hear nothing.
    pub ttl: Duration,
}

impl Own {
    /// Where others find us, as far as it was said: where we listen, unless that is everywhere.
    pub fn said(&self) -> Option<Place> {
        let own = self.listen.ip();
        let listen = (!own.is_unspecified()).then(|| self.at(own));
        self.address.clone().or(listen)
    }

    /// The same, or else where a registry sees us.
    pub fn place(&self, seen: Option<IpAddr>) -> Place {
        let seen = seen.unwrap_or_else(|| self.listen.ip());
        self.said().unwrap_or_else(|| self.at(seen))
    }

    fn at(&self, host: IpAddr) -> Place {
        Place::tcp(host.to_canonical().to_string(), self.listen.port())
    }
}

/// What becomes of telling it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// We can be found, by this name.
    Registered(String),
    /// We still can.
    Kept,
    /// It could not be told; in words.
    Failed(String),
    /// We can no longer be found.
    Withdrawn,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let seen = Some("10.0.0.5".parse().unwrap());
        for (address, listen, expected) in [
            (Some("app:1"), "0.0.0.0:8081", "app:1"),
            (None, "127.0.0.1:8081", "127.0.0.1:8081"),
            (None, "0.0.0.0:8081", "10.0.0.5:8081"),
            (None, "[::]:8081", "10.0.0.5:8081"),
        ] {
            let own = Own {
                address: address.and_then(Place::parse),
                listen: listen.parse().unwrap(),
                metadata: None,
                ttl: Duration::from_secs(1),
            };
            assert_eq!(own.place(seen).to_string(), expected);
        }
    }
}
