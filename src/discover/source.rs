//! [`Source`]: who is asked where an application is, as the `url` of an upstream names it.
//!
//! ```text
//! source = "dns:///" host ":" port          its addresses, A and AAAA
//!        | "dns+srv:///" name               its SRV records, such as _grpc._tcp.app.example
//!        | "file:" path | "file://" absolute-path
//! ```

use std::fmt;
use std::path::PathBuf;

use super::Place;

/// Who is asked where an application is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The addresses of a name.
    Dns {
        /// The name.
        host: String,
        /// The port at each of them.
        port: u16,
    },
    /// The SRV records of a name.
    Srv(String),
    /// A file with a list.
    File(PathBuf),
}

impl Source {
    /// Reads a source; `None` for what names no source, and what is wrong with one that does.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let (scheme, rest) = text.split_once(':')?;
        let parsed = match scheme {
            "dns" => in_authority(rest, "dns:///host:port").and_then(host_and_port),
            "dns+srv" => in_authority(rest, "dns+srv:///_service._tcp.name").and_then(srv),
            "file" => file(rest),
            _ => return None,
        };
        Some(parsed.map_err(|wrong| format!("`{text}`: {wrong}")))
    }

    /// The `:authority` of calls that bring none, where it is that of the source.
    pub fn authority(&self) -> Option<String> {
        match self {
            Self::Dns { host, port } => Some(Place::tcp(host, *port).to_string()),
            Self::Srv(_) | Self::File(_) => None,
        }
    }
}

/// What follows `//authority/`, where the authority has to be empty.
fn in_authority<'t>(rest: &'t str, form: &str) -> Result<&'t str, String> {
    match rest.strip_prefix("//").map(|rest| rest.strip_prefix('/')) {
        Some(Some(rest)) => Ok(rest),
        None if !rest.is_empty() => Ok(rest),
        Some(None) => Err(format!(
            "it is written `{form}`; which servers are asked is `discovery.dns.servers`"
        )),
        None => Err(format!("it is written `{form}`")),
    }
}

fn host_and_port(rest: &str) -> Result<Source, String> {
    match Place::parse(rest).filter(|_| !rest.contains("//")) {
        Some(Place::Tcp { host, port }) => Ok(Source::Dns { host, port }),
        Some(Place::Unix(_)) | None => Err("a host and a port from 1 to 65535 are missing".into()),
    }
}

fn srv(rest: &str) -> Result<Source, String> {
    let name = rest.strip_suffix('.').unwrap_or(rest);
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.len() < 64 && label.bytes().all(plain)
    };
    if name.is_empty() || !name.split('.').all(label) {
        return Err(format!(
            "`{rest}` is not a name such as _grpc._tcp.app.example"
        ));
    }
    Ok(Source::Srv(rest.to_owned()))
}

fn file(rest: &str) -> Result<Source, String> {
    let path = match rest.strip_prefix("//") {
        Some(absolute) if absolute.starts_with('/') => absolute,
        Some(_) => return Err("file:// takes an absolute path; use file:relative/path".into()),
        None => rest,
    };
    if path.is_empty() {
        return Err("the path of the file is missing".into());
    }
    Ok(Source::File(PathBuf::from(path)))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns { host, port } => write!(f, "dns:///{}", Place::tcp(host, *port)),
            Self::Srv(name) => write!(f, "dns+srv:///{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources() {
        let rows: &[(&str, Option<Result<&str, &str>>)] = &[
            ("http://a:1", None),
            ("unix:/a", None),
            ("app:1", None),
            ("dns:///app.svc:1", Some(Ok("dns:///app.svc:1"))),
            ("dns:app.svc:1", Some(Ok("dns:///app.svc:1"))),
            ("dns:///[::1]:1", Some(Ok("dns:///[::1]:1"))),
            (
                "dns:///app",
                Some(Err(
                    "`dns:///app`: a host and a port from 1 to 65535 are missing",
                )),
            ),
            (
                "dns://8.8.8.8/app:1",
                Some(Err(
                    "`dns://8.8.8.8/app:1`: it is written `dns:///host:port`; which servers are \
                     asked is `discovery.dns.servers`",
                )),
            ),
            (
                "dns+srv:///_grpc._tcp.app",
                Some(Ok("dns+srv:///_grpc._tcp.app")),
            ),
            (
                "dns+srv:///app:1",
                Some(Err(
                    "`dns+srv:///app:1`: `app:1` is not a name such as _grpc._tcp.app.example",
                )),
            ),
            ("file:a/b.yaml", Some(Ok("file:a/b.yaml"))),
            ("file:///a/b.yaml", Some(Ok("file:/a/b.yaml"))),
            (
                "file://a",
                Some(Err(
                    "`file://a`: file:// takes an absolute path; use file:relative/path",
                )),
            ),
            (
                "file:",
                Some(Err("`file:`: the path of the file is missing")),
            ),
        ];
        for (text, expected) in rows {
            let got = Source::parse(text).map(|source| source.map(|source| source.to_string()));
            let got = got.as_ref().map(|got| got.as_deref());
            let got = got.map(|got| got.map_err(String::as_str));
            assert_eq!(got, *expected, "{text}");
        }
    }
}
