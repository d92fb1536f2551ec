//! `telemetry`: what is told about calls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is told about calls and about the gateway itself.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
pub struct TelemetrySettings {
    /// The form of logs.
    pub log_format: LogFormat,

    /// Where the line that every call leaves goes.
    pub access_log: AccessLog,

    /// What the gateway tells about itself on stderr.
    pub log_level: LogLevel,
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
