//! [`Workers`]: the threads that connections live on, each with a runtime of its own.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::connection::{self, Context};
use super::stats::{Open, Stats};
use super::{MakeHandler, Params, http1};
use crate::life::drain::Drain;
use crate::life::task::{self, TaskSet};
use crate::live::Live;

/// Connections that may wait for a worker to take them.
const QUEUE: usize = 256;

/// The threads of the data path. Dropping them ends every connection; see [`Workers::stop`].
pub struct Workers {
    workers: Vec<Worker>,
    stats: Arc<Stats>,
    params: Arc<Live<Params>>,
    drain: Drain,
    stopping: watch::Sender<bool>,
}

struct Worker {
    queue: Option<mpsc::Sender<(Accepted, Load)>>,
    load: Arc<AtomicUsize>,
    ended: oneshot::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

/// A connection on its way to a worker.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) stream: std::net::TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) open: Open,
}

/// One more connection on a worker, until it is dropped.
struct Load(Arc<AtomicUsize>);

/// What a worker's thread starts with.
struct Start {
    params: Arc<Live<Params>>,
    drain: Drain,
    make: MakeHandler,
    stats: Arc<Stats>,
    queue: mpsc::Receiver<(Accepted, Load)>,
    stopping: watch::Receiver<bool>,
}

impl Workers {
    /// Starts `count` workers (at least one), each with a handler of its own.
    pub fn start(
        count: usize,
        params: &Params,
        drain: &Drain,
        make: &MakeHandler,
    ) -> io::Result<Self> {
        let params = Arc::new(Live::new(params.clone()));
        Self::start_with(count, &params, drain, make)
    }

    /// The same with limits that may change: every connection keeps those that it began with.
    pub fn start_with(
        count: usize,
        params: &Arc<Live<Params>>,
        drain: &Drain,
        make: &MakeHandler,
    ) -> io::Result<Self> {
        let stats = Arc::<Stats>::default();
        let stopping = watch::Sender::new(false);
        let mut workers = Vec::new();
        for number in 0..count.max(1) {
            let (sender, queue) = mpsc::channel(QUEUE);
            let load = Arc::<AtomicUsize>::default();
            let start = Start {
                params: Arc::clone(params),
                drain: drain.clone(),
                make: Arc::clone(make),
                stats: Arc::clone(&stats),
                queue,
                stopping: stopping.subscribe(),
            };
            workers.push(Worker::start(number, start, sender, load)?);
        }
        Ok(Self {
            workers,
            stats,
            params: Arc::clone(params),
            drain: drain.clone(),
            stopping,
        })
    }

    /// Counters of all workers.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    pub(super) fn max_connections(&self) -> usize {
        self.params.peek().max_connections
    }

    /// Hands a connection to the worker with the fewest; waits when all are overrun.
    pub(super) async fn hand_on(&self, accepted: Accepted) {
        let least = self
            .workers
            .iter()
            .min_by_key(|worker| worker.load.load(Ordering::Relaxed));
        let Some(worker) = least else {
            return;
        };
        let Some(queue) = &worker.queue else {
            return;
        };
        let load = Load::new(&worker.load);
        if queue.send((accepted, load)).await.is_err() {
            tracing::error!("a worker is gone, and a connection with it");
        }
    }

    /// Time for a first request that is on its way, and for the last bytes of an answer.
    pub const MOMENT: Duration = Duration::from_secs(1);

    /// The same as [`Self::stop_after`], with a moment of silence.
    pub async fn stop(self, patience: Duration) -> bool {
        self.stop_after(patience, Self::MOMENT).await
    }

    /// Takes no more connections and waits for what is in flight, but not longer than `patience`:
    /// then every call is ended with a status (fault 42), and at last every connection. Those that
    /// have not said anything, and those that are closed but for the client's side, are not waited
    /// for longer than for `silence`. `true` when nothing had to be cut off.
    pub async fn stop_after(mut self, patience: Duration, silence: Duration) -> bool {
        /// Time for the statuses to reach clients that read.
        const LAST_WORDS: Duration = Duration::from_secs(2);
        for worker in &mut self.workers {
            worker.queue = None;
        }
        let stopping = self.stopping.clone();
        let drain = self.drain.clone();
        let mut all = pin!(async {
            for worker in &mut self.workers {
                // An error means that the thread has ended too.
                drop((&mut worker.ended).await);
            }
        });
        let mut gone = false;
        let mut done = async |patience| {
            let calm = async {
                tokio::select! {
                    () = &mut all => gone = true,
                    () = calm(&drain, silence) => {}
                }
            };
            tokio::time::timeout(patience, calm).await.is_ok()
        };
        let ended = done(patience).await;
        if !ended {
            drain.end();
            // What is left after this cannot be told.
            let _told: bool = done(LAST_WORDS).await;
        }
        stopping.send_replace(true);
        if !gone {
            all.await;
        }
        ended
    }
}

/// Waits until nothing has been in flight for a while.
async fn calm(drain: &Drain, silence: Duration) {
    loop {
        // As long as it takes: the caller has the deadline.
        while drain.finished(Duration::MAX).await.is_err() {}
        tokio::time::sleep(silence).await;
        if drain.count() == 0 {
            return;
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
        for worker in &mut self.workers {
            worker.queue = None;
            if let Some(thread) = worker.thread.take()
                && thread.join().is_err()
            {
                tracing::error!("a worker panicked");
            }
        }
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("count", &self.workers.len())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

// === impl Worker ===

impl Worker {
    fn start(
        number: usize,
        start: Start,
        queue: mpsc::Sender<(Accepted, Load)>,
        load: Arc<AtomicUsize>,
    ) -> io::Result<Self> {
        let (sender, ended) = oneshot::channel();
        let (started, starting) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || {
                let runtime = match task::local_runtime() {
                    Ok(runtime) => runtime,
                    Err(error) => {
                        // The starter waits for exactly one word.
                        drop(started.send(Err(error)));
                        return;
                    }
                };
                drop(started.send(Ok(())));
                runtime.block_on(work(start));
                drop(runtime);
                if sender.send(()).is_err() {
                    tracing::trace!("nobody waits for this worker");
                }
            })?;
        match starting.recv() {
            Ok(Ok(())) => Ok(Self {
                queue: Some(queue),
                load,
                ended,
                thread: Some(thread),
            }),
            Ok(Err(error)) => Err(error),
            Err(_gone) => Err(io::Error::other("a worker did not start")),
        }
    }
}

/// Serves what comes until nothing can come any more and all is done, or until it must stop.
async fn work(mut start: Start) {
    let mut context = Rc::new(Context {
        params: start.params.load(),
        handler: (start.make)(),
        drain: start.drain,
        stats: start.stats,
        spare: http1::Spare::default(),
        dates: http1::Dates::default(),
    });
    let connections = TaskSet::new();
    let serving = async {
        while let Some((accepted, load)) = start.queue.recv().await {
            if !Arc::ptr_eq(&context.params, &start.params.peek()) {
                context = Rc::new(context.with(start.params.load()));
            }
            let context = Rc::clone(&context);
            connections.spawn_local("connection", async move {
                connection::serve(context, accepted).await;
                drop(load);
            });
        }
        std::future::poll_fn(|waker| connections.poll_empty(waker)).await;
    };
    tokio::select! {
        () = serving => {}
        // The sender lives in `Workers`; if it is gone, so is the reason to go on.
        _ = start.stopping.wait_for(|stop| *stop) => {}
    }
}

// === impl Load ===

impl Load {
    fn new(load: &Arc<AtomicUsize>) -> Self {
        load.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(load))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
