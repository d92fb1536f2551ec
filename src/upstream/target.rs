//! [`Target`]: where the application listens, as `--upstream` says it.
//!
//! ```text
//! target    = ( "http://" | "https://" ) host [ ":" port ] [ "/" ]
//!           | "dns:///" host ":" port
//!           | "unix:" path | "unix://" absolute-path
//! host      = name | IPv4 | "[" IPv6 "]"
//! ```

use std::fmt;
use std::path::PathBuf;

use http::uri::Authority;

/// An address of the application, not yet resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A host, by name or number, and a port.
    Tcp {
        /// A name, or an address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// The same, over TLS.
    Tls {
        /// A name, or an address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket in the file system.
    Unix(PathBuf),
}

impl Target {
    /// Reads a target; the error says what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("http://") {
            return tcp(text, rest.strip_suffix('/').unwrap_or(rest), Some(80));
        }
        if let Some(rest) = text.strip_prefix("dns:///") {
            return tcp(text, rest, None);
        }
        if let Some(rest) = text.strip_prefix("unix:") {
            return unix(text, rest);
        }
        if let Some(rest) = text.strip_prefix("https://") {
            let target = tcp(text, rest.strip_suffix('/').unwrap_or(rest), Some(443))?;
            return Ok(match target {
                Self::Tcp { host, port } => Self::Tls { host, port },
                other => other,
            });
        }
        Err(format!(
            "`{text}` is not an upstream; expected http://host:port, https://host:port, unix:path or \
             dns:///host:port"
        ))
    }

    /// The `:authority` of calls that bring none.
    pub fn authority(&self) -> Authority {
        match self {
            Self::Tcp { host, port } | Self::Tls { host, port } => {
                Authority::try_from(join(host, *port)).ok()
            }
            Self::Unix(_) => None,
        }
        .unwrap_or_else(|| Authority::from_static("localhost"))
    }
}

fn tcp(text: &str, rest: &str, default_port: Option<u16>) -> Result<Target, String> {
    let authority = rest
        .parse::<Authority>()
        .map_err(|_invalid| format!("`{text}`: `{rest}` is not host:port"))?;
    if rest.contains('@') {
        return Err(format!("`{text}`: an upstream takes no user and password"));
    }
    let host = authority.host();
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    if host.is_empty() {
        return Err(format!("`{text}`: the host is missing"));
    }
    let after_host = rest.rsplit(']').next().unwrap_or(rest);
    let port = match (authority.port_u16(), after_host.contains(':')) {
        (Some(port), _) => Some(port),
        (None, true) => None,
        (None, false) => default_port,
    };
    let Some(port) = port.filter(|port| *port != 0) else {
        return Err(format!("`{text}`: a port from 1 to 65535 is missing"));
    };
    Ok(Target::Tcp {
        host: host.to_owned(),
        port,
    })
}

fn unix(text: &str, rest: &str) -> Result<Target, String> {
    let path = match rest.strip_prefix("//") {
        Some(absolute) if absolute.starts_with('/') => absolute,
        Some(_) => {
            return Err(format!(
                "`{text}`: unix:// takes an absolute path; use unix:relative/path"
            ));
        }
        None => rest,
    };
    if path.is_empty() {
        return Err(format!("`{text}`: the path of the socket is missing"));
    }
    Ok(Target::Unix(PathBuf::from(path)))
}

fn join(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => f.write_str(&join(host, *port)),
            Self::Tls { host, port } => write!(f, "https://{}", join(host, *port)),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let rows: &[(&str, Result<&str, &str>)] = &[
            ("http://127.0.0.1:50051", Ok("127.0.0.1:50051")),
            ("http://app", Ok("app:80")),
            ("http://app/", Ok("app:80")),
            ("http://[::1]:50051", Ok("[::1]:50051")),
            ("http://[::1]", Ok("[::1]:80")),
            ("dns:///app.svc:50051", Ok("app.svc:50051")),
            ("unix:/run/app.sock", Ok("unix:/run/app.sock")),
            ("unix:///run/app.sock", Ok("unix:/run/app.sock")),
            ("unix:app.sock", Ok("unix:app.sock")),
            ("https://app:1", Ok("https://app:1")),
            ("https://[::1]/", Ok("https://[::1]:443")),
            (
                "http://app:0",
                Err("`http://app:0`: a port from 1 to 65535 is missing"),
            ),
            (
                "http://app:70000",
                Err("`http://app:70000`: a port from 1 to 65535 is missing"),
            ),
            (
                "dns:///app",
                Err("`dns:///app`: a port from 1 to 65535 is missing"),
            ),
            (
                "http://app:1/path",
                Err("`http://app:1/path`: `app:1/path` is not host:port"),
            ),
            (
                "http://me:word@app:1",
                Err("`http://me:word@app:1`: an upstream takes no user and password"),
            ),
            ("http://:1", Err("`http://:1`: the host is missing")),
            ("unix:", Err("`unix:`: the path of the socket is missing")),
            (
                "unix://app.sock",
                Err("`unix://app.sock`: unix:// takes an absolute path; use unix:relative/path"),
            ),
            (
                "127.0.0.1:50051",
                Err(
                    "`127.0.0.1:50051` is not an upstream; expected http://host:port, \
                     https://host:port, unix:path or dns:///host:port",
                ),
            ),
        ];
        for (text, expected) in rows {
            let got = Target::parse(text).map(|target| target.to_string());
            assert_eq!(
                got.as_deref().map_err(String::as_str),
                expected.as_ref().map(|text| *text).map_err(|text| *text),
                "{text}"
            );
        }
    }

    #[test]
    fn authorities() {
        for (text, expected) in [
            ("http://app:1", "app:1"),
            ("http://[::1]:1", "[::1]:1"),
            ("unix:/run/app.sock", "localhost"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(target.authority().as_str(), expected);
        }
    }
}
