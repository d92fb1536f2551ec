//! `lifecycle`: how it ends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::values::PeriodOrZero;

/// How it ends.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
pub struct LifecycleSettings {
    /// How long running calls may go on after a signal to stop; then they are ended with a
    /// status. Kubernetes kills after 30 s unless told otherwise, so stay some seconds below.
    pub drain_timeout: PeriodOrZero,
}
