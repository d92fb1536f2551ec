//! Which side a call goes to.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use http::HeaderMap;

use super::{Split, Sticky};
use crate::schema::policy::HeaderSource;

/// Where a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The side.
    pub side: usize,
    /// Whether weights have chosen it, and not the call itself.
    pub by_weight: bool,
}

impl Split {
    /// The side for a call with these metadata; `random` is any number.
    pub fn choose(
        &self,
        metadata: &HeaderMap,
        client: impl FnOnce() -> IpAddr,
        random: impl FnOnce() -> u64,
    ) -> Chosen {
        let fits = |choice: &&super::Choice| {
            let found = value(metadata, &choice.source);
            let wanted = choice.value.as_deref().map(str::as_bytes);
            found.is_some_and(|found| wanted.is_none_or(|wanted| wanted == found))
        };
        if let Some(choice) = self.plan.choices.iter().find(fits) {
            return Chosen {
                side: choice.side,
                by_weight: false,
            };
        }
        let point = match &self.plan.sticky {
            None => random(),
            Some(Sticky::Value(source)) => match value(metadata, source) {
                Some(value) => mixed(value),
                None => random(),
            },
            Some(Sticky::Address) => match client() {
                IpAddr::V4(address) => mixed(&address.octets()),
                IpAddr::V6(address) => mixed(&address.octets()),
            },
        };
        Chosen {
            side: self.at(point),
            by_weight: true,
        }
    }

    /// The side at a point of all that there is; a side that grows keeps what it had, where there
    /// are two.
    fn at(&self, point: u64) -> usize {
        let weight = |at: usize| {
            let weight = self.weights.get(at);
            weight.map_or(0, |weight| weight.load(Ordering::Relaxed))
        };
        let count = self.weights.len();
        let total: u64 = (0..count).map(weight).sum();
        // Scaled by the upper half, so that no remainder prefers anybody.
        let scaled = (u128::from(point >> 32) * u128::from(total)) >> 32;
        let mut left = u64::try_from(scaled).unwrap_or(0);
        for side in 0..count {
            let weight = weight(side);
            if left < weight {
                return side;
            }
            left -= weight;
        }
        // Weights changed in between.
        (0..count).find(|side| weight(*side) > 0).unwrap_or(0)
    }
}

/// A number of a text, the same in every process: FNV-1a (public domain), and the mixing of
/// MurmurHash3's end (public domain), without which near texts had near numbers.
pub fn mixed(text: &[u8]) -> u64 {
    let mut hash = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// What a header or a cookie says; of several the first.
fn value<'m>(metadata: &'m HeaderMap, source: &HeaderSource) -> Option<&'m [u8]> {
    match source {
        HeaderSource::Header(name) => metadata.get(&**name).map(|value| value.as_bytes()),
        HeaderSource::Cookie(name) => {
            let all = metadata.get_all(http::header::COOKIE).into_iter();
            let mut pairs = all.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
            pairs.find_map(|pair| {
                let pair = pair.trim_ascii();
                let value = pair.strip_prefix(name.as_bytes())?;
                value.strip_prefix(b"=")
            })
        }
    }
}
