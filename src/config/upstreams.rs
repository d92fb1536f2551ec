//! From `upstreams` to the [`Params`] of the connections to each.

use std::sync::Arc;

use super::overlay::UPSTREAM;
use super::settings::{OutlierSettings, Settings, UpstreamSettings};
use super::tree::Tree;
use super::values::{Period, PeriodOrOff, UpstreamUrl};
use super::words::list_words;
use crate::schema::problem::{Location, Problem};
use crate::upstream::{Ejection, Endpoints, Outliers, Params, Target};

/// Where an application listens when nothing is said.
const DEFAULT_PORT: u16 = 50051;

/// The upstream that calls go to which nothing sends elsewhere: the only one, or the one called
/// `app`.
pub(super) fn application(settings: &Settings) -> Params {
    let name = name_of_application(settings);
    upstream(settings, name, settings.upstreams.get(name))
}

/// The other ones, in order of their names.
pub(super) fn others(settings: &Settings) -> Vec<Params> {
    let application = name_of_application(settings);
    let others = settings.upstreams.iter();
    others
        .filter(|(name, _)| *name != application)
        .map(|(name, given)| upstream(settings, name, Some(given)))
        .collect()
}

/// Tells what of `upstreams` cannot stand together.
pub(super) fn conflicts(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    let names = tree.keys(&["upstreams"]);
    if let [first, _, ..] = &names[..]
        && !names.contains(&UPSTREAM)
    {
        let message = format!(
            "there are {} upstreams and none is called `{UPSTREAM}`",
            names.len()
        );
        problems.push(
            Problem::error(tree.place(&["upstreams", first]), message).with_help(format!(
                "call the one `{UPSTREAM}` that calls go to which no route sends elsewhere"
            )),
        );
    }
    for (selector, route) in &settings.routes {
        let Some(name) = &route.upstream else {
            continue;
        };
        if !is_known(&name.0, settings) {
            let place = tree.value_place(&["routes", selector.as_str(), "upstream"]);
            problems.push(unknown(&name.0, settings, place));
        }
    }
    for name in &names {
        both_ways(name, tree, problems);
    }
}

/// A place that two settings name.
fn both_ways(name: &str, tree: &Tree, problems: &mut Vec<Problem>) {
    let (url, endpoints) = (["upstreams", name, "url"], ["upstreams", name, "endpoints"]);
    let (Some(place), false) = (tree.value_place(&url), tree.items(&endpoints).is_empty()) else {
        return;
    };
    // A flag or a variable stands above the file.
    let source = |path: &[&str]| {
        tree.branch(path)
            .map(|branch| branch.tree.origin.source.kind())
    };
    if source(&url) == source(&endpoints) {
        let message = format!("`upstreams.{name}` has both `url` and `endpoints`");
        problems.push(
            Problem::error(Some(place), message)
                .with_note(tree.place(&endpoints), "`endpoints` is set here")
                .with_help("keep one of them; `endpoints` may have a single entry"),
        );
    }
}

/// A route names an upstream that there is not.
pub(super) fn unknown(name: &str, settings: &Settings, place: Option<Location>) -> Problem {
    let names: Vec<&str> = settings.upstreams.keys().map(String::as_str).collect();
    let problem = Problem::error(place, format!("there is no upstream `{name}`"));
    problem.with_help(if names.is_empty() {
        String::from("give it its place in `upstreams`")
    } else {
        format!("there are {}", list_words(&names, "and"))
    })
}

/// Whether there is an upstream of this name.
pub(super) fn is_known(name: &str, settings: &Settings) -> bool {
    settings.upstreams.contains_key(name) || name == name_of_application(settings)
}

pub(super) fn name_of_application(settings: &Settings) -> &str {
    match settings.upstreams.keys().next() {
        Some(only) if settings.upstreams.len() == 1 => only,
        Some(_) | None => UPSTREAM,
    }
}

fn upstream(settings: &Settings, name: &str, given: Option<&UpstreamSettings>) -> Params {
    let PeriodOrOff(wait) = settings.lifecycle.wait_for_app;
    Params {
        name: name.into(),
        patience: wait.unwrap_or_default(),
        ..connections(given)
    }
}

/// The connections to one: what is not given is as [`Params::new`] has it.
fn connections(given: Option<&UpstreamSettings>) -> Params {
    let named = given.and_then(|given| given.url.as_ref());
    // Both are there when a flag names another place than the file does.
    let endpoints = match given {
        Some(given) if named.is_none() => &given.endpoints[..],
        Some(_) | None => &[],
    };
    let target = match named.or_else(|| endpoints.first()) {
        Some(UpstreamUrl { target, .. }) => target.clone(),
        None => Target::Tcp {
            host: "127.0.0.1".to_owned(),
            port: DEFAULT_PORT,
        },
    };
    let base = Params::new(target);
    let Some(given) = given else { return base };
    let period = |given: Option<Period>, base| given.map_or(base, |period| period.0);
    let base = Params {
        connect_timeout: period(given.connect_timeout, base.connect_timeout),
        max_age: period(given.max_age, base.max_age),
        max_connections: given
            .max_connections
            .map_or(base.max_connections, |most| most as usize),
        max_waiting: given
            .max_waiting
            .map_or(base.max_waiting, |most| most as usize),
        max_header_list: given.head.map_or(base.max_header_list, |size| {
            u32::try_from(size.0).unwrap_or(u32::MAX)
        }),
        ..outliers(given.outliers, base)
    };
    if let Some(source) = named.and_then(|url| url.source.as_ref()) {
        let authority = source.authority().and_then(|name| name.parse().ok());
        return Params {
            endpoints: Arc::new(Endpoints::new([])),
            authority,
            ..base
        };
    }
    if endpoints.is_empty() {
        return base;
    }
    let targets = endpoints.iter().map(|url| url.target.clone());
    Params {
        endpoints: Arc::new(Endpoints::new(targets)),
        ..base
    }
}

fn outliers(given: OutlierSettings, base: Params) -> Params {
    let period = |given: Option<Period>, base| given.map_or(base, |period| period.0);
    Params {
        outliers: Outliers {
            consecutive: given.consecutive.unwrap_or(base.outliers.consecutive),
            ratio: given
                .percent
                .map_or(base.outliers.ratio, |percent| f64::from(percent) / 100.0),
            minimum: given.minimum.unwrap_or(base.outliers.minimum),
            window: period(given.window, base.outliers.window),
        },
        ejection: Ejection {
            first: period(given.pause, base.ejection.first),
            longest: period(given.longest_pause, base.ejection.longest),
        },
        ..base
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::config::{Input, load};

    /// What a file and flags come to, sound or not.
    fn loaded(text: &str, flags: Vec<(&'static str, Vec<String>)>) -> Result<Params, String> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("sidegate.yaml"), text).unwrap();
        let (config, problems) = load(&Input {
            directory: directory.path().to_owned(),
            flags,
            ..Input::default()
        });
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        config
            .map(|config| config.upstream)
            .ok_or_else(|| told.join("\n"))
    }

    fn names(params: &Params) -> Vec<String> {
        let all = params.endpoints.load();
        all.iter().map(|one| one.name().to_string()).collect()
    }

    const TWO: &str = "upstreams: {app: {endpoints: ['http://a:1', 'unix:/b'], outliers: {percent: 10, pause: 2s}}}";

    #[test]
    fn endpoints_stand_in_the_place_of_one_url() {
        let upstream = loaded(TWO, Vec::new()).unwrap();
        assert_eq!(names(&upstream), ["a:1", "unix:/b"]);
        assert!((upstream.outliers.ratio - 0.1).abs() < 1e-9);
        assert_eq!(upstream.ejection.first, Duration::from_secs(2));
        let alone = loaded("upstreams: {app: {url: 'http://a:1'}}", Vec::new());
        assert_eq!(names(&alone.unwrap()), ["a:1"]);
    }

    /// A flag beats the file, whatever the file says it by.
    #[test]
    fn a_flag_stands_above_endpoints_of_the_file() {
        let flag = ("--upstream", vec![String::from("http://c:3")]);
        let upstream = loaded(TWO, vec![flag]).unwrap();
        assert_eq!(names(&upstream), ["c:3"]);
        assert_eq!(upstream.target.to_string(), "c:3");
    }
}
