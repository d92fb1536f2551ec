//! Which web pages are meant by an allowed origin: [`Origins`], asked by CORS and by WebSocket.

use std::fmt;

use http::HeaderValue;

/// The origins that are allowed.
///
/// ```
/// use http::HeaderValue;
/// use sidegate::protocol::cors::{Origin, Origins};
///
/// let origins = Origins::new(vec![Origin::parse("https://*.example.com").unwrap()]);
/// assert!(origins.allows(&HeaderValue::from_static("https://app.example.com")));
/// assert!(!origins.allows(&HeaderValue::from_static("https://example.org")));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<Origin>);

/// One allowed origin.
///
/// ```ebnf
/// origin = "*" | scheme "://" [ "*." ] host [ ":" ( port | "*" ) ]
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `*`: every page.
    Any,
    /// Pages of one host, or of the hosts below it.
    Page(Page),
}

/// Pages of one scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    scheme: Box<str>,
    /// `*.`: any host below `host`, but not itself.
    below: bool,
    host: Box<str>,
    port: Port,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    /// The one that browsers leave out.
    Usual,
    Number(u16),
    Any,
}

impl Origins {
    /// These origins.
    pub fn new(origins: Vec<Origin>) -> Self {
        Self(origins)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every page is allowed.
    pub fn allow_all(&self) -> bool {
        self.0.contains(&Origin::Any)
    }

    /// Whether the value of an `Origin` header is allowed. `null`, which any page can send by
    /// way of a sandbox, is only if all are.
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        let given = origin.to_str().ok().and_then(split);
        self.0.iter().any(|allowed| match (allowed, given) {
            (Origin::Any, _) => true,
            (Origin::Page(page), Some(given)) => page.is(given),
            (Origin::Page(_), None) => false,
        })
    }
}

impl Origin {
    /// Reads an allowed origin; `None` when it is none, such as one with a path.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let (scheme, host, port) = split(text)?;
        let (below, host) = match host.strip_prefix("*.") {
            Some(host) => (true, host),
            None => (false, host),
        };
        let scheme = scheme.to_ascii_lowercase();
        let port = match port {
            None => Port::Usual,
            Some("*") => Port::Any,
            Some(port) => Some(number(port)?)
                .filter(|port| usual(&scheme) != Some(*port))
                .map_or(Port::Usual, Port::Number),
        };
        let sound = is_scheme(&scheme) && is_host(host);
        sound.then(|| {
            Self::Page(Page {
                scheme: scheme.into(),
                below,
                host: host.to_ascii_lowercase().into(),
                port,
            })
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Page(page) = self else {
            return f.write_str("*");
        };
        let star = if page.below { "*." } else { "" };
        write!(f, "{}://{star}{}", page.scheme, page.host)?;
        match page.port {
            Port::Usual => Ok(()),
            Port::Number(port) => write!(f, ":{port}"),
            Port::Any => f.write_str(":*"),
        }
    }
}

impl Page {
    fn is(&self, (scheme, host, port): Given<'_>) -> bool {
        let port_fits = match (self.port, port) {
            (Port::Any, _) | (Port::Usual, None) => true,
            (Port::Number(allowed), Some(port)) => number(port) == Some(allowed),
            (Port::Usual, Some(port)) => number(port).is_some_and(|port| {
                // Browsers leave the usual port out, others may not.
                usual(&self.scheme) == Some(port)
            }),
            (Port::Number(_), None) => false,
        };
        port_fits && self.scheme.eq_ignore_ascii_case(scheme) && self.host_fits(host)
    }

    fn host_fits(&self, host: &str) -> bool {
        if !self.below {
            return self.host.eq_ignore_ascii_case(host);
        }
        let Some((below, same)) = host
            .len()
            .checked_sub(self.host.len())
            .and_then(|at| host.split_at_checked(at))
        else {
            return false;
        };
        let label = below.strip_suffix('.');
        label.is_some_and(is_host) && self.host.eq_ignore_ascii_case(same)
    }
}

/// Scheme, host and port of an origin.
type Given<'a> = (&'a str, &'a str, Option<&'a str>);

fn split(text: &str) -> Option<Given<'_>> {
    let (scheme, authority) = text.split_once("://")?;
    let after_address = authority.rfind(']').map_or(0, |at| at + 1);
    let (_, tail) = authority.split_at_checked(after_address)?;
    Some(match tail.rfind(':') {
        Some(colon) => {
            let (host, port) = authority.split_at_checked(after_address + colon)?;
            (scheme, host, port.strip_prefix(':'))
        }
        None => (scheme, authority, None),
    })
}

fn number(port: &str) -> Option<u16> {
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|_| digits)
}

fn usual(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

fn is_scheme(scheme: &str) -> bool {
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(belongs)
}

/// Whether a text is a name or an address, as browsers write them: names of other scripts in
/// punycode, IPv6 in brackets.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').unwrap_or_default();
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    host.split('.')
        .all(|label| !label.is_empty() && label.bytes().all(belongs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allowed: &str, fits: &[&str], fits_not: &[&str]) {
        let origins = Origins::new(vec![Origin::parse(allowed).unwrap()]);
        let allows = |origin: &&str| origins.allows(&HeaderValue::from_str(origin).unwrap());
        for origin in fits {
            assert!(allows(origin), "{allowed} is to allow {origin}");
        }
        for origin in fits_not {
            assert!(!allows(origin), "{allowed} is not to allow {origin}");
        }
    }

    #[test]
    fn cors_origins_fit_by_scheme_host_and_port() {
        check(
            "https://app.example",
            &[
                "https://app.example",
                "https://APP.example",
                "https://app.example:443",
            ],
            &[
                "http://app.example",
                "https://app.example:8443",
                "https://app.example.evil.com",
                "https://evil-app.example",
                "https://app.example/",
                "https://app.example@evil.com",
                "https://x.app.example",
                "null",
                "",
            ],
        );
        check(
            "https://*.app.example",
            &["https://x.app.example", "https://x.y.app.example"],
            &[
                "https://app.example",
                "https://.app.example",
                "https://xapp.example",
                "https://evil.com/.app.example",
                "https://evil.com#.app.example",
                "https://evil.com:1.app.example",
                "http://x.app.example",
                "https://x.app.example:1",
            ],
        );
        check(
            "http://localhost:*",
            &["http://localhost", "http://localhost:5173"],
            &["http://localhost.evil.com", "https://localhost"],
        );
        check(
            "http://[::1]:3000",
            &["http://[::1]:3000"],
            &["http://[::1]", "http://[::2]:3000"],
        );
        check("*", &["https://a", "null", "whatever"], &[]);
        check(
            "capacitor://localhost",
            &["capacitor://localhost"],
            &["http://localhost"],
        );
    }

    #[test]
    fn what_is_no_origin_is_not_taken() {
        for text in [
            "",
            "null",
            "example.com",
            "https://",
            "https://a/",
            "https://a/b",
            "https://*",
            "https://a.*.b",
            "https://*a.b",
            "https://a:x",
            "https://a:99999",
            "https://a b",
            "://a",
            "https://[::1",
            "https://[zz]",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
        for (text, shown) in [
            ("HTTPS://A.example:443", "https://a.example"),
            ("http://*.a:8080", "http://*.a:8080"),
            ("http://a:*", "http://a:*"),
            ("*", "*"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), shown);
        }
    }
}
