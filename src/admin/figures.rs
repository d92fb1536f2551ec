//! `/figures`: what was counted so far, for the console's charts: it polls, and draws differences.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::telemetry::metrics::histogram::{BOUNDS, Summary};
use crate::telemetry::metrics::snapshot::Snapshot;

/// Sums since the start.
#[derive(Debug, Serialize)]
pub(super) struct FiguresView {
    /// Seconds on a clock that only goes forward.
    at: f64,
    /// Calls that are under way.
    in_flight: u64,
    /// Upper bounds of the buckets, in milliseconds; one more bucket has what is longer.
    bounds: Vec<f64>,
    /// By rpc.
    methods: Vec<SeriesView>,
    /// By route.
    routes: Vec<SeriesView>,
    protocols: Map<String, Value>,
    reasons: Map<String, Value>,
}

#[derive(Debug, Serialize)]
struct SeriesView {
    /// `pkg.Service/Method`, or HTTP method and template.
    name: String,
    /// Calls by how they ended.
    ended: Map<String, Value>,
    /// Calls that did not end well.
    errors: u64,
    buckets: Vec<u64>,
    /// What they took together, in seconds.
    seconds: f64,
}

impl FiguresView {
    /// The view of a snapshot that was taken at `at`.
    pub(super) fn new(snapshot: Snapshot, at: f64) -> Self {
        let methods = snapshot.methods.into_iter().map(|(rpc, codes)| {
            let ended = codes.into_iter().map(|(code, summary)| {
                let is_error = code != "OK";
                (code.to_owned(), is_error, summary)
            });
            SeriesView::new(rpc, ended)
        });
        let routes = snapshot.routes.into_iter().map(|(key, statuses)| {
            let (method, template) = key;
            let ended = statuses
                .into_iter()
                .map(|(status, summary)| (status.to_string(), status >= 400, summary));
            SeriesView::new(format!("{method} {template}"), ended)
        });
        let counts = |words: Vec<(&'static str, u64)>| {
            let pairs = words.into_iter();
            pairs
                .map(|(word, count)| (word.to_owned(), count.into()))
                .collect()
        };
        Self {
            at,
            in_flight: snapshot.in_flight,
            bounds: BOUNDS
                .iter()
                .map(|(nanos, _)| *nanos as f64 / 1e6)
                .collect(),
            methods: methods.collect(),
            routes: routes.collect(),
            protocols: counts(snapshot.protocols),
            reasons: counts(snapshot.reasons),
        }
    }
}

impl SeriesView {
    fn new(name: String, all: impl Iterator<Item = (String, bool, Summary)>) -> Self {
        let mut view = Self {
            name,
            ended: Map::new(),
            errors: 0,
            buckets: vec![0; BOUNDS.len() + 1],
            seconds: 0.0,
        };
        for (word, is_error, summary) in all {
            let within: u64 = summary.buckets.iter().sum();
            let counts = summary.buckets.iter().copied();
            let counts = counts.chain([summary.count - within]);
            for (sum, count) in view.buckets.iter_mut().zip(counts) {
                *sum += count;
            }
            view.errors += if is_error { summary.count } else { 0 };
            view.seconds += summary.total().as_secs_f64();
            view.ended.insert(word, summary.count.into());
        }
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up_to_what_ended() {
        let mut quick = Summary {
            count: 5,
            sum: 20_000_000,
            ..Summary::default()
        };
        quick.buckets[1] = 4;
        let view = FiguresView::new(
            Snapshot {
                methods: vec![(
                    "a.B/C".to_owned(),
                    vec![("OK", quick.clone()), ("NOT_FOUND", quick.clone())],
                )],
                routes: vec![(
                    ("GET".to_owned(), "/v1".to_owned()),
                    vec![(200, quick.clone()), (404, quick)],
                )],
                ..Snapshot::default()
            },
            1.5,
        );
        let shown = serde_json::to_value(&view).unwrap();
        for (part, name) in [("methods", "a.B/C"), ("routes", "GET /v1")] {
            let series = &shown[part][0];
            assert_eq!(series["name"], name);
            assert_eq!(series["errors"], 5);
            assert_eq!(series["seconds"], 0.04);
            let buckets = series["buckets"].as_array().unwrap();
            assert_eq!(
                (&buckets[1], &buckets[16]),
                (&8.into(), &2.into()),
                "{series}"
            );
        }
        assert_eq!(shown["methods"][0]["ended"]["NOT_FOUND"], 5);
        assert_eq!(shown["bounds"][0], 0.3);
    }
}
