//! [`Endpoint`]: one place where the application listens, and what all workers know of it;
//! [`Endpoints`]: the places that there are at this moment.
//!
//! Workers judge by what they see themselves and share only the verdict: an endpoint that one of
//! them has put out is out for all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::Target;
use crate::live::Live;

/// One place where the application listens.
#[derive(Debug)]
pub struct Endpoint {
    target: Target,
    /// What logs call it.
    name: Arc<str>,
    /// What times are counted from.
    base: Instant,
    /// Until when it is out, in milliseconds after `base`.
    out_until: AtomicU64,
    /// Out until now or a moment ago: it gets one call at a time until one succeeds.
    on_probation: AtomicBool,
    /// How often it was put out in a row.
    times: AtomicU32,
    /// It does not say that it does not serve.
    serves: AtomicBool,
}

/// How long an endpoint stays out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// The first time; it doubles with every further one.
    pub first: Duration,
    /// The longest time.
    pub longest: Duration,
}

impl Endpoint {
    fn new(target: Target) -> Self {
        Self {
            name: target.to_string().into(),
            target,
            base: Instant::now(),
            out_until: AtomicU64::new(0),
            on_probation: AtomicBool::new(false),
            times: AtomicU32::new(0),
            serves: AtomicBool::new(true),
        }
    }

    /// Where it is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What logs call it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether it does not say that it does not serve.
    pub fn serves(&self) -> bool {
        self.serves.load(Ordering::Relaxed)
    }

    /// It says whether it serves; `true` when that is news. One that does not gets no calls while
    /// others do.
    pub fn say(&self, serves: bool) -> bool {
        self.serves.swap(serves, Ordering::Relaxed) != serves
    }

    /// Whether it gets no calls now.
    pub fn is_out(&self) -> bool {
        !self.serves() || self.is_put_out()
    }

    /// Whether it was put out because of its failures.
    fn is_put_out(&self) -> bool {
        let until = self.out_until.load(Ordering::Relaxed);
        until > 0 && self.now() < until
    }

    /// Whether it has been out and no call has succeeded since.
    pub fn is_on_probation(&self) -> bool {
        self.on_probation.load(Ordering::Relaxed)
    }

    /// How often it was put out lately.
    pub fn times_out(&self) -> u32 {
        self.times.load(Ordering::Relaxed)
    }

    /// Puts it out, for longer each time; what lies far back is forgiven. It says for how long,
    /// or `None` when it is out already.
    pub(super) fn put_out(&self, ejection: Ejection) -> Option<Duration> {
        const FORGIVEN_AFTER: Duration = Duration::from_secs(60);
        if self.is_put_out() {
            return None;
        }
        let now = self.now();
        let quiet = now.saturating_sub(self.out_until.load(Ordering::Relaxed));
        if u128::from(quiet) > FORGIVEN_AFTER.as_millis() {
            self.times.store(0, Ordering::Relaxed);
        }
        let times = self.times.fetch_add(1, Ordering::Relaxed);
        let pause = ejection
            .first
            .saturating_mul(2_u32.saturating_pow(times))
            .min(ejection.longest);
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.on_probation.store(true, Ordering::Relaxed);
        self.out_until
            .store(now.saturating_add(pause_ms), Ordering::Relaxed);
        Some(pause)
    }

    /// A call has succeeded there; `true` when it was on probation.
    pub(super) fn readmit(&self) -> bool {
        if !self.is_on_probation() {
            return false;
        }
        let was_on = self.on_probation.swap(false, Ordering::Relaxed);
        if was_on {
            tracing::info!(endpoint = %self.name, "the endpoint answers again");
        }
        was_on
    }

    /// Milliseconds after `base` and one more, because 0 means never.
    fn now(&self) -> u64 {
        let elapsed = Instant::now().saturating_duration_since(self.base);
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX - 1) + 1
    }
}

/// The endpoints of an upstream; discovery replaces the list, workers follow.
#[derive(Debug)]
pub struct Endpoints {
    live: Live<Vec<Arc<Endpoint>>>,
    /// Changes with the list, so that a worker sees with one look that nothing has.
    version: AtomicU64,
}

impl Endpoints {
    /// A list to begin with.
    pub fn new(targets: impl IntoIterator<Item = Target>) -> Self {
        let all = targets.into_iter().map(Endpoint::new).map(Arc::new);
        Self {
            live: Live::new(all.collect()),
            version: AtomicU64::new(0),
        }
    }

    /// One of another list, which shares what is known of it.
    pub(super) fn only(endpoint: &Arc<Endpoint>) -> Self {
        Self {
            live: Live::new(vec![Arc::clone(endpoint)]),
            version: AtomicU64::new(0),
        }
    }

    /// Replaces the list. Endpoints that stay keep what is known of them; `false` when nothing
    /// changes, which an order of its own does not.
    pub fn set(&self, targets: Vec<Target>) -> bool {
        let before = self.load();
        let mut all: Vec<Arc<Endpoint>> = Vec::with_capacity(targets.len());
        for target in targets {
            if all.iter().any(|one| one.target == target) {
                continue;
            }
            let known = before.iter().find(|one| one.target == target);
            all.push(known.map_or_else(|| Arc::new(Endpoint::new(target)), Arc::clone));
        }
        let stay = all
            .iter()
            .all(|one| before.iter().any(|old| Arc::ptr_eq(one, old)));
        if stay && all.len() == before.len() {
            return false;
        }
        self.live.publish(all);
        self.version.fetch_add(1, Ordering::Release);
        true
    }

    /// Whether these are others than those of this moment, whatever their order.
    pub fn differ(&self, targets: &[Target]) -> bool {
        let now = self.load();
        let stays = |one: &Arc<Endpoint>| targets.contains(&one.target);
        let known = |target: &Target| now.iter().any(|one| one.target == *target);
        !(now.iter().all(stays) && targets.iter().all(known))
    }

    /// The endpoints of this moment.
    pub fn load(&self) -> Arc<Vec<Arc<Endpoint>>> {
        self.live.load()
    }

    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(port: u16) -> Target {
        Target::Tcp {
            host: String::from("app"),
            port,
        }
    }

    #[test]
    fn what_stays_keeps_what_is_known_of_it() {
        let endpoints = Endpoints::new([target(1), target(2)]);
        let before = endpoints.load();
        assert!(!endpoints.set(vec![target(2), target(1), target(2)]));
        assert_eq!(endpoints.version(), 0);
        assert!(endpoints.set(vec![target(2), target(3)]));
        assert_eq!(endpoints.version(), 1);
        let after = endpoints.load();
        assert!(Arc::ptr_eq(&before[1], &after[0]));
        assert_eq!(after.len(), 2);
    }

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn being_out_lasts_longer_each_time_and_is_forgiven() {
        let endpoint = Endpoint::new(target(1));
        let ejection = Ejection {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(3),
        };
        for seconds in [1, 2, 3, 3] {
            let pause = Duration::from_secs(seconds);
            assert_eq!(endpoint.put_out(ejection), Some(pause));
            assert_eq!(endpoint.put_out(ejection), None);
            tokio::time::advance(pause - Duration::from_millis(1)).await;
            assert!(endpoint.is_out());
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(!endpoint.is_out());
            assert!(endpoint.is_on_probation());
        }
        assert!(endpoint.readmit());
        assert!(!endpoint.is_on_probation());
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(endpoint.put_out(ejection), Some(ejection.first));
    }
}
