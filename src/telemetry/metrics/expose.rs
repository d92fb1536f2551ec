//! What stands on the page that Prometheus reads.
//!
//! Only what was counted at least once is shown of methods and routes.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::histogram::{Sizes, Summary, Sums};
use super::page::{Form, Page, Value};
use super::series::{MethodCells, MethodSeries};
use super::words::Words;
use super::{Metrics, WorkerCells, process};
use crate::call::Code;

/// The whole page. `dropped_lines` is what the access log had no room for.
pub fn page(metrics: &Metrics, form: Form, dropped_lines: u64) -> Page {
    let mut page = Page::new(form);
    calls(&mut page, metrics);
    attempts(&mut page, metrics);
    routes(&mut page, metrics);
    gateway(&mut page, metrics, dropped_lines);
    let figures = metrics.figures.lock();
    for figure in figures.unwrap_or_else(PoisonError::into_inner).iter() {
        (figure.0)(&mut page);
    }
    process::expose(&mut page, metrics.since);
    page
}

/// What is counted by method.
fn calls(page: &mut Page, metrics: &Metrics) {
    let table = metrics.table.load();
    let name = "grpc_server_call_duration_seconds";
    page.family(
        name,
        "histogram",
        "How long calls took, from the head of the request to the end of the answer.",
    );
    for series in table.methods() {
        for code in (0..17).map(Code::from_number) {
            let mut summary = Summary::default();
            for cells in series.cells.all() {
                cells.add_ended_to(code, &mut summary);
            }
            if summary.count > 0 {
                let rpc = Value(&series.rpc);
                let labels = format!("grpc_method=\"{rpc}\",grpc_status=\"{code}\"");
                page.histogram(name, &labels, &summary);
            }
        }
    }

    page.family(
        "grpc_server_call_started_total",
        "counter",
        "Calls that were begun; one counts when it has ended.",
    );
    for series in table.methods() {
        let mut summary = Summary::default();
        for code in (0..17).map(Code::from_number) {
            for cells in series.cells.all() {
                cells.add_ended_to(code, &mut summary);
            }
        }
        if summary.count > 0 {
            let name = "grpc_server_call_started_total";
            page.sample(name, method_label(series), summary.count);
        }
    }
    for (name, help, read) in METHOD_SIZES {
        page.family(name, "histogram", help);
        for series in table.methods() {
            let mut summary = Sums::default();
            for cells in series.cells.all() {
                read(cells).add_to(&mut summary);
            }
            if summary.count > 0 {
                let labels = format!("grpc_method=\"{}\"", Value(&series.rpc));
                page.sizes(name, &labels, &summary);
            }
        }
    }
    for (name, help, read) in METHOD_COUNTERS {
        page.family(name, "counter", help);
        for series in table.methods() {
            let value: u64 = series.cells.all().map(read).sum();
            if value > 0 {
                page.sample(name, method_label(series), value);
            }
        }
    }
}

/// What is counted of asking the application.
fn attempts(page: &mut Page, metrics: &Metrics) {
    let table = metrics.table.load();
    let target = Value(&metrics.target);
    let labels = |series: &MethodSeries| {
        format!(
            "grpc_method=\"{}\",grpc_target=\"{target}\"",
            Value(&series.rpc)
        )
    };
    let name = "grpc_client_attempt_started_total";
    page.family(
        name,
        "counter",
        "How often an endpoint of the application was asked.",
    );
    for series in table.methods() {
        let started = series
            .cells
            .all()
            .map(|cells| cells.attempts.load(Ordering::Relaxed));
        let started: u64 = started.sum();
        if started > 0 {
            page.sample(name, format_args!("{{{}}}", labels(series)), started);
        }
    }
    let name = "grpc_client_attempt_duration_seconds";
    page.family(
        name,
        "histogram",
        "How long asking the application took, the last attempt of a call to its end.",
    );
    for series in table.methods() {
        for code in (0..17).map(Code::from_number) {
            let mut summary = Summary::default();
            for cells in series.cells.all() {
                cells.add_asked_to(code, &mut summary);
            }
            if summary.count > 0 {
                let labels = format!("{},grpc_status=\"{code}\"", labels(series));
                page.histogram(name, &labels, &summary);
            }
        }
    }
    let name = "sidegate_upstream_first_byte_seconds";
    page.family(
        name,
        "histogram",
        "How long the application took to the first byte of its answer.",
    );
    for series in table.methods() {
        let mut summary = Summary::default();
        for cells in series.cells.all() {
            cells.upstream.add_to(&mut summary);
        }
        if summary.count > 0 {
            let labels = format!("grpc_method=\"{}\"", Value(&series.rpc));
            page.histogram(name, &labels, &summary);
        }
    }
}

fn method_label(series: &MethodSeries) -> String {
    format!("{{grpc_method=\"{}\"}}", Value(&series.rpc))
}

/// Sizes of messages of methods: their name, what they say, and where they are.
type MethodSizes = (&'static str, &'static str, fn(&MethodCells) -> &Sizes);

const METHOD_SIZES: [MethodSizes; 2] = [
    (
        "grpc_server_call_rcvd_total_compressed_message_size_bytes",
        "Bytes of request bodies as clients sent them.",
        |cells| &cells.bytes_in,
    ),
    (
        "grpc_server_call_sent_total_compressed_message_size_bytes",
        "Bytes of response bodies as clients got them.",
        |cells| &cells.bytes_out,
    ),
];

/// A counter of methods: its name, what it says, and where it is.
type MethodCounter = (&'static str, &'static str, fn(&MethodCells) -> u64);

const METHOD_COUNTERS: [MethodCounter; 2] = [
    (
        "sidegate_rpc_request_messages_total",
        "Messages sent to the application.",
        |cells| cells.messages_in.load(Ordering::Relaxed),
    ),
    (
        "sidegate_rpc_response_messages_total",
        "Messages that came from the application.",
        |cells| cells.messages_out.load(Ordering::Relaxed),
    ),
];

/// What is counted by route.
fn routes(page: &mut Page, metrics: &Metrics) {
    let table = metrics.table.load();
    let name = "http_server_request_duration_seconds";
    page.family(
        name,
        "histogram",
        "How long REST requests took, by the template of the route they matched.",
    );
    for series in table.routes() {
        let mut statuses: Vec<(u16, Summary)> = Vec::new();
        for (status, histogram) in series.cells.all().flat_map(|cells| cells.all()) {
            let known = statuses.iter().position(|(known, _)| *known == status);
            let at = known.unwrap_or(statuses.len());
            if known.is_none() {
                statuses.push((status, Summary::default()));
            }
            if let Some((_, summary)) = statuses.get_mut(at) {
                histogram.add_to(summary);
            }
        }
        statuses.sort_unstable_by_key(|(status, _)| *status);
        for (status, summary) in statuses.iter().filter(|(_, summary)| summary.count > 0) {
            let labels = format!(
                "http_request_method=\"{}\",http_route=\"{}\",http_response_status_code=\"{status}\"",
                Value(&series.http_method),
                Value(&series.template),
            );
            page.histogram(name, &labels, summary);
        }
    }
}

/// What is counted once.
fn gateway(page: &mut Page, metrics: &Metrics, dropped_lines: u64) {
    let by_word = |page: &mut Page, name: &str, label: &str, sums: Vec<(&str, u64)>| {
        for (word, count) in sums {
            page.sample(name, format_args!("{{{label}=\"{word}\"}}"), count);
        }
    };
    let name = "sidegate_calls_total";
    page.family(
        name,
        "counter",
        "Calls that have ended, by client protocol.",
    );
    by_word(
        page,
        name,
        "protocol",
        sum_words(metrics, |cells| &cells.protocols),
    );
    let name = "sidegate_faults_total";
    page.family(
        name,
        "counter",
        "Calls that a fault ended, by reason; APPLICATION is the application's own.",
    );
    by_word(
        page,
        name,
        "reason",
        sum_words(metrics, |cells| &cells.reasons),
    );

    for (name, kind, help, read) in SINGLES {
        page.single(name, kind, help, read(metrics));
    }
    page.single(
        "sidegate_access_log_dropped_lines_total",
        "counter",
        "Lines of the access log that had no room because nobody read it.",
        dropped_lines,
    );
    let name = "sidegate_build_info";
    page.family(name, "gauge", "Which build this is; always 1.");
    page.sample(
        name,
        concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"}"),
        1,
    );
}

/// A figure of the whole gateway: its name, its kind, what it says, and where it is.
type Single = (
    &'static str,
    &'static str,
    &'static str,
    fn(&Metrics) -> u64,
);

const SINGLES: [Single; 4] = [
    (
        "sidegate_calls_in_flight",
        "gauge",
        "Calls that are under way.",
        |metrics| metrics.calls_in_flight(),
    ),
    (
        "sidegate_schema_loads_total",
        "counter",
        "Schemas that were published, the first one included.",
        |metrics| metrics.counters.schema_loads.value(),
    ),
    (
        "sidegate_unknown_fields_total",
        "counter",
        "Fields of responses that the schema does not know and JSON does not show.",
        |metrics| metrics.counters.unknown_fields.value(),
    ),
    (
        "sidegate_dropped_metadata_total",
        "counter",
        "Metadata values that gRPC cannot hold and that were left out.",
        |metrics| metrics.counters.dropped_metadata.value(),
    ),
];

/// Adds up what the workers counted by word, sorted by word.
fn sum_words<const N: usize>(
    metrics: &Metrics,
    read: fn(&WorkerCells) -> &Words<N>,
) -> Vec<(&'static str, u64)> {
    let mut sums = std::collections::BTreeMap::new();
    for (word, count) in metrics.workers.all().flat_map(|cells| read(cells).all()) {
        *sums.entry(word).or_insert(0) += count;
    }
    sums.into_iter().collect()
}
