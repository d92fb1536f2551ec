//! Settings that are right by themselves and wrong together: [`find`].

use std::net::SocketAddr;

use super::settings::Settings;
use super::tree::Tree;
use super::values::PeriodOrOff;
use super::{app_config, auth, discovery, quotas, secured, splits, upstreams};
use crate::protocol::cors::Origin;
use crate::protocol::metadata::is_hop_by_hop;
use crate::schema::problem::Problem;

/// Tells every pair of settings that cannot stand together, and what is probably not meant.
pub(super) fn find(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    addresses(settings, tree, problems);
    open_admin(settings, tree, problems);
    upstreams::conflicts(settings, tree, problems);
    splits::conflicts(settings, tree, problems);
    timeouts(settings, tree, problems);
    sizes(settings, tree, problems);
    cors(settings, tree, problems);
    discovery::conflicts(settings, tree, problems);
    secured::conflicts(settings, tree, problems);
    response_headers(settings, tree, problems);
    app_config::conflicts(settings, tree, problems);
    auth::conflicts(settings, tree, problems);
    quotas::conflicts(settings, tree, problems);
}

/// Two listeners on one address.
fn addresses(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    let listeners = [
        ("listen", Some(settings.listen.0)),
        ("admin", settings.admin.0),
        ("ops", settings.ops.0),
    ];
    for (index, (name, address)) in listeners.iter().enumerate() {
        for (earlier, taken) in listeners.iter().take(index) {
            let (Some(address), Some(taken)) = (address, taken) else {
                continue;
            };
            if !clash(*address, *taken) {
                continue;
            }
            let message = format!("`{name}` {address} is taken already by `{earlier}` {taken}");
            let place = tree.value_place(&[name]);
            let other = tree.value_place(&[earlier]);
            let problem = Problem::error(place.or_else(|| other.clone()), message);
            problems.push(match other {
                Some(other) => problem.with_note(other, format!("`{earlier}` is set here")),
                None => problem.with_note(None, format!("`{earlier}` has its default")),
            });
        }
    }
}

/// Whether two listeners cannot stand beside each other. Port 0 takes a free one.
fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let all = |a: SocketAddr| a.ip().is_unspecified();
    let same_family = a.is_ipv4() == b.is_ipv4();
    a.port() != 0
        && a.port() == b.port()
        && (a.ip() == b.ip() || (same_family && (all(a) || all(b))))
}

/// The admin address changes things, and whoever reaches it may.
fn open_admin(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    let Some(address) = settings.admin.0 else {
        return;
    };
    if address.ip().is_loopback() {
        return;
    }
    let message = format!("`admin` {address} can be reached from elsewhere");
    problems.push(Problem::warning(tree.value_place(&["admin"]), message).with_help(
        "it answers this host, and elsewhere who has the token of `admin_token_file`; `ops` is for \
         probes and scrapers, it only reads",
    ));
}

/// A default that is longer than what a client can ask for.
fn timeouts(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    let mut compare = |path: &[&str], timeout: PeriodOrOff, max: PeriodOrOff| {
        let place = tree.value_place(path);
        let too_long = matches!((timeout.0, max.0), (Some(timeout), Some(max)) if timeout > max);
        // What nobody said gives way to what somebody did.
        if place.is_none() || !too_long {
            return;
        }
        let (name, parent) = (
            path.join("."),
            path.split_last().map_or(&[][..], |(_, p)| p),
        );
        let cap = tree.value_place(&[parent, &["max_timeout"]].concat());
        problems.push(
            Problem::error(
                place,
                format!("`{name}` is longer than `max_timeout`, {max}"),
            )
            .with_note(cap, "`max_timeout` is set here")
            .with_help("make one of them fit the other"),
        );
    };
    let limits = &settings.limits;
    compare(&["limits", "timeout"], limits.timeout, limits.max_timeout);
    compare(
        &["limits", "stream_timeout"],
        limits.stream_timeout,
        limits.max_timeout,
    );
    for (selector, route) in &settings.routes {
        if let (Some(timeout), Some(max)) = (route.timeout, route.max_timeout) {
            compare(&["routes", selector.as_str(), "timeout"], timeout, max);
        }
    }
}

/// Sizes in which no request fits.
fn sizes(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    let limits = &settings.limits;
    for (name, size, least) in [("head", limits.head, 512), ("uri", limits.uri, 16)] {
        if size.0 < least {
            let message = format!("`limits.{name}` {size} is too small to serve anything");
            problems.push(
                Problem::error(tree.value_place(&["limits", name]), message)
                    .with_help(format!("make it `{least}B` or more")),
            );
        }
    }
}

/// Headers that an answer has for reasons of its own.
fn response_headers(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    for (selector, route) in &settings.routes {
        for name in route.response_headers.keys() {
            let own = matches!(
                &*name.0,
                "content-length" | "content-type" | "content-encoding" | "date" | "allow" | "vary"
            );
            if !own && !name.0.starts_with("grpc-") && !is_hop_by_hop(&name.0) {
                continue;
            }
            let path = ["routes", selector.as_str(), "response_headers", &name.0];
            let message =
                format!("the header `{name}` is what the gateway itself says of an answer");
            problems.push(
                Problem::error(tree.place(&path), message)
                    .with_help("give the header another name, such as `x-` and the field's"),
            );
        }
    }
}

/// Cookies for whoever asks.
fn cors(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    let cors = &settings.rest.cors;
    let anybody = cors.origins.iter().any(|origin| origin.0 == Origin::Any);
    if settings.auth.token_cookie.is_some() && anybody {
        let message = "`rest.cors.origins` cannot be `*` with `auth.token_cookie`: a WebSocket of any page \
                       would bring the cookie of whoever looks at it";
        problems.push(
            Problem::error(tree.value_place(&["rest", "cors", "origins"]), message)
                .with_help("name the origins that are yours, such as `https://*.example.com`"),
        );
    }
    if cors.credentials && anybody {
        let message = "`rest.cors.credentials` cannot go with the origin `*`: any page could act \
                       in the name of whoever looks at it";
        problems.push(
            Problem::error(tree.value_place(&["rest", "cors", "credentials"]), message)
                .with_help("name the origins that are yours, such as `https://*.example.com`"),
        );
    }
}
