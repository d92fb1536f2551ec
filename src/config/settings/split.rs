//! `routes.*.split`: the calls of a route shared out between upstreams.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::values::{CookieName, HeaderName, Period, UpstreamName};

/// Calls shared out between upstreams, by weights that change while it runs: with this file, or by
/// `PUT /split?route=SELECTOR&NAME=WEIGHT` on the admin port.
///
/// One of the sides is the new one: a guard takes it back by itself when it does worse than the
/// others, and a ramp lets its share grow. Each gateway judges by the calls that it sees itself.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct SplitSettings {
    /// The upstreams by name, two or more, and the weight of each, from 0 to 10000: `{app: 95,
    /// canary: 5}`.
    pub weights: BTreeMap<String, u32>,

    /// Calls that say themselves where they go, by a header or a cookie; the first that fits counts.
    /// The guard does not judge by them.
    pub choose: Vec<ChoiceSettings>,

    /// What keeps calls together: those with the same value go to the same side for as long as the
    /// weights stay, and who is at the new side stays there while its share grows. Calls without
    /// the value go by chance.
    pub sticky: Option<StickySettings>,

    /// The new side, which guard and ramp are about.
    ///
    /// Default: of two the one that is not the application.
    pub new: Option<UpstreamName>,

    /// When the new side is taken back: its weight is then 0 until the weights are set again, and
    /// the log, `/split`, the console and metrics say why.
    pub guard: Option<GuardSettings>,

    /// How the share of the new side grows by itself. Its weight says nothing then.
    pub ramp: Option<RampSettings>,
}

/// A header or a cookie that says where a call goes.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct ChoiceSettings {
    /// The header.
    pub header: Option<HeaderName>,

    /// The cookie.
    pub cookie: Option<CookieName>,

    /// The value that it has to have. Not set: any.
    pub value: Option<String>,

    /// The upstream, one of `weights`.
    pub upstream: Option<UpstreamName>,
}

/// What calls that go to the same side have in common: one of the three.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct StickySettings {
    /// The value of a header.
    pub header: Option<HeaderName>,

    /// The value of a cookie.
    pub cookie: Option<CookieName>,

    /// The address that the connection comes from.
    pub address: bool,
}

/// Bounds of the new side against all other sides together.
///
/// A failure is an answer of UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED,
/// INTERNAL, UNAVAILABLE or DATA_LOSS before any message, a broken connection, what is no gRPC, and
/// silence until the caller's deadline.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct GuardSettings {
    /// So many more of a hundred calls may fail than of the others.
    ///
    /// Default: `5`.
    #[schemars(range(max = 100))]
    pub errors: Option<u32>,

    /// By so many percent the time may be longer that 99 of 100 unary calls take at most;
    /// differences below 5 ms say nothing. 0 is for no bound.
    ///
    /// Default: `100`.
    #[schemars(range(max = 100_000))]
    pub slower: Option<u32>,

    /// The fewest calls of `window` of which something is judged.
    ///
    /// Default: `50`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub minimum: Option<u32>,

    /// What is looked at.
    ///
    /// Default: `30s`.
    pub window: Option<Period>,
}

/// The share of the new side, step by step. With a guard a step is left only when the new side has
/// had `guard.minimum` calls in it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct RampSettings {
    /// So many of a hundred calls, one after the other.
    ///
    /// Default: `[1, 5, 25, 100]`.
    #[schemars(inner(range(min = 0, max = 100)))]
    pub steps: Option<Vec<u32>>,

    /// How long each lasts at least.
    ///
    /// Default: `5m`.
    pub hold: Option<Period>,
}
