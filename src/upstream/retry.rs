//! Sending a call again that the application answered with a failure, where the configuration
//! allows it (gRFC A6).
//!
//! Only calls with one message to the application are sent again, and only before anything of an
//! answer went to the caller. What was surely never seen is another matter: [`super::attempts`].

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use super::States;
use crate::call::{Call, Deadline, Fault, Reply};
use crate::schema::policy::RetryPolicy;

/// Keeps retries to a share of calls, so that they cannot become the load that keeps an
/// application down.
#[derive(Debug)]
pub(super) struct Budget {
    left: Cell<f64>,
    /// Where it is counted what became of wishes.
    states: Arc<States>,
}

impl Budget {
    /// A fifth of all calls may be sent again.
    const SHARE: f64 = 0.2;
    /// What quiet times save up.
    const MOST: f64 = 10.0;

    pub(super) fn new(states: &Arc<States>) -> Self {
        Self {
            left: Cell::new(Self::MOST),
            states: Arc::clone(states),
        }
    }

    fn deposit(&self) {
        self.left
            .set((self.left.get() + Self::SHARE).min(Self::MOST));
    }

    fn withdraw(&self) -> bool {
        let left = self.left.get() - 1.0;
        let granted = left >= 0.0;
        if granted {
            self.left.set(left);
        }
        self.states.count_retry(granted);
        granted
    }
}

/// The retries of one call.
#[derive(Debug)]
pub(super) struct Retries<'a> {
    /// `None` when this call is never sent again.
    policy: Option<Arc<RetryPolicy>>,
    budget: &'a Budget,
    deadline: Deadline,
    attempts: u32,
}

impl<'a> Retries<'a> {
    /// What the policy of a call's method allows.
    pub(super) fn of(call: &Call, budget: &'a Budget) -> Self {
        let policy = call.policy.retry.as_ref().filter(|policy| {
            let known = call.method.map(|id| call.schema.method(id));
            policy.all_methods || known.is_some_and(|method| method.repeatable)
        });
        if policy.is_some() {
            budget.deposit();
        }
        Self {
            policy: policy.cloned(),
            budget,
            deadline: call.deadline,
            attempts: 1,
        }
    }

    /// A body this long is sent once: what is sent again is what is cheap to keep and to repeat.
    pub(super) fn limit(&mut self, body: usize) {
        const REPEATED_BYTES: usize = 64 << 10;
        if body > REPEATED_BYTES {
            self.policy = None;
        }
    }

    /// How often it was sent before, for `grpc-previous-rpc-attempts`.
    pub(super) fn before(&self) -> u32 {
        self.attempts - 1
    }

    /// After how long to send the call again, if at all. `random` is between 0 and 1.
    pub(super) fn again(
        &mut self,
        answer: &Result<Reply, Fault>,
        random: impl FnOnce() -> f64,
    ) -> Option<Duration> {
        let policy = self.policy.as_deref()?;
        let (code, trailers) = match answer {
            Ok(reply) => (reply.early_code()?, reply.early_trailers()),
            Err(fault) => (fault.code(), None),
        };
        if !policy.codes.contains(&code.number()) || self.attempts >= policy.attempts {
            return None;
        }
        let pause = match pushback(trailers) {
            Pushback::Never => return None,
            Pushback::After(pause) => pause,
            Pushback::Unsaid => backoff(policy, self.attempts, random()),
        };
        let left = self.deadline.remaining(Instant::now().into_std());
        if left.is_some_and(|left| left <= pause) || !self.budget.withdraw() {
            return None;
        }
        self.attempts += 1;
        Some(pause)
    }
}

/// Exponential, give or take a fifth (gRFC A6).
fn backoff(policy: &RetryPolicy, attempt: u32, random: f64) -> Duration {
    let exponent = i32::try_from(attempt - 1).unwrap_or(i32::MAX);
    let grown = policy.initial_backoff.as_secs_f64() * policy.multiplier.powi(exponent);
    let pause = grown.min(policy.max_backoff.as_secs_f64());
    Duration::try_from_secs_f64(pause * (0.8 + 0.4 * random)).unwrap_or(policy.max_backoff)
}

#[derive(Debug, PartialEq, Eq)]
enum Pushback {
    Unsaid,
    Never,
    After(Duration),
}

/// What the application says of another try (gRFC A6, "Pushback"); what cannot be read means no.
fn pushback(trailers: Option<&HeaderMap>) -> Pushback {
    let value = |name| trailers.and_then(|trailers| trailers.get(name));
    let number = |value: &http::HeaderValue| value.to_str().ok()?.parse::<u32>().ok();
    if let Some(milliseconds) = value("grpc-retry-pushback-ms") {
        return number(milliseconds).map_or(Pushback::Never, |milliseconds| {
            Pushback::After(Duration::from_millis(milliseconds.into()))
        });
    }
    match value("retry-after").and_then(number) {
        Some(seconds) => Pushback::After(Duration::from_secs(seconds.into())),
        None => Pushback::Unsaid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushbacks() {
        let rows: &[(&[(&str, &str)], Pushback)] = &[
            (&[], Pushback::Unsaid),
            (
                &[("grpc-retry-pushback-ms", "250")],
                Pushback::After(Duration::from_millis(250)),
            ),
            (&[("grpc-retry-pushback-ms", "-1")], Pushback::Never),
            (&[("grpc-retry-pushback-ms", "soon")], Pushback::Never),
            (
                &[("retry-after", "2")],
                Pushback::After(Duration::from_secs(2)),
            ),
            (&[("retry-after", "Wed, 21 Oct 2026")], Pushback::Unsaid),
        ];
        for (trailers, expected) in rows {
            let map: HeaderMap = trailers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect();
            assert_eq!(pushback(Some(&map)), *expected, "{trailers:?}");
        }
    }

    #[test]
    fn backoffs() {
        let policy = RetryPolicy::default();
        for (attempt, random, expected) in [
            (1, 0.5, 100),
            (1, 0.0, 80),
            (2, 0.5, 200),
            (3, 1.0, 480),
            (9, 0.5, 1000),
        ] {
            let pause = backoff(&policy, attempt, random);
            assert_eq!(pause.as_millis(), expected, "{attempt}");
        }
    }

    /// Fault 33: an application that fails altogether gets a fifth more, and no more.
    #[test]
    fn the_budget_is_a_fifth() {
        let states = Arc::<States>::default();
        let budget = Budget::new(&states);
        let mut again = 0;
        for _ in 0..1000 {
            budget.deposit();
            again += u32::from(budget.withdraw());
        }
        assert!((200..=210).contains(&again), "{again}");
        let seen = states.seen();
        assert_eq!(
            (seen.retried, seen.retries_denied),
            (u64::from(again), 1000 - u64::from(again))
        );
    }
}
