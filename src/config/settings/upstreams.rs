//! `upstreams`: where the application is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::values::{Period, UpstreamUrl};

/// Where an application is and how it is connected to.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct UpstreamSettings {
    /// `http://host:port`, `unix:/path/of.sock`, or `dns:///host:port` for every address of a
    /// name. Default: `http://127.0.0.1:50051`.
    pub url: Option<UpstreamUrl>,

    /// How long a connection may take to come about. Default: `5s`.
    pub connect_timeout: Option<Period>,
}
