//! The control thread: accepting, the watch over the app, the schema by reflection.

use std::io;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::future::Either;
use tokio::sync::oneshot;

use super::Addresses;
use super::schemas::Schemas;
use super::{figures, health, secure};
use crate::admin;
use crate::life::drain::Drain;
use crate::life::ready::{Condition, Ready};
use crate::life::systemd::Watchdog;
use crate::life::task;
use crate::schema::Schema;
use crate::serve::{self, Listener, MakeHandler, Workers};
use crate::telemetry::metrics::Metrics;
use crate::tls;
use crate::upstream::{self, Upstreams};

/// Everything that the control thread takes over.
pub(super) struct Control {
    /// Whether nothing is accepted before the app can be reached.
    pub(super) hold: bool,
    /// Who is shown that this thread turns.
    pub(super) watchdog: Option<Watchdog>,
    pub(super) listener: Listener,
    pub(super) workers: usize,
    pub(super) serve: serve::Params,
    pub(super) make: MakeHandler,
    pub(super) upstream: upstream::Params,
    /// What the app is asked about its health with, if it is.
    pub(super) health: Option<Arc<Schema>>,
    pub(super) schemas: Schemas,
    pub(super) metrics: Arc<Metrics>,
    pub(super) ready: Ready,
    pub(super) drain: Drain,
}

/// A gateway that serves. Dropping it stops everything at once.
#[derive(Debug)]
#[must_use = "dropping it stops the gateway"]
pub struct Running {
    addresses: Addresses,
    ready: Ready,
    drain: Drain,
    /// How long what is in flight may take once it is asked to stop; dropped for not at all.
    stop: Option<oneshot::Sender<Duration>>,
    thread: Option<JoinHandle<bool>>,
    pub(super) tls: Option<Arc<tls::Server>>,
    pub(super) upstream_tls: Option<Arc<tls::Client>>,
    /// Kept to be dropped last: probes are answered to the end.
    _admin: admin::Running,
}

impl Control {
    /// Starts the thread, and comes back when connections are accepted.
    pub(super) fn start(self, addresses: Addresses, admin: admin::Running) -> io::Result<Running> {
        let (ready, drain) = (self.ready.clone(), self.drain.clone());
        let (stop, stopped) = oneshot::channel();
        let (started, starting) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name(String::from("sidegate-control"))
            .spawn(move || match task::local_runtime() {
                Ok(runtime) => runtime.block_on(self.run(&started, stopped)),
                Err(error) => {
                    // The starter waits for exactly one word.
                    drop(started.send(Err(error)));
                    true
                }
            })?;
        match starting.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(mpsc::RecvError) => return Err(io::Error::other("the control thread is gone")),
        }
        let (stop, thread) = (Some(stop), Some(thread));
        Ok(Running {
            addresses,
            ready,
            drain,
            stop,
            thread,
            tls: None,
            upstream_tls: None,
            _admin: admin,
        })
    }

    /// Serves until told to stop; `true` when nothing had to be cut off.
    async fn run(
        self,
        started: &mpsc::SyncSender<io::Result<()>>,
        mut stopped: oneshot::Receiver<Duration>,
    ) -> bool {
        let _watchdog = self
            .watchdog
            .map(|watchdog| task::spawn_local("watchdog", watchdog.keep()));
        let upstreams = Upstreams::new(self.upstream);
        let _watch = upstreams.keep_connected(self.ready.clone());
        let drain = self.drain.clone();
        let workers = match Workers::start(self.workers, &self.serve, &drain, &self.make) {
            Ok(workers) => workers,
            Err(error) => {
                drop(started.send(Err(error)));
                return true;
            }
        };
        figures::connections(&self.metrics, Arc::clone(workers.stats()));
        let _listening = self.ready.hold(Condition::Listening);
        drop(started.send(Ok(())));
        let _health = match self.health {
            Some(own) => {
                let following = health::follow(upstreams.clone(), own, self.ready.clone());
                Either::Left(task::spawn_local("health of the app", following))
            }
            None => Either::Right(self.ready.hold(Condition::Health)),
        };
        let following = self.schemas.follow(upstreams, self.ready.clone());
        let _schema = task::spawn_local("schema", following);

        let mut patience = None;
        let mut stop = pin!(async {
            // An error means that nobody waits for the end of this any more.
            patience = (&mut stopped).await.ok();
        });
        let stops_early = if self.hold {
            tokio::select! {
                () = &mut stop => true,
                () = reached(&self.ready) => false,
            }
        } else {
            false
        };
        // Draining alone does not end accepting: a client that has not heard of it yet is served.
        if stops_early {
            self.listener.run(&workers, async {}).await;
        } else {
            self.listener.run(&workers, &mut stop).await;
        }
        drain.start();
        match patience {
            Some(patience) => workers.stop(patience).await,
            None => false,
        }
    }
}

impl Running {
    /// The real addresses.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Whether work may come.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The SHA-256 of the certificate that was made for this run, if one was.
    pub fn own_fingerprint(&self) -> Option<String> {
        secure::own_fingerprint(self.tls.as_deref()?)
    }

    /// Reads certificates and keys again, without a failed handshake. What is wrong with any of
    /// them is logged and changes nothing; `true` when nothing was. Blocks.
    pub fn reload_certificates(&self) -> bool {
        let clients = self.tls.as_deref().is_none_or(secure::reload);
        let app = self.upstream_tls.as_deref();
        app.is_none_or(secure::reload_client) && clients
    }

    /// How it is asked to send clients elsewhere; new connections are still accepted then.
    pub fn drain(&self) -> &Drain {
        &self.drain
    }

    /// Waits until the application can be reached.
    pub async fn reached(&self) {
        reached(&self.ready).await;
    }

    /// Stops accepting, lets what is in flight end within `patience`, and ends the rest with a
    /// status; `true` when nothing had to be. Blocks.
    pub fn shutdown(mut self, patience: Duration) -> bool {
        if let Some(stop) = self.stop.take() {
            // When nobody takes it the thread has ended already.
            let _ended = stop.send(patience);
        }
        self.end()
    }

    fn end(&mut self) -> bool {
        drop(self.stop.take());
        self.thread
            .take()
            .is_none_or(|thread| thread.join().unwrap_or(false))
    }
}

/// Waits until the application can be reached.
async fn reached(ready: &Ready) {
    const LOOK: Duration = Duration::from_millis(10);
    while !ready.holds(Condition::App) {
        tokio::time::sleep(LOOK).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
