//! [`Outputs`]: where what telemetry tells goes, each on the thread of its queue.

use std::io;

use crate::config;
use crate::export::otlp::Spans;
use crate::telemetry::log::AccessLog;
use crate::telemetry::queue::{self, Flush, Queue};
use crate::telemetry::trace::{self, Resource, Tracer};

/// Room for spans while the collector is slow: some thousands.
const SPANS: usize = 4 << 20;

/// Where access log lines and spans go. Dropping it writes what is left, and waits no longer than
/// a queue waits.
#[derive(Debug)]
pub struct Outputs {
    pub(super) access_log: Option<AccessLog>,
    pub(super) tracer: Tracer,
    #[allow(dead_code, reason = "it is kept for what happens when it is dropped")]
    flush: Vec<Flush>,
}

impl Default for Outputs {
    /// Nobody is told.
    fn default() -> Self {
        Self {
            access_log: None,
            tracer: Tracer::Off,
            flush: Vec::new(),
        }
    }
}

impl Outputs {
    /// Starts what the configuration asks for; `stdout` is where lines go that go to stdout.
    pub fn start(telemetry: &config::Telemetry, stdout: &Queue) -> io::Result<Self> {
        let access_log = telemetry
            .access_log
            .then(|| AccessLog::new(telemetry.format, stdout.clone()));
        let mut outputs = Self {
            tracer: if access_log.is_some() {
                Tracer::Read
            } else {
                Tracer::Off
            },
            access_log,
            flush: Vec::new(),
        };
        if let Some(traces) = &telemetry.traces {
            let resource = Resource {
                service: traces.service.clone(),
                instance: instance(),
            };
            let spans = Spans::new(traces.collector.clone(), resource);
            let (queue, flush) = queue::start_to("spans", SPANS, spans)?;
            outputs.flush.push(flush);
            outputs.tracer = Tracer::On(Box::new(trace::Params {
                sample: traces.sample,
                follow: traces.follow,
                b3: traces.b3,
                queue,
            }));
        }
        Ok(outputs)
    }
}

/// Tells the processes of one service apart.
fn instance() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), std::process::id())
}
