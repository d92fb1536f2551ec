//! Settings that are right by themselves and wrong together: [`find`].

use std::net::SocketAddr;

use super::settings::Settings;
use super::tree::Tree;
use crate::schema::problem::Problem;

/// Tells every pair of settings that cannot stand together, and what is probably not meant.
pub(super) fn find(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    addresses(settings, tree, problems);
    open_admin(settings, tree, problems);
    upstreams(tree, problems);
    timeouts(settings, tree, problems);
    for problem in sizes(settings, tree) {
        problems.push(problem);
    }
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
    problems.push(
        Problem::warning(tree.value_place(&["admin"]), message)
            .with_help("use `ops` for probes and scrapers, it only reads"),
    );
}

fn upstreams(tree: &Tree, problems: &mut Vec<Problem>) {
    let names = tree.keys(&["upstreams"]);
    for name in names.iter().skip(1) {
        let message = format!("a second upstream, `{name}`, is not available in this version");
        problems.push(Problem::error(tree.place(&["upstreams", name]), message));
    }
}

/// A default that is longer than what a client can ask for.
fn timeouts(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    let mut compare = |path: &[&str], timeout, max: Option<std::time::Duration>| {
        let (Some(timeout), Some(max)) = (timeout, max) else {
            return;
        };
        if timeout > max {
            let message = format!("`{}` is longer than `max_timeout`", path.join("."));
            let place = tree.value_place(path);
            problems
                .push(Problem::error(place, message).with_help("make it shorter, or leave it out"));
        }
    };
    let limits = &settings.limits;
    if tree.value_place(&["limits", "timeout"]).is_some() {
        compare(
            &["limits", "timeout"],
            limits.timeout.0,
            limits.max_timeout.0,
        );
    }
    compare(
        &["limits", "stream_timeout"],
        limits.stream_timeout.0,
        limits.max_timeout.0,
    );
    for (selector, route) in &settings.routes {
        if let (Some(timeout), Some(max)) = (route.timeout, route.max_timeout) {
            let path = ["routes", selector.as_str(), "timeout"];
            compare(&path, timeout.0, max.0);
        }
    }
}

/// Sizes and times of nothing, with which nothing could be served.
fn sizes(settings: &Settings, tree: &Tree) -> Vec<Problem> {
    let limits = &settings.limits;
    let bytes = [("head", limits.head.0, 512), ("uri", limits.uri.0, 16)];
    let small = bytes.iter().filter(|(_, size, least)| size < least);
    let mut problems: Vec<Problem> = small
        .map(|(name, _, least)| {
            let message = format!("`limits.{name}` is too small to serve anything");
            Problem::error(tree.value_place(&["limits", name]), message)
                .with_help(format!("make it `{least}B` or more"))
        })
        .collect();
    let times = [
        (["limits", "first_byte"], limits.first_byte.0),
        (["limits", "head_timeout"], limits.head_timeout.0),
    ];
    let none = times.iter().filter(|(_, time)| time.is_zero());
    problems.extend(none.map(|(path, _)| {
        let message = format!("`{}` leaves a client no time at all", path.join("."));
        Problem::error(tree.value_place(path), message)
    }));
    problems
}
