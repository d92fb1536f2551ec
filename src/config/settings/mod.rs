//! The file `sidegate.yaml` as types: [`Settings`]. The doc comments are the reference manual.
//!
//! Every key is described here, in the file of its top-level key, and nowhere else: the JSON
//! Schema that `sidegate config-schema` prints, the checks of a file and `docs/configuration.md`
//! are made from these types. What holds when a key is not given stands in `defaults.yaml`.
//! Nothing here checks or resolves anything.

mod acme;
#[macro_use]
mod choice;
mod app_config;
mod auth;
mod cors;
mod discovery;
mod json;
mod lifecycle;
mod limits;
mod quota;
mod rest;
mod retry;
mod routes;
mod schema;
mod split;
mod telemetry;
mod tls;
mod upstreams;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::{Listen, ListenOrOff, Selector};

pub use acme::{AcmeChallenge, AcmeSettings};
pub use app_config::{AppConfigSettings, AppSignal};
pub use auth::{
    ApiKeySettings, AuthSettings, IssuerSettings, OpenDocs, Require, RouteAuthSettings,
};
pub use cors::CorsSettings;
pub use discovery::{
    ConsulSettings, DiscoverySettings, DnsSettings, EtcdSettings, RegisterSettings,
};
pub use json::{Defaults, EnumCase, Enums, FieldNames, Int64, JsonSettings, UnknownFields};
pub use lifecycle::{AppHealth, LifecycleSettings};
pub use limits::{LimitSettings, RouteLimitSettings};
pub use quota::QuotaSettings;
pub use rest::{
    Auto, Compat, Compression, Conflicts, Docs, ErrorShape, HeaderSettings, MethodPaths, QueryPlus,
    RestSettings, RouteRestSettings, RulesMode, SseId, StreamShape, TrailingSlash, Unescape,
    UnknownQuery, UpdateMask,
};
pub use retry::{RetryCode, RetryMethods, RetrySettings};
pub use routes::RouteSettings;
pub use schema::{Reflection, SchemaSettings, UnknownMethods};
pub use split::{ChoiceSettings, GuardSettings, RampSettings, SplitSettings, StickySettings};
pub use telemetry::{
    AccessLog, B3, LogFormat, LogLevel, LogSettings, Parents, TelemetrySettings, TraceSettings,
};
pub use tls::{CertificateSettings, ClientAuth, TlsSettings, TlsVersion};
pub use upstreams::{OutlierSettings, UpstreamSettings, UpstreamTlsSettings};

/// The configuration of Sidegate.
///
/// Every flag of the command line has its key here and its `SIDEGATE_` variable; flags beat
/// variables beat this file. Lengths of time are written `500ms`, `30s` or `1m30s`, sizes `64KiB`
/// or `4MiB`. Relative paths start at the directory of this file.
///
/// The file is watched, and a change takes effect at once: for calls and connections that begin
/// then. `listen`, `admin`, `ops`, `limits.workers` and `telemetry` but for its `log_level` hold
/// until the next start.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[schemars(title = "sidegate.yaml")]
pub struct Settings {
    /// Where clients are served, REST and gRPC on one port. Port 0 takes a free one; the real
    /// address is in the first line on stdout.
    pub listen: Listen,

    /// Where operators are served: health, routes, metrics and control. It may change things, so
    /// keep it on a loopback address.
    pub admin: ListenOrOff,

    /// A file with the token of the admin port, 16 or more visible characters; the variable
    /// `SIDEGATE_ADMIN_TOKEN`, which holds the token itself, wins. Who sends it as `authorization:
    /// Bearer TOKEN` may come from elsewhere, and may change things without coming over a loopback
    /// address.
    pub admin_token_file: Option<PathBuf>,

    /// A second, read-only address for probes and scrapers on another interface: `/livez`,
    /// `/readyz` and `/metrics`, nothing else.
    pub ops: ListenOrOff,

    /// TLS towards clients, on the address of `listen`. Off as long as there is no certificate.
    ///
    /// HTTP/2 and HTTP/1.1 are agreed on by ALPN. Certificates that are renewed are read again
    /// without a failed handshake.
    pub tls: TlsSettings,

    /// Where the schema comes from.
    ///
    /// All sources go together: a local file replaces the reflected one of its name, and what
    /// cannot be read costs only the services that need it.
    pub schema: SchemaSettings,

    /// How messages are written as JSON and read from it.
    ///
    /// The defaults are ProtoJSON as its specification has it. On input both names of a field
    /// and both forms of an integer are always understood.
    pub json: JsonSettings,

    /// How REST behaves.
    pub rest: RestSettings,

    /// Where the application is, by a name of your choice; more than one where routes choose by
    /// `upstream`. Of several one is called `app`: calls go there which no route sends elsewhere,
    /// and it is the one that is asked for its schema and its health, and that readiness waits for.
    ///
    /// Connections are per worker thread, those for streams apart from the others.
    pub upstreams: BTreeMap<String, UpstreamSettings>,

    /// How those are asked who know where an application is.
    pub discovery: DiscoverySettings,

    /// Exceptions by method `pkg.Service.Method`, service `pkg.Service`, package `pkg.*` or
    /// everything `*`. The more specific one wins, key by key.
    #[schemars(extend("propertyNames" = {"format": "sidegate-selector"}))]
    pub routes: BTreeMap<Selector, RouteSettings>,

    /// Sizes, times and numbers that no client can exceed.
    pub limits: LimitSettings,

    /// Who may call.
    pub auth: AuthSettings,

    /// What is told about calls and by whom.
    pub telemetry: TelemetrySettings,

    /// How it starts and how it ends.
    pub lifecycle: LifecycleSettings,

    /// The application's own configuration, changed without a restart.
    pub app_config: AppConfigSettings,
}
