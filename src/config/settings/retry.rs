//! `routes.*.retry`: when a call that failed is sent again.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::Code;
use crate::config::values::Period;
use crate::schema::policy::RetryPolicy;

/// When a call that the application answered with a failure is sent again (gRFC A6). It is off
/// where this is not given; what is not given of it is as below.
///
/// Only calls with one message to the application are sent again, if it is no larger than 64 KiB,
/// only before anything of an answer went to the caller, never after the caller's deadline, and
/// all of them together for no more than a fifth of the calls of a worker. `grpc-retry-pushback-ms` and `retry-after` of the
/// application are obeyed. A call that surely never ran is sent again once whatever stands here.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct RetrySettings {
    /// How often a call is sent at most, the first time included; 1 is never again.
    ///
    /// Default: `3`.
    #[schemars(range(min = 1, max = 10))]
    pub attempts: Option<u32>,

    /// The pause before the second attempt, give or take a fifth.
    ///
    /// Default: `100ms`.
    pub initial_backoff: Option<Period>,

    /// The longest pause.
    ///
    /// Default: `1s`.
    pub max_backoff: Option<Period>,

    /// What a pause is multiplied by for the next one.
    ///
    /// Default: `2`.
    #[schemars(range(min = 1, max = 10))]
    pub multiplier: Option<u32>,

    /// The codes that speak for another attempt.
    ///
    /// Default: `[unavailable]`.
    pub codes: Option<Vec<RetryCode>>,

    /// Which calls may be sent again.
    ///
    /// Default: `repeatable`.
    pub methods: Option<RetryMethods>,
}

choice! {
    /// A failure that may pass.
    RetryCode: Code {
        /// The application cannot be reached, or says so.
        Unavailable => Code::Unavailable,
        /// The application has too much to do.
        ResourceExhausted => Code::ResourceExhausted,
        /// Somebody else was faster.
        Aborted => Code::Aborted,
        /// The application took too long by its own clock.
        DeadlineExceeded => Code::DeadlineExceeded,
        /// The application broke.
        Internal => Code::Internal,
        /// The application does not say what is wrong.
        Unknown => Code::Unknown,
        /// The application gave the call up.
        Cancelled => Code::Cancelled,
        /// Data are lost.
        DataLoss => Code::DataLoss,
    }
}

choice! {
    /// Which calls may be sent again.
    RetryMethods: bool {
        /// Those that are harmless to repeat: by `idempotency_level`, or because every HTTP rule of
        /// the method is a GET, HEAD, PUT or DELETE.
        Repeatable => false,
        /// All of them: whoever writes this knows that they are.
        All => true,
    }
}

impl RetrySettings {
    /// The policy of these settings, and that of `base` where they say nothing; `None` for never.
    pub fn onto(&self, base: Option<&RetryPolicy>) -> Option<RetryPolicy> {
        let base = base.cloned().unwrap_or_default();
        let period = |given: Option<Period>, base: Duration| given.map_or(base, |given| given.0);
        let codes = |codes: &Vec<RetryCode>| {
            let numbers = codes.iter().map(|code| Code::from(*code).number());
            numbers.collect()
        };
        let policy = RetryPolicy {
            attempts: self.attempts.unwrap_or(base.attempts),
            initial_backoff: period(self.initial_backoff, base.initial_backoff),
            max_backoff: period(self.max_backoff, base.max_backoff),
            multiplier: self.multiplier.map_or(base.multiplier, f64::from),
            codes: self.codes.as_ref().map_or(base.codes, codes),
            all_methods: self.methods.map_or(base.all_methods, bool::from),
        };
        (policy.attempts > 1).then_some(policy)
    }
}
