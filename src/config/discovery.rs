//! From `upstreams` and `discovery` to what is followed: [`Discovery`].

use std::path::{Path, PathBuf};

use super::overlay::Input;
use super::resolve::base;
use super::settings::Settings;
use super::tree::Tree;
use super::values::UpstreamUrl;
use crate::discover::{Params, Source, dns};
use crate::schema::problem::Problem;

/// Where applications are found that have no fixed place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// How the sources are asked.
    pub params: Params,
    /// The upstreams that have a source, by name.
    pub sources: Vec<(String, Source)>,
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
    let dns = &settings.discovery.dns;
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
        },
        sources: sources.collect(),
    }
}

/// A file by the rule for all paths: those of a file start at its directory.
fn beside(file: &Path, upstream: &str, tree: &Tree, input: &Input) -> PathBuf {
    let url = tree.branch(&["upstreams", upstream, "url"]);
    let base = url.map_or(&*input.directory, |url| base(&url.tree, input));
    base.join(file)
}

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
}
