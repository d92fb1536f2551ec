//! `limits`: what no client can exceed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quota::QuotaSettings;
use crate::config::values::{Count, Period, PeriodOrOff, Size};
use crate::schema::policy;

/// Sizes, times and numbers that no client can exceed.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct LimitSettings {
    /// What may differ by route.
    #[serde(flatten)]
    pub common: RouteLimitSettings,

    /// The deadline of unary REST calls when the client gives none.
    pub timeout: PeriodOrOff,

    /// The deadline of REST streams when the client gives none.
    pub stream_timeout: PeriodOrOff,

    /// The longest deadline that a client can ask for.
    pub max_timeout: PeriodOrOff,

    /// Worker threads. `auto` is the CPU quota of the container, rounded up, else the number of
    /// processors.
    pub workers: Count,

    /// Connections from clients at one time. `auto` follows from the open files and the memory
    /// that the process may have.
    pub connections: Count,

    /// Calls at one time on one connection.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub streams: u32,

    /// The head of a request: its line and all its headers.
    pub head: Size,

    /// Headers of a request.
    #[schemars(range(min = 1, max = 10_000))]
    pub headers: u32,

    /// The URI of a request.
    pub uri: Size,

    /// How long a new connection may say nothing.
    pub first_byte: Period,

    /// How long the head of a request may take, in total.
    pub head_timeout: Period,

    /// How long a connection without a call is kept.
    pub keep_alive: Period,

    /// Where a cgroup limits the memory: no call is begun, but answered with 503 and UNAVAILABLE,
    /// while more than so much of it is used, in percent. 100 for never.
    #[schemars(range(min = 10, max = 100))]
    pub memory_percent: u32,
}

/// What of `limits` may differ by route.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct RouteLimitSettings {
    /// The body of a request, if it is not a stream.
    pub request: Option<Size>,

    /// One message of a request, uncompressed.
    pub message: Option<Size>,

    /// One message of an answer, uncompressed.
    pub response_message: Option<Size>,

    /// How long the body of a request, if it is not a stream, may pause.
    pub body_idle: Option<Period>,

    /// How long a client may leave an answer unread.
    pub response_stall: Option<Period>,

    /// How many calls there may be.
    #[serde(flatten)]
    pub quota: QuotaSettings,
}

impl RouteLimitSettings {
    /// The sizes of these settings, and those of `base` where they say nothing.
    pub fn sizes_onto(&self, base: policy::Limits) -> policy::Limits {
        let bytes = |size: Option<Size>, base: usize| size.map_or(base, |size| size.0);
        policy::Limits {
            request_bytes: bytes(self.request, base.request_bytes),
            message_bytes: bytes(self.message, base.message_bytes),
            response_message_bytes: bytes(self.response_message, base.response_message_bytes),
        }
    }
}
