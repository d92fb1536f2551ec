//! What a setting calls an upstream: [`UpstreamName`].

use std::fmt;

use super::{Refused, Typed};

/// The name of an upstream, as `upstreams` has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UpstreamName(pub Box<str>);

impl Typed for UpstreamName {
    const FORMAT: &'static str = "sidegate-upstream-name";
    const EXPECTED: &'static str = "the name of an upstream such as `app`";
    const TYPE: &'static [&'static str] = &["string", "number"];

    /// Visible ASCII characters.
    fn read(text: &str) -> Result<Self, Refused> {
        let sound = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if sound {
            Ok(Self(text.into()))
        } else {
            Err(Refused::Form)
        }
    }
}

impl fmt::Display for UpstreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
