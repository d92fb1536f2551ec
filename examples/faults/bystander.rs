//! The well-behaved client beside every fault: 200 calls a second over a few connections, half of
//! them REST over HTTP/1.1 and half gRPC over HTTP/2, on a thread of its own. A call that is late
//! keeps no other from being sent. It does what every client library does: a connection that was
//! closed while it rested, or that says GOAWAY, is replaced; nothing else is tried twice.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::app::lock;
use crate::app::messages::Ask;
use crate::client::grpc::Grpc;
use crate::client::http1::Http1;

/// The `id` of its calls.
pub(crate) const BYSTANDER: &str = "bystander";
/// Between two calls.
const EVERY: Duration = Duration::from_millis(5);
/// Connections of HTTP/1.1, as a client's pool has them.
const CONNECTIONS: usize = 8;
/// How long a call may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What it may be spoken to by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fronts {
    /// REST and gRPC in turns.
    Both,
    /// gRPC alone, for gateways that speak nothing else.
    GrpcOnly,
}

/// It runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Bystander {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<SocketAddr>,
    fronts: Fronts,
    over: AtomicBool,
    running: AtomicUsize,
    calls: Mutex<Vec<Sample>>,
    rest: Mutex<VecDeque<Http1>>,
    places: tokio::sync::Semaphore,
    grpc: tokio::sync::Mutex<Option<Grpc>>,
}

#[derive(Clone, Debug)]
struct Sample {
    begun: Instant,
    took: Duration,
    error: Option<String>,
}

/// What it saw in a while.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) calls: usize,
    pub(crate) errors: usize,
    pub(crate) p99: Duration,
    pub(crate) first_error: Option<String>,
}

impl Bystander {
    pub(crate) fn start(target: SocketAddr, fronts: Fronts) -> Self {
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            fronts,
            over: AtomicBool::new(false),
            running: AtomicUsize::new(0),
            calls: Mutex::default(),
            rest: Mutex::default(),
            places: tokio::sync::Semaphore::new(CONNECTIONS),
            grpc: tokio::sync::Mutex::default(),
        });
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || run(&shared))
        };
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// It makes no more calls.
    pub(crate) fn stop(&self) {
        self.shared.over.store(true, Ordering::SeqCst);
    }

    /// What it has seen between two moments, once every call that began then has ended.
    pub(crate) async fn between(&self, from: Instant, to: Instant) -> Figures {
        let until = Instant::now() + PATIENCE;
        while self.shared.running.load(Ordering::SeqCst) > 0 && Instant::now() < until {
            let latest = lock(&self.shared.calls)
                .iter()
                .map(|sample| sample.begun)
                .max();
            // All calls are late alike when something is stuck; a few round trips are enough else.
            if latest.is_some_and(|latest| latest > to + Duration::from_millis(300)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let calls: Vec<Sample> = lock(&self.shared.calls)
            .iter()
            .filter(|sample| (from..to).contains(&sample.begun))
            .cloned()
            .collect();
        Figures::of(&calls)
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Figures {
    fn of(calls: &[Sample]) -> Self {
        let mut times: Vec<Duration> = calls.iter().map(|sample| sample.took).collect();
        times.sort_unstable();
        let p99 = times.get((times.len() * 99 / 100).min(times.len().saturating_sub(1)));
        let errors = calls.iter().filter_map(|sample| sample.error.as_ref());
        Self {
            calls: calls.len(),
            errors: errors.clone().count(),
            p99: p99.copied().unwrap_or_default(),
            first_error: errors.into_iter().next().cloned(),
        }
    }

    /// Whether its latency stays what it was before.
    pub(crate) fn is_as_quick_as(&self, before: &Self) -> bool {
        self.p99 <= (before.p99 * 2).max(before.p99 + Duration::from_millis(20))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p99 = self.p99.as_secs_f64() * 1e3;
        write!(
            f,
            "{} of {} failed, p99 {p99:.1} ms",
            self.errors, self.calls
        )?;
        match &self.first_error {
            Some(error) => write!(f, " ({error})"),
            None => Ok(()),
        }
    }
}

fn run(shared: &Arc<Shared>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        return;
    };
    runtime.block_on(async {
        if shared.fronts == Fronts::Both {
            let target = *lock(&shared.target);
            for _ in 0..CONNECTIONS {
                // One that cannot be opened now is opened when it is needed.
                if let Ok(connection) = Http1::connect(target).await {
                    lock(&shared.rest).push_back(connection);
                }
            }
        }
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut number = 0_usize;
        while !shared.over.load(Ordering::SeqCst) {
            ticks.tick().await;
            number += 1;
            let shared = Arc::clone(shared);
            shared.running.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let begun = Instant::now();
                let rest = shared.fronts == Fronts::Both && number.is_multiple_of(2);
                let called = tokio::time::timeout(PATIENCE, call(&shared, rest)).await;
                let error = match called {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(error.to_string().replace(['\r', '\n', '|'], " ")),
                    Err(_) => Some(format!("no answer in {PATIENCE:?}")),
                };
                let sample = Sample {
                    begun,
                    took: begun.elapsed(),
                    error,
                };
                lock(&shared.calls).push(sample);
                shared.running.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
}

async fn call(shared: &Shared, rest: bool) -> crate::Result<()> {
    let target = *lock(&shared.target);
    if rest {
        return call_rest(shared, target).await;
    }
    for _ in 0..3 {
        let grpc = {
            let mut kept = shared.grpc.lock().await;
            match &*kept {
                Some(grpc) if grpc.is_usable() && grpc.target() == target => grpc.clone(),
                _ => {
                    let grpc = Grpc::connect(target).await?;
                    *kept = Some(grpc.clone());
                    grpc
                }
            }
        };
        let ask = Ask {
            id: BYSTANDER.to_owned(),
            ..Ask::default()
        };
        let ended = grpc.unary("Get", &ask, &[]).await;
        if ended.never_ran {
            // What surely was not looked at is sent again by every library.
            grpc.give_up();
            continue;
        }
        return match ended.status.as_deref() {
            Some("0") => Ok(()),
            _ => Err(format!("gRPC: {ended:?}").into()),
        };
    }
    Err("gRPC: refused three times".into())
}

async fn call_rest(shared: &Shared, target: SocketAddr) -> crate::Result<()> {
    const GET: &[u8] = b"GET /v1/get/bystander HTTP/1.1\r\nhost: a\r\n\r\n";
    let _place = shared.places.acquire().await?;
    loop {
        let kept = lock(&shared.rest)
            .pop_front()
            .filter(|kept| kept.target() == target);
        let reused = kept.is_some();
        let mut connection = match kept {
            Some(connection) => connection,
            None => Http1::connect(target).await?,
        };
        let answer = match connection.exchange(GET).await {
            Ok(answer) => answer,
            Err(_) if reused && connection.is_untouched() => continue,
            Err(error) => return Err(format!("REST: {error}").into()),
        };
        if answer.status != 200 {
            return Err(format!("REST: {answer:?}").into());
        }
        if !answer.closes {
            lock(&shared.rest).push_back(connection);
        }
        return Ok(());
    }
}
