//! [`Set`]: all upstreams of one worker; a call goes where its policy says.
//!
//! Which upstream a name means is looked up in the list of the settings that a call came in under. A
//! schema may be a moment ahead of them: then its call waits for the settings that know the name.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower::Service;

use super::{Params, Upstreams, fault};
use crate::call::{Blame, Call, Code, Deadline, Fault, LocalFuture, Reply};
use crate::schema::StreamKind;
use crate::schema::split::Split;
use crate::schema::traffic::Traffic;

/// The upstreams of one worker under one configuration, as a service; clones share them.
#[derive(Clone, Debug)]
pub struct Set {
    application: Upstreams,
    members: Rc<Members>,
}

#[derive(Debug)]
struct Members {
    all: All,
    latest: Latest,
    random: Cell<u64>,
}

/// A call that a split has sent to one of its sides; dropped without a word, its client or its
/// deadline ended it.
struct Share<'a> {
    split: &'a Split,
    side: usize,
    deadline: Deadline,
    unary: bool,
    /// `None` once it is counted.
    since: Option<Instant>,
}

/// The connections of one worker to every upstream.
#[derive(Clone, Debug)]
pub struct All {
    application: Upstreams,
    others: Vec<Upstreams>,
}

/// Those of the settings that a worker has taken up last.
pub type Latest = Rc<RefCell<All>>;

// === impl All ===

impl All {
    /// No connection yet.
    pub fn new(application: &Params, others: &[Params]) -> Self {
        Self {
            application: Upstreams::new(application.clone()),
            others: others.iter().cloned().map(Upstreams::new).collect(),
        }
    }

    /// Becomes what other settings have, and keeps what is the same; the result is what is no
    /// longer used.
    pub fn follow(&mut self, application: &Params, others: &[Params]) -> Vec<Upstreams> {
        let mut before = std::mem::take(&mut self.others);
        before.push(self.application.clone());
        self.application = take(&mut before, application);
        let others = others.iter();
        self.others = others.map(|params| take(&mut before, params)).collect();
        before
    }

    fn find(&self, name: &str) -> Option<&Upstreams> {
        let mut all = std::iter::once(&self.application).chain(&self.others);
        all.find(|one| one.name() == name)
    }
}

/// The connections that were made with these, or new ones.
fn take(before: &mut Vec<Upstreams>, params: &Params) -> Upstreams {
    let known = before.iter().position(|one| one.are_of(params));
    known.map_or_else(
        || Upstreams::new(params.clone()),
        |at| before.swap_remove(at),
    )
}

// === impl Set ===

impl Set {
    /// The upstreams of this moment.
    pub fn new(latest: &Latest) -> Self {
        let all = latest.borrow().clone();
        Self {
            application: all.application.clone(),
            members: Rc::new(Members {
                all,
                latest: Rc::clone(latest),
                random: Cell::new(RandomState::new().hash_one(0_u8)),
            }),
        }
    }
}

impl Members {
    /// Sends a call where its policy says.
    async fn send(self: Rc<Self>, traffic: Arc<Traffic>, call: Call) -> Result<Reply, Fault> {
        if let Some(split) = &traffic.split {
            return self.share_out(split, call).await;
        }
        match &traffic.upstream {
            None => self.all.application.clone().call(call).await,
            Some(name) => self.named(name).await?.call(call).await,
        }
    }

    /// Sends a call to the side of a split that is its own.
    async fn share_out(&self, split: &Split, call: Call) -> Result<Reply, Fault> {
        let client = || call.record.note().peer.address.ip().to_canonical();
        let chosen = split.choose(&call.metadata, client, || self.chance());
        let name = split.upstream(chosen.side).map_or("", |name| &**name);
        let mut upstream = self.named(name).await?;
        if !chosen.by_weight {
            return upstream.call(call).await;
        }
        let share = Share {
            split,
            side: chosen.side,
            deadline: call.deadline,
            // How long a stream lasts is its own affair.
            unary: call.kind() == StreamKind::Unary,
            since: Some(Instant::now()),
        };
        let answer = upstream.call(call).await;
        share.end(&answer);
        answer
    }

    async fn named(&self, name: &str) -> Result<Upstreams, Fault> {
        match self.all.find(name) {
            Some(upstream) => Ok(upstream.clone()),
            None => self.wait_for(name).await,
        }
    }

    /// Any number: SplitMix64 (public domain) of a counter.
    fn chance(&self) -> u64 {
        let next = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Waits for settings that have this upstream.
    async fn wait_for(&self, name: &str) -> Result<Upstreams, Fault> {
        const LOOK: Duration = Duration::from_millis(5);
        const PATIENCE: Duration = Duration::from_secs(2);
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(upstream) = self.latest.borrow().find(name) {
                return Ok(upstream.clone());
            }
            if Instant::now() >= until {
                return Err(fault::unknown(name));
            }
            sleep(LOOK).await;
        }
    }
}

// === impl Share ===

impl Share<'_> {
    fn end(mut self, answer: &Result<Reply, Fault>) {
        let code = match answer {
            Ok(reply) => reply.early_code(),
            Err(fault) if fault.blame() == Blame::Upstream => Some(Code::Unavailable),
            Err(fault) => Some(fault.code()),
        };
        self.count(code.is_some_and(is_failure));
    }

    fn count(&mut self, failed: bool) {
        if let Some(since) = self.since.take() {
            let took = self.unary.then(|| since.elapsed());
            self.split.count(self.side, took, failed);
        }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        // A side that says nothing until the caller stops waiting has failed him; a caller who
        // leaves says nothing of it.
        if fault::has_passed(self.deadline) {
            self.count(true);
        }
    }
}

/// Codes that a new version would answer with because it is bad.
fn is_failure(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

impl Service<Call> for Set {
    type Response = Reply;
    type Error = Fault;
    type Future = LocalFuture<Result<Reply, Fault>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        match &call.policy.traffic {
            None => self.application.call(call),
            Some(traffic) => {
                let traffic = Arc::clone(traffic);
                Box::pin(Rc::clone(&self.members).send(traffic, call))
            }
        }
    }
}
