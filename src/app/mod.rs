//! Puts the gateway together: the one place where all modules meet.
//!
//! ```text
//! Gateway::bind(Config) -> Bound (addresses are known, nothing is served)
//!     -> Bound::start() -> Running (threads serve) -> Running::shutdown()
//! ```
//!
//! Threads: the workers (data path), one for control (accepting, the schema, the watch over the
//! app), one for the admin port. What they share is published whole.

mod control;
mod facts;
mod figures;
mod health;
mod outputs;
mod patience;
mod schemas;
mod secure;
pub mod signal;
mod stack;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;

use crate::admin;
use crate::config::Config;
use crate::export::scrape::Scrape;
use crate::layer::builtin;
use crate::life::drain::Drain;
use crate::life::ready::Ready;
use crate::life::systemd::Watchdog;
use crate::protocol::{self, FrontDoor};
use crate::schema::Schema;
use crate::schema::problem::Problem;
use crate::serve::{Handler, Listener, MakeHandler};
use crate::telemetry::clock::Clock;
use crate::telemetry::diagnostics::Level;
use crate::telemetry::{self, Telemetry};
use crate::upstream::{self, Upstreams};
use control::Control;
use schemas::Schemas;
use secure::Secure;

pub use control::Running;
pub use facts::explain;
pub use outputs::Outputs;
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
    hold: bool,
    tls: Option<Secure>,
    log_level: Option<Level>,
    watchdog: Option<Watchdog>,
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
        let (tls, upstream) = secure::load(&config).map_err(StartError::Certificates)?;
        let config = Config { upstream, ..config };
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
        let telemetry = Telemetry::new(telemetry::Params {
            access_log: outputs.access_log.clone(),
            tracer: outputs.tracer.clone(),
            target: config.upstream.target.to_string(),
            workers: config.workers,
            clock: Clock::system(),
        });
        telemetry.tap().hide(config.telemetry.log.hidden.clone());
        let config = Arc::new(config);
        let schemas = Schemas::load(&config, telemetry.clone());
        Ok(Bound {
            config,
            listener,
            admin,
            telemetry,
            schemas,
            hold: false,
            tls,
            log_level: outputs.log_level.clone(),
            watchdog: None,
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
        Self { hold: true, ..self }
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

    /// Serves, on threads of its own, until the result is shut down or dropped.
    pub fn start(self) -> Result<Running, StartError> {
        let addresses = self.addresses();
        tell_limits(&self.config);
        let ready = Ready::new();
        let drain = Drain::new();
        let metrics = Arc::clone(self.telemetry.metrics());
        let (live, problems) = (self.schemas.live(), self.schemas.problems());
        figures::schema(&metrics, Arc::clone(live), Arc::clone(problems));
        figures::readiness(&metrics, ready.clone());
        let mut serve = self.config.serve.clone();
        if let Some(tls) = &self.tls {
            tls.tell();
            figures::certificates(&metrics, Arc::clone(tls.server()));
            serve.tls = Some(Arc::clone(tls.server()));
        }
        let own = schemas::own();
        let admin = self
            .admin
            .run(admin::Views {
                schema: Arc::clone(self.schemas.live()),
                problems: Arc::clone(self.schemas.problems()),
                ready: ready.clone(),
                drain: drain.clone(),
                telemetry: self.telemetry.clone(),
                own: Arc::clone(&own),
                facts: Arc::new(facts::Facts(Arc::clone(&self.config))),
                log_level: self.log_level,
                scrape: self.config.telemetry.scrape.clone().map(Scrape::new),
                data: self.tls.is_none().then_some(addresses.listen),
                token: self.config.admin_token.clone(),
            })
            .map_err(StartError::Thread)?;
        let make = make_handler(MakeWorker {
            live: Arc::clone(self.schemas.live()),
            ready: ready.clone(),
            telemetry: self.telemetry,
            upstream: self.config.upstream.clone(),
            fallback: self.config.fallback.clone(),
            protocol: protocol_params(&self.config, &own, &drain),
            own,
        });
        let control = Control {
            hold: self.hold,
            watchdog: self.watchdog,
            listener: self.listener,
            workers: self.config.workers,
            serve,
            make,
            upstream: self.config.upstream.clone(),
            health: self.config.app_health.then(schemas::own),
            schemas: self.schemas,
            metrics,
            ready,
            drain,
        };
        let mut running = control
            .start(addresses, admin)
            .map_err(StartError::Thread)?;
        running.upstream_tls = self.config.upstream.tls.clone();
        running.tls = self.tls.map(|tls| Arc::clone(tls.server()));
        Ok(running)
    }
}

/// Says what clients can make this process hold, so that nobody has to find out.
fn tell_limits(config: &Config) {
    let of_connection = config.serve.worst_case_bytes();
    let connections = config.serve.max_connections;
    tracing::info!(
        workers = config.workers,
        connections,
        worst_case_bytes_of_a_connection = of_connection,
        worst_case_bytes = of_connection.saturating_mul(connections as u64),
        "starting; the worst case is what clients can have held before their messages"
    );
}

/// What each worker is made from; all of it is shared.
struct MakeWorker {
    live: Arc<crate::live::Live<Schema>>,
    own: Arc<Schema>,
    ready: Ready,
    telemetry: Telemetry,
    upstream: upstream::Params,
    fallback: Option<upstream::Params>,
    protocol: protocol::Params,
}

/// How a worker makes its own front door, stack and connections.
fn make_handler(shared: MakeWorker) -> MakeHandler {
    Arc::new(move || -> Handler {
        let upstreams = Upstreams::new(shared.upstream.clone());
        let builtin = builtin::Params {
            ready: shared.ready.clone(),
            own: Arc::clone(&shared.own),
        };
        let door = FrontDoor::new(
            shared.protocol.clone(),
            Arc::clone(&shared.live),
            stack::stack(upstreams, builtin, shared.protocol.drain.clone()),
            shared.telemetry.sink(),
        )
        .with_fallback(shared.fallback.clone().map(stack::fallback));
        let handler = Rc::new(move |peer, request| door.handle(peer, request));
        patience::patient(handler, Arc::clone(&shared.live), shared.upstream.patience)
    })
}

fn protocol_params(config: &Config, own: &Arc<Schema>, drain: &Drain) -> protocol::Params {
    let trusted = config.trusted_proxies.clone();
    protocol::Params {
        trusted_proxies: protocol::forwarded::TrustedProxies::new(move |address| {
            trusted.iter().any(|network| network.contains(address))
        }),
        own: Arc::clone(own),
        drain: drain.clone(),
        reason_header: true,
        cors: protocol::cors::Cors::new(&config.cors).map(Arc::new),
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
            Self::Certificates(problems) => {
                let mut problems = problems.iter();
                problems.try_for_each(|problem| writeln!(f, "{problem}"))
            }
        }
    }
}

impl std::error::Error for StartError {}
