//! [`Metrics`]: what is counted, and how Prometheus reads it.
//!
//! A finished call costs a few additions to memory that only its own worker writes to: no lock,
//! no string, no look-up by name. The number of series depends on the schema alone, never on
//! what clients send (R10).
//!
//! Latencies carry the names and labels of gRFC A66 (`grpc_server_call_duration_seconds` by
//! `grpc_method` and `grpc_status`), REST requests those of OpenTelemetry's HTTP conventions with
//! the template for the route; what only a gateway counts begins with `sidegate_`.

pub mod counters;
pub mod expose;
pub mod histogram;
pub mod merge;
pub mod page;
pub mod process;
pub mod series;
pub mod snapshot;
pub mod table;
pub mod words;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use super::clock::Clock;
use crate::call::Code;
use crate::call::record::CallRecord;
use crate::live::Live;
use crate::schema::Schema;
use counters::Counters;
use page::Page;
use series::Sharded;
use table::Table;
use words::Words;

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    /// The gateway's own figures.
    pub counters: Counters,
    shards: usize,
    next_shard: AtomicUsize,
    workers: Sharded<WorkerCells>,
    table: Live<Table>,
    /// Held while a schema is adopted, so that two of them follow each other.
    adopting: Mutex<()>,
    /// Figures that others keep; asked for when the page is.
    figures: Mutex<Vec<Figure>>,
    /// When the process began to count, by the calendar.
    since: SystemTime,
    clock: Clock,
    /// What the application's address is called.
    target: String,
}

/// Writes figures that somebody else keeps.
struct Figure(Box<dyn Fn(&mut Page) + Send + Sync>);

/// What one worker counts whatever the method is.
#[derive(Debug, Default)]
#[repr(align(64))]
struct WorkerCells {
    started: AtomicU64,
    finished: AtomicU64,
    protocols: Words<8>,
    reasons: Words<64>,
}

/// One worker's way to count.
#[derive(Debug)]
pub struct Shard {
    metrics: Arc<Metrics>,
    index: usize,
}

impl Metrics {
    /// Metrics that so many workers can write to without touching each other.
    pub fn new(workers: usize, clock: Clock, target: String) -> Self {
        let shards = workers.max(1);
        Self {
            counters: Counters::default(),
            shards,
            next_shard: AtomicUsize::new(0),
            workers: Sharded::new(shards),
            table: Live::new(Table::empty(shards)),
            adopting: Mutex::new(()),
            figures: Mutex::new(Vec::new()),
            since: (clock.wall)(),
            clock,
            target,
        }
    }

    /// Makes series for a schema. It belongs before the schema's publication: calls on a schema
    /// that was never adopted count as `other`.
    pub fn adopt(&self, schema: &Schema) {
        let _one_at_a_time = self.adopting.lock().unwrap_or_else(PoisonError::into_inner);
        let table = Table::after(&self.table.load(), schema, self.shards);
        self.table.publish(table);
        self.counters.schema_loads.add(1);
    }

    /// Shows figures that somebody else keeps: `figure` writes them whenever the page is asked
    /// for, on the admin thread, and must not wait for anything.
    pub fn show(&self, figure: impl Fn(&mut Page) + Send + Sync + 'static) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.push(Figure(Box::new(figure)));
    }

    /// A way to count for one more worker; they share when there are more than was said.
    pub fn shard(self: &Arc<Self>) -> Shard {
        let index = self.next_shard.fetch_add(1, Ordering::Relaxed) % self.shards;
        Shard {
            metrics: Arc::clone(self),
            index,
        }
    }

    /// Calls that are under way.
    pub fn calls_in_flight(&self) -> u64 {
        let (mut started, mut finished) = (0, 0);
        for cells in self.workers.all() {
            // In this order, so that a call that ends meanwhile is not missing in the sum.
            finished += cells.finished.load(Ordering::Acquire);
            started += cells.started.load(Ordering::Acquire);
        }
        u64::saturating_sub(started, finished)
    }
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figure").finish_non_exhaustive()
    }
}

impl Shard {
    /// Counts a call that begins.
    pub fn started(&self) {
        if let Some(cells) = self.metrics.workers.of(self.index) {
            cells.started.fetch_add(1, Ordering::Release);
        }
    }

    /// Counts a call that has ended.
    pub fn finished(&self, record: &CallRecord, ended: Instant) {
        self.count_worker(record);
        self.count_call(record, ended);
        let counters = &self.metrics.counters;
        if record.unknown_fields > 0 {
            counters.unknown_fields.add(record.unknown_fields);
        }
        if record.metadata_dropped > 0 {
            counters
                .dropped_metadata
                .add(record.metadata_dropped.into());
        }
    }

    fn count_worker(&self, record: &CallRecord) {
        let Some(cells) = self.metrics.workers.of(self.index) else {
            return;
        };
        cells.finished.fetch_add(1, Ordering::Release);
        cells.protocols.count(record.protocol);
        if let Some(reason) = record.reason {
            cells.reasons.count(reason);
        }
    }

    fn count_call(&self, record: &CallRecord, ended: Instant) {
        let table = self.metrics.table.peek();
        let schema = record.schema.as_deref();
        let took = ended.saturating_duration_since(record.started);

        let method = table.method(schema, record.method);
        if let Some(cells) = method.cells.of(self.index) {
            let code = record.code.unwrap_or(Code::Unknown);
            if let Some(histogram) = cells.ended(code) {
                histogram.observe(took);
                if let Some(of) = record.trace.filter(|of| of.sampled) {
                    histogram.remember(took, of.trace_id, (self.metrics.clock.wall)());
                }
            }
            if let Some(asked) = record.upstream_started
                && let Some(histogram) = cells.asked(code)
            {
                histogram.observe(ended.saturating_duration_since(asked));
            }
            if let (Some(asked), Some(answered)) =
                (record.upstream_started, record.upstream_answered)
            {
                let first_byte = answered.saturating_duration_since(asked);
                cells.upstream.observe(first_byte);
            }
            let add = |counter: &AtomicU64, more: u64| {
                if more > 0 {
                    counter.fetch_add(more, Ordering::Relaxed);
                }
            };
            cells.bytes_in.observe_bytes(record.bytes_in);
            cells.bytes_out.observe_bytes(record.bytes_out);
            add(&cells.messages_in, record.messages_in);
            add(&cells.messages_out, record.messages_out);
            add(&cells.attempts, record.attempts.into());
        }

        let route = match (record.binding, record.method) {
            (Some(binding), _) => table.route(schema, binding),
            (None, None) => None,
            // Not a REST call.
            (None, Some(_)) => return,
        };
        let route = route.unwrap_or_else(|| table.no_route(record.http_method.as_str()));
        if let Some(cells) = route.cells.of(self.index) {
            let status = record.http_status.unwrap_or(0);
            cells.answered(status).observe(took);
        }
    }
}
