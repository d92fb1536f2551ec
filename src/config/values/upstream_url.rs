//! Where the application is: [`UpstreamUrl`].

use std::fmt;
use std::path::PathBuf;

use super::{Refused, Typed};

/// The place of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamUrl {
    /// `http://host:port`: HTTP/2 without TLS, by whichever address of the name answers.
    Http {
        /// A name or an IP address, without brackets.
        host: Box<str>,
        /// The port.
        port: u16,
    },
    /// `dns:///host:port`: every address of the name is an endpoint.
    Dns {
        /// A name.
        host: Box<str>,
        /// The port.
        port: u16,
    },
    /// `unix:/path`: a socket in the file system.
    Unix(PathBuf),
}

impl Typed for UpstreamUrl {
    const FORMAT: &'static str = "sidegate-upstream";
    const EXPECTED: &'static str = "a URL such as `http://127.0.0.1:50051`, \
                                    `dns:///app.example:50051` or `unix:/run/app.sock`";

    /// ```text
    /// url       = "http://" authority [ "/" ] | "dns:///" authority | "unix:" [ "//" ] PATH
    /// authority = ( NAME | IPv4 | "[" IPv6 "]" ) [ ":" PORT ]     ; http: 80, dns: 443 is not
    ///                                                             ; guessed, a port is needed
    /// ```
    fn read(text: &str) -> Result<Self, Refused> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(Refused::Form);
        };
        match scheme {
            "http" => {
                let rest = rest.strip_prefix("//").ok_or(Refused::Form)?;
                let (host, port) = authority(rest.strip_suffix('/').unwrap_or(rest))?;
                let port = port.unwrap_or(80);
                Ok(Self::Http { host, port })
            }
            "https" => Err(Refused::Because(
                "is reached by TLS, which is not available in this version".to_owned(),
            )),
            "dns" => {
                let rest = rest.strip_prefix("///").ok_or(Refused::Form)?;
                let (host, port) = authority(rest)?;
                let port = port.ok_or(Refused::Form)?;
                Ok(Self::Dns { host, port })
            }
            "unix" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() {
                    return Err(Refused::Form);
                }
                Ok(Self::Unix(path.into()))
            }
            _ => Err(Refused::Form),
        }
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Http { host, port } => ("http://", host, port),
            Self::Dns { host, port } => ("dns:///", host, port),
            Self::Unix(path) => return write!(f, "unix:{}", path.display()),
        };
        if host.contains(':') {
            write!(f, "{scheme}[{host}]:{port}")
        } else {
            write!(f, "{scheme}{host}:{port}")
        }
    }
}

fn authority(text: &str) -> Result<(Box<str>, Option<u16>), Refused> {
    if let Some((before, _)) = text.split_once('@') {
        let message = if before.contains(':') {
            "carries a password, which has no use here"
        } else {
            "carries a user, who has no use here"
        };
        return Err(Refused::Because(message.to_owned()));
    }
    if let Some((_, path)) = text.split_once('/')
        && !path.is_empty()
    {
        return Err(Refused::Because(
            "has a path, and gRPC has no place for one".to_owned(),
        ));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(Refused::Form)?;
            let address = host.parse::<std::net::Ipv6Addr>();
            address.map_err(|_not_an_address| Refused::Form)?;
            (host, after)
        }
        None => text
            .split_at_checked(text.find(':').unwrap_or(text.len()))
            .ok_or(Refused::Form)?,
    };
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if host.is_empty() || (!text.starts_with('[') && !host.bytes().all(name)) {
        return Err(Refused::Form);
    }
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            match digits.parse() {
                Ok(port) if port > 0 => Some(port),
                _ => return Err(Refused::Because("has no port from 1 to 65535".to_owned())),
            }
        }
        _ => return Err(Refused::Form),
    };
    Ok((host.into(), port))
}
