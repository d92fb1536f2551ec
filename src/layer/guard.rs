//! Lets only those call who may: who they are is looked at before anything of a body is read
//! (invariant 11), and the application is told of them by headers that nobody else can set.
//!
//! Keys that are not known are waited for only while somebody is about to bring them.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures_util::future::Either;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tower::Service;

use crate::auth::{Auth, Caller, KeySet, Verdict};
use crate::call::{Call, Fault, LocalFuture, Record, Reply};
use crate::schema::access::Access;

/// How long a call waits for keys.
const PATIENCE: Duration = Duration::from_secs(5);

/// What callers are looked at with.
#[derive(Clone, Debug)]
pub struct Params {
    /// What they are known by.
    pub auth: Arc<Auth>,
    /// The time of day.
    pub wall: fn() -> SystemTime,
    /// What became of them.
    pub counts: Arc<Counts>,
}

/// What became of callers, of all workers.
#[derive(Debug, Default)]
pub struct Counts {
    /// Those who were let in.
    pub admitted: AtomicU64,
    /// Those who were not.
    pub refused: AtomicU64,
}

/// The layer around `S`.
#[derive(Clone, Debug)]
pub struct Guard<S> {
    inner: S,
    params: Rc<Params>,
}

impl<S> Guard<S> {
    /// Wraps `inner`.
    pub fn new(inner: S, params: Params) -> Self {
        Self {
            inner,
            params: Rc::new(params),
        }
    }
}

impl<S> Service<Call> for Guard<S>
where
    S: Service<Call, Response = Reply, Error = Fault> + Clone + 'static,
{
    type Response = Reply;
    type Error = Fault;
    type Future = Either<S::Future, LocalFuture<Result<Reply, Fault>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut call: Call) -> Self::Future {
        let Some(access) = call.policy.access.clone() else {
            return Either::Left(self.inner.call(call));
        };
        let verdict = self.params.look(&access, &call.metadata, &call.record);
        match verdict {
            Verdict::Admitted(caller) => {
                self.params.admit(&caller, &mut call.metadata, &call.record);
                Either::Left(self.inner.call(call))
            }
            verdict => {
                let (params, mut inner) = (Rc::clone(&self.params), self.inner.clone());
                Either::Right(Box::pin(async move {
                    let caller = params
                        .settle(verdict, &access, &call.metadata, &call.record)
                        .await?;
                    params.admit(&caller, &mut call.metadata, &call.record);
                    inner.call(call).await
                }))
            }
        }
    }
}

/// Looks at who asks for what is no call: the rule is everybody's, and what comes back are the
/// headers with what the application is told.
pub async fn pass(
    params: Params,
    access: Arc<Access>,
    headers: HeaderMap,
    record: Record,
) -> Result<HeaderMap, Fault> {
    let mut headers = headers;
    let verdict = params.look(&access, &headers, &record);
    let caller = params.settle(verdict, &access, &headers, &record).await?;
    params.admit(&caller, &mut headers, &record);
    Ok(headers)
}

impl Params {
    fn look(&self, access: &Access, headers: &HeaderMap, record: &Record) -> Verdict {
        let now = (self.wall)();
        self.auth.look(access, headers, &record.note(), now)
    }

    /// The caller, or why he is refused, once that is known.
    async fn settle(
        &self,
        verdict: Verdict,
        access: &Access,
        headers: &HeaderMap,
        record: &Record,
    ) -> Result<Caller, Fault> {
        let verdict = match verdict {
            Verdict::Unknown(keys) if may_come(&keys).await => self.look(access, headers, record),
            verdict => verdict,
        };
        let fault = match verdict {
            Verdict::Admitted(caller) => return Ok(caller),
            Verdict::Refused(fault) => fault,
            Verdict::Unknown(_) => Auth::unknown_key(),
        };
        self.counts.refused.fetch_add(1, Ordering::Relaxed);
        Err(fault)
    }

    fn admit(&self, caller: &Caller, headers: &mut HeaderMap, record: &Record) {
        self.counts.admitted.fetch_add(1, Ordering::Relaxed);
        if !self.auth.forwards_tokens {
            headers.remove(AUTHORIZATION);
            if let Some(name) = &self.auth.places.key_header {
                headers.remove(name);
            }
        }
        caller.write(headers);
        record.note().caller = Some(Arc::clone(caller.name()));
    }
}

/// Waits for keys, if any are about to come.
async fn may_come(keys: &KeySet) -> bool {
    match keys.want() {
        None => false,
        Some(waiting) => {
            let over = tokio::time::timeout(PATIENCE, waiting.over());
            over.await.is_ok()
        }
    }
}
