//! The far side: connections to the application.
//!
//! Calls with one message to the application go through an HTTP/2 client of our own, which costs a
//! fraction; those that stream to it go through the `h2` crate itself. Either way every answer is
//! taken off the shared connection at once and waits in a bounded buffer of its own call. It
//! never knows which protocol the client spoke, and it never decides about deadlines or
//! retries other than the unseen one of a call that the application surely never saw (E6).
//!
//! ```no_run
//! use sidegate::upstream::{Params, Target, Upstreams};
//!
//! let params = Params::new(Target::parse("http://127.0.0.1:50051").unwrap());
//! // On a worker's runtime; the clone shares its connections.
//! let upstreams = Upstreams::new(params);
//! let service = upstreams.clone();
//! ```

mod answer;
mod attempts;
mod balance;
mod connect;
mod connection;
mod drained;
mod endpoint;
mod fault;
mod http2;
mod incoming;
mod keep_alive;
mod load;
mod outgoing;
pub mod plain;
mod pool;
mod request;
mod retry;
mod set;
mod state;
mod streams;
mod target;
mod unary;

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::Authority;
use tokio::sync::watch;

pub use endpoint::{Ejection, Endpoint, Endpoints};
#[doc(hidden)]
pub use http2::feed as feed_http2;
pub use load::Outliers;
pub use set::{All, Latest, Set};
pub use state::{Seen, SeenConnection, States};
pub use target::Target;

use crate::call::{Call, Fault, LocalFuture, Reply};
use crate::life::ready::Ready;
use crate::life::task::{self, Task};
use crate::schema::StreamKind;
use crate::tls;

/// What the connections to the application are made with.
#[derive(Clone, Debug)]
pub struct Params {
    /// What the configuration calls it.
    pub name: Arc<str>,
    /// Where the application listens, as the configuration names it.
    pub target: Target,
    /// Where it is really found; discovery may replace these at any time.
    pub endpoints: Arc<Endpoints>,
    /// The `:authority` of calls that bring none; `None` takes that of the endpoint.
    pub authority: Option<Authority>,
    /// When an endpoint is left out.
    pub outliers: Outliers,
    /// For how long.
    pub ejection: Ejection,
    /// How it is known, when the target is over TLS.
    pub tls: Option<Arc<tls::Client>>,
    /// How long connecting may take, and how long a call waits for a place on a connection.
    pub connect_timeout: Duration,
    /// How long sent bytes may stay without an answer of the far side's kernel.
    pub user_timeout: Duration,
    /// A waiting call asks whether the connection lives after this much silence.
    pub ping_after: Duration,
    /// How long the application may take to answer that.
    pub ping_timeout: Duration,
    /// The least time between two questions in one silence.
    pub ping_again: Duration,
    /// How long a call waits for an application that cannot be reached; zero for not at all.
    pub patience: Duration,
    /// What the application may send on a stream before the client has read it, in bytes.
    pub stream_window: u32,
    /// The same for all streams of a connection; much larger, or one client could stop all.
    pub connection_window: u32,
    /// The largest header block or trailers taken from the application, in bytes.
    pub max_header_list: u32,
    /// Another connection is made when each has this many streams.
    pub streams_per_connection: usize,
    /// The most connections of a worker: for unary calls, again for server streams, and again for
    /// all other streams.
    pub max_connections: usize,
    /// The most calls that wait for a place at the same time.
    pub max_waiting: usize,
    /// A connection takes no new calls when it is about this old.
    pub max_age: Duration,
    /// The pause after the first failed attempt to connect; it doubles with each further one.
    pub backoff_min: Duration,
    /// The longest pause between attempts to connect.
    pub backoff_max: Duration,
    /// A young call is reset so long after its client left.
    pub reset_age: Duration,
    /// What can be seen of the connections that are made with these.
    pub states: Arc<States>,
}

impl Params {
    /// The safe defaults.
    pub fn new(target: Target) -> Self {
        Self {
            name: Arc::from("app"),
            endpoints: Arc::new(Endpoints::new([target.clone()])),
            target,
            authority: None,
            outliers: Outliers::default(),
            ejection: Ejection {
                first: Duration::from_secs(1),
                longest: Duration::from_secs(30),
            },
            tls: None,
            connect_timeout: Duration::from_secs(5),
            user_timeout: Duration::from_secs(10),
            ping_after: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(5),
            ping_again: Duration::from_secs(300),
            patience: Duration::ZERO,
            stream_window: 64 << 10,
            connection_window: 64 << 20,
            max_header_list: 128 << 10,
            streams_per_connection: 100,
            max_connections: 64,
            max_waiting: 1024,
            max_age: Duration::from_secs(3600),
            backoff_min: Duration::from_millis(10),
            backoff_max: Duration::from_millis(250),
            reset_age: Duration::from_millis(25),
            states: Arc::default(),
        }
    }
}

/// One worker's connections to the application, as a service; clones share them.
#[derive(Clone)]
pub struct Upstreams {
    balance: Rc<balance::Balance>,
}

impl Upstreams {
    /// No connection yet; the first call makes one.
    pub fn new(params: Params) -> Self {
        Self {
            balance: balance::Balance::new(params),
        }
    }

    /// What the configuration calls them.
    pub fn name(&self) -> &str {
        &self.balance.params.name
    }

    /// Whether they were made with these.
    pub fn are_of(&self, params: &Params) -> bool {
        Arc::ptr_eq(&self.balance.params.states, &params.states)
    }

    /// The endpoints of this moment.
    pub fn endpoints(&self) -> Arc<Vec<Arc<Endpoint>>> {
        self.balance.params.endpoints.load()
    }

    /// The same connections, for calls to one endpoint alone; `None` when it is gone.
    pub fn only(&self, endpoint: &Arc<Endpoint>) -> Option<Self> {
        let balance = self.balance.only(endpoint)?;
        Some(Self { balance })
    }

    /// Counts connections that were made: a change says that the application may have been
    /// started anew.
    pub fn connected(&self) -> watch::Receiver<u64> {
        self.balance.made()
    }

    /// Waits until the last call on these connections is over. Idle ones are closed meanwhile, and
    /// nobody may begin anything new: other connections have taken their place.
    pub async fn finished(self) {
        const LOOK_AGAIN: Duration = Duration::from_millis(100);
        loop {
            // Whoever is about to take a connection holds them all, whoever has one counts.
            let used = self.balance.close_idle();
            if Rc::strong_count(&self.balance) == 1 && !used {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Whether there is a connection that takes new calls.
    pub fn is_connected(&self) -> bool {
        self.balance.is_connected()
    }

    /// Keeps a connection even when nobody calls, and says that the application is
    /// reached while there is one. It stops when the task is dropped.
    pub fn keep_connected(&self, ready: Ready) -> Task<()> {
        let balance = Rc::clone(&self.balance);
        task::spawn_local("watch the app", balance::keep_connected(balance, ready))
    }
}

impl tower::Service<Call> for Upstreams {
    type Response = Reply;
    type Error = Fault;
    type Future = LocalFuture<Result<Reply, Fault>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let balance = Rc::clone(&self.balance);
        match call.kind() {
            StreamKind::Unary | StreamKind::ServerStream => {
                Box::pin(unary::exchange(balance, call))
            }
            StreamKind::ClientStream | StreamKind::Bidi => {
                Box::pin(streams::exchange(balance, call))
            }
        }
    }
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstreams")
            .field("target", &self.balance.params.target)
            .finish_non_exhaustive()
    }
}
