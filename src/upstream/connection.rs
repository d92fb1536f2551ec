//! One HTTP/2 connection to the application: how full it is, whether it is still good, and the
//! task that drives it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{self, ResponseFuture, SendRequest};
use h2::{Ping, PingPong, SendStream};
use tokio::time::{Instant, timeout};

use super::Params;
use super::connect::{Connected, Socket, Traffic};

/// Resets that a connection may send within [`RESET_WINDOW`] before it takes no new streams:
/// servers close a connection that resets much faster, and with it the calls of others.
const RESETS_UNTIL_RETIRED: u32 = 100;
const RESET_WINDOW: Duration = Duration::from_secs(30);

/// A connection as the pool and its leases see it.
pub(super) struct Connection {
    send: RefCell<SendRequest<Bytes>>,
    shared: Rc<Shared>,
    resets: Cell<(Instant, u32)>,
    retired: Cell<bool>,
    expires: Instant,
    living: Living,
}

/// Counts the connections of a pool, those too that take no new streams any more.
#[derive(Clone)]
pub(super) struct Living(Rc<Cell<usize>>);

/// What the driving task sees as well.
struct Shared {
    active: Cell<usize>,
    busy_since: Cell<Instant>,
    dead: Cell<bool>,
    traffic: Rc<Traffic>,
}

impl Connection {
    /// The connection, and the future that has to be run for it.
    pub(super) fn new(
        made: Connected,
        params: &Params,
        living: &Living,
    ) -> (Rc<Self>, impl Future<Output = ()> + use<>) {
        let now = Instant::now();
        let shared = Rc::new(Shared {
            active: Cell::new(0),
            busy_since: Cell::new(now),
            dead: Cell::new(false),
            traffic: made.traffic,
        });
        let connection = Rc::new(Self {
            send: RefCell::new(made.send),
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
        (connection, drive(made.connection, shared, keep_alive))
    }

    /// Opens a stream.
    pub(super) fn open(
        &self,
        request: http::Request<()>,
        end: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        // A clone never waits for a place: the pool counts places itself.
        let mut send = self.send.borrow().clone();
        send.send_request(request, end)
    }

    /// Whether new streams may be opened.
    pub(super) fn is_open(&self) -> bool {
        if self.shared.dead.get() || self.retired.get() {
            return false;
        }
        let mut context = Context::from_waker(Waker::noop());
        let refuses = matches!(
            self.send.borrow_mut().poll_ready(&mut context),
            Poll::Ready(Err(_))
        );
        if refuses || Instant::now() >= self.expires {
            self.retired.set(true);
        }
        !self.retired.get()
    }

    /// How many streams are open.
    pub(super) fn active(&self) -> usize {
        self.shared.active.get()
    }

    /// How many streams the application takes.
    pub(super) fn limit(&self) -> usize {
        self.send.borrow().current_max_send_streams()
    }

    /// A stream begins.
    pub(super) fn begin(&self) {
        let active = self.shared.active.get();
        if active == 0 {
            self.shared.busy_since.set(Instant::now());
        }
        self.shared.active.set(active + 1);
    }

    /// A stream is over.
    pub(super) fn end(&self) {
        let active = self.shared.active.get();
        self.shared.active.set(active.saturating_sub(1));
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
            self.retired.set(true);
        }
    }
}

impl Living {
    pub(super) fn none() -> Self {
        Self(Rc::default())
    }

    fn one_more(&self) -> Self {
        self.0.set(self.0.get() + 1);
        self.clone()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
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

/// When a silent connection is asked whether it is alive.
struct KeepAlive {
    after: Duration,
    patience: Duration,
    again: Duration,
}

/// Runs the connection until it ends or stops answering.
async fn drive(
    connection: client::Connection<Socket, Bytes>,
    shared: Rc<Shared>,
    keep_alive: KeepAlive,
) {
    let mut connection = connection;
    let ping_pong = connection.ping_pong();
    let closing = Closing(Rc::clone(&shared));
    let ended = poll_fn(|context| Pin::new(&mut connection).poll(context));
    tokio::select! {
        result = ended => {
            if let Err(error) = result {
                tracing::debug!(%error, "a connection to the app ended");
            }
        }
        () = watch(ping_pong, &shared, &keep_alive) => {
            tracing::debug!("a connection to the app does not answer and is given up");
        }
    }
    drop(closing);
}

/// However driving ends, nobody may use the connection after it.
struct Closing(Rc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.dead.set(true);
    }
}

/// Ends when the far side does not answer a PING that was sent because a call waits in silence.
///
/// A second PING in the same silence waits long: servers take frequent ones for an attack.
async fn watch(ping_pong: Option<PingPong>, shared: &Shared, keep_alive: &KeepAlive) {
    /// A PONG on the wire, and a little for the window updates and acknowledgements around it.
    const PONG_BYTES: u64 = 64;
    let Some(mut ping_pong) = ping_pong else {
        return std::future::pending().await;
    };
    let traffic = &shared.traffic;
    let mut last_ping: Option<(Instant, u64)> = None;
    loop {
        let now = Instant::now();
        let quiet_since = traffic.last_read.get().max(shared.busy_since.get());
        let mut due = quiet_since + keep_alive.after;
        if let Some((sent, read_before)) = last_ping
            && traffic.bytes_read.get() <= read_before + PONG_BYTES
        {
            due = due.max(sent + keep_alive.again);
        }
        if shared.active.get() == 0 {
            due = due.max(now + keep_alive.after);
        }
        if now < due {
            tokio::time::sleep_until(due.min(now + keep_alive.after)).await;
            continue;
        }
        let read_before = traffic.bytes_read.get();
        last_ping = Some((now, read_before));
        let answered = timeout(keep_alive.patience, ping_pong.ping(Ping::opaque())).await;
        let silent = !matches!(answered, Ok(Ok(_))) && traffic.bytes_read.get() == read_before;
        if silent {
            return;
        }
    }
}
