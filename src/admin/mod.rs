//! The admin port: health, inspection, metrics.
//!
//! It lives on a thread and a runtime of its own, reads what others publish and never takes a
//! lock that a worker takes: whatever happens here, the data path does not notice (invariant
//! 12). The `ops` listener is the same server with three pages, for other interfaces.
//!
//! ```no_run
//! # fn views() -> sidegate::admin::Views { unimplemented!() }
//! use sidegate::admin::{Params, bind};
//!
//! let bound = bind(Params { admin: Some(([127, 0, 0, 1], 0).into()), ops: None })?;
//! let address = bound.admin_address();
//! let running = bound.run(views())?; // until it is dropped
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod explain;
pub mod routes_view;
pub mod views;

mod console;
mod figures;
mod gate;
mod guard;
mod level;
mod listen;
mod listening;
mod pages;
mod split;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use axum::Router;
use axum::middleware;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::export::scrape::Scrape;
use crate::life::drain::Drain;
use crate::life::ready::Ready;
use crate::life::secret::Secret;
use crate::live::Live;
use crate::schema::problem::Problem;
use crate::schema::split::Split;
use crate::schema::{Method, Schema};
use crate::telemetry::Telemetry;
use crate::telemetry::diagnostics::Level;
use explain::Setting;
use gate::Gate;
use guard::Ends;
use listen::Guarded;
use views::UpstreamView;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// For all pages; only this host gets them, whatever the address.
    pub admin: Option<SocketAddr>,
    /// For `/livez`, `/readyz` and `/metrics`, to anybody.
    pub ops: Option<SocketAddr>,
}

/// What the pages show.
pub struct Views {
    /// The live schema.
    pub schema: Arc<Live<Schema>>,
    /// What is wrong with it and with the configuration.
    pub problems: Arc<Live<Vec<Problem>>>,
    /// Whether work may come.
    pub ready: Ready,
    /// Whether the gateway is being taken out of service.
    pub drain: Drain,
    /// What was counted.
    pub telemetry: Telemetry,
    /// The services that the gateway answers itself.
    pub own: Arc<Schema>,
    /// What is configured and what became of it.
    pub facts: Arc<dyn Facts>,
    /// What changes the level of diagnostics, where they are ours.
    pub log_level: Option<Level>,
    /// The application's own metrics, if they are shown as well.
    pub scrape: Option<Scrape>,
    /// Where clients are served, for what the console tries; `None` when that is over TLS.
    pub data: Option<SocketAddr>,
    /// What opens the port to those elsewhere.
    pub token: Option<Secret>,
    /// Taking up changes.
    pub reload: Reload,
    /// The application's own configuration, if it is served.
    pub app_config: Arc<Live<Option<serde_json::Value>>>,
}

/// How changes are taken up, and what became of it.
pub struct Reload {
    /// Looks at all files again; `None` when the gateway is about to end.
    pub ask: Box<dyn Fn() -> Asked + Send + Sync>,
    /// The last attempts, the last one first.
    pub history: Box<dyn Fn() -> serde_json::Value + Send + Sync>,
}

/// What became of an attempt, once it is known: an object with an `outcome`.
pub type Asked = Pin<Box<dyn Future<Output = Option<serde_json::Value>> + Send>>;

/// What is configured, and what became of it, as it is at the moment of asking. Nothing here waits.
pub trait Facts: Send + Sync {
    /// Every key with its value and where that comes from, without secrets.
    fn config(&self) -> serde_json::Value;

    /// What holds for a method, and which key says so.
    fn settings(&self, method: &Method) -> Vec<Setting>;

    /// The application, and its other port if it has one.
    fn upstreams(&self) -> Vec<UpstreamView>;

    /// How calls are shared out between upstreams, where they are.
    fn splits(&self) -> Vec<Arc<Split>>;

    /// Where requests go that no rule knows, if anywhere.
    fn fallback(&self) -> Option<String>;
}

/// Listeners that have their addresses and serve nothing yet.
#[derive(Debug)]
pub struct Bound {
    admin: Option<TcpListener>,
    ops: Option<TcpListener>,
    gate: Gate,
}

/// The admin thread; it ends when this is dropped.
#[must_use = "dropping it stops the admin port"]
#[derive(Debug)]
pub struct Running {
    /// Dropped to stop the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    gate: Gate,
}

/// Takes the addresses; port 0 takes any free port.
pub fn bind(params: Params) -> io::Result<Bound> {
    let listen = |address: Option<SocketAddr>| address.map(TcpListener::bind).transpose();
    Ok(Bound {
        admin: listen(params.admin)?,
        ops: listen(params.ops)?,
        gate: Gate::new(true),
    })
}

impl Bound {
    /// The same with some listeners that are open already.
    #[must_use]
    pub fn with(self, admin: Option<TcpListener>, ops: Option<TcpListener>) -> Self {
        Self {
            admin: admin.or(self.admin),
            ops: ops.or(self.ops),
            ..self
        }
    }

    /// The same, but nothing is accepted before the result of [`Self::run`] is
    /// [opened](Running::open).
    #[must_use]
    pub fn closed(self) -> Self {
        let gate = Gate::new(false);
        Self { gate, ..self }
    }

    /// The sockets, once more.
    pub fn sockets(&self) -> io::Result<(Option<TcpListener>, Option<TcpListener>)> {
        let clone = |socket: &Option<TcpListener>| {
            let socket = socket.as_ref();
            socket.map(TcpListener::try_clone).transpose()
        };
        Ok((clone(&self.admin)?, clone(&self.ops)?))
    }

    /// Where the admin pages are.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref()?.local_addr().ok()
    }

    /// Where the pages for probes and scrapers are.
    pub fn ops_address(&self) -> Option<SocketAddr> {
        self.ops.as_ref()?.local_addr().ok()
    }

    /// Serves on a thread of its own.
    pub fn run(self, views: Views) -> io::Result<Running> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let views = Arc::new(views);
        let (stop, stopped) = oneshot::channel();
        let gate = self.gate.clone();
        let thread = thread::Builder::new()
            .name(String::from("sidegate-admin"))
            .spawn(move || self.serve(&runtime, &views, stopped))?;
        Ok(Running {
            stop: Some(stop),
            thread: Some(thread),
            gate,
        })
    }

    fn serve(self, runtime: &Runtime, views: &Arc<Views>, stopped: oneshot::Receiver<()>) {
        let gate = &self.gate;
        let admin = serve(self.admin, gate, pages::admin(Arc::clone(views)));
        let ops = serve(self.ops, gate, pages::ops(Arc::clone(views)));
        runtime.block_on(async {
            tokio::select! {
                // An error here says that the other end is gone, which means the same.
                _ = stopped => {}
                ((), ()) = async { tokio::join!(admin, ops) } => {}
            }
        });
    }
}

/// Serves one listener for ever, or not at all.
async fn serve(listener: Option<TcpListener>, gate: &Gate, pages: Router) {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    let served = async {
        let listener = Guarded::new(listener, gate.clone())?;
        let pages = pages.layer(middleware::from_fn_with_state(gate.clone(), gate::send_on));
        let pages = pages.into_make_service_with_connect_info::<Ends>();
        axum::serve(listener, pages).await
    };
    if let Err(error) = served.await {
        tracing::error!(%error, "the admin port is out of service");
    }
}

impl Running {
    /// Accepts from now on, where that has waited.
    pub fn open(&self) {
        self.gate.open();
    }

    /// Accepts nothing any more, because another process does on the same sockets. Connections
    /// that are there are told to come again.
    pub fn leave(&self) {
        self.gate.leave();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the admin thread panicked");
        }
    }
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload").finish_non_exhaustive()
    }
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Views").finish_non_exhaustive()
    }
}
