//! One HTTP/2 connection to the application: how full it is, whether it is still good, and the
//! task that drives it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::Ping;
use h2::client::{self, SendRequest};
use tokio::time::Instant;

use super::Params;
use super::connect::{Connected, Link, Socket, Traffic};
use super::http2;
use super::keep_alive::{KeepAlive, watch};
use super::state::ConnectionState;

/// Resets that a connection may send within [`RESET_WINDOW`] before it takes no new streams:
/// servers close a connection that resets much faster, and with it the calls of others.
const RESETS_UNTIL_RETIRED: u32 = 100;
const RESET_WINDOW: Duration = Duration::from_secs(30);

/// A connection as the pool and its leases see it.
pub(super) struct Connection {
    speaker: Speaker,
    shared: Rc<Shared>,
    resets: Cell<(Instant, u32)>,
    retired: Cell<bool>,
    expires: Instant,
    living: Living,
}

/// What calls hand their requests to: one or the other, by the kind of the pool's group.
pub(super) enum Speaker {
    Unary(http2::Client),
    Streams(RefCell<SendRequest<Bytes>>),
}

/// Counts the connections of a pool, those too that take no new streams any more.
#[derive(Clone)]
pub(super) struct Living(Rc<Cell<usize>>);

/// What the driving task sees as well.
pub(super) struct Shared {
    pub(super) state: Arc<ConnectionState>,
    pub(super) busy_since: Cell<Instant>,
    dead: Cell<bool>,
    pub(super) traffic: Rc<Traffic>,
}

impl Connection {
    /// The connection, and the future that has to be run for it.
    pub(super) fn new(
        made: Connected,
        params: &Params,
        living: &Living,
        state: Arc<ConnectionState>,
    ) -> (Rc<Self>, impl Future<Output = ()> + use<>) {
        let now = Instant::now();
        let shared = Rc::new(Shared {
            state,
            busy_since: Cell::new(now),
            dead: Cell::new(false),
            traffic: made.traffic,
        });
        let (speaker, driving) = match made.link {
            Link::Unary(client, driver) => (
                Speaker::Unary(client.clone()),
                Driving::Unary(client, driver),
            ),
            Link::Streams(send, connection) => (
                Speaker::Streams(RefCell::new(send)),
                Driving::Streams(connection),
            ),
        };
        let connection = Rc::new(Self {
            speaker,
            shared: Rc::clone(&shared),
            resets: Cell::new((now, 0)),
            retired: Cell::new(false),
            expires: now + params.max_age.mul_f64(jitter()),
            living: living.one_more(),
        });
        let keep_alive = KeepAlive {
            after: params.ping_after,
            patience: params.ping_timeout,
            again: params.ping_again,
        };
        (connection, drive(driving, shared, keep_alive))
    }

    /// What calls hand their requests to.
    pub(super) fn speaker(&self) -> &Speaker {
        &self.speaker
    }

    /// Whether new streams may be opened.
    pub(super) fn is_open(&self) -> bool {
        if self.shared.dead.get() || self.retired.get() {
            return false;
        }
        if !self.speaker.is_open() || Instant::now() >= self.expires {
            self.retire();
        }
        !self.retired.get()
    }

    /// How many streams are open.
    pub(super) fn active(&self) -> usize {
        self.shared.state.active()
    }

    fn retire(&self) {
        self.retired.set(true);
        self.shared.state.close();
    }

    /// How many streams the application takes.
    pub(super) fn limit(&self) -> usize {
        match &self.speaker {
            Speaker::Unary(client) => client.max_streams(),
            Speaker::Streams(send) => send.borrow().current_max_send_streams(),
        }
    }

    /// A stream begins.
    pub(super) fn begin(&self) {
        let active = self.active();
        if active == 0 {
            self.shared.busy_since.set(Instant::now());
        }
        self.shared.state.set_active(active + 1);
    }

    /// A stream is over.
    pub(super) fn end(&self) {
        let active = self.active();
        self.shared.state.set_active(active.saturating_sub(1));
    }

    /// A stream was reset by us.
    pub(super) fn count_reset(&self, params: &Params) {
        let now = Instant::now();
        let (since, count) = self.resets.get();
        let fresh = now.duration_since(since) > RESET_WINDOW;
        let (since, count) = if fresh { (now, 1) } else { (since, count + 1) };
        self.resets.set((since, count));
        // Streams may keep retired connections for long; there must not be more and more.
        let few = self.living.0.get() < params.max_connections * 4;
        if count >= RESETS_UNTIL_RETIRED && few {
            self.retire();
        }
    }
}

impl Speaker {
    fn is_open(&self) -> bool {
        match self {
            Self::Unary(client) => client.is_open(),
            Self::Streams(send) => {
                let mut context = Context::from_waker(Waker::noop());
                let ready = send.borrow_mut().poll_ready(&mut context);
                !matches!(ready, Poll::Ready(Err(_)))
            }
        }
    }
}

impl Living {
    pub(super) fn none() -> Self {
        Self(Rc::default())
    }

    pub(super) fn any(&self) -> bool {
        self.0.get() > 0
    }

    fn one_more(&self) -> Self {
        self.0.set(self.0.get() + 1);
        self.clone()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Speaker::Unary(client) = &self.speaker {
            client.leave();
        }
        let living = &self.living.0;
        living.set(living.get().saturating_sub(1));
    }
}

/// Between 0.8 and 1.2, so that connections made together do not end together.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let random = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or(0);
    0.8 + 0.4 * f64::from(random) / f64::from(u32::MAX)
}

/// What a connection's task runs.
enum Driving {
    Unary(http2::Client, http2::Driver<Socket>),
    Streams(Box<client::Connection<Socket, Bytes>>),
}

/// Runs the connection until it ends or stops answering.
async fn drive(driving: Driving, shared: Rc<Shared>, keep_alive: KeepAlive) {
    let closing = Closing(Rc::clone(&shared));
    match driving {
        Driving::Unary(client, driver) => {
            let ask = async || {
                client.ping();
                std::future::pending::<()>().await;
            };
            until_silent(driver, watch(ask, &shared, &keep_alive)).await;
        }
        Driving::Streams(mut connection) => {
            let mut ping_pong = connection.ping_pong();
            let ask = async || match &mut ping_pong {
                Some(ping_pong) => drop(ping_pong.ping(Ping::opaque()).await),
                None => std::future::pending().await,
            };
            until_silent(connection, watch(ask, &shared, &keep_alive)).await;
        }
    }
    drop(closing);
}

async fn until_silent<E: std::fmt::Display>(
    connection: impl Future<Output = Result<(), E>>,
    watching: impl Future<Output = ()>,
) {
    tokio::select! {
        result = connection => {
            if let Err(error) = result {
                tracing::debug!(%error, "a connection to the app ended");
            }
        }
        () = watching => {
            tracing::debug!("a connection to the app does not answer and is given up");
        }
    }
}

/// However driving ends, nobody may use the connection after it.
struct Closing(Rc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.dead.set(true);
        self.0.state.close();
    }
}
