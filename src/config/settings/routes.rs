//! `routes`: exceptions for methods, services and packages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::JsonSettings;
use super::limits::RouteLimitSettings;
use super::rest::RouteRestSettings;
use crate::config::values::PeriodOrOff;

/// What is different for the methods of one selector. What is not given is as for everybody.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct RouteSettings {
    /// How long a call may take: used when the client gives no deadline, and a client that asks
    /// for more gets no more, unless `max_timeout` stands beside it.
    pub timeout: Option<PeriodOrOff>,

    /// The longest deadline that a client can ask for.
    pub max_timeout: Option<PeriodOrOff>,

    /// The JSON form, as `json` has it.
    pub json: JsonSettings,

    /// What of `rest` may differ by route.
    pub rest: RouteRestSettings,

    /// What of `limits` may differ by route.
    pub limits: RouteLimitSettings,
}
