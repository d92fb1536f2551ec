//! Which web pages are meant: [`OriginPattern`].

use std::fmt;

use super::{Refused, Typed};
use crate::protocol::cors::Origin;

/// An origin, or several by a `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern(pub Origin);

impl Typed for OriginPattern {
    const FORMAT: &'static str = "sidegate-origin";
    const EXPECTED: &'static str =
        "an origin such as `https://app.example.com`, `https://*.example.com` or `*`";

    fn read(text: &str) -> Result<Self, Refused> {
        match Origin::parse(text) {
            Some(origin) => Ok(Self(origin)),
            None if text.contains("://") && text.ends_with('/') => Err(Refused::Because(
                "is no origin, as those have no path: leave out the `/` at its end".to_owned(),
            )),
            None => Err(Refused::Form),
        }
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
