//! Figures that other parts keep, on the page of metrics: connections, the schema, readiness.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

use tokio::sync::watch;

use crate::acme;
use crate::auth::KeySet;
use crate::config::Config;
use crate::layer::guard;
use crate::life::ready::{Condition, Ready};
use crate::live::Live;
use crate::schema::Schema;
use crate::schema::problem::{Problem, Severity};
use crate::schema::split::Side;
use crate::serve::Stats;
use crate::telemetry::metrics::Metrics;
use crate::tls;
use crate::upstream::Seen;

/// Shows what became of connections.
pub(super) fn connections(metrics: &Metrics, stats: Arc<Stats>) {
    metrics.show(move |page| {
        page.single(
            "sidegate_connections_open",
            "gauge",
            "Connections from clients that are open.",
            stats.open(),
        );
        for (name, help, value) in [
            (
                "sidegate_connections_total",
                "Connections from clients that were served.",
                stats.accepted(),
            ),
            (
                "sidegate_connections_refused_total",
                "Connections that were closed at once because there were too many.",
                stats.refused(),
            ),
            (
                "sidegate_connections_abusive_total",
                "Connections that were closed because their client misused them.",
                stats.abusive(),
            ),
            (
                "sidegate_connections_timed_out_total",
                "Connections that were closed because their client was too slow.",
                stats.timed_out(),
            ),
            (
                "sidegate_connections_upgraded_total",
                "Connections and HTTP/2 streams that went on as WebSockets or tunnels.",
                stats.upgraded(),
            ),
            (
                "sidegate_tls_handshakes_total",
                "TLS handshakes with clients that succeeded.",
                stats.handshakes(),
            ),
            (
                "sidegate_tls_handshakes_failed_total",
                "TLS handshakes with clients that failed or took too long.",
                stats.failed_handshakes(),
            ),
            (
                "sidegate_accept_errors_total",
                "Failures to accept a connection.",
                stats.accept_errors(),
            ),
            (
                "sidegate_panics_total",
                "Calls that ended in a bug of the gateway.",
                stats.panics(),
            ),
        ] {
            page.single(name, "counter", help, value);
        }
    });
}

/// Shows what is live and what is wrong with it.
pub(super) fn schema(
    metrics: &Metrics,
    live: Arc<Live<Schema>>,
    problems: Arc<Live<Vec<Problem>>>,
) {
    metrics.show(move |page| {
        let schema = live.load();
        for (name, help, value) in [
            (
                "sidegate_schema_methods",
                "Methods that are served.",
                schema.methods.len(),
            ),
            (
                "sidegate_schema_routes",
                "REST routes, those in conflict included.",
                schema.bindings.len(),
            ),
        ] {
            page.single(name, "gauge", help, value);
        }
        let problems = problems.load();
        let name = "sidegate_schema_problems";
        page.family(name, "gauge", "Problems of the schema that is live.");
        for (severity, label) in [(Severity::Error, "error"), (Severity::Warning, "warning")] {
            let count = problems.iter().filter(|one| one.severity == severity);
            page.sample(
                name,
                format_args!("{{severity=\"{label}\"}}"),
                count.count(),
            );
        }
    });
}

/// Shows what became of callers who had to be known, and of the keys that tokens are verified with.
pub(super) fn callers(
    metrics: &Metrics,
    callers: Arc<guard::Counts>,
    config: watch::Receiver<Arc<Config>>,
) {
    metrics.show(move |page| {
        let config = Arc::clone(&config.borrow());
        if !config.policies.guard() {
            return;
        }
        let name = "sidegate_callers_total";
        page.family(
            name,
            "counter",
            "Calls by whether their callers were let in.",
        );
        for (outcome, count) in [
            ("admitted", &callers.admitted),
            ("refused", &callers.refused),
        ] {
            let count = count.load(Ordering::Relaxed);
            page.sample(name, format_args!("{{outcome=\"{outcome}\"}}"), count);
        }
        let issuers = &config.auth.issuers;
        let mut family = |name, kind, help, figure: fn(&KeySet) -> u64| {
            page.family(name, kind, help);
            for issuer in issuers {
                let labels = format!("{{issuer=\"{}\"}}", label(&issuer.name));
                page.sample(name, format_args!("{labels}"), figure(&issuer.keys));
            }
        };
        family(
            "sidegate_token_keys",
            "gauge",
            "Keys that tokens are verified with.",
            |keys| keys.keys().count() as u64,
        );
        family(
            "sidegate_token_keys_fetches_total",
            "counter",
            "Attempts to fetch keys.",
            |keys| keys.tries().0,
        );
        family(
            "sidegate_token_keys_fetches_failed_total",
            "counter",
            "Attempts to fetch keys that failed.",
            |keys| keys.tries().1,
        );
    });
}

/// Shows the numbers of calls that are bounded.
pub(super) fn loads(metrics: &Metrics, config: watch::Receiver<Arc<Config>>) {
    metrics.show(move |page| {
        let config = Arc::clone(&config.borrow());
        let loads = &config.loads;
        if !loads.any() && config.memory.is_none() {
            return;
        }
        for (name, kind, help, value) in [
            (
                "sidegate_limited_total",
                "counter",
                "Calls that were refused because there were too many, or no memory for them.",
                loads.refused(),
            ),
            (
                "sidegate_memory_short",
                "gauge",
                "Whether no call is begun because memory is short.",
                loads.is_short().into(),
            ),
        ] {
            page.single(name, kind, help, value);
        }
        let (running, waiting) = ("sidegate_limit_running", "sidegate_limit_waiting");
        page.family(
            running,
            "gauge",
            "Calls that run, where their number is bounded.",
        );
        for (of, count, _) in loads.running() {
            if let Some(count) = count {
                page.sample(running, format_args!("{{limit=\"{}\"}}", label(of)), count);
            }
        }
        page.family(waiting, "gauge", "Calls that wait for a place.");
        for (of, _, count) in loads.running() {
            page.sample(waiting, format_args!("{{limit=\"{}\"}}", label(of)), count);
        }
    });
}

/// Shows until when the certificates are valid that clients are shown.
pub(super) fn certificates(metrics: &Metrics, server: Arc<tls::Server>) {
    metrics.show(move |page| {
        let name = "sidegate_tls_certificate_not_after_seconds";
        let help = "When a certificate expires, in seconds since 1970.";
        page.family(name, "gauge", help);
        for (path, facts) in server.certificates() {
            let file = path.map_or_else(String::new, |path| path.display().to_string());
            let until = facts.not_after.duration_since(UNIX_EPOCH);
            page.sample(
                name,
                format_args!(
                    "{{name=\"{}\",file=\"{}\"}}",
                    label(&facts.name()),
                    label(&file)
                ),
                until.unwrap_or_default().as_secs(),
            );
        }
    });
}

/// Shows what became of certificates that were asked for.
pub(super) fn renewals(metrics: &Metrics, stats: Arc<acme::Stats>) {
    metrics.show(move |page| {
        let name = "sidegate_acme_certificates_total";
        let help = "Certificates that an ACME authority was asked for.";
        page.family(name, "counter", help);
        for (host, counts) in stats.counts() {
            let host = label(&host);
            for (outcome, count) in [("obtained", counts.obtained), ("failed", counts.failed)] {
                let labels = format_args!("{{name=\"{host}\",outcome=\"{outcome}\"}}");
                page.sample(name, labels, count);
            }
        }
    });
}

/// A text as the value of a label.
fn label(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    escaped.replace('\n', "\\n")
}

/// Shows the connections to every upstream, and its endpoints.
pub(super) fn upstreams(metrics: &Metrics, config: watch::Receiver<Arc<Config>>) {
    metrics.show(move |page| {
        let config = Arc::clone(&config.borrow());
        let all: Vec<(String, Seen, Vec<bool>)> = config
            .upstreams()
            .map(|one| {
                let endpoints = one.endpoints.load();
                let out = endpoints.iter().map(|endpoint| endpoint.is_out()).collect();
                (label(&one.name), one.states.seen(), out)
            })
            .collect();
        for (name, kind, help, value) in OF_UPSTREAM {
            page.family(name, kind, help);
            for (upstream, seen, out) in &all {
                let labels = format_args!("{{upstream=\"{upstream}\"}}");
                page.sample(name, labels, value(seen, out));
            }
        }
    });
}

/// What is shown of an upstream: name, kind, help, and the figure.
const OF_UPSTREAM: [(&str, &str, &str, Figure); 9] = [
    (
        "sidegate_upstream_connections",
        "gauge",
        "Connections to an upstream that take new calls.",
        |seen, _| seen.connections.iter().filter(|one| one.open).count() as u64,
    ),
    (
        "sidegate_upstream_calls_in_flight",
        "gauge",
        "Calls that are under way at an upstream.",
        |seen, _| seen.connections.iter().map(|one| one.calls as u64).sum(),
    ),
    (
        "sidegate_upstream_connects_total",
        "counter",
        "Connections to an upstream that were made.",
        |seen, _| seen.made,
    ),
    (
        "sidegate_upstream_connects_failed_total",
        "counter",
        "Attempts to connect to an upstream that failed.",
        |seen, _| seen.failed,
    ),
    (
        "sidegate_upstream_endpoints",
        "gauge",
        "Endpoints of an upstream.",
        |_, out| out.len() as u64,
    ),
    (
        "sidegate_upstream_endpoints_out",
        "gauge",
        "Endpoints of an upstream that are left out for a while because they fail.",
        |_, out| out.iter().filter(|out| **out).count() as u64,
    ),
    (
        "sidegate_upstream_endpoints_put_out_total",
        "counter",
        "How often an endpoint of an upstream was left out because it failed.",
        |seen, _| seen.put_out,
    ),
    (
        "sidegate_upstream_retries_total",
        "counter",
        "Calls that were sent again because of how the application had answered.",
        |seen, _| seen.retried,
    ),
    (
        "sidegate_upstream_retries_denied_total",
        "counter",
        "Retries that were not made because the budget was spent.",
        |seen, _| seen.retries_denied,
    ),
];

/// Shows how calls are shared out, where they are.
pub(super) fn splits(metrics: &Metrics, config: watch::Receiver<Arc<Config>>) {
    metrics.show(move |page| {
        let splits = config.borrow().splits.clone();
        if splits.is_empty() {
            return;
        }
        let mut show = |name: &str, kind: &str, help: &str, value: fn(&Side) -> f64| {
            page.family(name, kind, help);
            for split in &splits {
                for side in split.sides() {
                    let (route, upstream) = (label(&split.plan.route), label(&side.upstream));
                    let labels = format_args!("{{route=\"{route}\",upstream=\"{upstream}\"}}");
                    page.sample(name, labels, value(&side));
                }
            }
        };
        let share = "The share of calls that a side of a split gets by weight, from 0 to 1.";
        show("sidegate_split_share", "gauge", share, |side| side.share);
        let calls = "Calls that a side of a split has had by weight.";
        show("sidegate_split_calls_total", "counter", calls, |side| {
            count(side.counts.calls)
        });
        let failed = "Those that failed by its fault.";
        show("sidegate_split_failures_total", "counter", failed, |side| {
            count(side.counts.failed)
        });
        let name = "sidegate_split_rollbacks_total";
        let help = "How often the new side of a split was taken back by its guard.";
        page.family(name, "counter", help);
        for split in &splits {
            let route = label(&split.plan.route);
            page.sample(
                name,
                format_args!("{{route=\"{route}\"}}"),
                split.rollbacks(),
            );
        }
    });
}

#[allow(clippy::cast_precision_loss, reason = "nobody counts to 2^52")]
fn count(count: u64) -> f64 {
    count as f64
}

/// A figure of an upstream, from what is seen of it and which of its endpoints are out.
type Figure = fn(&Seen, &[bool]) -> u64;

/// Shows which conditions of readiness hold.
pub(super) fn readiness(metrics: &Metrics, ready: Ready) {
    metrics.show(move |page| {
        let name = "sidegate_ready";
        page.family(name, "gauge", "Whether a condition of readiness holds.");
        for condition in Condition::ALL {
            page.sample(
                name,
                format_args!("{{condition=\"{}\"}}", condition.name()),
                u8::from(ready.holds(condition)),
            );
        }
    });
}
