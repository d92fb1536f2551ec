//! [`Balance`]: which endpoint a call goes to.
//!
//! Two are drawn and the one that costs less is taken (power of two choices): as good as looking
//! at all of them, and new endpoints are not overrun by everybody at once. An endpoint that fails
//! is put out for a while, and comes back with one call at a time; the last one never is.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::endpoint::{Endpoint, Endpoints};
use super::load::{Failures, Load, Outcome};
use super::pool::{self, Pool};
use super::retry::Budget;
use super::{Params, fault};
use crate::call::{Deadline, Fault};
use crate::life::ready::Ready;
use crate::life::task::TaskSet;

/// The endpoints of one worker and its connections to them.
pub(super) struct Balance {
    pub(super) params: Params,
    pub(super) budget: Budget,
    members: RefCell<Rc<[Rc<Member>]>>,
    /// Of the list that `members` was made of.
    version: Cell<u64>,
    random: Cell<u64>,
    /// Counts connections that were made.
    made: watch::Sender<u64>,
}

/// One endpoint, as one worker has it.
pub(super) struct Member {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) pool: Rc<Pool>,
    load: Load,
    failures: Failures,
}

/// A call that is with an endpoint; dropped without a word, its client or its deadline ended it.
pub(super) struct Flight<'a> {
    balance: &'a Balance,
    member: &'a Member,
    deadline: Deadline,
    /// `None` when there is nothing to choose, and so nothing to learn.
    since: Option<Instant>,
}

impl Balance {
    pub(super) fn new(params: Params) -> Rc<Self> {
        let balance = Self {
            budget: Budget::new(&params.states),
            members: RefCell::new(Rc::new([])),
            version: Cell::new(u64::MAX),
            random: Cell::new(RandomState::new().hash_one(0_u8) | 1),
            made: watch::Sender::new(0),
            params,
        };
        balance.members();
        Rc::new(balance)
    }

    /// The same connections to one endpoint alone; `None` when there is no such endpoint any more.
    pub(super) fn only(&self, endpoint: &Arc<Endpoint>) -> Option<Rc<Self>> {
        let members = self.members();
        let mut members = members.iter();
        let member = members.find(|member| Arc::ptr_eq(&member.endpoint, endpoint))?;
        let endpoints = Arc::new(Endpoints::only(endpoint));
        Some(Rc::new(Self {
            budget: Budget::new(&self.params.states),
            members: RefCell::new(Rc::new([Rc::clone(member)])),
            version: Cell::new(endpoints.version()),
            random: Cell::new(1),
            made: self.made.clone(),
            params: Params {
                endpoints,
                ..self.params.clone()
            },
        }))
    }

    /// Counts connections that were made.
    pub(super) fn made(&self) -> watch::Receiver<u64> {
        self.made.subscribe()
    }

    /// The endpoint for a call, another one than `tried` if there is one.
    pub(super) fn pick(&self, tried: Option<&Rc<Member>>) -> Result<Rc<Member>, Fault> {
        let members = self.members();
        match &*members {
            [] => Err(fault::unreachable("there is no endpoint")),
            [only] => Ok(Rc::clone(only)),
            _ => {
                let tried = tried.map(Rc::as_ptr);
                let first = self.draw(&members, tried, None);
                let second = self.draw(&members, tried, first);
                let chosen = first.zip(second).map(|(a, b)| cheaper(a, b)).or(first);
                chosen
                    .cloned()
                    .ok_or_else(|| fault::unreachable("there is no endpoint"))
            }
        }
    }

    /// A call begins at `member`.
    pub(super) fn begin<'a>(&'a self, member: &'a Member, deadline: Deadline) -> Flight<'a> {
        let alone = self.members.borrow().len() < 2;
        Flight {
            balance: self,
            member,
            deadline,
            since: (!alone).then(Instant::now),
        }
    }

    /// A number from 0 to 1, by chance.
    pub(super) fn random(&self) -> f64 {
        let parts = 1_u16 << 10;
        let part = u16::try_from(self.random_below(usize::from(parts))).unwrap_or(0);
        f64::from(part) / f64::from(parts)
    }

    /// Closes the connections that nobody uses; whether there are others.
    pub(super) fn close_idle(&self) -> bool {
        let members = Rc::clone(&self.members.borrow());
        members.iter().fold(false, |used, member| {
            member.pool.close_idle();
            used || member.pool.has_connections()
        })
    }

    /// Whether there is a connection that takes new calls.
    pub(super) fn is_connected(&self) -> bool {
        let members = self.members();
        members.iter().any(|member| member.pool.is_connected())
    }

    /// How many endpoints there are.
    pub(super) fn count(&self) -> usize {
        self.members.borrow().len()
    }

    /// The endpoints of this moment; connections to those that stay are kept.
    fn members(&self) -> Rc<[Rc<Member>]> {
        let version = self.params.endpoints.version();
        if self.version.get() != version {
            self.version.set(version);
            let before = Rc::clone(&self.members.borrow());
            let now = self.params.endpoints.load();
            let members = now.iter().map(|endpoint| {
                let known = before
                    .iter()
                    .find(|member| Arc::ptr_eq(&member.endpoint, endpoint));
                known.map_or_else(|| Rc::new(self.member(endpoint)), Rc::clone)
            });
            self.members.replace(members.collect());
        }
        Rc::clone(&self.members.borrow())
    }

    fn member(&self, endpoint: &Arc<Endpoint>) -> Member {
        Member {
            endpoint: Arc::clone(endpoint),
            pool: Pool::new(&self.params, endpoint, self.made.clone()),
            load: Load::new(),
            failures: Failures::new(),
        }
    }

    /// One that may be called, by chance; any if there is none.
    fn draw<'m>(
        &self,
        members: &'m [Rc<Member>],
        tried: Option<*const Member>,
        other: Option<&Rc<Member>>,
    ) -> Option<&'m Rc<Member>> {
        const TRIES: usize = 4;
        let fits = |member: &&Rc<Member>| {
            let seen = tried.is_some_and(|tried| std::ptr::eq(tried, Rc::as_ptr(member)));
            let same = other.is_some_and(|other| Rc::ptr_eq(other, member));
            !seen && !same && member.is_available()
        };
        for _ in 0..TRIES {
            let at = self.random_below(members.len());
            if let Some(member) = members.get(at).filter(fits) {
                return Some(member);
            }
        }
        // Nearly all are out: look at each, from a place by chance.
        let at = self.random_below(members.len());
        let (before, after) = members.split_at(at);
        let all = || after.iter().chain(before);
        all()
            .find(fits)
            .or_else(|| all().find(|member| member.is_available()))
            .or_else(|| all().find(|member| !member.endpoint.is_out()))
            .or_else(|| all().next())
    }

    /// xorshift64 (Marsaglia, 2003): chance enough to spread calls.
    fn random_below(&self, end: usize) -> usize {
        let mut random = self.random.get();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random.set(random);
        usize::try_from(random >> 33).unwrap_or(0) % end.max(1)
    }

    /// Learns from a call.
    fn learn(&self, member: &Member, latency: Duration, outcome: Outcome) {
        let now = Instant::now();
        if matches!(outcome, Outcome::Good | Outcome::Answered) && member.endpoint.readmit() {
            member.load.forget();
        }
        member.load.observe(latency, outcome, now);
        let on_probation = member.endpoint.is_on_probation();
        let failed = matches!(outcome, Outcome::Bad | Outcome::Unreachable);
        let too_many = member.failures.count(outcome, &self.params.outliers, now);
        if !(too_many || failed && on_probation) || !self.can_spare(member) {
            return;
        }
        member.failures.forget();
        if let Some(pause) = member.endpoint.put_out(self.params.ejection) {
            self.params.states.count_put_out();
            tracing::warn!(endpoint = %member.endpoint.name(), ?pause, "the endpoint fails and is left out");
        }
    }

    /// Whether there is another one that is not out.
    fn can_spare(&self, member: &Member) -> bool {
        self.members.borrow().iter().any(|other| {
            !Arc::ptr_eq(&other.endpoint, &member.endpoint) && !other.endpoint.is_out()
        })
    }
}

/// Which of two a call goes to.
fn cheaper<'m>(a: &'m Rc<Member>, b: &'m Rc<Member>) -> &'m Rc<Member> {
    // Whoever was out is tried as soon as he may be, or he would never come back.
    for one in [a, b] {
        if one.endpoint.is_on_probation() && one.is_available() {
            return one;
        }
    }
    let now = Instant::now();
    let cost = |member: &Member| member.load.cost(member.pool.in_flight(), now);
    if cost(b) < cost(a) { b } else { a }
}

impl Member {
    fn is_available(&self) -> bool {
        let endpoint = &self.endpoint;
        !endpoint.is_out() && (!endpoint.is_on_probation() || self.pool.in_flight() == 0)
    }
}

/// Sees to it that every endpoint has a connection, and says so while one of them has.
#[allow(
    clippy::infinite_loop,
    reason = "it ends with its task, which somebody owns"
)]
pub(super) async fn keep_connected(balance: Rc<Balance>, ready: Ready) {
    const LOOK_AGAIN: Duration = Duration::from_millis(500);
    loop {
        let members = balance.members();
        let watching = TaskSet::new();
        for member in &*members {
            let watch = pool::keep_connected(Rc::clone(&member.pool), ready.clone());
            watching.spawn_local("watch an endpoint", watch);
        }
        while Rc::ptr_eq(&members, &balance.members()) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

// === impl Flight ===

impl Flight<'_> {
    /// The call was answered, or failed.
    pub(super) fn end(mut self, outcome: impl FnOnce() -> Outcome) {
        if let Some(since) = self.since.take() {
            self.balance.learn(self.member, since.elapsed(), outcome());
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let Some(since) = self.since.take() else {
            return;
        };
        // An endpoint that says nothing until the caller stops waiting has failed him.
        let outcome = if fault::has_passed(self.deadline) {
            Outcome::Bad
        } else {
            Outcome::Neutral
        };
        self.balance.learn(self.member, since.elapsed(), outcome);
    }
}
