//! Telling registries where we are found: while we are ready and nobody drains us.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::kept::Kept;
use super::seen::Sources;
use crate::config::{Registration, Registry};
use crate::discover::{Own, Params, consul, etcd};
use crate::life::drain::Drain;
use crate::life::ready::Ready;
use crate::life::task::{self, Task};

/// How often it is looked whether we are ready.
const LOOK: Duration = Duration::from_millis(100);

/// How long we may not be ready before it is told: what comes and goes at once is nobody's news.
const FLICKER: Duration = Duration::from_secs(2);

/// What decides whether we can be found, and where.
#[derive(Clone, Debug)]
pub(in crate::app) struct Around {
    pub(in crate::app) ready: Ready,
    pub(in crate::app) drain: Drain,
    pub(in crate::app) listen: SocketAddr,
}

/// Somebody who is told of us.
pub(super) struct Registered {
    registration: Registration,
    params: Params,
    /// Tells the task to take our place away, and to end.
    leave: watch::Sender<bool>,
    task: Task<()>,
}

impl Registered {
    /// Begins to tell.
    pub(super) fn start(
        registration: Registration,
        params: &Params,
        around: &Around,
        sources: &Sources,
    ) -> Self {
        let (leave, leaving) = watch::channel(false);
        let own = Own {
            listen: around.listen,
            ..registration.own.clone()
        };
        let told = Telling {
            registry: registration.registry.clone(),
            own,
            params: params.clone(),
            kept: sources.kept(&registration.registry),
            around: around.clone(),
            leaving,
        };
        Self {
            registration,
            params: params.clone(),
            leave,
            task: task::spawn_local("registration", told.run()),
        }
    }

    pub(super) fn is(&self, registration: &Registration, params: &Params) -> bool {
        self.registration == *registration && self.params == *params
    }

    /// Takes our place away, as far as that can be done in a moment.
    pub(super) async fn end(self) {
        const MOMENT: Duration = Duration::from_secs(4);
        self.leave.send_replace(true);
        // A registry that does not answer forgets us by itself.
        drop(tokio::time::timeout(MOMENT, self.task).await);
    }
}

struct Telling {
    registry: Registry,
    own: Own,
    params: Params,
    kept: Arc<Kept>,
    around: Around,
    leaving: watch::Receiver<bool>,
}

impl Telling {
    async fn run(self) {
        while !self.leaves() {
            if !self.serves() {
                sleep(LOOK).await;
                continue;
            }
            let mut tell = |told| self.kept.take(told);
            let gone = self.gone();
            match &self.registry {
                Registry::Etcd(prefix) => {
                    let (own, params) = (&self.own, &self.params.etcd);
                    let telling = etcd::register(prefix, own, params, gone, &mut tell);
                    Box::pin(telling).await;
                }
                Registry::Consul(name) => {
                    consul::register(name, &self.own, &self.params.consul, gone, &mut tell).await;
                }
            }
        }
    }

    fn leaves(&self) -> bool {
        *self.leaving.borrow()
    }

    fn serves(&self) -> bool {
        self.around.ready.is_ready() && !self.around.drain.is_draining()
    }

    /// Waits until nobody should find us any more.
    async fn gone(&self) {
        let mut last = Instant::now();
        while !self.leaves() && !self.around.drain.is_draining() && last.elapsed() < FLICKER {
            if self.around.ready.is_ready() {
                last = Instant::now();
            }
            sleep(LOOK).await;
        }
    }
}
