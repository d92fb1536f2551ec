//! `lifecycle`: how it starts and how it ends.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::values::{PeriodOrOff, PeriodOrZero};

/// How it starts and how it ends.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct LifecycleSettings {
    /// How long running calls may go on after a signal to stop, or after the drain that came
    /// before it; then they are ended with a status. Kubernetes kills 30 s after it has begun to
    /// stop a pod unless told otherwise, so stay 5 s below that. After a long drain there are
    /// still 2 s from the signal on.
    pub drain_timeout: PeriodOrZero,

    /// How long requests wait for an application that cannot be reached, while it starts or is
    /// started anew. Without it they are answered with 503 at once.
    pub wait_for_app: PeriodOrOff,

    /// Whether the gateway is ready only when the application says so itself.
    pub app_health: AppHealth,

    /// A Unix socket at which this gateway offers its listening sockets to the one that replaces
    /// it: `sidegate serve --takeover`, started a second time with this same setting, takes them
    /// over when it is ready, and the first one drains and ends with 0. Only processes of the same
    /// user and of root get them. Nothing is offered without it, nor by `sidegate run`.
    pub takeover: Option<PathBuf>,
}

choice! {
    /// `lifecycle.app_health`.
    AppHealth: bool {
        /// Not while the application's `grpc.health.v1` says NOT_SERVING, all its endpoints if it has
        /// several: one of them gets no calls then. One without that service is ready when it can be
        /// connected to.
        Auto => true,
        /// Ready when it can be connected to.
        Off => false,
    }
}
