//! Puts the gateway together: the one place where all modules meet.
//!
//! ```text
//! Gateway::bind(Config) -> Bound (addresses are known, nothing is served)
//!     -> Bound::start() -> Running (threads serve) -> Running::shutdown()
//! ```
//!
//! Threads: the workers (data path), one for control (accepting), one that keeps everything what
//! the files and the app say, one for discovery, one for the admin port. What they share is
//! published whole.

mod apps;
mod canary;
mod certificates;
mod control;
mod discovery;
mod facts;
mod figures;
mod follow;
mod health;
mod keeper;
mod keys;
mod memory;
mod outputs;
mod own_config;
mod parts;
mod patience;
mod reload;
mod schemas;
mod secure;
pub mod signal;
mod stack;
mod worker;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::sync::watch;

use crate::acme;
use crate::admin;
use crate::config::Config;
use crate::export::scrape::Scrape;
use crate::layer::guard;
use crate::life::drain::Drain;
use crate::life::ready::Ready;
use crate::life::systemd::Watchdog;
use crate::live::Live;
use crate::schema::Schema;
use crate::schema::problem::Problem;
use crate::serve::Listener;
use crate::telemetry::clock::Clock;
use crate::telemetry::diagnostics::Level;
use crate::telemetry::{self, Telemetry};
use control::{Control, Others};
use discovery::Sources;
use keeper::Keeper;
use own_config::OwnConfig;
use reload::{Door, History, Places};
use schemas::Schemas;
use secure::Secure;

pub use control::{Hold, Running};
pub use discovery::check as check_endpoints;
pub use facts::explain;
pub use outputs::Outputs;
pub use own_config::{Application, check as check_app_config};
pub use reload::{Answer, Part, Paths, Prepare, Prepared};
pub use schemas::check;
pub use secure::check as check_certificates;

/// A gateway before it has taken its addresses.
#[derive(Debug)]
pub struct Gateway;

/// A gateway that has its addresses and serves nothing yet.
#[derive(Debug)]
pub struct Bound {
    config: Arc<Config>,
    listener: Listener,
    admin: admin::Bound,
    telemetry: Telemetry,
    schemas: Schemas,
    hold: Hold,
    tls: Option<Secure>,
    log_level: Option<Level>,
    watchdog: Option<Watchdog>,
    parts: Vec<Part>,
    own_config: OwnConfig,
    /// What the files looked like before they were read.
    fingerprint: u64,
    /// Those who know where applications are.
    sources: Sources,
    certificates: Option<acme::Start>,
}

/// The real addresses of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Where clients are served.
    pub listen: SocketAddr,
    /// Where operators are served.
    pub admin: Option<SocketAddr>,
    /// Where probes and scrapers are served.
    pub ops: Option<SocketAddr>,
}

/// Sockets that are open already, each in place of an address.
#[derive(Debug, Default)]
pub struct Sockets {
    /// Where clients are served.
    pub listen: Option<TcpListener>,
    /// Where operators are served.
    pub admin: Option<TcpListener>,
    /// Where probes and scrapers are served.
    pub ops: Option<TcpListener>,
    /// Where an ACME authority is answered.
    pub acme: Option<TcpListener>,
}

/// Why a gateway cannot start.
#[derive(Debug)]
pub enum StartError {
    /// An address cannot be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// A thread cannot be started.
    Thread(io::Error),
    /// Certificates or keys cannot be used.
    Certificates(Vec<Problem>),
    /// The application's own configuration cannot be made.
    AppConfig(Vec<Problem>),
}

impl Gateway {
    /// Takes the addresses and loads the schema files. Problems of the files do not keep the
    /// gateway from starting: what is sound is served, see [`Bound::problems`].
    pub fn bind(config: Config, outputs: &Outputs) -> Result<Bound, StartError> {
        Self::bind_to(config, outputs, Sockets::default())
    }

    /// The same with some sockets that are open already.
    pub fn bind_to(
        config: Config,
        outputs: &Outputs,
        sockets: Sockets,
    ) -> Result<Bound, StartError> {
        let (tls, config) = secure::load(config).map_err(StartError::Certificates)?;
        let listener = match sockets.listen {
            Some(socket) => Listener::from_std(socket),
            None => Listener::bind(config.listen),
        };
        let listener = listener.map_err(|error| StartError::Listen {
            address: config.listen,
            error,
        })?;
        let admin = admin::bind(admin::Params {
            admin: config.admin.filter(|_| sockets.admin.is_none()),
            ops: config.ops.filter(|_| sockets.ops.is_none()),
        })
        .map_err(|error| {
            let address = config.admin.or(config.ops).unwrap_or(config.listen);
            StartError::Listen { address, error }
        })?
        .with(sockets.admin, sockets.ops);
        let certificates = certificates::bind(&config, tls.as_ref(), sockets.acme)?;
        let telemetry = Telemetry::new(telemetry::Params {
            access_log: outputs.access_log.clone(),
            tracer: outputs.tracer.clone(),
            target: facts::place(&config, &config.upstream),
            workers: config.workers,
            clock: Clock::system(),
        });
        telemetry.tap().hide(config.telemetry.log.hidden.clone());
        let config = Arc::new(config);
        let fingerprint = Places::of(&config.paths()).fingerprint();
        let sources = Sources::default();
        discovery::read(&config, &sources);
        let schemas = Schemas::load(&config, telemetry.clone());
        let own_config = OwnConfig::start(&config)?;
        Ok(Bound {
            config,
            listener,
            admin,
            telemetry,
            schemas,
            hold: Hold::Nothing,
            tls,
            log_level: outputs.log_level.clone(),
            watchdog: None,
            parts: vec![own_config.part()],
            own_config,
            fingerprint,
            sources,
            certificates,
        })
    }
}

impl Bound {
    /// The real addresses.
    pub fn addresses(&self) -> Addresses {
        Addresses {
            listen: self.listener.address(),
            admin: self.admin.admin_address(),
            ops: self.admin.ops_address(),
        }
    }

    /// The same, but no connection is taken before the application can be reached: clients that
    /// come earlier wait.
    #[must_use]
    pub fn hold(self) -> Self {
        let hold = Hold::App;
        Self { hold, ..self }
    }

    /// The same in place of another process, which accepts on these sockets meanwhile: operators
    /// are served when the result is [opened](Running::open), clients from the beginning or, with
    /// `ready`, when work may come.
    #[must_use]
    pub fn succeed(self, ready: bool) -> Self {
        let hold = if ready { Hold::Ready } else { Hold::Nothing };
        let admin = self.admin.closed();
        Self {
            hold,
            admin,
            ..self
        }
    }

    /// The sockets, once more: for a process that may replace this one.
    pub fn sockets(&self) -> io::Result<Sockets> {
        let (admin, ops) = self.admin.sockets()?;
        Ok(Sockets {
            listen: Some(self.listener.socket()?),
            admin,
            ops,
            acme: certificates::socket(self.certificates.as_ref())?,
        })
    }

    /// The SHA-256 of the certificate that was made for this run, if one was.
    pub fn own_fingerprint(&self) -> Option<String> {
        secure::own_fingerprint(self.tls.as_ref()?.server())
    }

    /// The same, and whoever started us is shown that it lives.
    #[must_use]
    pub fn watched(self, watchdog: Option<Watchdog>) -> Self {
        Self { watchdog, ..self }
    }

    /// What is wrong with the schema files.
    pub fn problems(&self) -> Arc<Vec<Problem>> {
        self.schemas.problems().load()
    }

    /// Where the application belongs once it is started, so that it can be signalled.
    pub fn application(&self) -> Application {
        Arc::clone(self.own_config.application())
    }

    /// Serves, on threads of its own, until the result is shut down or dropped.
    pub fn start(self) -> Result<Running, StartError> {
        let addresses = self.addresses();
        control::tell_limits(&self.config);
        let (door, requests) = Door::new();
        let (config, effective) = watch::channel(Arc::clone(&self.config));
        let common = Common::new(effective, self.sources.clone());
        self.show_figures(&common);
        let views = self.views(&common, door.clone());
        let admin = self.admin.run(views).map_err(StartError::Thread)?;
        let tls = self.tls.as_ref().map(|tls| Arc::clone(tls.server()));
        let metrics = Arc::clone(self.telemetry.metrics());
        let around = common.around(addresses.listen);
        let make = worker::make_handler(worker::Shared {
            live: Arc::clone(self.schemas.live()),
            own: common.own,
            ready: common.ready.clone(),
            drain: common.drain.clone(),
            telemetry: self.telemetry,
            callers: common.callers,
            config: common.config.clone(),
        });
        let mut parts = self.parts;
        parts.extend(parts::of(tls.clone(), self.log_level));
        parts.push(discovery::part(self.sources.clone()));
        let serve = Arc::new(Live::new(keeper::serve_params(&self.config, tls.as_ref())));
        let keeper = Keeper {
            begun: Arc::clone(&self.config),
            config,
            serve: Arc::clone(&serve),
            tls: tls.clone(),
            schemas: self.schemas,
            parts,
            history: common.history,
            requests,
            ready: common.ready.clone(),
            fingerprint: self.fingerprint,
        };
        let discovering = discovery::start(common.config.clone(), self.sources, around);
        let followed = common.config.clone();
        let others = Others {
            config: common.config,
            door,
            tls,
            _keeping: keeper.start().map_err(StartError::Thread)?,
            _discovering: discovering.map_err(StartError::Thread)?,
            admin,
            _certificates: certificates::start(self.certificates)?,
        };
        let control = Control {
            hold: self.hold,
            watchdog: self.watchdog,
            listener: self.listener,
            workers: self.config.workers,
            serve,
            make,
            metrics,
            ready: common.ready,
            drain: common.drain,
            config: followed,
        };
        control.start(addresses, others).map_err(StartError::Thread)
    }

    fn show_figures(&self, common: &Common) {
        let metrics = self.telemetry.metrics();
        let (live, problems) = (self.schemas.live(), self.schemas.problems());
        figures::schema(metrics, Arc::clone(live), Arc::clone(problems));
        figures::readiness(metrics, common.ready.clone());
        figures::upstreams(metrics, common.config.clone());
        figures::splits(metrics, common.config.clone());
        common.history.show(metrics);
        common.sources.show(metrics);
        figures::loads(metrics, common.config.clone());
        figures::callers(metrics, Arc::clone(&common.callers), common.config.clone());
        if let Some(tls) = &self.tls {
            tls.tell();
            figures::certificates(metrics, Arc::clone(tls.server()));
        }
        if let Some(start) = &self.certificates {
            figures::renewals(metrics, Arc::clone(&start.stats));
        }
    }

    fn views(&self, common: &Common, door: Door) -> admin::Views {
        let facts = facts::Facts {
            config: common.config.clone(),
            history: common.history.clone(),
            sources: common.sources.clone(),
        };
        admin::Views {
            schema: Arc::clone(self.schemas.live()),
            problems: Arc::clone(self.schemas.problems()),
            ready: common.ready.clone(),
            drain: common.drain.clone(),
            telemetry: self.telemetry.clone(),
            own: Arc::clone(&common.own),
            facts: Arc::new(facts),
            log_level: self.log_level.clone(),
            scrape: self.config.telemetry.scrape.clone().map(Scrape::new),
            data: self.tls.is_none().then_some(self.listener.address()),
            token: self.config.admin_token.clone(),
            reload: reload_of(door, common.history.clone()),
            app_config: self.own_config.shown(),
        }
    }
}

/// What several threads have in common.
struct Common {
    ready: Ready,
    drain: Drain,
    own: Arc<Schema>,
    config: watch::Receiver<Arc<Config>>,
    history: History,
    sources: Sources,
    callers: Arc<guard::Counts>,
}

impl Common {
    fn new(config: watch::Receiver<Arc<Config>>, sources: Sources) -> Self {
        Self {
            ready: Ready::new(),
            drain: Drain::new(),
            own: schemas::own(),
            config,
            history: History::new((Clock::system().wall)()),
            sources,
            callers: Arc::default(),
        }
    }

    /// What decides whether others can find us, and where.
    fn around(&self, listen: SocketAddr) -> discovery::Around {
        discovery::Around {
            ready: self.ready.clone(),
            drain: self.drain.clone(),
            listen,
        }
    }
}

fn reload_of(door: Door, history: History) -> admin::Reload {
    admin::Reload {
        ask: Box::new(move || door.ask("POST /reload")),
        history: Box::new(move || history.view()),
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
            Self::Certificates(problems) | Self::AppConfig(problems) => {
                let mut problems = problems.iter();
                problems.try_for_each(|problem| writeln!(f, "{problem}"))
            }
        }
    }
}

impl std::error::Error for StartError {}
