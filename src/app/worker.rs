//! What every worker is made of: its front door, stack and connections, made anew when settings
//! change. Calls that run go on with what they began with.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;

use super::{patience, stack};
use crate::call::record::Sink;
use crate::config::Config;
use crate::layer::{builtin, guard};
use crate::life::drain::Drain;
use crate::life::ready::Ready;
use crate::life::task::{self, TaskSet};
use crate::live::Live;
use crate::protocol::{self, FrontDoor};
use crate::schema::Schema;
use crate::serve::{Handler, MakeHandler};
use crate::telemetry::Telemetry;
use crate::telemetry::clock::Clock;
use crate::upstream::{All, Latest};

/// What workers share.
pub(super) struct Shared {
    pub(super) live: Arc<Live<Schema>>,
    pub(super) own: Arc<Schema>,
    pub(super) ready: Ready,
    pub(super) drain: Drain,
    pub(super) telemetry: Telemetry,
    /// What became of callers.
    pub(super) callers: Arc<guard::Counts>,
    /// The configuration that is in effect.
    pub(super) config: watch::Receiver<Arc<Config>>,
}

/// One worker's own.
struct Worker {
    shared: Arc<Shared>,
    sink: Arc<dyn Sink>,
    /// What answers now.
    handler: RefCell<Handler>,
    upstreams: Latest,
    /// Connections that are no longer used, until their last call is over.
    retired: TaskSet,
}

/// How a worker makes its own handler.
pub(super) fn make_handler(shared: Shared) -> MakeHandler {
    let shared = Arc::new(shared);
    Arc::new(move || -> Handler {
        let mut settings = shared.config.clone();
        let config = Arc::clone(&settings.borrow_and_update());
        let worker = Rc::new(Worker::new(&shared, &config));
        let current = Rc::clone(&worker);
        // Kept with the handler, and ended with it.
        let following = task::spawn_local("settings", async move {
            while settings.changed().await.is_ok() {
                let config = Arc::clone(&settings.borrow_and_update());
                worker.adopt(&config);
            }
        });
        Rc::new(move |peer, request| {
            let _kept = &following;
            (current.handler.borrow())(peer, request)
        })
    })
}

impl Worker {
    fn new(shared: &Arc<Shared>, config: &Config) -> Self {
        let all = All::new(&config.upstream, &config.more_upstreams);
        let upstreams = Latest::new(RefCell::new(all));
        let sink = shared.telemetry.sink();
        Self {
            shared: Arc::clone(shared),
            handler: RefCell::new(handler(shared, config, &upstreams, &sink)),
            sink,
            upstreams,
            retired: TaskSet::new(),
        }
    }

    /// Serves what comes from now on by other settings.
    fn adopt(&self, config: &Config) {
        let mut all = self.upstreams.borrow_mut();
        let retired = all.follow(&config.upstream, &config.more_upstreams);
        drop(all);
        let handler = handler(&self.shared, config, &self.upstreams, &self.sink);
        drop(self.handler.replace(handler));
        for old in retired {
            self.retired.spawn_local("old connections", old.finished());
        }
    }
}

fn handler(shared: &Shared, config: &Config, upstreams: &Latest, sink: &Arc<dyn Sink>) -> Handler {
    let builtin = builtin::Params {
        ready: shared.ready.clone(),
        own: Arc::clone(&shared.own),
    };
    let guard = config.policies.guard().then(|| guard::Params {
        auth: Arc::clone(&config.auth),
        wall: Clock::system().wall,
        counts: Arc::clone(&shared.callers),
    });
    let gate = stack::gate(guard.clone());
    let counts = config.loads.any() || config.memory.is_some();
    let loads = counts.then(|| Arc::clone(&config.loads));
    let door = FrontDoor::new(
        protocol::Params {
            gate,
            ..protocol_params(shared, config)
        },
        Arc::clone(&shared.live),
        stack::stack(upstreams, builtin, shared.drain.clone(), guard, loads),
        Arc::clone(sink),
    )
    .with_fallback(config.fallback.clone().map(stack::fallback));
    let handler = Rc::new(move |peer, request| door.handle(peer, request));
    patience::patient(handler, Arc::clone(&shared.live), config.upstream.patience)
}

fn protocol_params(shared: &Shared, config: &Config) -> protocol::Params {
    let trusted = config.trusted_proxies.clone();
    protocol::Params {
        trusted_proxies: protocol::forwarded::TrustedProxies::new(move |address| {
            trusted.iter().any(|network| network.contains(address))
        }),
        own: Arc::clone(&shared.own),
        drain: shared.drain.clone(),
        reason_header: true,
        cors: protocol::cors::Cors::new(&config.cors).map(Arc::new),
        gate: protocol::gate::Gate::CLOSED,
    }
}
