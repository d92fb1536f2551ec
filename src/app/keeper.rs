//! The keeper: a thread that keeps the gateway what its files and its application say.
//!
//! It watches over the app, asks it for its schema, and takes up changes of files. Compiling may
//! take a while, so that nothing else lives here: connections are accepted by another thread.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, mpsc as blocking};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep};

use super::apps::{self, App, Others};
use super::reload::{
    Attempt, History, Look, Outcome, Part, Prepared, Request, Watcher, between, blank,
};
use super::schemas::{Next, Schemas};
use super::{discovery, keys, memory, signal};
use crate::config::changes::{Change, changes};
use crate::config::{self, Config};
use crate::life::ready::Ready;
use crate::life::task::{self, Task};
use crate::live::Live;
use crate::schema::problem::{Problem, Severity};
use crate::serve;
use crate::telemetry::clock::Clock;
use crate::tls;

/// As many changes are told in the log.
const CHANGES_TOLD: usize = 50;

/// What the thread starts with.
pub(super) struct Keeper {
    /// The configuration that the process began with.
    pub(super) begun: Arc<Config>,
    /// The one that is in effect; workers follow it.
    pub(super) config: watch::Sender<Arc<Config>>,
    pub(super) serve: Arc<Live<serve::Params>>,
    pub(super) tls: Option<Arc<tls::Server>>,
    pub(super) schemas: Schemas,
    pub(super) parts: Vec<Part>,
    pub(super) history: History,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) ready: Ready,
    /// What the files looked like before they were read.
    pub(super) fingerprint: u64,
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Keeping {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread works with.
struct Work {
    begun: Arc<Config>,
    config: watch::Sender<Arc<Config>>,
    serve: Arc<Live<serve::Params>>,
    tls: Option<Arc<tls::Server>>,
    schemas: Rc<RefCell<Schemas>>,
    parts: Vec<Part>,
    history: History,
    ready: Ready,
    app: App,
    /// Watches over apps that were replaced, for a moment.
    retired: Option<Task<()>>,
    /// The watch over the other upstreams.
    others: Others,
}

/// A new state, as far as it was tried.
#[derive(Default)]
struct Tried {
    outcome: Option<Outcome>,
    changes: Vec<String>,
    waiting: Vec<String>,
    problems: Vec<Problem>,
}

/// The limits of connections from clients, and what they are secured with.
pub(super) fn serve_params(config: &Config, tls: Option<&Arc<tls::Server>>) -> serve::Params {
    serve::Params {
        tls: tls.cloned(),
        ..config.serve.clone()
    }
}

impl Keeper {
    /// Starts the thread.
    pub(super) fn start(self) -> io::Result<Keeping> {
        let (stop, stopped) = oneshot::channel();
        let (started, starting) = blocking::sync_channel(1);
        let thread = thread::Builder::new()
            .name(String::from("sidegate-keeper"))
            .spawn(move || match task::local_runtime() {
                Ok(runtime) => {
                    drop(started.send(Ok(())));
                    runtime.block_on(self.run(stopped));
                }
                // The starter waits for exactly one word.
                Err(error) => drop(started.send(Err(error))),
            })?;
        match starting.recv() {
            Ok(Ok(())) => Ok(Keeping {
                stop: Some(stop),
                thread: Some(thread),
            }),
            Ok(Err(error)) => Err(error),
            Err(blocking::RecvError) => Err(io::Error::other("the keeper is gone")),
        }
    }

    async fn run(self, mut stopped: oneshot::Receiver<()>) {
        let schemas = Rc::new(RefCell::new(self.schemas));
        let mut requests = self.requests;
        let mut work = Work {
            app: App::start(&self.begun, &schemas, &self.ready),
            begun: self.begun,
            config: self.config,
            serve: self.serve,
            tls: self.tls,
            schemas,
            parts: self.parts,
            history: self.history,
            ready: self.ready,
            retired: None,
            others: Others::default(),
        };
        work.others.follow(&work.begun);
        let _memory = task::spawn_local("memory", memory::watch(work.config.subscribe()));
        let _keys = task::spawn_local("keys", keys::follow(work.config.subscribe()));
        let mut hangups = signal::hangups();
        let mut watcher = Watcher::new();
        // What changed while everything started is a change too.
        let mut look = watcher.watch(&work.begun.paths()) != self.fingerprint;
        let mut paths = work.paths();
        let mut seen = watcher.watch(&paths);
        loop {
            let request = if look {
                None
            } else {
                tokio::select! {
                    _ = &mut stopped => return,
                    Some(request) = requests.recv() => Some(request),
                    () = hangups.next() => Some(Request::nobodys("SIGHUP")),
                    () = watcher.changed() => None,
                }
            };
            let now = watcher.watch(&paths);
            if request.is_none() && !look && now == seen {
                continue;
            }
            let trigger = request.as_ref().map_or("files", |request| request.trigger);
            let attempt = work.reload(trigger, look);
            if let Some(Request { answer, .. }) = request {
                // Whoever asked may have gone.
                let _told = answer.send(attempt.view());
            }
            let next = work.paths();
            // Files that were not watched may have changed since they were read.
            look = next != paths;
            (paths, seen) = (next, now);
        }
    }
}

impl Work {
    /// All files that matter now.
    fn paths(&self) -> Vec<PathBuf> {
        let config = Arc::clone(&self.config.borrow());
        let mut paths = config.paths();
        paths.extend(self.schemas.borrow().paths().iter().cloned());
        for part in &self.parts {
            paths.extend((part.paths)(&config));
        }
        paths
    }

    /// Tries, tells and remembers.
    fn reload(&mut self, trigger: &'static str, again: bool) -> Attempt {
        let (at, began) = ((Clock::system().wall)(), Instant::now());
        let tried = self.steady_attempt();
        let outcome = tried.outcome.unwrap_or(Outcome::Refused);
        let mut attempt = Attempt {
            number: 0,
            at,
            took: began.elapsed(),
            trigger,
            outcome,
            changes: tried.changes,
            waiting: tried.waiting,
            problems: tried.problems,
        };
        // A second look at what was just read is worth no word when there is nothing new.
        if !again || outcome != Outcome::Unchanged {
            tell(&attempt);
            self.history.add(&mut attempt);
        }
        attempt
    }

    /// Tries until nothing was written meanwhile.
    fn steady_attempt(&mut self) -> Tried {
        const MOST: usize = 5;
        for _ in 0..MOST {
            if let Some(tried) = self.attempt() {
                return tried;
            }
        }
        Tried {
            problems: vec![Look::restless()],
            ..Tried::default()
        }
    }

    /// `None` when files were written while they were read, and nothing has come of it.
    fn attempt(&mut self) -> Option<Tried> {
        let look = Look::at(self.paths());
        let mut tried = Tried::default();
        let current = Arc::clone(&self.config.borrow());
        let (config, problems) = config::load(&current.input);
        tried.problems = problems;
        let Some(mut config) = config else {
            return look.holds().then_some(tried);
        };
        let shown = |change: &Change| change.to_string();
        let waits = |change: &Change| change.waits_for_restart();
        let waiting = changes(&self.begun.tree, &config.tree);
        tried.waiting = waiting.iter().filter(|one| waits(one)).map(shown).collect();
        config.keep_fixed(&self.begun);
        config.inherit(&current);
        let settings = changes(&current.tree, &config.tree);
        let settings = settings.iter().filter(|one| !waits(one)).map(shown);
        let settings: Vec<String> = settings.collect();
        if let Some(problem) = blank(&config.file).filter(|_| !settings.is_empty()) {
            tried.problems.push(problem);
            return look.holds().then_some(tried);
        }
        if let Err(found) = apps::keep(&mut config, &current, &settings) {
            tried.problems.extend(found);
            return look.holds().then_some(tried);
        }
        discovery::carry_over(&current, &config);
        let config = Arc::new(config);

        let next = self.schemas.borrow().prepare(&config);
        let next = next.map_err(|found| tried.problems.extend(found)).ok();
        let mut prepared = Vec::new();
        for part in &self.parts {
            match (part.prepare)(&current, &config) {
                Ok(ready) => prepared.push(ready),
                Err(found) => tried.problems.extend(found),
            }
        }
        let Some(next) = next.filter(|_| prepared.len() == self.parts.len()) else {
            return look.holds().then_some(tried);
        };
        if !look.holds() {
            return None;
        }
        tried.changes.clone_from(&settings);
        self.commit(&mut tried, &current, &config, (next, prepared));
        if !settings.is_empty() {
            let serve = serve_params(&config, self.tls.as_ref());
            self.serve.publish(serve);
        }
        // Last, because whoever sees it may rely on all the rest.
        self.config.send_replace(config);
        let is_new = !tried.changes.is_empty() || tried.waiting != self.history.waiting();
        tried.outcome = Some(if is_new {
            Outcome::Applied
        } else {
            Outcome::Unchanged
        });
        Some(tried)
    }

    fn commit(
        &mut self,
        tried: &mut Tried,
        current: &Config,
        config: &Arc<Config>,
        (next, prepared): (Next, Vec<Prepared>),
    ) {
        let adopted = self.schemas.borrow_mut().adopt(next);
        if let Some((before, problems)) = adopted {
            let live = self.schemas.borrow().live().load();
            tried.changes.extend(between(&before, &live));
            tried.problems.extend(problems);
        }
        for part in prepared {
            tried.changes.extend(part.changes);
            tried.problems.extend(part.warnings);
            (part.commit)();
        }
        let asks = |config: &Config| {
            let sources = &config.sources;
            (sources.reflection, sources.reflection_interval)
        };
        if !Arc::ptr_eq(&current.upstream.states, &config.upstream.states) {
            let app = App::start(config, &self.schemas, &self.ready);
            let old = std::mem::replace(&mut self.app, app).into_watch();
            self.retired = Some(task::spawn_local("the app before", async move {
                // The new one has as much time to be reached before readiness ends.
                const MOMENT: Duration = Duration::from_secs(1);
                sleep(MOMENT).await;
                drop(old);
            }));
        } else if asks(current) != asks(config) {
            self.app.ask(config, &self.schemas, &self.ready);
        }
        self.others.follow(config);
    }
}

impl Request {
    fn nobodys(trigger: &'static str) -> Self {
        let (answer, _nobody) = oneshot::channel();
        Self { trigger, answer }
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the keeper panicked");
        }
    }
}

/// What became of an attempt, in the log.
fn tell(attempt: &Attempt) {
    let trigger = attempt.trigger;
    for problem in &attempt.problems {
        match problem.severity {
            Severity::Error => tracing::error!("{problem}"),
            Severity::Warning => tracing::warn!("{problem}"),
        }
    }
    let took_ms = u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX);
    match attempt.outcome {
        Outcome::Refused => {
            tracing::error!(
                trigger,
                "the change is not taken up; what was served before is"
            );
            return;
        }
        Outcome::Unchanged => {
            tracing::info!(trigger, took_ms, "looked at all files; nothing has changed");
            return;
        }
        Outcome::Applied => tracing::info!(
            trigger,
            took_ms,
            changes = attempt.changes.len(),
            "what has changed is in effect"
        ),
    }
    for change in attempt.changes.iter().take(CHANGES_TOLD) {
        tracing::info!(change, "changed");
    }
    if let Some(more) = attempt.changes.len().checked_sub(CHANGES_TOLD) {
        tracing::info!(more, "changed as well");
    }
    for setting in &attempt.waiting {
        tracing::warn!(setting, "this waits for a restart");
    }
}
