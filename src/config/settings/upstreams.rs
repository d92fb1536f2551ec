//! `upstreams`: where the application is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::values::{Period, Size, UpstreamUrl};

/// Where an application is and how it is connected to.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct UpstreamSettings {
    /// `http://host:port`, `unix:/path/of.sock`, or `dns:///host:port`.
    ///
    /// Default: `http://127.0.0.1:50051`.
    pub url: Option<UpstreamUrl>,

    /// How long a connection may take to come about, and how long a call waits for a place on
    /// one.
    ///
    /// Default: `5s`.
    pub connect_timeout: Option<Period>,

    /// A connection takes no new calls when it is about this old.
    ///
    /// Default: `1h`.
    pub max_age: Option<Period>,

    /// The most connections of a worker for streams, and again for other calls.
    ///
    /// Default: `64`.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_connections: Option<u32>,

    /// The most calls of a worker that wait for a place on a connection.
    ///
    /// Default: `1024`.
    #[schemars(range(max = 1_000_000))]
    pub max_waiting: Option<u32>,

    /// The largest metadata, leading or trailing, that is taken from the application.
    ///
    /// Default: `128KiB`.
    pub head: Option<Size>,
}
