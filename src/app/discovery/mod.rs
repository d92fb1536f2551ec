//! Discovery: a thread that follows those who know where applications are, and tells registries
//! where we are.
//!
//! It tells the endpoints of an upstream and nothing else; what was found last holds for as long
//! as nobody says otherwise. Files have no task here: the keeper watches them with all others, and
//! [`part`] takes them up.

mod files;
mod kept;
mod register;
mod seen;

use std::io;
use std::sync::{Arc, mpsc as blocking};
use std::thread::{self, JoinHandle};

use tokio::sync::{oneshot, watch};

use crate::config::Config;
use crate::discover::dns::{self, Wanted};
use crate::discover::{Found, Params, Place, Source, Update, consul, etcd};
use crate::life::task::{self, Task};
use crate::upstream::{Endpoints, Target};

pub use files::check;
pub(super) use files::{part, read};
pub(super) use register::Around;
use register::Registered;
pub(super) use seen::{Seen, Sources};

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Discovering {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// One source, and whom it is followed for.
#[derive(Clone)]
struct Followed {
    upstream: String,
    source: Source,
    params: Params,
    endpoints: Arc<Endpoints>,
}

/// The endpoints of an upstream, by its name.
fn endpoints<'c>(config: &'c Config, upstream: &str) -> Option<&'c Arc<Endpoints>> {
    let mut all = config.upstreams();
    let found = all.find(|one| *one.name == *upstream)?;
    Some(&found.endpoints)
}

/// An upstream that is found anew begins with the places where it was.
pub(super) fn carry_over(before: &Config, after: &Config) {
    for (upstream, _) in &after.discovery.sources {
        let old = endpoints(before, upstream);
        if let Some((old, new)) = old.zip(endpoints(after, upstream)) {
            let places = old.load();
            new.set(places.iter().map(|one| one.target().clone()).collect());
        }
    }
}

/// Starts the thread, which follows what the configuration in effect says.
pub(super) fn start(
    config: watch::Receiver<Arc<Config>>,
    sources: Sources,
    around: Around,
) -> io::Result<Discovering> {
    let (stop, stopped) = oneshot::channel();
    let (started, starting) = blocking::sync_channel(1);
    let thread = thread::Builder::new()
        .name(String::from("sidegate-discovery"))
        .spawn(move || match task::local_runtime() {
            Ok(runtime) => {
                drop(started.send(Ok(())));
                let running = Running {
                    sources,
                    around,
                    followed: Vec::new(),
                    registered: Vec::new(),
                };
                runtime.block_on(running.run(config, stopped));
            }
            // The starter waits for exactly one word.
            Err(error) => drop(started.send(Err(error))),
        })?;
    match starting.recv() {
        Ok(Ok(())) => Ok(Discovering {
            stop: Some(stop),
            thread: Some(thread),
        }),
        Ok(Err(error)) => Err(error),
        Err(blocking::RecvError) => Err(io::Error::other("the thread of discovery is gone")),
    }
}

/// What the thread works with.
struct Running {
    sources: Sources,
    around: Around,
    followed: Vec<(Followed, Task<()>)>,
    registered: Vec<Registered>,
}

impl Running {
    async fn run(
        mut self,
        mut config: watch::Receiver<Arc<Config>>,
        mut stopped: oneshot::Receiver<()>,
    ) {
        loop {
            let current = Arc::clone(&config.borrow_and_update());
            self.follow(&current);
            self.register(&current).await;
            tokio::select! {
                // An error means that the starter is gone.
                _stopped = &mut stopped => break,
                changed = config.changed() => {
                    if changed.is_err() {
                        break;
                    }
                }
            }
        }
        for one in self.registered {
            one.end().await;
        }
    }

    fn follow(&mut self, config: &Config) {
        let wanted = wanted(config);
        self.sources.keep(&config.discovery.sources);
        self.followed
            .retain(|(followed, _)| wanted.iter().any(|one| one.is_same(followed)));
        for one in wanted {
            let mut followed = self.followed.iter();
            if !followed.any(|(followed, _)| one.is_same(followed)) {
                let seen = self.sources.of(&one.upstream, &one.source);
                let task = task::spawn_local("discovery", follow(one.clone(), seen));
                self.followed.push((one, task));
            }
        }
    }

    async fn register(&mut self, config: &Config) {
        let (all, params) = (&config.discovery.registrations, &config.discovery.params);
        let is_kept = |one: &Registered| all.iter().any(|wanted| one.is(wanted, params));
        let (kept, ended) = std::mem::take(&mut self.registered)
            .into_iter()
            .partition::<Vec<_>, _>(is_kept);
        self.registered = kept;
        for one in ended {
            one.end().await;
        }
        self.sources.keep_registries(all);
        for wanted in all {
            if !self.registered.iter().any(|one| one.is(wanted, params)) {
                let (around, sources) = (&self.around, &self.sources);
                let one = Registered::start(wanted.clone(), params, around, sources);
                self.registered.push(one);
            }
        }
    }
}

fn wanted(config: &Config) -> Vec<Followed> {
    let discovery = &config.discovery;
    let all = discovery.sources.iter().filter_map(|(upstream, source)| {
        Some(Followed {
            upstream: upstream.clone(),
            source: source.clone(),
            params: discovery.params.clone(),
            endpoints: Arc::clone(endpoints(config, upstream)?),
        })
    });
    all.filter(|one| !matches!(one.source, Source::File(_)))
        .collect()
}

impl Followed {
    fn is_same(&self, other: &Self) -> bool {
        self.upstream == other.upstream
            && self.source == other.source
            && self.params == other.params
            && Arc::ptr_eq(&self.endpoints, &other.endpoints)
    }
}

async fn follow(followed: Followed, seen: Arc<Seen>) {
    let Followed {
        source,
        params,
        endpoints,
        ..
    } = followed;
    let mut tell = |update| take(update, &endpoints, &seen);
    match source {
        Source::Dns { host, port } => {
            let wanted = Wanted::Addresses { host, port };
            dns::follow(wanted, params.dns, &mut tell).await;
        }
        Source::Srv(name) => dns::follow(Wanted::Services(name), params.dns, &mut tell).await,
        Source::Etcd(prefix) => etcd::follow(&prefix, &params.etcd, &mut tell).await,
        Source::Consul(service) => consul::follow(&service, &params.consul, &mut tell).await,
        Source::File(_) => {}
    }
}

/// Takes up what a source says.
fn take(update: Update, endpoints: &Endpoints, seen: &Seen) {
    match update {
        Update::Found(found) => {
            let changed = endpoints.set(targets(&found));
            seen.found(found.len(), changed);
        }
        Update::Failed(why) => seen.failed(&why),
    }
}

fn targets(found: &[Found]) -> Vec<Target> {
    let target = |found: &Found| match &found.place {
        Place::Tcp { host, port } => Target::Tcp {
            host: host.clone(),
            port: *port,
        },
        Place::Unix(path) => Target::Unix(path.clone()),
    };
    found.iter().map(target).collect()
}

impl Drop for Discovering {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("discovery panicked");
        }
    }
}
