//! The connections of one worker to one endpoint: which one a call takes, and when another is made.
//!
//! Calls that may last long have connections of their own, and so have those that stream to the
//! application: many streams must never leave a unary call without a place. Connecting is shared:
//! however many calls wait, one attempt is made, and when it fails all of them are told at once.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, Scheme};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use super::attempts::Unanswered;
use super::connection::{Connection, Living};
use super::endpoint::Endpoint;
use super::state::PoolState;
use super::{Params, Target, connect, fault};
use crate::call::Fault;
use crate::life::ready::{Condition, Ready};
use crate::life::task::TaskSet;

/// Which connections a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// One message each way.
    Unary,
    /// One message to the application, and an answer that may last.
    Answers,
    /// Anything that may last.
    Streams,
}

impl Lane {
    /// Its name, as it is shown.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::Answers => "answers",
            Self::Streams => "streams",
        }
    }
}

/// The connections of one worker to one endpoint.
pub(super) struct Pool {
    /// For tasks of the pool, which must not keep it.
    myself: Weak<Self>,
    pub(super) params: Params,
    pub(super) authority: Authority,
    pub(super) scheme: Scheme,
    /// What the log calls the endpoint.
    pub(super) name: Arc<str>,
    /// Calls that have a place.
    in_flight: Cell<usize>,
    unary: Group,
    answers: Group,
    streams: Group,
    /// Counts connections that were made.
    made: watch::Sender<u64>,
    /// A connection has ended.
    lost: Notify,
    living: Living,
    /// What can be seen from outside.
    state: Arc<PoolState>,
    tasks: TaskSet,
    /// Calls that were given up before they were answered; see [`Pool::abandon`].
    abandoned: RefCell<VecDeque<(Instant, Unanswered)>>,
    reaping: Cell<bool>,
}

#[derive(Default)]
struct Group {
    connections: RefCell<Vec<Rc<Connection>>>,
    connecting: Cell<bool>,
    failure: RefCell<Failure>,
    waiting: Cell<usize>,
    changed: Notify,
}

/// How connecting fared last.
#[derive(Default)]
struct Failure {
    /// Counts failed attempts, so that whoever waits sees that his has failed.
    count: u64,
    in_a_row: u32,
    cause: String,
    retry_at: Option<Instant>,
}

/// A place for one stream on a connection.
pub(super) struct Lease {
    pub(super) connection: Rc<Connection>,
    /// Kept, because an endpoint may be gone from the list before its last call is.
    pool: Rc<Pool>,
    lane: Lane,
}

impl Pool {
    /// None yet. `made` counts those that are made, of all endpoints.
    pub(super) fn new(params: &Params, endpoint: &Endpoint, made: watch::Sender<u64>) -> Rc<Self> {
        let target = endpoint.target().clone();
        let given = params.authority.clone();
        Rc::new_cyclic(|myself| Self {
            myself: Weak::clone(myself),
            scheme: match target {
                Target::Tls { .. } => Scheme::HTTPS,
                Target::Tcp { .. } | Target::Unix(_) => Scheme::HTTP,
            },
            state: params.states.pool(),
            authority: given.unwrap_or_else(|| target.authority()),
            name: Arc::clone(endpoint.name()),
            params: Params {
                target,
                ..params.clone()
            },
            in_flight: Cell::new(0),
            unary: Group::default(),
            answers: Group::default(),
            streams: Group::default(),
            made,
            lost: Notify::new(),
            living: Living::none(),
            tasks: TaskSet::new(),
            abandoned: RefCell::default(),
            reaping: Cell::new(false),
        })
    }

    /// How many calls have a place now.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Whether there is a connection that takes calls.
    pub(super) fn is_connected(&self) -> bool {
        [&self.unary, &self.answers, &self.streams]
            .into_iter()
            .any(|group| group.connections.borrow().iter().any(|one| one.is_open()))
    }

    /// A place on a connection; made if there is none, waited for if all are full. `patience` is
    /// for an application that is not there.
    pub(super) async fn acquire(&self, lane: Lane, patience: Duration) -> Result<Lease, Fault> {
        let group = self.group(lane);
        let began = Instant::now();
        let patient_until = began + patience;
        let give_up = patient_until.max(began + self.params.connect_timeout);
        let mut failures_before = group.failure.borrow().count;
        loop {
            let changed = group.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(lease) = self.pick(lane) {
                return Ok(lease);
            }
            if group.failure.borrow().count != failures_before || group.is_backing_off() {
                if Instant::now() >= patient_until {
                    return Err(fault::unreachable(&group.failure.borrow().cause));
                }
                failures_before = group.failure.borrow().count;
            }
            if group.waiting.get() >= self.params.max_waiting {
                return Err(fault::busy());
            }
            self.grow(lane);
            let waiting = Waiting::new(&group.waiting);
            let retry_at = group
                .failure
                .borrow()
                .retry_at
                .filter(|_| group.is_backing_off());
            let until = retry_at.map_or(give_up, |at| at.min(give_up));
            let in_time = timeout_at(until, changed).await;
            drop(waiting);
            if in_time.is_err() && Instant::now() >= give_up {
                return Err(if group.connections.borrow().is_empty() {
                    fault::unreachable("no connection was made in time")
                } else {
                    fault::busy()
                });
            }
        }
    }

    /// Closes the connections that nobody uses.
    pub(super) fn close_idle(&self) {
        for group in [&self.unary, &self.answers, &self.streams] {
            let mut connections = group.connections.borrow_mut();
            connections.retain(|connection| connection.active() > 0);
        }
    }

    /// Whether there are connections, those too that take no new calls any more.
    pub(super) fn has_connections(&self) -> bool {
        self.living.any()
    }

    fn group(&self, lane: Lane) -> &Group {
        match lane {
            Lane::Unary => &self.unary,
            Lane::Answers => &self.answers,
            Lane::Streams => &self.streams,
        }
    }

    /// The first connection that has room, so that few are used and writes share system calls;
    /// when all are well used, the least used one.
    fn pick(&self, lane: Lane) -> Option<Lease> {
        let group = self.group(lane);
        let enough = self.params.streams_per_connection;
        let chosen = loop {
            let chosen = group.choose(enough)?;
            if chosen.is_open() {
                break chosen;
            }
            // Only the chosen one is asked: asking takes a lock.
            let mut connections = group.connections.borrow_mut();
            connections.retain(|one| !Rc::ptr_eq(one, &chosen));
        };
        let count = group.connections.borrow().len();
        if chosen.active() >= enough && count < self.params.max_connections {
            self.grow(lane);
        }
        let pool = self.myself.upgrade()?;
        chosen.begin();
        self.in_flight.set(self.in_flight.get() + 1);
        Some(Lease {
            connection: chosen,
            pool,
            lane,
        })
    }

    /// Makes one more connection unless one is being made or there are enough.
    fn grow(&self, lane: Lane) {
        let group = self.group(lane);
        let enough = group.connections.borrow().len() >= self.params.max_connections;
        if enough || group.is_too_soon() || group.connecting.replace(true) {
            return;
        }
        let pool = Weak::clone(&self.myself);
        let params = self.params.clone();
        self.tasks.spawn_local("connect to the app", async move {
            let made = connect::connect(&params, lane).await;
            if let Some(pool) = pool.upgrade() {
                pool.connected(lane, made);
            }
        });
    }

    fn connected(&self, lane: Lane, made: Result<connect::Connected, String>) {
        let group = self.group(lane);
        group.connecting.set(false);
        match made {
            Ok(made) => {
                let state = self.state.made(lane);
                let (connection, drive) = Connection::new(made, &self.params, &self.living, state);
                let drive = Box::pin(drive);
                group.connections.borrow_mut().push(connection);
                let mut failure = group.failure.borrow_mut();
                failure.in_a_row = 0;
                failure.retry_at = None;
                drop(failure);
                let pool = Weak::clone(&self.myself);
                self.tasks.spawn_local("connection to the app", async move {
                    drive.await;
                    if let Some(pool) = pool.upgrade() {
                        pool.lost.notify_waiters();
                    }
                });
                self.made.send_modify(|count| *count += 1);
            }
            Err(cause) => {
                tracing::debug!(%cause, "connecting to the app failed");
                self.state.failed(&cause);
                let mut failure = group.failure.borrow_mut();
                let pause = self.params.backoff_min * 2_u32.pow(failure.in_a_row.min(8));
                failure.count += 1;
                failure.in_a_row += 1;
                failure.retry_at = Some(Instant::now() + pause.min(self.params.backoff_max));
                failure.cause = cause;
            }
        }
        group.changed.notify_waiters();
    }

    /// Ends a call that was given up before it was answered.
    ///
    /// Servers count streams that are reset before they got to them, and close the connection
    /// when there are many at once, as when a client with many calls goes away. So a young call
    /// is kept until the server has got to it, and then few are reset at a time; a short one
    /// ends by itself meanwhile.
    pub(super) fn abandon(&self, sent: Instant, call: Unanswered) {
        // So old a call has been seen, even if this thread or the application stood still.
        const SURELY_SEEN: Duration = Duration::from_secs(1);
        if sent.elapsed() >= SURELY_SEEN {
            return;
        }
        let due = Instant::now() + self.params.reset_age;
        self.abandoned.borrow_mut().push_back((due, call));
        if self.reaping.replace(true) {
            return;
        }
        let pool = Weak::clone(&self.myself);
        self.tasks.spawn_local("reset abandoned calls", async move {
            while let Some(at) = pool.upgrade().and_then(|pool| pool.reap()) {
                tokio::time::sleep_until(at).await;
            }
        });
    }

    /// Resets some abandoned calls; says when to come again, if any are left.
    fn reap(&self) -> Option<Instant> {
        const AT_A_TIME: usize = 8;
        let now = Instant::now();
        let mut due = Vec::new();
        let next = {
            let mut abandoned = self.abandoned.borrow_mut();
            while due.len() < AT_A_TIME
                && let Some((at, _)) = abandoned.front()
                && *at <= now
            {
                due.extend(abandoned.pop_front());
            }
            abandoned.front().map(|(at, _)| *at)
        };
        drop(due);
        let pause = Duration::from_millis(1);
        let Some(at) = next else {
            self.reaping.set(false);
            return None;
        };
        Some(at.max(now + pause))
    }
}

/// Sees to it that there is a connection, and says so while there is one.
#[allow(
    clippy::infinite_loop,
    reason = "it ends with its task, which somebody owns"
)]
pub(super) async fn keep_connected(pool: Rc<Pool>, ready: Ready) {
    const LOOK_AGAIN: Duration = Duration::from_millis(500);
    let mut held = None;
    loop {
        let lost = pool.lost.notified();
        let connected =
            pool.is_connected() || pool.acquire(Lane::Unary, Duration::ZERO).await.is_ok();
        if !connected {
            held = None;
            tokio::time::sleep(pool.params.backoff_max).await;
            continue;
        }
        if held.is_none() {
            held = Some(ready.hold(Condition::App));
        }
        // A connection may also stop taking calls without ending: so look again all the same.
        drop(tokio::time::timeout(LOOK_AGAIN, lost).await);
    }
}

// === impl Group ===

impl Group {
    fn choose(&self, enough: usize) -> Option<Rc<Connection>> {
        let connections = self.connections.borrow();
        let has_room = |one: &&Rc<Connection>| one.active() < one.limit();
        let well_used = connections
            .iter()
            .find(|one| one.active() < enough && has_room(one));
        let least_used = || {
            let with_room = connections.iter().filter(has_room);
            with_room.min_by_key(|one| one.active())
        };
        well_used.or_else(least_used).cloned()
    }

    /// Whether there is no connection and it is too soon to try again.
    fn is_backing_off(&self) -> bool {
        self.is_too_soon() && self.connections.borrow().is_empty()
    }

    fn is_too_soon(&self) -> bool {
        let retry_at = self.failure.borrow().retry_at;
        retry_at.is_some_and(|at| Instant::now() < at)
    }
}

// === impl Lease ===

impl Lease {
    /// The stream was reset by us.
    pub(super) fn count_reset(&self) {
        self.connection.count_reset(&self.pool.params);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.connection.end();
        let in_flight = &self.pool.in_flight;
        in_flight.set(in_flight.get().saturating_sub(1));
        let group = self.pool.group(self.lane);
        if group.waiting.get() > 0 {
            group.changed.notify_one();
        }
    }
}

/// Counts a call that waits for a place.
struct Waiting<'a>(&'a Cell<usize>);

impl<'a> Waiting<'a> {
    fn new(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
