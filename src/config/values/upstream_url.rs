//! Where the application is: [`UpstreamUrl`].

use std::fmt;

use super::{Refused, Typed};
use crate::upstream::Target;

/// The place of an application, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    text: Box<str>,
    /// What it means.
    pub target: Target,
}

impl Typed for UpstreamUrl {
    const FORMAT: &'static str = "sidegate-upstream";
    const EXPECTED: &'static str =
        "a URL such as `http://127.0.0.1:50051`, `dns:///app:50051` or `unix:/run/app.sock`";

    /// As [`Target::parse`] reads it.
    fn read(text: &str) -> Result<Self, Refused> {
        match Target::parse(text) {
            Ok(target) => Ok(Self {
                text: text.into(),
                target,
            }),
            // It begins with the text, which every problem names itself.
            Err(told) => {
                let quoted = format!("`{text}`");
                let reason = told.strip_prefix(&quoted).unwrap_or(&told);
                Err(Refused::Because(reason.trim_start().to_owned()))
            }
        }
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
