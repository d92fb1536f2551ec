//! [`Source`]: who is asked where an application is, as the `url` of an upstream names it.
//!
//! ```text
//! source = "dns:///" host ":" port          its addresses, A and AAAA
//!        | "dns+srv:///" name               its SRV records, such as _grpc._tcp.app.example
//!        | "file:" path | "file://" absolute-path
//!        | "etcd:///" prefix                what etcd's package for gRPC has put there
//!        | "consul:///" service [ "?" [ "tag=" tag ] [ "&" ] [ "dc=" datacenter ] ]
//! ```

use std::fmt;
use std::path::PathBuf;

use super::Place;
use super::consul::Service;

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
    /// What stands in etcd under a prefix.
    Etcd(String),
    /// The healthy places of a service of Consul.
    Consul(Service),
}

impl Source {
    /// Reads a source; `None` for what names no source, and what is wrong with one that does.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let (scheme, rest) = text.split_once(':')?;
        let parsed = match scheme {
            "dns" => in_authority(rest, "dns:///host:port", DNS_SERVERS).and_then(host_and_port),
            "dns+srv" => {
                in_authority(rest, "dns+srv:///_service._tcp.name", DNS_SERVERS).and_then(srv)
            }
            "file" => file(rest),
            "etcd" => {
                in_authority(rest, "etcd:///prefix", "discovery.etcd.endpoints").and_then(etcd)
            }
            "consul" => {
                in_authority(rest, "consul:///service", "discovery.consul.url").and_then(consul)
            }
            _ => return None,
        };
        Some(parsed.map_err(|wrong| format!("`{text}`: {wrong}")))
    }

    /// The `:authority` of calls that bring none, where it is that of the source.
    pub fn authority(&self) -> Option<String> {
        match self {
            Self::Dns { host, port } => Some(Place::tcp(host, *port).to_string()),
            Self::Srv(_) | Self::File(_) | Self::Etcd(_) | Self::Consul(_) => None,
        }
    }
}

/// Where it is said who is asked for names.
const DNS_SERVERS: &str = "discovery.dns.servers";

/// What follows `//authority/`, where the authority has to be empty.
fn in_authority<'t>(rest: &'t str, form: &str, servers: &str) -> Result<&'t str, String> {
    match rest.strip_prefix("//").map(|rest| rest.strip_prefix('/')) {
        Some(Some(rest)) => Ok(rest),
        None if !rest.is_empty() => Ok(rest),
        Some(None) => Err(format!(
            "it is written `{form}`; who is asked is `{servers}`"
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

fn etcd(rest: &str) -> Result<Source, String> {
    let prefix = rest.trim_end_matches('/');
    if prefix.is_empty() {
        return Err(String::from("the prefix of the keys is missing"));
    }
    Ok(Source::Etcd(prefix.to_owned()))
}

fn consul(rest: &str) -> Result<Source, String> {
    let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
    if name.is_empty() || name.contains('/') {
        return Err(format!("`{name}` is not the name of a service"));
    }
    let mut service = Service {
        name: name.to_owned(),
        tag: None,
        datacenter: None,
    };
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let slot = match key {
            "tag" => &mut service.tag,
            "dc" => &mut service.datacenter,
            _ => return Err(format!("`{key}` is unknown; there are `tag` and `dc`")),
        };
        if value.is_empty() {
            return Err(format!("`{key}` needs a value"));
        }
        *slot = Some(value.to_owned());
    }
    Ok(Source::Consul(service))
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let mut mark = '?';
        for (key, value) in [("tag", &self.tag), ("dc", &self.datacenter)] {
            if let Some(value) = value {
                write!(f, "{mark}{key}={value}")?;
                mark = '&';
            }
        }
        Ok(())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns { host, port } => write!(f, "dns:///{}", Place::tcp(host, *port)),
            Self::Srv(name) => write!(f, "dns+srv:///{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Etcd(prefix) => write!(f, "etcd:///{prefix}"),
            Self::Consul(service) => write!(f, "consul:///{service}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (&'static str, Option<Result<&'static str, &'static str>>);

    #[test]
    fn names_and_files() {
        check(&[
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
                    "`dns://8.8.8.8/app:1`: it is written `dns:///host:port`; who is asked is \
                     `discovery.dns.servers`",
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
        ]);
    }

    #[test]
    fn registries() {
        check(&[
            ("etcd:///services/app/", Some(Ok("etcd:///services/app"))),
            (
                "etcd://host:2379/app",
                Some(Err(
                    "`etcd://host:2379/app`: it is written `etcd:///prefix`; who is asked is \
                     `discovery.etcd.endpoints`",
                )),
            ),
            (
                "etcd:///",
                Some(Err("`etcd:///`: the prefix of the keys is missing")),
            ),
            (
                "consul:///app?dc=b&tag=a",
                Some(Ok("consul:///app?tag=a&dc=b")),
            ),
            (
                "consul:///app?near=me",
                Some(Err(
                    "`consul:///app?near=me`: `near` is unknown; there are `tag` and `dc`",
                )),
            ),
            (
                "consul:///a/b",
                Some(Err("`consul:///a/b`: `a/b` is not the name of a service")),
            ),
        ]);
    }

    fn check(rows: &[Row]) {
        for (text, expected) in rows {
            let got = Source::parse(text).map(|source| source.map(|source| source.to_string()));
            let got = got.as_ref().map(|got| got.as_deref());
            let got = got.map(|got| got.map_err(String::as_str));
            assert_eq!(got, *expected, "{text}");
        }
    }
}
