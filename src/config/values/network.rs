//! Who is trusted: [`Network`], a range of addresses.

use std::fmt;
use std::net::IpAddr;

use super::{Refused, Typed};

/// A range of addresses in CIDR notation, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The first address; the bits after the prefix are zero.
    pub address: IpAddr,
    /// How many bits all addresses of the range share.
    pub prefix: u8,
}

impl Typed for Network {
    const FORMAT: &'static str = "sidegate-network";
    const EXPECTED: &'static str =
        "an address or a range of addresses such as `10.0.0.0/8` or `::1`";

    fn read(text: &str) -> Result<Self, Refused> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            return Err(Refused::Form);
        };
        let width = width(address);
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_out_of_range| Refused::Form)?
            }
            Some(_) => return Err(Refused::Form),
        };
        if prefix > width {
            return Err(Refused::Form);
        }
        let network = Self { address, prefix };
        if masked(address, prefix) != bits(address) {
            return Err(Refused::Because(format!(
                "has bits set after its prefix of {prefix}, so it is not clear which range is \
                 meant"
            )));
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        if self.prefix < width(self.address) {
            write!(f, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

impl Network {
    /// Whether an address lies in the range. An IPv4 address that came over an IPv6 socket is
    /// taken as the IPv4 address it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        width(address) == width(self.address) && masked(address, self.prefix) == bits(self.address)
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The bits of an address with those after the prefix set to zero.
fn masked(address: IpAddr, prefix: u8) -> u128 {
    let dropped = u32::from(width(address).saturating_sub(prefix));
    let kept = u128::MAX.checked_shl(dropped).unwrap_or(0);
    bits(address) & kept
}
