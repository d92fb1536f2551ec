//! [`Place`]: where an application listens, as sources write it.

use std::fmt;
use std::path::PathBuf;

use http::uri::Authority;

/// Where an application listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A host and a port.
    Tcp {
        /// A name, or an address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket in the file system.
    Unix(PathBuf),
}

impl Place {
    /// A host, by name or number, and a port.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::Tcp {
            host: host.into(),
            port,
        }
    }

    /// Reads a place.
    ///
    /// ```text
    /// place = [ "http://" ] host ":" port | "unix:" path
    /// host  = name | IPv4 | "[" IPv6 "]"
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return (!path.is_empty()).then(|| Self::Unix(PathBuf::from(path)));
        }
        let rest = text.strip_prefix("http://").unwrap_or(text);
        let authority = Authority::try_from(rest.strip_suffix('/').unwrap_or(rest)).ok()?;
        let (host, port) = (authority.host(), authority.port_u16()?);
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        // A user before the host, or a port that is none, was meant otherwise.
        let written = authority.as_str() == format!("{host}:{port}");
        (written && !bare.is_empty() && port != 0).then(|| Self::tcp(bare, port))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        for (text, expected) in [
            ("10.0.0.1:50051", Some("10.0.0.1:50051")),
            ("http://app:1/", Some("app:1")),
            ("[::1]:50051", Some("[::1]:50051")),
            ("unix:/run/a.sock", Some("unix:/run/a.sock")),
            ("unix:///run/a.sock", Some("unix:/run/a.sock")),
            ("app", None),
            ("app:0", None),
            ("app:70000", None),
            ("me@app:1", None),
            ("https://app:1", None),
            ("unix:", None),
            (":1", None),
            ("", None),
        ] {
            let got = Place::parse(text).map(|place| place.to_string());
            assert_eq!(got.as_deref(), expected, "{text}");
        }
    }
}
