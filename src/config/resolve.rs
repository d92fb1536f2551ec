//! [`resolve`]: from [`Settings`] to [`Config`], with nothing left to look up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::overlay::Input;
use super::selected::Selected;
use super::settings::{
    AccessLog, CorsSettings, LimitSettings, LogFormat, LogSettings, Parents, Reflection,
    RouteSettings, Settings, TelemetrySettings, TraceSettings,
};
use super::tree::{Source, Tree};
use super::values::{HeaderName, PeriodOrOff, Selector};
use super::{
    Config, Lines, Rules, Sources, Telemetry, Traces, acme, admin_token, app_config, auth,
    discovery, load, machine, quotas, route_headers, secured, splits, traffic, upstreams,
};
use crate::export::{file, fluent};
use crate::protocol::cors::{self, Origins};
use crate::schema::policy::{BoundHeader, Limits, Policies, Policy, RestOptions, Timeouts};
use crate::schema::problem::Problem;
use crate::schema::split::Split;
use crate::serve;
use crate::telemetry::log::{Format, Options};
use crate::upstream::Params;

/// `rest.headers.original` when nothing is said.
const USUAL_ORIGINAL: &str = "x-original-";

/// The directory of proto files when none is named.
pub(super) const DEFAULT_PROTO: &str = "proto";

/// Resolves everything. `None` and a problem when something cannot be.
pub(super) fn resolve(
    settings: Settings,
    tree: Tree,
    input: &Input,
    problems: &mut Vec<Problem>,
) -> Option<Config> {
    let sources = sources(&settings, &tree, input);
    problems.extend(without_schema(&sources, &tree));
    let workers = settings.limits.workers.0;
    let (auth, auth_files) = auth::resolve(&settings.auth, &tree, input, problems);
    let acme = acme::params(&settings, &tree, input);
    let splits = splits::all(&settings, &input.splits);
    let policies = policies(&settings, &tree, &splits);
    Some(Config {
        listen: settings.listen.0,
        admin: settings.admin.0,
        admin_token: admin_token::read(&tree, input, problems),
        ops: settings.ops.0,
        tls: secured::listener(&settings, &tree, input, acme.as_ref()),
        acme,
        sources,
        discovery: discovery::resolve(&settings, &tree, input),
        rules: Rules {
            mode: settings.rest.rules_mode.into(),
            auto: settings.rest.auto.into(),
            conflicts: settings.rest.conflicts.into(),
            allow_unknown_methods: settings.schema.unknown_methods.into(),
        },
        loads: quotas::loads(&policies, None),
        memory: machine::Memory::find(settings.limits.memory_percent),
        policies,
        splits: splits.into_values().collect(),
        selected: selected(&settings, &tree),
        upstream: upstreams::application(&settings),
        more_upstreams: upstreams::others(&settings),
        upstream_tls: secured::upstreams(&settings, &tree, input),
        fallback: settings.rest.fallback.as_ref().map(|fallback| {
            let target = fallback.target.clone();
            Params {
                target,
                ..upstreams::application(&settings)
            }
        }),
        serve: serve(&settings.limits),
        trusted_proxies: settings.rest.headers.trusted_proxies.clone(),
        cors: cors(&settings.rest.cors),
        workers: workers.unwrap_or_else(machine::workers),
        auth,
        auth_files,
        telemetry: telemetry(&settings, &tree, input),
        drain_timeout: settings.lifecycle.drain_timeout.0,
        app_health: settings.lifecycle.app_health.into(),
        takeover: tree
            .branch(&["lifecycle", "takeover"])
            .and_then(|branch| path(&branch.tree, input)),
        app_config: app_config::resolve(&settings, &tree, input),
        input: input.clone(),
        file: load::file(input).0,
        settings,
        tree,
    })
}

/// What is said when nobody could tell what is served.
fn without_schema(sources: &Sources, tree: &Tree) -> Option<Problem> {
    if sources.reflection || !sources.proto.is_empty() || !sources.descriptor_sets.is_empty() {
        return None;
    }
    let place = tree.value_place(&["schema", "reflection"]);
    let message = "there is no schema: no proto files, no descriptor set, and no reflection";
    let help = "give `--proto`, or leave `schema.reflection` at `auto`";
    Some(Problem::warning(place, message).with_help(help))
}

fn telemetry(all: &Settings, tree: &Tree, input: &Input) -> Telemetry {
    let settings = &all.telemetry;
    let mut log = log_options(&settings.log);
    let query = all.auth.token_query.iter().chain(&all.auth.api_keys.query);
    log.hidden
        .extend(query.map(|name| name.0.to_lowercase().into()));
    let app_logs = tree.items(&["telemetry", "app_logs"]);
    Telemetry {
        format: match (settings.log_format, input.terminal) {
            (LogFormat::Json, _) | (LogFormat::Auto, false) => Format::Json,
            (LogFormat::Text, _) | (LogFormat::Auto, true) => Format::Text,
        },
        access_log: lines(settings, tree, input),
        log,
        app_logs: app_logs
            .iter()
            .filter_map(|item| path(item, input))
            .collect(),
        level: settings.log_level,
        scrape: settings.scrape.as_ref().map(|url| url.params.clone()),
        traces: traces(&settings.traces),
    }
}

fn lines(settings: &TelemetrySettings, tree: &Tree, input: &Input) -> Lines {
    let log = &settings.log;
    match settings.access_log {
        AccessLog::Off => Lines::Off,
        AccessLog::Stdout => Lines::Stdout,
        AccessLog::File => Lines::File(file::Params {
            path: tree
                .branch(&["telemetry", "log", "file"])
                .and_then(|branch| path(&branch.tree, input))
                .unwrap_or_else(|| PathBuf::from(&log.file)),
            size: log.file_size.0 as u64,
            keep: log.file_keep,
        }),
        AccessLog::Fluent => Lines::Fluent(fluent::Params {
            place: log.fluent.0.clone(),
            tag: log.fluent_tag.clone(),
        }),
    }
}

fn log_options(log: &LogSettings) -> Options {
    let names = log.headers.iter();
    Options {
        sample: log.sample.0,
        // Names were checked against the same grammar.
        headers: names.filter_map(|name| name.0.parse().ok()).collect(),
        hidden: log
            .redact
            .iter()
            .map(|name| name.to_lowercase().into())
            .collect(),
    }
}

fn traces(settings: &TraceSettings) -> Option<Traces> {
    Some(Traces {
        collector: settings.collector.as_ref()?.collector.clone(),
        sample: settings.sample.0,
        follow: settings.parents == Parents::Follow,
        b3: settings.b3.into(),
        service: settings.service.clone(),
    })
}

fn sources(settings: &Settings, tree: &Tree, input: &Input) -> Sources {
    let paths = |key: &str| -> Vec<PathBuf> {
        let items = tree.items(&["schema", key]);
        items.iter().filter_map(|item| path(item, input)).collect()
    };
    let default = input.directory.join(DEFAULT_PROTO);
    let proto = match &settings.schema.proto {
        Some(_) => paths("proto"),
        None if default.is_dir() => vec![default],
        None => Vec::new(),
    };
    let descriptor_sets = paths("descriptor_sets");
    Sources {
        reflection: match settings.schema.reflection {
            Reflection::Auto => proto.is_empty() && descriptor_sets.is_empty(),
            Reflection::On => true,
            Reflection::Off => false,
        },
        reflection_interval: settings.schema.reflection_interval.0,
        cache: tree
            .branch(&["schema", "cache"])
            .and_then(|branch| path(&branch.tree, input)),
        proto,
        include: paths("include"),
        descriptor_sets,
        http_rules: paths("http_rules"),
    }
}

/// A path as it was meant: those in a file start at its directory.
pub(super) fn path(item: &Tree, input: &Input) -> Option<PathBuf> {
    let text = item.to_json();
    let given = Path::new(text.as_str()?);
    Some(base(item, input).join(given))
}

/// Where relative paths of a value start.
pub(super) fn base<'i>(item: &'i Tree, input: &'i Input) -> &'i Path {
    match &item.origin.source {
        Source::File(file) => Path::new(&**file).parent().unwrap_or_else(|| Path::new("")),
        Source::Default | Source::Compat(_) | Source::Variable(_) | Source::Flag(_) => {
            &input.directory
        }
    }
}

fn selected(settings: &Settings, tree: &Tree) -> Vec<Selected> {
    let selectors = settings.routes.keys();
    selectors
        .map(|selector| Selected {
            selector: selector.clone(),
            location: tree.place(&["routes", selector.as_str()]),
        })
        .collect()
}

fn cors(settings: &CorsSettings) -> cors::Params {
    let names = |names: &[HeaderName]| names.iter().map(|name| name.0.clone()).collect();
    let any = settings.headers.iter().any(|name| &*name.0 == "*");
    let origins = settings.origins.iter().map(|origin| origin.0.clone());
    cors::Params {
        origins: Origins::new(origins.collect()),
        credentials: settings.credentials,
        headers: (!any).then(|| names(&settings.headers)),
        expose: names(&settings.expose),
        max_age: settings.max_age.0,
        private_network: settings.private_network,
    }
}

/// The connections from clients: what has no key is as [`serve::Params::new`] has it.
fn serve(limits: &LimitSettings) -> serve::Params {
    let base = serve::Params::new();
    let automatic = || base.max_connections.min(connections_in(machine::memory()));
    serve::Params {
        opening: limits.first_byte.0,
        head: limits.head_timeout.0,
        idle: limits.keep_alive.0,
        response_stall: match limits.common.response_stall {
            Some(period) => period.0,
            None => base.response_stall,
        },
        // Sizes are below 4 GiB.
        head_bytes: u32::try_from(limits.head.0).unwrap_or(u32::MAX),
        head_fields: limits.headers as usize,
        uri_bytes: limits.uri.0,
        streams: limits.streams,
        max_connections: limits.connections.0.unwrap_or_else(automatic),
        ..base
    }
}

/// Connections for which a quarter of the memory gives each what it usually needs at most. One
/// that does the worst it can takes more, and is closed by a limit of its own.
fn connections_in(memory: Option<u64>) -> usize {
    const USUAL_BYTES: u64 = 64 << 10;
    const FEWEST: usize = 64;
    let Some(memory) = memory else {
        return usize::MAX;
    };
    let count = memory / 4 / USUAL_BYTES;
    usize::try_from(count).unwrap_or(usize::MAX).max(FEWEST)
}

// === Policies ===

fn policies(settings: &Settings, tree: &Tree, splits: &BTreeMap<Selector, Arc<Split>>) -> Policies {
    let default = default_policy(settings);
    let exceptions = settings.routes.keys().map(|selector| {
        // From the widest to the selector itself: the more specific one wins, key by key.
        let mut covering: Vec<(&Selector, &RouteSettings)> = settings
            .routes
            .iter()
            .filter(|(wide, _)| wide.covers(selector))
            .collect();
        covering.sort_by_key(|(wide, _)| wide.as_str().len());
        let mut policy = covering
            .iter()
            .fold(default.clone(), |policy, (wide, route)| {
                let mut policy = except(&policy, route, route_headers::bound(wide, route, tree));
                auth::prepare(&settings.auth, Arc::make_mut(&mut policy.rest));
                traffic::lay(&mut policy, route, splits.get(*wide));
                route_headers::send(&mut policy, route_headers::sent(wide, route, tree));
                policy
            });
        let covering: Vec<&Selector> = covering.iter().map(|(wide, _)| *wide).collect();
        policy.quotas.extend(quotas::of_route(settings, &covering));
        (selector.as_str().into(), Arc::new(policy))
    });
    let exceptions: Vec<_> = exceptions.collect();
    let default = Policy {
        traffic: traffic::of_unknown(&exceptions),
        ..default
    };
    Policies {
        exceptions,
        default: Arc::new(default),
    }
}

fn default_policy(settings: &Settings) -> Policy {
    let mut rest = RestOptions {
        ignore_trailing_slash: settings.rest.trailing_slash.into(),
        method_override: settings.rest.method_override,
        docs: settings.rest.docs.into(),
        connect_by_path: settings.rest.method_paths.into(),
        original_prefix: {
            let prefix = &settings.rest.headers.original.0;
            (**prefix != *USUAL_ORIGINAL).then(|| prefix.clone())
        },
        denied_headers: settings
            .rest
            .headers
            .deny
            .iter()
            .map(|name| name.0.clone())
            .collect(),
        ..RestOptions::default()
    };
    rest = settings.rest.common.onto(&rest);
    auth::prepare(&settings.auth, &mut rest);
    let LimitSettings {
        common,
        timeout: PeriodOrOff(unary_default),
        stream_timeout: PeriodOrOff(stream_default),
        max_timeout: PeriodOrOff(max),
        ..
    } = settings.limits;
    let base = Timeouts::default();
    Policy {
        timeouts: Timeouts {
            unary_default,
            stream_default,
            max,
            body_idle: common.body_idle.map_or(base.body_idle, |period| period.0),
            response_stall: common
                .response_stall
                .map_or(base.response_stall, |period| period.0),
        },
        limits: common.sizes_onto(Limits::default()),
        json: settings.json.onto(Policy::default().json),
        rest: Arc::new(rest),
        retry: None,
        traffic: None,
        access: auth::everybody(&settings.auth),
        quotas: quotas::everybody(settings).into_iter().collect(),
    }
}

/// A policy with the exceptions of a route.
fn except(base: &Policy, route: &RouteSettings, bound: Vec<BoundHeader>) -> Policy {
    let limits = &route.limits;
    let mut rest = route.rest.onto(&base.rest);
    let said_again = |wide: &BoundHeader| bound.iter().any(|own| own.source == wide.source);
    rest.bound_headers.retain(|wide| !said_again(wide));
    rest.bound_headers.extend(bound);
    Policy {
        timeouts: Timeouts {
            body_idle: limits
                .body_idle
                .map_or(base.timeouts.body_idle, |period| period.0),
            response_stall: limits
                .response_stall
                .map_or(base.timeouts.response_stall, |period| period.0),
            ..deadlines(base.timeouts, route)
        },
        limits: limits.sizes_onto(base.limits),
        json: route.json.onto(base.json),
        rest: Arc::new(rest),
        retry: match &route.retry {
            Some(given) => given.onto(base.retry.as_deref()).map(Arc::new),
            None => base.retry.clone(),
        },
        traffic: base.traffic.clone(),
        access: auth::onto(&route.auth, base.access.as_ref()),
        quotas: base.quotas.clone(),
    }
}

/// The deadlines of a route (M4): its `timeout` is used when the client gives none and caps what
/// a client asks, unless `max_timeout` says what the cap is; `off` takes away what holds for
/// everybody.
fn deadlines(base: Timeouts, route: &RouteSettings) -> Timeouts {
    let mut timeouts = base;
    if let Some(PeriodOrOff(timeout)) = route.timeout {
        timeouts.unary_default = timeout;
        timeouts.stream_default = timeout;
        timeouts.max = match (timeout, base.max) {
            (Some(timeout), Some(max)) => Some(timeout.min(max)),
            (timeout, max) => timeout.or(max),
        };
    }
    if let Some(PeriodOrOff(max)) = route.max_timeout {
        timeouts.max = max;
    }
    timeouts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_bounds_connections() {
        assert_eq!(connections_in(None), usize::MAX);
        assert_eq!(connections_in(Some(64 << 20)), 256);
        assert_eq!(connections_in(Some(1 << 20)), 64);
    }
}
