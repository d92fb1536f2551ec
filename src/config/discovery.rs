//! From `upstreams` and `discovery` to what is followed: [`Discovery`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::overlay::Input;
use super::resolve::{base, path};
use super::settings::Settings;
use super::tree::Tree;
use super::values::{PlaceName, UpstreamUrl};
use crate::discover::{Own, Params, Place, Source, consul, dns, etcd};
use crate::schema::problem::Problem;

/// Where applications are found that have no fixed place.
#[derive(Clone, Debug, PartialEq)]
pub struct Discovery {
    /// How the sources are asked.
    pub params: Params,
    /// The upstreams that have a source, by name.
    pub sources: Vec<(String, Source)>,
    /// Who is told of us, and what.
    pub registrations: Vec<Registration>,
}

/// Somebody who is told of us.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Who.
    pub registry: Registry,
    /// What; where we listen is known only later.
    pub own: Own,
}

/// Somebody who can be told of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registry {
    /// etcd, under a prefix.
    Etcd(String),
    /// Consul, as a service.
    Consul(String),
}

impl Discovery {
    /// Who knows where an upstream is, if anybody does.
    pub fn source(&self, upstream: &str) -> Option<&Source> {
        let mut sources = self.sources.iter();
        sources
            .find(|(name, _)| name == upstream)
            .map(|(_, source)| source)
    }
}

/// Resolves everything.
pub(super) fn resolve(settings: &Settings, tree: &Tree, input: &Input) -> Discovery {
    let (dns, etcd) = (&settings.discovery.dns, &settings.discovery.etcd);
    let file = |registry: &str, key: &str| {
        let given = tree.branch(&["discovery", registry, key])?;
        path(&given.tree, input)
    };
    let sources = settings.upstreams.iter().filter_map(|(name, given)| {
        let source = match given.url.as_ref()?.source.clone()? {
            Source::File(file) => Source::File(beside(&file, name, tree, input)),
            other => other,
        };
        Some((name.clone(), source))
    });
    Discovery {
        params: Params {
            dns: dns::Params {
                servers: dns.servers.iter().map(|server| server.0).collect(),
                min_ttl: dns.min_ttl.0,
                max_ttl: dns.max_ttl.0,
                timeout: dns.timeout.0,
            },
            etcd: etcd::Params {
                servers: etcd.endpoints.iter().map(|url| url.0.clone()).collect(),
                user: etcd.user.clone().zip(file("etcd", "password_file")),
            },
            consul: consul::Params {
                agent: settings.discovery.consul.url.0.clone(),
                token: file("consul", "token_file"),
            },
        },
        sources: sources.collect(),
        registrations: registrations(settings),
    }
}

fn registrations(settings: &Settings) -> Vec<Registration> {
    let register = &settings.discovery.register;
    let metadata = (!register.metadata.is_empty()).then(|| json!(register.metadata));
    let own = Own {
        address: register
            .address
            .as_ref()
            .map(|PlaceName(place)| Place::tcp(place.host.as_str(), place.port)),
        listen: settings.listen.0,
        metadata,
        ttl: register.ttl.0,
    };
    let etcd = register.etcd.clone().map(Registry::Etcd);
    let consul = register.consul.clone().map(Registry::Consul);
    let all = etcd.into_iter().chain(consul);
    all.map(|registry| Registration {
        registry,
        own: own.clone(),
    })
    .collect()
}

/// A file by the rule for all paths: those of a file start at its directory.
fn beside(file: &Path, upstream: &str, tree: &Tree, input: &Input) -> PathBuf {
    let url = tree.branch(&["upstreams", upstream, "url"]);
    let base = url.map_or(&*input.directory, |url| base(&url.tree, input));
    base.join(file)
}

/// The shortest time for which registries believe that somebody lives.
const LEAST_TTL: Duration = Duration::from_secs(2);

/// Tells what of discovery cannot be meant.
pub(super) fn conflicts(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    let names_source = |url: &UpstreamUrl| url.source.is_some();
    for (name, given) in &settings.upstreams {
        let items = tree.items(&["upstreams", name, "endpoints"]);
        for (index, url) in given.endpoints.iter().enumerate() {
            if names_source(url) {
                let place = items.get(index).and_then(|item| item.origin.location());
                let message = format!(
                    "`upstreams.{name}.endpoints[{index}]` is not a place but somebody who knows one"
                );
                problems.push(Problem::error(place, message).with_help("give it as `url`"));
            }
        }
    }
    let fallback = settings.rest.fallback.as_ref();
    let unfollowed = |source: &Source| !matches!(source, Source::Dns { .. });
    if fallback
        .and_then(|url| url.source.as_ref())
        .is_some_and(unfollowed)
    {
        let place = tree.value_place(&["rest", "fallback"]);
        let message = "`rest.fallback` has to be a place";
        problems.push(Problem::error(place, message).with_help("write `http://host:port`"));
    }
    let dns = &settings.discovery.dns;
    if dns.min_ttl.0 > dns.max_ttl.0 {
        let place = tree.value_place(&["discovery", "dns", "min_ttl"]);
        let message = "`discovery.dns.min_ttl` is more than `discovery.dns.max_ttl`";
        let problem = Problem::error(place, message);
        let other = tree.value_place(&["discovery", "dns", "max_ttl"]);
        problems.push(problem.with_note(other, "which is said here"));
    }
    registries(settings, tree, problems);
}

fn registries(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    let (etcd, register) = (&settings.discovery.etcd, &settings.discovery.register);
    let mut wrong = |key: [&str; 2], message: &str, help: &str| {
        let place = tree.value_place(&["discovery", key[0], key[1]]);
        problems.push(Problem::error(place, message).with_help(help));
    };
    if etcd.endpoints.is_empty() {
        let message = "`discovery.etcd.endpoints` names nobody";
        wrong(
            ["etcd", "endpoints"],
            message,
            "leave it out, or name a member",
        );
    }
    match (&etcd.user, &etcd.password_file) {
        (Some(_), None) => {
            let message = "`discovery.etcd.user` needs `discovery.etcd.password_file` beside it";
            wrong(["etcd", "user"], message, "name a file with the password");
        }
        (None, Some(_)) => {
            let message = "`discovery.etcd.password_file` needs `discovery.etcd.user` beside it";
            wrong(
                ["etcd", "password_file"],
                message,
                "name whose password it is",
            );
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    if register.ttl.0 < LEAST_TTL {
        let message = "`discovery.register.ttl` is too short for a registry to hear of us in time";
        wrong(["register", "ttl"], message, "give `2s` or more");
    }
    if register.address.is_some() && register.etcd.is_none() && register.consul.is_none() {
        let message = "`discovery.register.address` is told to nobody";
        let help = "set `discovery.register.etcd` or `discovery.register.consul`";
        wrong(["register", "address"], message, help);
    }
}
