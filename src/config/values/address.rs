//! Where to listen: [`Listen`] and [`ListenOrOff`].

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Refused, Typed};

/// An address of this machine and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

/// An address and a port, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenOrOff(pub Option<SocketAddr>);

impl Typed for Listen {
    const FORMAT: &'static str = "sidegate-address";
    const EXPECTED: &'static str =
        "an address and a port such as `0.0.0.0:8081`, `[::]:8081` or `localhost:8081`";

    /// An IP address and a port; `localhost` stands for `127.0.0.1`, and nothing at all before
    /// the colon for `0.0.0.0`. Other names are not looked up: what they lead to may change.
    fn read(text: &str) -> Result<Self, Refused> {
        if let Ok(address) = text.parse() {
            return Ok(Self(address));
        }
        let (host, port) = text.rsplit_once(':').ok_or(Refused::Form)?;
        let host = match host {
            "" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            _ => return Err(Refused::Form),
        };
        if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Refused::Form);
        }
        let port = port.parse().map_err(|_out_of_range| Refused::Form)?;
        Ok(Self(SocketAddr::new(host, port)))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Typed for ListenOrOff {
    const FORMAT: &'static str = "sidegate-address-or-off";
    const EXPECTED: &'static str = "an address and a port such as `127.0.0.1:9901`, or `off`";

    fn read(text: &str) -> Result<Self, Refused> {
        if text == "off" {
            return Ok(Self(None));
        }
        Listen::read(text).map(|listen| Self(Some(listen.0)))
    }
}

impl fmt::Display for ListenOrOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("off"),
        }
    }
}
