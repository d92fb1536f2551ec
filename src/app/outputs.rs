//! [`Outputs`]: where what telemetry tells goes, each on the thread of its queue.

use std::hash::{BuildHasher, RandomState};
use std::io;

use crate::config;
use crate::config::Lines;
use crate::export::file::Rotated;
use crate::export::fluent::Forward;
use crate::export::otlp::Spans;
use crate::export::tail::Tail;
use crate::telemetry::clock::Clock;
use crate::telemetry::diagnostics::Level;
use crate::telemetry::log::app::AppLog;
use crate::telemetry::log::{AccessLog, Format};
use crate::telemetry::queue::{self, Flush, Queue};
use crate::telemetry::trace::{self, Resource, Tracer};

/// Room for spans while the collector is slow: some ten thousand.
const SPANS: usize = 4 << 20;

/// Room for lines while a receiver elsewhere is slow: some twenty thousand.
const LINES: usize = 8 << 20;

/// Where access log lines and spans go. Dropping it writes what is left, and waits no longer than
/// a queue waits.
#[derive(Debug, Default)]
#[allow(
    dead_code,
    reason = "some are kept for what happens when they are dropped, in this order"
)]
pub struct Outputs {
    pub(super) access_log: Option<AccessLog>,
    pub(super) tracer: Tracer,
    app_log: Option<AppLog>,
    tail: Option<Tail>,
    flush: Vec<Flush>,
    /// What changes how much is told on stderr, if that is ours.
    pub(super) log_level: Option<Level>,
}

impl Outputs {
    /// Starts what the configuration asks for; `stdout` is where lines go that go to stdout.
    pub fn start(telemetry: &config::Telemetry, stdout: &Queue) -> io::Result<Self> {
        let mut flush = Vec::new();
        let (format, lines) = lines(telemetry, stdout, &mut flush)?;
        let access_log = (telemetry.access_log != Lines::Off)
            .then(|| AccessLog::new(format, lines.clone(), telemetry.log.clone()));
        let app_log = AppLog::new(format, lines, Clock::system());
        let tail = if telemetry.app_logs.is_empty() {
            None
        } else {
            Some(Tail::start(&telemetry.app_logs, &app_log)?)
        };
        let tracer = match &telemetry.traces {
            Some(traces) => Tracer::On(Box::new(tracing(traces, &mut flush)?)),
            None if access_log.is_some() => Tracer::Read,
            None => Tracer::Off,
        };
        Ok(Self {
            access_log,
            tracer,
            app_log: Some(app_log),
            tail,
            flush,
            log_level: None,
        })
    }

    /// Lets the admin port change what is told on stderr.
    #[must_use]
    pub fn with_log_level(self, level: Level) -> Self {
        Self {
            log_level: Some(level),
            ..self
        }
    }

    /// Where lines of the application's own go, by the way of the access log.
    pub fn app_log(&self) -> Option<&AppLog> {
        self.app_log.as_ref()
    }
}

/// The queue of lines, and their form.
fn lines(
    telemetry: &config::Telemetry,
    stdout: &Queue,
    flush: &mut Vec<Flush>,
) -> io::Result<(Format, Queue)> {
    let (format, (queue, own)) = match &telemetry.access_log {
        Lines::Off | Lines::Stdout => return Ok((telemetry.format, stdout.clone())),
        Lines::File(params) => {
            let output = Rotated::new(params.clone());
            (
                telemetry.format,
                queue::start_to("log-file", LINES, output)?,
            )
        }
        Lines::Fluent(params) => {
            let output = Forward::new(params.clone(), RandomState::new().hash_one("chunk"));
            // Records are made of them.
            (Format::Json, queue::start_to("log-fluent", LINES, output)?)
        }
    };
    flush.push(own);
    Ok((format, queue))
}

fn tracing(traces: &config::Traces, flush: &mut Vec<Flush>) -> io::Result<trace::Params> {
    let resource = Resource {
        service: traces.service.clone(),
        instance: instance(),
    };
    let spans = Spans::new(traces.collector.clone(), resource);
    let (queue, own) = queue::start_to("spans", SPANS, spans)?;
    flush.push(own);
    Ok(trace::Params {
        sample: traces.sample,
        follow: traces.follow,
        b3: traces.b3,
        queue,
    })
}

/// Tells the processes of one service apart.
fn instance() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), std::process::id())
}
