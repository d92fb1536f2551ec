//! [`Sources`]: what became of asking those who know where applications are, and of telling others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::kept::{self, Kept};
use crate::admin::views::DiscoveryView;
use crate::config::{Registration, Registry};
use crate::discover::Source;
use crate::telemetry::metrics::Metrics;

/// All sources that are followed, and all registries that are told; clones share them.
#[derive(Clone, Debug, Default)]
pub(in crate::app) struct Sources {
    seen: Arc<Mutex<Vec<Arc<Seen>>>>,
    kept: Arc<Mutex<Vec<Arc<Kept>>>>,
}

/// One source of one upstream.
#[derive(Debug)]
pub(in crate::app) struct Seen {
    upstream: String,
    source: Source,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Places that were found last.
    endpoints: usize,
    /// Answers that changed them.
    changes: u64,
    failures: u64,
    /// When it last said something.
    heard: Option<Instant>,
    /// Why it cannot be asked, while it cannot.
    failing: Option<String>,
}

impl Sources {
    /// The one of an upstream, which has one at a time.
    pub(in crate::app) fn of(&self, upstream: &str, source: &Source) -> Arc<Seen> {
        let mut all = self.lock();
        let same = |one: &&Arc<Seen>| one.upstream == upstream && one.source == *source;
        if let Some(known) = all.iter().find(same) {
            return Arc::clone(known);
        }
        let fresh = Arc::new(Seen {
            upstream: upstream.to_owned(),
            source: source.clone(),
            state: Mutex::default(),
        });
        all.retain(|one| one.upstream != upstream);
        all.push(Arc::clone(&fresh));
        fresh
    }

    /// Forgets all others.
    pub(super) fn keep(&self, sources: &[(String, Source)]) {
        let is_kept = |one: &Seen| {
            let mut kept = sources.iter();
            kept.any(|(name, source)| *name == one.upstream && *source == one.source)
        };
        self.lock().retain(|one| is_kept(one));
    }

    /// What is to be shown of the source of an upstream.
    pub(in crate::app) fn view(&self, upstream: &str) -> Option<DiscoveryView> {
        let all = self.lock().clone();
        let seen = all.iter().find(|one| one.upstream == upstream)?;
        let state = seen.lock();
        Some(DiscoveryView {
            source: seen.source.to_string(),
            state: match (&state.failing, state.heard) {
                (Some(_), _) => "failing",
                (None, Some(_)) => "following",
                (None, None) => "asking",
            },
            failure: state.failing.clone(),
            heard_seconds_ago: state.heard.map(|at| at.elapsed().as_secs()),
            changes: state.changes,
            failures: state.failures,
        })
    }

    /// Shows them on the page of metrics.
    pub(in crate::app) fn show(&self, metrics: &Metrics) {
        let sources = self.clone();
        metrics.show(move |page| {
            let registries = lock(&sources.kept).clone();
            let told = kept::FAMILIES.iter().enumerate();
            for (at, (name, kind, help)) in told.filter(|_| !registries.is_empty()) {
                page.family(name, kind, help);
                for one in &registries {
                    let registry = kept::name(&one.registry);
                    let value = one.figures().get(at).copied().unwrap_or(0);
                    page.sample(name, format_args!("{{registry=\"{registry}\"}}"), value);
                }
            }
            let all = sources.lock().clone();
            if all.is_empty() {
                return;
            }
            for (name, kind, help, value) in FAMILIES {
                page.family(name, kind, help);
                for one in &all {
                    let upstream = &one.upstream;
                    let value = value(&one.lock());
                    page.sample(name, format_args!("{{upstream=\"{upstream}\"}}"), value);
                }
            }
        });
    }

    /// What becomes of telling a registry.
    pub(super) fn kept(&self, registry: &Registry) -> Arc<Kept> {
        let mut all = lock(&self.kept);
        if let Some(known) = all.iter().find(|one| one.registry == *registry) {
            return Arc::clone(known);
        }
        let fresh = Arc::new(Kept::new(registry.clone()));
        all.push(Arc::clone(&fresh));
        fresh
    }

    /// Forgets all other registries.
    pub(super) fn keep_registries(&self, registrations: &[Registration]) {
        lock(&self.kept).retain(|one| {
            let mut all = registrations.iter();
            all.any(|registration| registration.registry == one.registry)
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Seen>>> {
        lock(&self.seen)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

type Family = (&'static str, &'static str, &'static str, fn(&State) -> u64);

const FAMILIES: [Family; 4] = [
    (
        "sidegate_discovery_up",
        "gauge",
        "Whether the source of an upstream's endpoints answered last.",
        |state| u64::from(state.failing.is_none() && state.heard.is_some()),
    ),
    (
        "sidegate_discovery_endpoints",
        "gauge",
        "Endpoints that were found last.",
        |state| state.endpoints as u64,
    ),
    (
        "sidegate_discovery_changes_total",
        "counter",
        "Answers that changed the endpoints.",
        |state| state.changes,
    ),
    (
        "sidegate_discovery_failures_total",
        "counter",
        "Times that the source could not be asked or did not know.",
        |state| state.failures,
    ),
];

impl Seen {
    /// It said so many places; whether that changed anything.
    pub(super) fn found(&self, endpoints: usize, changed: bool) {
        let mut state = self.lock();
        let first = state.heard.is_none();
        let failed = state.failing.take().is_some();
        state.heard = Some(Instant::now());
        state.endpoints = endpoints;
        state.changes += u64::from(changed);
        drop(state);
        let (upstream, source) = (&self.upstream, &self.source);
        if failed {
            tracing::info!(upstream, %source, endpoints, "discovery answers again");
        } else if first || changed {
            tracing::info!(upstream, %source, endpoints, "endpoints were found");
        }
    }

    /// It could not be asked; told once until it can.
    pub(super) fn failed(&self, why: &str) {
        let mut state = self.lock();
        state.failures += 1;
        let kept = state.endpoints;
        let told = state.failing.replace(why.to_owned()).is_some();
        drop(state);
        if !told {
            let (upstream, source) = (&self.upstream, &self.source);
            tracing::warn!(upstream, %source, why, kept, "discovery fails; what was found last holds");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
