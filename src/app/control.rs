//! The control thread: accepting, and stopping.

use std::io;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::Addresses;
use super::discovery::Discovering;
use super::keeper::Keeping;
use super::reload::{Answer, Door};
use super::{canary, figures, secure};
use crate::acme;
use crate::admin;
use crate::config::Config;
use crate::life::drain::Drain;
use crate::life::ready::{Condition, Ready};
use crate::life::systemd::Watchdog;
use crate::life::task;
use crate::live::Live;
use crate::serve::{self, Listener, MakeHandler, Workers};
use crate::telemetry::metrics::Metrics;
use crate::tls;

/// What accepting waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Nothing.
    Nothing,
    /// The application can be reached.
    App,
    /// Everything is ready.
    Ready,
}

/// Everything that the control thread takes over.
pub(super) struct Control {
    pub(super) hold: Hold,
    /// Who is shown that this thread turns.
    pub(super) watchdog: Option<Watchdog>,
    pub(super) listener: Listener,
    pub(super) workers: usize,
    pub(super) serve: Arc<Live<serve::Params>>,
    pub(super) make: MakeHandler,
    pub(super) metrics: Arc<Metrics>,
    pub(super) ready: Ready,
    pub(super) drain: Drain,
    pub(super) config: watch::Receiver<Arc<Config>>,
}

/// How long a stop waits.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// For calls.
    calls: Duration,
    /// For connections without one.
    silence: Duration,
}

/// A gateway that serves. Dropping it stops everything at once.
#[derive(Debug)]
#[must_use = "dropping it stops the gateway"]
pub struct Running {
    addresses: Addresses,
    ready: Ready,
    drain: Drain,
    /// How long what is in flight may take once it is asked to stop; dropped for not at all.
    stop: Option<oneshot::Sender<Patience>>,
    thread: Option<JoinHandle<bool>>,
    others: Others,
}

/// What else runs, in the order in which it ends.
#[derive(Debug)]
pub(super) struct Others {
    pub(super) config: watch::Receiver<Arc<Config>>,
    pub(super) door: Door,
    pub(super) tls: Option<Arc<tls::Server>>,
    pub(super) _keeping: Keeping,
    /// There is one if certificates come from an authority.
    pub(super) _certificates: Option<acme::Running>,
    pub(super) _discovering: Discovering,
    /// Kept to be dropped last: probes are answered to the end.
    pub(super) admin: admin::Running,
}

/// Says what clients can make this process hold, so that nobody has to find out.
pub(super) fn tell_limits(config: &Config) {
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

impl Control {
    /// Starts the thread, and comes back when connections are accepted.
    pub(super) fn start(self, addresses: Addresses, others: Others) -> io::Result<Running> {
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
            others,
        })
    }

    /// Serves until told to stop; `true` when nothing had to be cut off.
    async fn run(
        self,
        started: &mpsc::SyncSender<io::Result<()>>,
        mut stopped: oneshot::Receiver<Patience>,
    ) -> bool {
        let _watchdog = self
            .watchdog
            .map(|watchdog| task::spawn_local("watchdog", watchdog.keep()));
        let _guard = task::spawn_local("guard", canary::look_after(self.config.clone()));
        let drain = self.drain.clone();
        let workers = match Workers::start_with(self.workers, &self.serve, &drain, &self.make) {
            Ok(workers) => workers,
            Err(error) => {
                drop(started.send(Err(error)));
                return true;
            }
        };
        figures::connections(&self.metrics, Arc::clone(workers.stats()));
        let _listening = self.ready.hold(Condition::Listening);
        drop(started.send(Ok(())));

        let mut patience = None;
        let mut stop = pin!(async {
            // An error means that nobody waits for the end of this any more.
            patience = (&mut stopped).await.ok();
        });
        let stops_early = tokio::select! {
            () = &mut stop => true,
            () = held(self.hold, &self.ready) => false,
        };
        // Draining alone does not end accepting: a client that has not heard of it yet is served.
        if stops_early && self.hold == Hold::Ready {
            // Whoever accepts on this socket meanwhile goes on.
            drop(self.listener);
        } else if stops_early {
            self.listener.run(&workers, async {}).await;
        } else {
            self.listener.run(&workers, &mut stop).await;
        }
        drain.start();
        match patience {
            Some(Patience { calls, silence }) => workers.stop_after(calls, silence).await,
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
        secure::own_fingerprint(self.others.tls.as_deref()?)
    }

    /// Reads certificates and keys again, without a failed handshake. What is wrong with any of
    /// them is logged and changes nothing; `true` when nothing was. Blocks.
    pub fn reload_certificates(&self) -> bool {
        let clients = self.others.tls.as_deref().is_none_or(secure::reload);
        let config = self.config();
        let apps = config.upstreams().filter_map(|one| one.tls.as_deref());
        // All of them are read, whatever is wrong with one.
        apps.fold(clients, |sound, app| secure::reload_client(app) && sound)
    }

    /// The configuration that is in effect.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.others.config.borrow())
    }

    /// Looks at all files again, as when one of them has changed; the result is what the admin
    /// port would answer.
    pub fn reload(&self) -> Answer {
        self.others.door.ask("program")
    }

    /// How it is asked to send clients elsewhere; new connections are still accepted then.
    pub fn drain(&self) -> &Drain {
        &self.drain
    }

    /// Serves operators from now on, where that has waited for it.
    pub fn open(&self) {
        self.others.admin.open();
    }

    /// Leaves the operators to another process, which has the same sockets.
    pub fn leave(&self) {
        self.others.admin.leave();
    }

    /// Waits until work may come.
    pub async fn is_ready(&self) {
        held(Hold::Ready, &self.ready).await;
    }

    /// Waits until the application can be reached.
    pub async fn reached(&self) {
        held(Hold::App, &self.ready).await;
    }

    /// Stops accepting, lets what is in flight end within `patience`, and ends the rest with a
    /// status; `true` when nothing had to be. Blocks.
    pub fn shutdown(self, patience: Duration) -> bool {
        self.shutdown_after(patience, Workers::MOMENT)
    }

    /// The same, and connections that have no call are closed only after `silence`.
    pub fn shutdown_after(mut self, patience: Duration, silence: Duration) -> bool {
        let calls = patience;
        if let Some(stop) = self.stop.take() {
            // When nobody takes it the thread has ended already.
            let _ended = stop.send(Patience { calls, silence });
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

/// Waits for what accepting waits for.
async fn held(hold: Hold, ready: &Ready) {
    const LOOK: Duration = Duration::from_millis(10);
    let holds = || match hold {
        Hold::Nothing => true,
        Hold::App => ready.holds(Condition::App),
        Hold::Ready => ready.is_ready(),
    };
    while !holds() {
        tokio::time::sleep(LOOK).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
