//! Discovery: a thread that follows those who know where applications are.
//!
//! It tells the endpoints of an upstream and nothing else; what was found last holds for as long
//! as nobody says otherwise. Files have no task here: the keeper watches them with all others, and
//! [`part`] takes them up.

mod files;
mod seen;

use std::io;
use std::sync::{Arc, mpsc as blocking};
use std::thread::{self, JoinHandle};

use tokio::sync::{oneshot, watch};

use crate::config::Config;
use crate::discover::dns::{self, Wanted};
use crate::discover::{Found, Params, Place, Source, Update};
use crate::life::task::{self, Task};
use crate::upstream::{Endpoints, Target};

pub use files::check;
pub(super) use files::{part, read};
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
) -> io::Result<Discovering> {
    let (stop, stopped) = oneshot::channel();
    let (started, starting) = blocking::sync_channel(1);
    let thread = thread::Builder::new()
        .name(String::from("sidegate-discovery"))
        .spawn(move || match task::local_runtime() {
            Ok(runtime) => {
                drop(started.send(Ok(())));
                runtime.block_on(async {
                    tokio::select! {
                        // An error means that the starter is gone.
                        _stopped = stopped => {}
                        () = run(config, sources) => {}
                    }
                });
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

async fn run(mut config: watch::Receiver<Arc<Config>>, sources: Sources) {
    let mut running: Vec<(Followed, Task<()>)> = Vec::new();
    loop {
        let current = Arc::clone(&config.borrow_and_update());
        let wanted = wanted(&current);
        sources.keep(&current.discovery.sources);
        running.retain(|(followed, _)| wanted.iter().any(|one| one.is_same(followed)));
        for one in wanted {
            if !running.iter().any(|(followed, _)| one.is_same(followed)) {
                let seen = sources.of(&one.upstream, &one.source);
                let task = task::spawn_local("discovery", follow(one.clone(), seen));
                running.push((one, task));
            }
        }
        if config.changed().await.is_err() {
            return;
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
    let wanted = match source {
        Source::Dns { host, port } => Wanted::Addresses { host, port },
        Source::Srv(name) => Wanted::Services(name),
        Source::File(_) => return,
    };
    dns::follow(wanted, params.dns, &mut tell).await;
}

/// Takes up what a source says.
fn take(update: Update, endpoints: &Endpoints, seen: &Seen) {
    match update {
        Update::Found(found) => {
            let changed = endpoints.set(targets(&found));
            seen.found(found.len(), changed);
        }
        Update::Failed(why) => seen.failed(why),
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
