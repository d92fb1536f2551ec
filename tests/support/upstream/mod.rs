//! [`Upstream`]: a gRPC application that does exactly what a script says.
//!
//! It speaks HTTP/2 through the bare `h2` crate, so that it can misbehave in every way a script
//! asks for. One upstream serves any number of tests at once: a call names its script by its
//! `x-case` metadata. It runs on a thread and a runtime of its own.

mod misbehave;
pub(crate) mod play;
mod script;

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Request};
use tokio::net::TcpStream;
use tokio::sync::watch;

pub(crate) use misbehave::FirstConnection;
pub(crate) use play::contains;
pub(crate) use script::{Script, Step};

/// A scripted application on a port of its own.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    stages: Arc<Stages>,
}

type Stages = Mutex<HashMap<String, Arc<Stage>>>;

/// One script, what it saw and what the client saw meanwhile.
pub(crate) struct Stage {
    script: Script,
    next_call: AtomicUsize,
    seen: watch::Sender<Vec<Seen>>,
    /// The body bytes that the client has received so far.
    pub(crate) client: watch::Sender<Vec<u8>>,
}

/// One call as the application saw it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) authority: Option<String>,
    pub(crate) metadata: HeaderMap,
    /// Messages without their frames.
    pub(crate) messages: Vec<Bytes>,
    /// The client half-closed.
    pub(crate) ended: bool,
    /// The stream was reset, or the connection went away.
    pub(crate) cancelled: bool,
    /// What could not be read or did not happen as the script says.
    pub(crate) complaints: Vec<String>,
    /// Bytes that went out before a flood came to a halt.
    pub(crate) flooded: usize,
}

impl Upstream {
    /// Starts on a free port of the loopback interface.
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0", FirstConnection::Serve)
    }

    /// Starts on an address; the first connection may be treated badly.
    pub(crate) fn start_at(address: &str, first: FirstConnection) -> Self {
        let listener = TcpListener::bind(address).expect("an address to listen on");
        listener
            .set_nonblocking(true)
            .expect("a non-blocking listener");
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        let stages = Arc::new(Stages::default());
        if first == FirstConnection::Absent {
            return Self { address, stages };
        }
        let served = Arc::clone(&stages);
        std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(accept(listener, first, served));
        });
        Self { address, stages }
    }

    /// Puts a script on stage under the name that its calls carry as `x-case`.
    pub(crate) fn stage(&self, case: &str, script: Script) -> Arc<Stage> {
        let stage = Arc::new(Stage::new(script));
        let old = self.lock().insert(case.to_owned(), Arc::clone(&stage));
        assert!(old.is_none(), "two tests are called {case}");
        stage
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Stage>>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stage {
    /// A stage that no call has come to.
    pub(crate) fn new(script: Script) -> Self {
        Self {
            script,
            next_call: AtomicUsize::new(0),
            seen: watch::Sender::new(Vec::new()),
            client: watch::Sender::new(Vec::new()),
        }
    }

    /// Every call so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    /// Waits until what was seen satisfies `done`; false when patience ends first.
    pub(crate) async fn wait_for(&self, mut done: impl FnMut(&[Seen]) -> bool) -> bool {
        let mut seen = self.seen.subscribe();
        let found = seen.wait_for(|seen| done(seen));
        tokio::time::timeout(super::patience(), found).await.is_ok()
    }

    fn begin(&self, head: &http::request::Parts) -> usize {
        let seen = Seen {
            path: head.uri.path().to_owned(),
            authority: head.uri.authority().map(ToString::to_string),
            metadata: head.headers.clone(),
            ..Seen::default()
        };
        self.seen.send_modify(|all| all.push(seen));
        self.next_call.fetch_add(1, Ordering::SeqCst)
    }

    fn note(&self, call: usize, change: impl FnOnce(&mut Seen)) {
        self.seen.send_modify(|all| change(&mut all[call]));
    }
}

async fn accept(listener: TcpListener, first: FirstConnection, stages: Arc<Stages>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a tokio listener");
    let mut first = Some(first);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let stages = Arc::clone(&stages);
        let first = first.take().unwrap_or(FirstConnection::Serve);
        tokio::spawn(async move {
            if let Some(stream) = misbehave::greet(first, stream).await {
                connection(stream, stages).await;
            }
        });
    }
}

async fn connection(stream: TcpStream, stages: Arc<Stages>) {
    let handshake = h2::server::Builder::new()
        .max_header_list_size(1 << 20)
        .initial_window_size(1 << 20)
        .initial_connection_window_size(64 << 20)
        .handshake::<_, Bytes>(stream);
    let Ok(mut connection) = handshake.await else {
        return;
    };
    let (go_away, mut told_to_go) = tokio::sync::mpsc::channel::<h2::Reason>(1);
    loop {
        tokio::select! {
            reason = told_to_go.recv() => {
                connection.abrupt_shutdown(reason.unwrap_or(h2::Reason::NO_ERROR));
            }
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    let stage = find(&stages, &request);
                    tokio::spawn(play::call(stage, request, respond, go_away.clone()));
                }
                Some(Err(_)) | None => return,
            },
        }
    }
}

fn find(stages: &Stages, request: &Request<h2::RecvStream>) -> Option<Arc<Stage>> {
    let case = request.headers().get("x-case")?.to_str().ok()?;
    let stages = stages.lock().unwrap_or_else(PoisonError::into_inner);
    stages.get(case).cloned()
}
