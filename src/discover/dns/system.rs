//! What the system says of names: who is asked, and what is meant by a short one.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use hickory_proto::rr::Name;

/// Where the system says who is asked.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Names that are asked of nobody.
const HOSTS: &str = "/etc/hosts";

/// The port of DNS.
const PORT: u16 = 53;

/// As many servers as libc asks.
const MOST_SERVERS: usize = 3;

/// Who is asked, and how a short name is made longer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct System {
    pub(super) servers: Vec<SocketAddr>,
    search: Vec<Name>,
    /// A name with so many dots is tried as it is before all others.
    dots: usize,
}

impl System {
    /// Reads it anew; `servers` stand in the place of those of the system.
    pub(super) fn read(servers: &[SocketAddr]) -> Result<Self, String> {
        let text = match fs::read_to_string(RESOLV_CONF) {
            Ok(text) => text,
            Err(_) if !servers.is_empty() => String::new(),
            Err(error) => return Err(format!("{RESOLV_CONF} cannot be read: {error}")),
        };
        let mut system = Self::parse(&text);
        if !servers.is_empty() {
            system.servers = servers.to_vec();
        }
        Ok(system)
    }

    fn parse(text: &str) -> Self {
        let mut system = Self {
            servers: Vec::new(),
            search: Vec::new(),
            dots: 1,
        };
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    // What follows a `%` is the interface of a link-local address.
                    let address = words.next().and_then(|word| word.split('%').next());
                    let address: Option<IpAddr> = address.and_then(|word| word.parse().ok());
                    system
                        .servers
                        .extend(address.map(|address| SocketAddr::new(address, PORT)));
                }
                // The last of them holds.
                Some("search" | "domain") => {
                    system.search = words.filter_map(full).collect();
                }
                Some("options") => {
                    let mut dots =
                        words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok());
                    system.dots = dots.next_back().unwrap_or(system.dots);
                }
                _ => {}
            }
        }
        system.servers.truncate(MOST_SERVERS);
        if system.servers.is_empty() {
            let own = IpAddr::from(Ipv4Addr::LOCALHOST);
            system.servers.push(SocketAddr::new(own, PORT));
        }
        system
    }

    /// All full names that may be meant by one, in the order in which they are tried.
    pub(super) fn names(&self, text: &str) -> Vec<Name> {
        let Some(own) = full(text) else {
            return Vec::new();
        };
        if text.ends_with('.') {
            return vec![own];
        }
        let mut short = own.clone();
        short.set_fqdn(false);
        let longer = self.search.iter();
        let mut names: Vec<Name> = longer
            .filter_map(|domain| short.clone().append_domain(domain).ok())
            .collect();
        if text.matches('.').count() >= self.dots {
            names.insert(0, own);
        } else {
            names.push(own);
        }
        names
    }
}

fn full(text: &str) -> Option<Name> {
    let mut name = Name::from_str(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// Whether a name is asked of nobody, because the system knows it: whoever connects finds it.
pub(super) fn is_in_hosts(host: &str) -> bool {
    host == "localhost" || names_of(&fs::read_to_string(HOSTS).unwrap_or_default(), host)
}

fn names_of(hosts: &str, host: &str) -> bool {
    hosts.lines().any(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut names = line.split_whitespace().skip(1);
        names.any(|name| name.eq_ignore_ascii_case(host))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Kubernetes writes it into every container.
    const KUBERNETES: &str = "search shop.svc.cluster.local svc.cluster.local # cluster.local\n\
                              nameserver 10.96.0.10\nnameserver fe80::1%eth0\noptions ndots:5\n";

    #[test]
    fn short_names_are_made_longer_as_the_system_says() {
        let system = System::parse(KUBERNETES);
        let servers: Vec<String> = system.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.96.0.10:53", "[fe80::1]:53"]);
        let names = |text: &str| -> Vec<String> {
            let names = system.names(text);
            names.iter().map(Name::to_ascii).collect()
        };
        assert_eq!(
            names("app"),
            [
                "app.shop.svc.cluster.local.",
                "app.svc.cluster.local.",
                "app."
            ]
        );
        assert_eq!(names("app.shop."), ["app.shop."]);
        assert_eq!(names("a.b.c.d.e.f").first().unwrap(), "a.b.c.d.e.f.");
        assert_eq!(
            names("_grpc._tcp.app").first().unwrap(),
            "_grpc._tcp.app.shop.svc.cluster.local."
        );
        assert!(names("a..b").is_empty());
    }

    #[test]
    fn nothing_said_is_what_libc_takes() {
        let system = System::parse("");
        assert_eq!(system.servers[0].to_string(), "127.0.0.1:53");
        let names: Vec<String> = system.names("a.b").iter().map(Name::to_ascii).collect();
        assert_eq!(names, ["a.b."]);
    }

    #[test]
    fn hosts() {
        let hosts = "127.0.0.1 localhost\n10.0.0.1\tApp app.shop # not\n";
        for (name, expected) in [("app", true), ("app.shop", true), ("not", false)] {
            assert_eq!(names_of(hosts, name), expected, "{name}");
        }
    }
}
