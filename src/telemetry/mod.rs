//! What is remembered and told: the access log, metrics, and what the gateway says about itself.
//!
//! - [`Telemetry`] holds them together; each worker takes a [`Sink`] of its own from it.
//! - [`log`]: one line per call. - [`metrics`]: what is counted. - [`diagnostics`]: `tracing`
//!   events on stderr. - [`queue`]: how lines leave without anybody waiting. - [`clock`]: the
//!   only place that reads the time of day. - [`tap`]: calls as they end, for who listens.
//!
//! Nothing here blocks a worker, and nothing a client sends makes it grow.

pub mod clock;
pub mod diagnostics;
mod ids;
pub mod log;
pub mod metrics;
pub mod queue;
pub mod tap;
pub mod trace;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use crate::call::record::{CallRecord, Sink};
use clock::Clock;
use log::AccessLog;
use log::line::Entry;
use metrics::page::{Form, Page};
use metrics::{Metrics, Shard, expose, merge};
use tap::Tap;
use trace::Tracer;

/// What telemetry is made of.
#[derive(Debug)]
pub struct Params {
    /// Where access log lines go; `None` writes none.
    pub access_log: Option<AccessLog>,
    /// How calls are traced.
    pub tracer: Tracer,
    /// What the application's address is called.
    pub target: String,
    /// How many workers will count.
    pub workers: usize,
    /// What calls are timed by.
    pub clock: Clock,
}

/// The telemetry of one gateway.
#[derive(Clone, Debug)]
pub struct Telemetry {
    access_log: Option<AccessLog>,
    tracer: Tracer,
    clock: Clock,
    metrics: Arc<Metrics>,
    tap: Tap,
}

impl Telemetry {
    /// Telemetry that has seen nothing yet.
    pub fn new(params: Params) -> Self {
        let metrics = Metrics::new(params.workers, params.clock, params.target);
        let tracer = params.tracer.clone();
        metrics.show(move |page| {
            if let Some(dropped) = tracer.dropped() {
                page.single(
                    "sidegate_trace_dropped_spans_total",
                    "counter",
                    "Spans that were lost because the collector did not take them in time.",
                    dropped,
                );
            }
        });
        Self {
            access_log: params.access_log,
            tracer: params.tracer,
            clock: params.clock,
            metrics: Arc::new(metrics),
            tap: Tap::default(),
        }
    }

    /// What is counted; a schema is [adopted](Metrics::adopt) here before it is published.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Where finished calls can be listened to.
    pub fn tap(&self) -> &Tap {
        &self.tap
    }

    /// What a worker hands its finished calls to. Every worker takes one of its own.
    pub fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(WorkerSink {
            access_log: self.access_log.clone(),
            tracer: self.tracer.clone(),
            clock: self.clock,
            shard: self.metrics.shard(),
            tap: self.tap.clone(),
        })
    }

    /// The page that Prometheus reads, with the application's own metrics if they are had.
    pub fn exposition(&self, form: Form, of_app: Option<OfApp<'_>>) -> String {
        let dropped = self.access_log.as_ref().map_or(0, AccessLog::dropped);
        let mut page = expose::page(&self.metrics, form, dropped);
        if let Some(of_app) = of_app {
            let left_out = merge::merge(&mut page, of_app.text);
            of_app.expose(&mut page, left_out);
        }
        page.finish()
    }
}

/// What the application shows of itself.
#[derive(Clone, Copy, Debug)]
pub struct OfApp<'text> {
    /// Its page, the last one that was had.
    pub text: &'text str,
    /// Whether it answered this time.
    pub up: bool,
    /// How old the page is.
    pub age: Duration,
}

impl OfApp<'_> {
    fn expose(&self, page: &mut Page, left_out: u64) {
        for (name, help, value) in [
            (
                "sidegate_scrape_up",
                "Whether the application's metrics were had for this page.",
                f64::from(u8::from(self.up)),
            ),
            (
                "sidegate_scrape_age_seconds",
                "How old the application's metrics on this page are.",
                self.age.as_secs_f64(),
            ),
        ] {
            page.single(name, "gauge", help, value);
        }
        page.single(
            "sidegate_scrape_left_out_lines",
            "gauge",
            "Lines of the application's metrics that are not sound, or too many.",
            left_out,
        );
    }
}

/// Counts a call, then writes its line.
struct WorkerSink {
    access_log: Option<AccessLog>,
    tracer: Tracer,
    clock: Clock,
    shard: Shard,
    tap: Tap,
}

impl Sink for WorkerSink {
    fn begin(&self, record: &mut CallRecord, headers: &mut HeaderMap) {
        if let Some(log) = &self.access_log {
            log.begin(record, headers);
        }
        self.tracer.begin(record, headers);
    }

    fn started(&self) {
        self.shard.started();
    }

    fn finished(&self, record: &CallRecord) {
        let ended = (self.clock.monotonic)();
        self.shard.finished(record, ended);
        let traced = record.trace.is_some_and(|of| of.sampled);
        let tapped = self.tap.is_open();
        if self.access_log.is_none() && !traced && !tapped {
            return;
        }
        let entry = Entry {
            record,
            ended,
            wall: (self.clock.wall)(),
        };
        if let Some(log) = &self.access_log {
            log.write(&entry);
        }
        if tapped {
            self.tap.tell(&entry);
        }
        if traced {
            self.tracer.end(&entry);
        }
    }
}

impl fmt::Debug for WorkerSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerSink").finish_non_exhaustive()
    }
}
