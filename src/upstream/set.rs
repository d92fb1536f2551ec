//! [`Set`]: all upstreams of one worker; a call goes where its policy says.
//!
//! Which upstream a name means is looked up in the list of the settings that a call came in under. A
//! schema may be a moment ahead of them: then its call waits for the settings that know the name.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower::Service;

use super::{Params, Upstreams, fault};
use crate::call::{Call, Fault, LocalFuture, Reply};
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
            }),
        }
    }
}

impl Members {
    /// Sends a call where its policy says.
    async fn send(self: Rc<Self>, traffic: Arc<Traffic>, call: Call) -> Result<Reply, Fault> {
        let mut upstream = match &traffic.upstream {
            None => self.all.application.clone(),
            Some(name) => match self.all.find(name) {
                Some(upstream) => upstream.clone(),
                None => self.wait_for(name).await?,
            },
        };
        upstream.call(call).await
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
