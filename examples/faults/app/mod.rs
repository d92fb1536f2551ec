//! The application behind the gateway: it does with every call what the call says, and counts what
//! reaches it. It is never spared: its HTTP/2 server has the limits that the library comes with.

mod act;
pub(crate) mod messages;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server;
use http::HeaderMap;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::Result;

/// How calls fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Good,
    /// UNAVAILABLE at once.
    Failing,
    /// RESOURCE_EXHAUSTED after a millisecond.
    Exhausted,
    /// Answers after so long.
    Slow(Duration),
}

/// An application that listens until it is dropped.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    runtime: Option<Runtime>,
}

/// What is seen of the application, and told to it.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Connections that were accepted.
    pub(crate) connections: AtomicUsize,
    /// Calls but a bystander's.
    pub(crate) calls: AtomicUsize,
    /// Calls that were given up by the gateway.
    pub(crate) cancelled: AtomicUsize,
    /// Bytes of messages that were handed to the transport.
    pub(crate) sent: AtomicU64,
    /// Bytes of messages that came.
    pub(crate) received: AtomicU64,
    /// When the last call was given up.
    pub(crate) cancelled_at: Mutex<Option<Instant>>,
    /// What came with the last call but a bystander's, its path as `:path`.
    pub(crate) metadata: Mutex<HeaderMap>,
    pub(crate) mood: Mutex<Mood>,
    /// Whether the bystander's calls fare so too.
    pub(crate) spares_nobody: AtomicBool,
    /// Connections end after resting so long.
    pub(crate) rest: Mutex<Option<Duration>>,
    /// Changed to send GOAWAY on every connection.
    goaway: watch::Sender<usize>,
}

impl App {
    /// Listens on a free port of the loopback.
    pub(crate) fn start() -> Result<Self> {
        Self::on("127.0.0.1:0".parse()?)
    }

    /// Listens at an address, which an application before may have had.
    pub(crate) fn on(address: SocketAddr) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM,
            None,
        )?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(1024)?;
        let seen = Arc::new(Seen::new());
        let entered = runtime.enter();
        let listener = TcpListener::from_std(socket.into())?;
        drop(entered);
        let address = listener.local_addr()?;
        runtime.spawn(accept(listener, Arc::clone(&seen)));
        Ok(Self {
            address,
            seen,
            runtime: Some(runtime),
        })
    }

    /// Closes every socket in the middle of everything.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Seen {
    fn new() -> Self {
        Self {
            connections: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            cancelled: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            cancelled_at: Mutex::default(),
            metadata: Mutex::default(),
            mood: Mutex::default(),
            spares_nobody: AtomicBool::new(false),
            rest: Mutex::default(),
            goaway: watch::Sender::new(0),
        }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn cancelled(&self) -> usize {
        self.cancelled.load(Ordering::SeqCst)
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How all calls but a bystander's fare from now on.
    pub(crate) fn set_mood(&self, mood: Mood) {
        *lock(&self.mood) = mood;
    }

    /// How all calls fare from now on.
    pub(crate) fn set_mood_for_all(&self, mood: Mood) {
        self.spares_nobody.store(true, Ordering::SeqCst);
        self.set_mood(mood);
    }

    /// Counts from now on.
    pub(crate) fn forget(&self) {
        self.calls.store(0, Ordering::SeqCst);
    }

    /// GOAWAY on every connection; what runs is served.
    pub(crate) fn goaway(&self) {
        self.goaway.send_modify(|count| *count += 1);
    }

    fn cancel(&self) {
        *lock(&self.cancelled_at) = Some(Instant::now());
        self.cancelled.fetch_add(1, Ordering::SeqCst);
    }
}

/// What a lock holds; a test that panicked does not matter here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, seen: Arc<Seen>) {
    loop {
        if let Ok((socket, _)) = listener.accept().await {
            seen.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(socket, Arc::clone(&seen)));
        }
    }
}

async fn serve(socket: TcpStream, seen: Arc<Seen>) {
    // What is lost by it is speed.
    drop(socket.set_nodelay(true));
    let Ok(mut connection) = server::Builder::new()
        .initial_window_size(1 << 20)
        .initial_connection_window_size(8 << 20)
        .max_concurrent_streams(1000)
        .handshake::<_, Bytes>(socket)
        .await
    else {
        return;
    };
    let mut goaway = seen.goaway.subscribe();
    let (dying, mut died) = watch::channel(false);
    loop {
        let rest = lock(&seen.rest).unwrap_or(Duration::from_secs(3600));
        tokio::select! {
            call = connection.accept() => {
                let Some(Ok((request, respond))) = call else { return };
                tokio::spawn(act::serve(request, respond, Arc::clone(&seen), dying.clone()));
            }
            _ = goaway.changed() => connection.graceful_shutdown(),
            _ = died.changed() => return,
            () = tokio::time::sleep(rest) => connection.graceful_shutdown(),
        }
    }
}
