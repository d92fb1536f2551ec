//! Where the application is: [`UpstreamUrl`].

use std::fmt;

use super::{Refused, Typed};
use crate::discover::Source;
use crate::upstream::Target;

/// The place of an application, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    text: Box<str>,
    /// What it means; for a source that names no place, its name.
    pub target: Target,
    /// Who knows the place, if this names somebody who does.
    pub source: Option<Source>,
}

impl Typed for UpstreamUrl {
    const FORMAT: &'static str = "sidegate-upstream";
    const EXPECTED: &'static str =
        "a URL such as `http://127.0.0.1:50051`, `dns:///app:50051` or `unix:/run/app.sock`";

    /// As [`Source::parse`] and [`Target::parse`] read it.
    fn read(text: &str) -> Result<Self, Refused> {
        // What is wrong begins with the text, which every problem names itself.
        let refused = |told: String| {
            let quoted = format!("`{text}`");
            let reason = told.strip_prefix(&quoted).unwrap_or(&told);
            Refused::Because(reason.trim_start().to_owned())
        };
        let source = Source::parse(text).transpose().map_err(refused)?;
        let target = match &source {
            None => Target::parse(text).map_err(refused)?,
            Some(source) => stand_in(source),
        };
        Ok(Self {
            text: text.into(),
            target,
            source,
        })
    }
}

/// What stands for the place before it is found.
fn stand_in(source: &Source) -> Target {
    match source {
        Source::Dns { host, port } => Target::Tcp {
            host: host.clone(),
            port: *port,
        },
        Source::Srv(_) | Source::File(_) | Source::Etcd(_) | Source::Consul(_) => Target::Tcp {
            host: source.to_string(),
            port: 0,
        },
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
