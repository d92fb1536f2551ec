//! Who is asked for names: [`DnsServer`].

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::{Refused, Typed};

/// The port of DNS.
const PORT: u16 = 53;

/// The address of a DNS server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DnsServer(pub SocketAddr);

impl Typed for DnsServer {
    const FORMAT: &'static str = "sidegate-dns-server";
    const EXPECTED: &'static str = "an IP address such as `10.96.0.10` or `127.0.0.1:5353`";

    fn read(text: &str) -> Result<Self, Refused> {
        let alone = |address: IpAddr| SocketAddr::new(address, PORT);
        let address = text.parse().or_else(|_| text.parse().map(alone));
        match address {
            Ok(address) if address.port() != 0 => Ok(Self(address)),
            _ => Err(Refused::Form),
        }
    }
}

impl fmt::Display for DnsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
