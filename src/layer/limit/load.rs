//! [`Loads`]: what is used of every quota, shared by all workers, and [`Place`], what one call uses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::bucket::Bucket;
use super::clients::{Clients, Full};
use crate::call::{Blame, Code, Fault};
use crate::schema::quota::Quota;

/// What is used of every quota.
#[derive(Debug)]
pub struct Loads {
    loads: FxHashMap<Box<str>, Arc<Load>>,
    began: Instant,
    shared: Arc<Shared>,
}

/// What stays whatever the configuration says.
#[derive(Debug, Default)]
struct Shared {
    /// Memory is short: nothing new is begun.
    short: AtomicBool,
    refused: AtomicU64,
}

/// What is used of one quota.
#[derive(Debug)]
pub(super) struct Load {
    quota: Arc<Quota>,
    bucket: Option<Bucket>,
    places: Option<Arc<Semaphore>>,
    waiting: AtomicU32,
    clients: Option<Clients>,
}

/// What one call uses of one quota, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
    client: Option<(Arc<Load>, u64, Box<[u8]>)>,
}

impl Loads {
    /// Nothing is used yet; what `before` knows of quotas that are the same goes on.
    pub fn new(quotas: &[Arc<Quota>], before: Option<&Self>, now: Instant) -> Self {
        let load = |quota: &Arc<Quota>| {
            let known = before.and_then(|before| before.loads.get(&quota.name));
            let known = known.filter(|load| load.quota == *quota).map(Arc::clone);
            let load = known.unwrap_or_else(|| Arc::new(Load::new(quota)));
            (quota.name.clone(), load)
        };
        Self {
            loads: quotas.iter().map(load).collect(),
            began: before.map_or(now, |before| before.began),
            shared: before.map_or_else(Arc::default, |before| Arc::clone(&before.shared)),
        }
    }

    /// Whether there is anything to count.
    pub fn any(&self) -> bool {
        !self.loads.is_empty()
    }

    /// Says whether memory is short.
    pub fn set_short(&self, short: bool) -> bool {
        self.shared.short.swap(short, Ordering::Relaxed) != short
    }

    /// Whether memory is short.
    pub fn is_short(&self) -> bool {
        self.shared.short.load(Ordering::Relaxed)
    }

    /// How many calls were refused.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Each quota with the calls that run, where they are counted, and those that wait.
    pub fn running(&self) -> impl Iterator<Item = (&str, Option<u64>, u64)> {
        self.loads.iter().map(|(name, load)| {
            let most = load.quota.all.concurrency;
            let places = load.places.as_ref();
            let running = most.zip(places).map(|(most, places)| {
                u64::from(most).saturating_sub(places.available_permits() as u64)
            });
            (
                &**name,
                running,
                load.waiting.load(Ordering::Relaxed).into(),
            )
        })
    }

    pub(super) fn of(&self, quota: &Quota) -> Option<&Arc<Load>> {
        self.loads.get(&quota.name)
    }

    pub(super) fn refuse(&self, fault: Fault) -> Fault {
        self.shared.refused.fetch_add(1, Ordering::Relaxed);
        fault.never_processed()
    }

    /// The time as buckets count it. It never is 0, which stands for no time at all.
    pub(super) fn clock(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.began).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1)
    }
}

impl Load {
    fn new(quota: &Arc<Quota>) -> Self {
        let places = quota.all.concurrency;
        Self {
            bucket: quota.all.rate.map(Bucket::new),
            places: places.map(|most| Arc::new(Semaphore::new(most as usize))),
            waiting: AtomicU32::new(0),
            clients: quota.client.any().then(|| Clients::new(quota.client)),
            quota: Arc::clone(quota),
        }
    }

    /// A place for a call of a client at `now`, waiting for one if that is allowed.
    pub(super) async fn enter(self: &Arc<Self>, client: &[u8], now: u64) -> Result<Place, Fault> {
        let mut place = Place {
            _permit: None,
            client: None,
        };
        if let Some(clients) = &self.clients {
            let number = clients.enter(client, now).map_err(of_client)?;
            place.client = Some((Arc::clone(self), number, client.into()));
        }
        if let Some(bucket) = &self.bucket {
            bucket.take(now).map_err(too_often)?;
        }
        if let Some(places) = &self.places {
            place._permit = Some(self.permit(places).await?);
        }
        Ok(place)
    }

    async fn permit(&self, places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Fault> {
        if let Ok(permit) = Arc::clone(places).try_acquire_owned() {
            return Ok(permit);
        }
        let _waiting = Waiting::begin(&self.waiting, self.quota.queue).ok_or_else(full)?;
        let acquiring = Arc::clone(places).acquire_owned();
        match tokio::time::timeout(self.quota.queue_time, acquiring).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(full()),
        }
    }
}

/// One call more that waits.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicU32, most: u32) -> Option<Self> {
        let more = |now: u32| (now < most).then(|| now + 1);
        let begun = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        begun.is_ok().then_some(Self(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((load, number, client)) = self.client.take()
            && let Some(clients) = &load.clients
        {
            clients.leave(number, &client);
        }
    }
}

// === What callers are told ===

fn of_client(full: Full) -> Fault {
    match full {
        Full::Rate(wait) => exhausted("CLIENT_RATE", "this client asks too often", wait),
        Full::Running => exhausted(
            "CLIENT_CALLS",
            "this client has too many calls at one time",
            Duration::ZERO,
        ),
    }
}

fn too_often(wait: Duration) -> Fault {
    exhausted("RATE", "this is asked for too often", wait)
}

fn exhausted(reason: &'static str, message: &'static str, wait: Duration) -> Fault {
    let fault = Fault::new(Blame::Client, Code::ResourceExhausted, reason, message);
    fault.with_allow(seconds(wait))
}

fn full() -> Fault {
    unavailable("TOO_MANY_CALLS", "there are too many calls at this time")
}

pub(super) fn short() -> Fault {
    unavailable("MEMORY_SHORT", "the gateway has no memory to spare")
}

fn unavailable(reason: &'static str, message: &'static str) -> Fault {
    let fault = Fault::new(Blame::Gateway, Code::Unavailable, reason, message);
    fault.with_allow(seconds(Duration::ZERO))
}

/// For `Retry-After`, which knows whole seconds only.
fn seconds(wait: Duration) -> String {
    let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    whole.max(1).to_string()
}
