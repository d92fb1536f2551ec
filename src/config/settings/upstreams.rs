//! `upstreams`: where the application is.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::values::{Period, Size, UpstreamUrl};

/// Where an application is and how it is connected to.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct UpstreamSettings {
    /// `http://host:port`, `https://host:port` or `unix:/path/of.sock`; or who knows all places
    /// where it listens, however often they change: `dns:///host:port` (every address of the
    /// name), `dns+srv:///_grpc._tcp.name`, `file:endpoints.yaml`, `etcd:///services/app` or
    /// `consul:///app?tag=v1`.
    ///
    /// Default: `http://127.0.0.1:50051`.
    pub url: Option<UpstreamUrl>,

    /// All places where the application listens, instead of `url`: calls go to the one of two
    /// that answers sooner, drawn by chance, and one that fails is left out for a while.
    ///
    /// `http://host:port`, `https://host:port` or `unix:/path/of.sock`, mixed as you like.
    ///
    /// Default: `url` alone.
    pub endpoints: Vec<UpstreamUrl>,

    /// When an endpoint is left out.
    pub outliers: OutlierSettings,

    /// How the application is known, when `url` or some of `endpoints` begin with `https://`.
    pub tls: Option<UpstreamTlsSettings>,

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

/// When one endpoint of several is left out. The last one never is.
///
/// A failure is an answer of UNAVAILABLE, RESOURCE_EXHAUSTED, INTERNAL or DATA_LOSS, what is no
/// gRPC, a broken connection, and silence until the caller's deadline. One that cannot be reached
/// is left out at once. It comes back with one call at a time, until one succeeds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct OutlierSettings {
    /// So many failures in a row.
    ///
    /// Default: `5`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub consecutive: Option<u32>,

    /// So many of a hundred calls.
    ///
    /// Default: `50`.
    #[schemars(range(min = 1, max = 100))]
    pub percent: Option<u32>,

    /// The fewest calls of `window` of which `percent` says something.
    ///
    /// Default: `20`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub minimum: Option<u32>,

    /// What `percent` is taken over.
    ///
    /// Default: `10s`.
    pub window: Option<Period>,

    /// For how long it is left out the first time; it doubles with each further one.
    ///
    /// Default: `1s`.
    pub pause: Option<Period>,

    /// For how long it is left out at most.
    ///
    /// Default: `30s`.
    pub longest_pause: Option<Period>,
}

/// How an application is known that speaks TLS. Its certificate is always verified.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct UpstreamTlsSettings {
    /// Who signs its certificate: PEM files. Not set: those whom the system trusts.
    pub ca: Option<Vec<PathBuf>>,

    /// The name that its certificate has to bear. Not set: the host of `url`, or of each of
    /// `endpoints` its own.
    pub server_name: Option<String>,

    /// A certificate of the gateway's own, for an application that asks who calls.
    pub cert: Option<PathBuf>,

    /// The private key of `cert`.
    pub key: Option<PathBuf>,
}
