//! `telemetry`: what is told about calls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::values::{CollectorUrl, HeaderName, PlaceName, ScrapeUrl, Share, Size};
use crate::telemetry::trace;

/// What is told about calls and about the gateway itself.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct TelemetrySettings {
    /// The form of logs.
    pub log_format: LogFormat,

    /// Where the line that every call leaves goes.
    pub access_log: AccessLog,

    /// What the gateway tells about itself on stderr.
    pub log_level: LogLevel,

    /// What the lines of calls hold, and more of where they go.
    pub log: LogSettings,

    /// Files that the application appends its own logs to. Their lines leave by the way of the
    /// access log (stdout, when that is off), with `"event":"app"` and the file as `source`.
    pub app_logs: Vec<String>,

    /// Where the application shows its own metrics for Prometheus: they are added to the gateway's
    /// page. When it does not answer within half a second, those that it showed last are.
    pub scrape: Option<ScrapeUrl>,

    /// Spans of calls for a collector of traces, by OTLP.
    pub traces: TraceSettings,
}

/// The lines of calls. Nothing waits for whoever reads them: lines that have no room are dropped
/// and counted in `sidegate_access_log_dropped_lines_total`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct LogSettings {
    /// How many of the calls that went well leave a line: 0.01 is one of a hundred. Those that
    /// failed always do.
    pub sample: Share,

    /// Request headers that a line holds. The values of those that open something (`authorization`,
    /// `cookie`, names with `token` and the like) are `***` all the same.
    pub headers: Vec<HeaderName>,

    /// Query parameters whose values are `***`, besides those whose names or values look secret.
    pub redact: Vec<String>,

    /// The file of `access_log: file`. It may be moved away at any time; it is then made anew.
    pub file: String,

    /// The file is put aside, as `FILE.1`, before it has more than this.
    pub file_size: Size,

    /// How many files that were put aside are kept.
    #[schemars(range(min = 0, max = 1000))]
    pub file_keep: u32,

    /// Where the forward input of `access_log: fluent` listens. Every batch of lines is acknowledged
    /// or sent again.
    pub fluent: PlaceName,

    /// The tag of the records.
    pub fluent_tag: String,
}

/// Spans of calls, for a collector of traces. A span stands for a call, and another one below it
/// for asking the application, which is told of it in `traceparent`. Log lines name the trace.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct TraceSettings {
    /// The collector: `http://` for protobuf over HTTP (at `/v1/traces` when no path is given),
    /// `grpc://` for gRPC. Without one there are no spans, and what clients send of traces passes
    /// to the application as it is.
    pub collector: Option<CollectorUrl>,

    /// How many of the traces that begin here are recorded: 0.01 is one of a hundred.
    pub sample: Share,

    /// Whether a trace that a client began is continued, with what the client decided about
    /// recording it.
    pub parents: Parents,

    /// What the application gets in B3's headers, besides W3C's `traceparent`.
    pub b3: B3,

    /// What the application and its gateway are called in traces.
    pub service: String,
}

/// `telemetry.traces.parents`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Parents {
    /// It is; of W3C's and B3's headers W3C's come first.
    Follow,
    /// Every call begins a trace: for clients that nobody knows.
    Restart,
}

choice! {
    /// `telemetry.traces.b3`.
    B3: trace::B3Out {
        /// The form that the client used, if it used one.
        Follow => trace::B3Out::Follow,
        /// The one header `b3`.
        Single => trace::B3Out::Single,
        /// `x-b3-traceid` and its siblings.
        Multi => trace::B3Out::Multi,
        /// Nothing.
        Off => trace::B3Out::Off,
    }
}

/// `telemetry.log_format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// JSON when stdout is no terminal, else text.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// `telemetry.access_log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessLog {
    /// To stdout.
    Stdout,
    /// Into the file `log.file`, which is rotated.
    File,
    /// To Fluent Bit or Fluentd at `log.fluent`, as records.
    Fluent,
    /// Nowhere.
    Off,
}

/// `telemetry.log_level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// What needs somebody.
    Error,
    /// And what may soon.
    Warn,
    /// And what happened.
    Info,
    /// And how.
    Debug,
    /// And everything else.
    Trace,
}

impl LogLevel {
    /// The level as `tracing` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
