//! Of `limits`: how many calls there may be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::values::{CallRate, Period};

/// How many calls there may be. What stands in `limits` counts all calls together, and what stands at
/// a selector of `routes` those of its methods besides. Calls that are refused have cost nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct QuotaSettings {
    /// How many calls may begin, as `100/s`, `30/m` or `1000/h`; more are answered with 429 and
    /// `Retry-After`, RESOURCE_EXHAUSTED on gRPC.
    pub rate: Option<CallRate>,

    /// How many of them may come at once after a pause.
    ///
    /// Default: as many as `rate` allows in a second.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub burst: Option<u32>,

    /// How many calls may run at one time; more are answered with 503 and `Retry-After`,
    /// UNAVAILABLE on gRPC.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub concurrency: Option<u32>,

    /// How many calls wait when `concurrency` is reached, instead of being refused at once.
    ///
    /// Default: `0`.
    #[schemars(range(min = 0, max = 100_000))]
    pub queue: Option<u32>,

    /// How long each of them waits.
    ///
    /// Default: `100ms`.
    pub queue_time: Option<Period>,

    /// As `rate`, for each client: who is known by `auth`, else an address, else a network of 64 bits.
    pub client_rate: Option<CallRate>,

    /// As `burst`, for each client.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub client_burst: Option<u32>,

    /// How many calls of each client may run at one time; more are answered with 429,
    /// RESOURCE_EXHAUSTED on gRPC.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub client_concurrency: Option<u32>,
}

impl QuotaSettings {
    /// These settings, and `base` where they say nothing.
    #[must_use]
    pub fn onto(&self, base: &Self) -> Self {
        Self {
            rate: self.rate.or(base.rate),
            burst: self.burst.or(base.burst),
            concurrency: self.concurrency.or(base.concurrency),
            queue: self.queue.or(base.queue),
            queue_time: self.queue_time.or(base.queue_time),
            client_rate: self.client_rate.or(base.client_rate),
            client_burst: self.client_burst.or(base.client_burst),
            client_concurrency: self.client_concurrency.or(base.client_concurrency),
        }
    }
}
