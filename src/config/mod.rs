//! The configuration: [`load()`] reads it, checks it whole and resolves it to a [`Config`].
//!
//! ```text
//! defaults.yaml + compat/*.yaml + sidegate.yaml + SIDEGATE_ variables + flags   (layers, each checked by itself)
//!     -> one tree of sound values, each with its origin
//!     -> Settings (types; their docs are the manual)
//!     -> Config (everything resolved; nothing is parsed or looked up at request time)
//! ```
//!
//! All problems are told, not the first, each with file, line and column or with the name of the
//! variable or flag. The configuration knows the modules it configures; none of them knows it.
//! Nothing is printed here.
//!
//! ```
//! let input = sidegate::config::Input {
//!     flags: vec![("--listen", vec!["nowhere".to_owned()])],
//!     ..Default::default()
//! };
//! let (config, problems) = sidegate::config::load(&input);
//! assert!(config.is_none());
//! assert!(problems[0].to_string().starts_with("--listen: error: `listen` must be an address"));
//! ```

mod acme;
mod admin_token;
mod app_config;
mod auth;
pub mod changes;
mod check;
mod compat;
mod conflicts;
mod discovery;
mod later;
mod load;
mod machine;
mod manual;
mod overlay;
mod quotas;
mod reference;
mod resolve;
mod route_headers;
mod secured;
mod selected;
pub mod settings;
mod splits;
#[cfg(test)]
mod tests;
mod traffic;
mod tree;
mod upstreams;
pub mod values;
mod view;
mod words;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::Auth;
use crate::export::otlp::Collector;
use crate::export::{file, fluent, scrape};
use crate::layer::limit::Loads;
use crate::life::secret::Secret;
use crate::protocol::cors;
use crate::schema::compile::{AutoMapping, Conflicts, RulesMode};
use crate::schema::policy::Policies;
use crate::schema::split::Split;
use crate::serve;
use crate::telemetry::log::{Format, Options};
use crate::telemetry::trace::B3Out;
use crate::tls;
use crate::upstream;
use settings::{LogLevel, Settings};
use values::Network;

pub use app_config::AppConfig;
pub use discovery::{Discovery, Registration, Registry};
pub use load::{listeners, load};
pub use machine::Memory;
pub use manual::manual;
pub use overlay::{Input, SWITCHES, Switch};
pub use reference::json_schema;
pub use selected::Selected;
pub use tree::{Branch, Given, Origin, Source, Tree};
pub use view::InEffect;

/// A configuration that was checked whole, with everything resolved.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients are served.
    pub listen: SocketAddr,
    /// Where operators are served.
    pub admin: Option<SocketAddr>,
    /// What opens the admin port to those elsewhere.
    pub admin_token: Option<Secret>,
    /// Where probes and scrapers are served.
    pub ops: Option<SocketAddr>,
    /// TLS towards clients, if there is any.
    pub tls: Option<tls::Params>,
    /// The certificates that are asked for, if any are.
    pub acme: Option<crate::acme::Params>,
    /// Where the schema comes from.
    pub sources: Sources,
    /// Where applications are found that have no fixed place.
    pub discovery: Discovery,
    /// How the schema is made.
    pub rules: Rules,
    /// What holds for which method.
    pub policies: Policies,
    /// How calls are shared out between upstreams, where they are.
    pub splits: Vec<Arc<Split>>,
    /// The selectors of `routes`, so that one which selects nothing can be told.
    pub selected: Vec<Selected>,
    /// Where the application is: calls go there that nothing sends elsewhere.
    pub upstream: upstream::Params,
    /// The other upstreams, in order of their names.
    pub more_upstreams: Vec<upstream::Params>,
    /// How those are known that are asked over TLS, by the names of the upstreams.
    pub upstream_tls: BTreeMap<String, tls::ClientParams>,
    /// Where its plain HTTP is, for paths that no rule knows.
    pub fallback: Option<upstream::Params>,
    /// Limits of connections from clients.
    pub serve: serve::Params,
    /// Whose `x-forwarded-*` headers are believed (M3).
    pub trusted_proxies: Vec<Network>,
    /// What pages of other origins may do.
    pub cors: cors::Params,
    /// Worker threads.
    pub workers: usize,
    /// What is used of the numbers of calls there may be.
    pub loads: Arc<Loads>,
    /// The memory there is, if nothing new is begun when it is short.
    pub memory: Option<Memory>,
    /// Who callers are, and may be.
    pub auth: Arc<Auth>,
    /// The files that it was read from.
    pub auth_files: Vec<PathBuf>,
    /// What is told.
    pub telemetry: Telemetry,
    /// How long running calls may go on after a signal to stop or the drain before it.
    pub drain_timeout: Duration,
    /// Whether readiness heeds what the application says of its health.
    pub app_health: bool,
    /// Where the sockets are offered to a successor.
    pub takeover: Option<PathBuf>,
    /// The application's own configuration.
    pub app_config: AppConfig,
    /// What it was made of, so that it can be made anew.
    pub input: Input,
    /// Its file, whether there is one or not.
    pub file: PathBuf,
    /// The settings as given, defaults filled in.
    pub settings: Settings,
    /// The same as values, each with its origin.
    pub tree: Tree,
}

impl Config {
    /// All upstreams, the application first.
    pub fn upstreams(&self) -> impl Iterator<Item = &upstream::Params> {
        std::iter::once(&self.upstream).chain(&self.more_upstreams)
    }

    /// The same, to be changed.
    pub fn upstreams_mut(&mut self) -> impl Iterator<Item = &mut upstream::Params> {
        std::iter::once(&mut self.upstream).chain(&mut self.more_upstreams)
    }

    /// The same, with what is used already of numbers of calls that have not changed.
    pub fn inherit(&mut self, before: &Self) {
        self.auth = Arc::new(Auth::clone(&self.auth).inheriting(&before.auth));
        self.loads = quotas::loads(&self.policies, Some(&before.loads));
    }

    /// The files and directories that it is made from, those included that are not there.
    pub fn paths(&self) -> Vec<PathBuf> {
        let sources = &self.sources;
        let default = self.input.directory.join(resolve::DEFAULT_PROTO);
        let default = self.settings.schema.proto.is_none().then_some(default);
        let mut paths = vec![self.file.clone()];
        paths.extend(default);
        paths.extend(sources.proto.iter().cloned());
        paths.extend(sources.include.iter().cloned());
        paths.extend(sources.descriptor_sets.iter().cloned());
        paths.extend(sources.http_rules.iter().cloned());
        paths.extend(self.auth_files.iter().cloned());
        paths
    }
}

/// Where the schema comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// Files and directories; `proto` when none is given and it exists.
    pub proto: Vec<PathBuf>,
    /// More import roots.
    pub include: Vec<PathBuf>,
    /// Files with a `FileDescriptorSet`.
    pub descriptor_sets: Vec<PathBuf>,
    /// Service YAML files.
    pub http_rules: Vec<PathBuf>,
    /// Whether the application is asked.
    pub reflection: bool,
    /// How often it is asked again.
    pub reflection_interval: Option<Duration>,
    /// What keeps its answer for the next start.
    pub cache: Option<PathBuf>,
}

/// How the schema is made, besides its policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `rest.rules_mode`.
    pub mode: RulesMode,
    /// `rest.auto`.
    pub auto: AutoMapping,
    /// `rest.conflicts`.
    pub conflicts: Conflicts,
    /// `schema.unknown_methods: allow`.
    pub allow_unknown_methods: bool,
}

/// What is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// The form of logs.
    pub format: Format,
    /// Where the lines of calls go.
    pub access_log: Lines,
    /// What they hold.
    pub log: Options,
    /// Files whose lines go there too.
    pub app_logs: Vec<PathBuf>,
    /// What the gateway tells about itself.
    pub level: LogLevel,
    /// Where the application shows its metrics.
    pub scrape: Option<scrape::Params>,
    /// How calls are traced, if they are.
    pub traces: Option<Traces>,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Nowhere; those of the application to stdout.
    Off,
    /// To stdout.
    Stdout,
    /// Into a file.
    File(file::Params),
    /// To Fluent Bit or Fluentd.
    Fluent(fluent::Params),
}

/// How calls are traced.
#[derive(Clone, Debug, PartialEq)]
pub struct Traces {
    /// Where spans go.
    pub collector: Collector,
    /// The share of new traces that are recorded.
    pub sample: f64,
    /// Whether the traces of clients go on.
    pub follow: bool,
    /// What the application gets in B3's headers.
    pub b3: B3Out,
    /// What it is called.
    pub service: String,
}
