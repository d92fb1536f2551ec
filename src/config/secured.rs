//! What the settings say about TLS: paths with their places for [`tls`], and what cannot stand
//! together. Files are not read here: that is for whoever serves with them.

use std::collections::BTreeMap;

use super::acme;
use super::overlay::Input;
use super::resolve::path;
use super::settings::{ClientAuth, Settings, TlsVersion, UpstreamSettings};
use super::tree::Tree;
use super::values::UpstreamUrl;
use crate::schema::problem::Problem;
use crate::tls::{self, ClientParams, Clients, File, Pair, Params, Version};
use crate::upstream::Target;

/// TLS towards clients, if there is any.
pub(super) fn listener(
    settings: &Settings,
    tree: &Tree,
    input: &Input,
    acme: Option<&crate::acme::Params>,
) -> Option<Params> {
    let branch = &tree.branch(&["tls"])?.tree;
    let mut certificates: Vec<Pair> = pair(branch, "tls", input).into_iter().collect();
    for (index, item) in tree.items(&["tls", "certificates"]).iter().enumerate() {
        certificates.extend(pair(item, &format!("tls.certificates[{index}]"), input));
    }
    let self_signed = if settings.tls.self_signed {
        own_names(settings)
    } else {
        Vec::new()
    };
    let managed = acme::managed(acme, tree);
    if certificates.is_empty() && managed.is_empty() && self_signed.is_empty() {
        return None;
    }
    let auth = match settings.tls.client_auth {
        ClientAuth::Off => None,
        ClientAuth::Optional => Some(tls::ClientAuth::Optional),
        ClientAuth::Required => Some(tls::ClientAuth::Required),
    };
    Some(Params {
        certificates,
        managed,
        self_signed,
        oldest: match settings.tls.min_version {
            TlsVersion::V12 => Version::Tls12,
            TlsVersion::V13 => Version::Tls13,
        },
        clients: auth.map(|auth| Clients {
            authorities: files(tree, &["tls", "client_ca"], input),
            auth,
        }),
    })
}

/// How the applications are known that are asked over TLS, by the names of their upstreams.
pub(super) fn upstreams(
    settings: &Settings,
    tree: &Tree,
    input: &Input,
) -> BTreeMap<String, ClientParams> {
    let all = settings.upstreams.iter();
    all.filter_map(|(name, given)| Some((name.clone(), upstream((name, given), tree, input)?)))
        .collect()
}

fn upstream(
    (name, given): (&str, &UpstreamSettings),
    tree: &Tree,
    input: &Input,
) -> Option<ClientParams> {
    let host = match given.url.as_ref().map(|url| &url.target) {
        Some(Target::Tls { host, .. }) => Some(host.clone()),
        // Each is known by its own host.
        None if given.endpoints.iter().any(over_tls) => None,
        Some(_) | None => return None,
    };
    let tls = given.tls.clone().unwrap_or_default();
    let keys = ["upstreams", name, "tls"];
    let branch = tree.branch(&keys).map(|branch| &branch.tree);
    let place = tree
        .value_place(&["upstreams", name, "tls", "server_name"])
        .or_else(|| tree.value_place(&["upstreams", name, "url"]));
    Some(ClientParams {
        name: tls.server_name.or(host),
        place,
        authorities: files(tree, &["upstreams", name, "tls", "ca"], input),
        own: branch.and_then(|branch| pair(branch, &keys.join("."), input)),
    })
}

/// Tells what of the application's TLS is missing or has no effect.
fn upstream_conflicts(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    for (name, given) in &settings.upstreams {
        let keys = ["upstreams", name, "tls"];
        let Some(branch) = tree.branch(&keys) else {
            continue;
        };
        let mut places = given.url.iter().chain(&given.endpoints);
        if !places.any(over_tls) {
            let message = format!("`upstreams.{name}.tls` has no effect without TLS");
            let problem = Problem::error(branch.key.location(), message);
            problems.push(problem.with_help("let `url` or `endpoints` begin with `https://`"));
        }
        halves(&branch.tree, &keys.join("."), problems);
    }
    let fallback = settings.rest.fallback.as_ref().map(|url| &url.target);
    if matches!(fallback, Some(Target::Tls { .. })) {
        let place = tree.value_place(&["rest", "fallback"]);
        let message = "`rest.fallback` cannot be asked over TLS";
        problems.push(Problem::error(place, message).with_help("give an address in plain HTTP"));
    }
}

fn over_tls(url: &UpstreamUrl) -> bool {
    matches!(url.target, Target::Tls { .. })
}

/// Tells what of `tls` is missing, and what has no effect.
pub(super) fn conflicts(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    upstream_conflicts(settings, tree, problems);
    acme::conflicts(settings, tree, problems);
    let Some(branch) = tree.branch(&["tls"]) else {
        return;
    };
    halves(&branch.tree, "tls", problems);
    let more = tree.items(&["tls", "certificates"]);
    for (index, item) in more.iter().enumerate() {
        let name = format!("tls.certificates[{index}]");
        halves(item, &name, problems);
        if item.branch(&["cert"]).is_none() && item.branch(&["key"]).is_none() {
            let message = format!("`{name}` names no files");
            let problem = Problem::error(item.origin.location(), message);
            problems.push(problem.with_help("it takes `cert` and `key`"));
        }
    }
    let has_pair = !more.is_empty()
        || !settings.tls.acme.domains.is_empty()
        || branch.tree.branch(&["cert"]).is_some();
    let mut wrong = |key: &str, message: &str, help: &str| {
        let place = tree.value_place(&["tls", key]);
        problems.push(Problem::error(place, message).with_help(help));
    };
    if settings.tls.self_signed && has_pair && settings.tls.acme.domains.is_empty() {
        let message = "`tls.self_signed` cannot stand beside certificates from files";
        wrong("self_signed", message, "leave one of them out");
    }
    let auth = settings.tls.client_auth != ClientAuth::Off;
    let authorities = !settings.tls.client_ca.is_empty();
    if auth && !authorities {
        let message = "`tls.client_auth` needs somebody who signs the certificates of clients";
        wrong("client_auth", message, "name a file in `tls.client_ca`");
    }
    if authorities && !auth {
        let message = "`tls.client_ca` has no effect while `tls.client_auth` is `off`";
        wrong(
            "client_ca",
            message,
            "set `tls.client_auth` to `optional` or `required`",
        );
    }
    if auth && !has_pair && !settings.tls.self_signed {
        let message = "`tls.client_auth` has no effect without a certificate of the gateway's own";
        wrong("client_auth", message, "set `tls.cert` and `tls.key`");
    }
}

/// A certificate without its key, or a key alone.
fn halves(branch: &Tree, name: &str, problems: &mut Vec<Problem>) {
    let (cert, key) = (branch.branch(&["cert"]), branch.branch(&["key"]));
    let (there, missing, lone) = match (cert, key) {
        (Some(cert), None) => ("cert", "key", cert),
        (None, Some(key)) => ("key", "cert", key),
        (Some(_), Some(_)) | (None, None) => return,
    };
    let message = format!("`{name}.{there}` needs `{name}.{missing}` beside it");
    problems.push(Problem::error(lone.tree.origin.location(), message));
}

fn pair(branch: &Tree, name: &str, input: &Input) -> Option<Pair> {
    let file = |key: &str| {
        let item = &branch.branch(&[key])?.tree;
        file(item, format!("{name}.{key}"), input)
    };
    Some(Pair {
        cert: file("cert")?,
        key: file("key")?,
    })
}

pub(super) fn files(tree: &Tree, keys: &[&str], input: &Input) -> Vec<File> {
    let items = tree.items(keys).iter();
    items
        .filter_map(|item| file(item, keys.join("."), input))
        .collect()
}

fn file(item: &Tree, key: String, input: &Input) -> Option<File> {
    Some(File {
        key,
        path: path(item, input)?,
        place: item.origin.location(),
    })
}

/// The names by which a gateway on somebody's desk is reached.
fn own_names(settings: &Settings) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).into();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim().to_ascii_lowercase();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if !host.is_empty() && host.bytes().all(is_name) {
        names.push(host);
    }
    let address = settings.listen.0.ip();
    if !address.is_unspecified() {
        names.push(address.to_string());
    }
    let mut known = std::collections::HashSet::new();
    names.retain(|name| known.insert(name.clone()));
    names
}
