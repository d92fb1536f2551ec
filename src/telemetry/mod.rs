//! What is remembered and told: the access log, metrics, and what the gateway says about itself.
//!
//! - [`Telemetry`] holds them together; each worker takes a [`Sink`] of its own from it.
//! - [`log`]: one line per call. - [`metrics`]: what is counted. - [`diagnostics`]: `tracing`
//!   events on stderr. - [`queue`]: how lines leave without anybody waiting. - [`clock`]: the
//!   only place that reads the time of day. - [`tap`]: calls as they end, for who listens.
//!
//! Nothing here blocks a worker, and nothing a client sends makes it grow.

pub mod app_log;
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

use http::HeaderMap;

use crate::call::record::{CallRecord, Sink};
use clock::Clock;
use log::AccessLog;
use log::line::Entry;
use metrics::{Metrics, Shard, expose};
use tap::Tap;
use trace::Tracer;

/// What telemetry is made of.
#[derive(Debug)]
pub struct Params {
    /// Where access log lines go; `None` writes none.
    pub access_log: Option<AccessLog>,
    /// How calls are traced.
    pub tracer: Tracer,
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
        let metrics = Metrics::new(params.workers, params.clock);
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

    /// The page that Prometheus reads.
    pub fn exposition(&self) -> String {
        let dropped = self.access_log.as_ref().map_or(0, AccessLog::dropped);
        expose::page(&self.metrics, dropped)
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
