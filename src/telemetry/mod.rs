//! What is remembered and told: the access log, metrics, and what the gateway says about itself.
//!
//! - [`Telemetry`] holds them together; each worker takes a [`Sink`] of its own from it.
//! - [`log`]: one line per call. - [`metrics`]: what is counted. - [`diagnostics`]: `tracing`
//!   events on stderr. - [`queue`]: how lines leave without anybody waiting. - [`clock`]: the
//!   only place that reads the time of day.
//!
//! Nothing here blocks a worker, and nothing a client sends makes it grow.

pub mod clock;
pub mod diagnostics;
pub mod log;
pub mod metrics;
pub mod queue;

use std::fmt;
use std::sync::Arc;

use crate::call::record::{CallRecord, Sink};
use clock::{Clock, Moment};
use log::AccessLog;
use log::line::Entry;
use metrics::{Metrics, Shard, expose};

/// What telemetry is made of.
#[derive(Debug)]
pub struct Params {
    /// Where access log lines go; `None` writes none.
    pub access_log: Option<AccessLog>,
    /// How many workers will count.
    pub workers: usize,
    /// What calls are timed by.
    pub clock: Clock,
}

/// The telemetry of one gateway.
#[derive(Clone, Debug)]
pub struct Telemetry {
    access_log: Option<AccessLog>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Telemetry {
    /// Telemetry that has seen nothing yet.
    pub fn new(params: Params) -> Self {
        Self {
            access_log: params.access_log,
            clock: params.clock,
            metrics: Arc::new(Metrics::new(params.workers, params.clock)),
        }
    }

    /// What is counted; a schema is [adopted](Metrics::adopt) here before it is published.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What a worker hands its finished calls to. Every worker takes one of its own.
    pub fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(WorkerSink {
            access_log: self.access_log.clone(),
            clock: self.clock,
            shard: self.metrics.shard(),
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
    clock: Clock,
    shard: Shard,
}

impl Sink for WorkerSink {
    fn started(&self) {
        self.shard.started();
    }

    fn finished(&self, record: &CallRecord) {
        let ended = (self.clock.monotonic)();
        self.shard.finished(record, ended);
        if let Some(log) = &self.access_log {
            log.write(&Entry {
                record,
                ended,
                moment: Moment::new((self.clock.wall)()),
            });
        }
    }
}

impl fmt::Debug for WorkerSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerSink").finish_non_exhaustive()
    }
}
