//! Sending a call again, unseen, when the application surely never saw it (E6).

use std::time::Duration;

use h2::client::ResponseFuture;
use tokio::time::Instant;

use super::Params;
use super::http2;
use super::load::Outcome;
use super::pool::{Lease, Pool};
use crate::call::{Fault, Record, Retry};

/// A stream whose answer has not begun. Dropping it resets the stream.
#[allow(
    dead_code,
    reason = "it is kept for what happens when its parts are dropped"
)]
pub(super) enum Unanswered {
    Unary(http2::Asked, Lease),
    Stream(ResponseFuture, Lease),
}

/// How an attempt failed.
pub(super) enum Failed {
    /// There was no place for it on any connection.
    Unplaced(Fault),
    /// The connection was gone before anything was sent on it.
    Unsent(Fault),
    Sent(Fault),
}

/// What was tried so far.
#[derive(Debug)]
pub(super) struct Attempts {
    retried: bool,
    unsent: u32,
    /// Endpoints that may still be asked for a place.
    elsewhere: usize,
}

impl Attempts {
    /// Nothing yet, at one of so many endpoints.
    pub(super) fn among(endpoints: usize) -> Self {
        const ELSEWHERE: usize = 2;
        Self {
            retried: false,
            unsent: 0,
            elsewhere: endpoints.saturating_sub(1).min(ELSEWHERE),
        }
    }

    /// How long to wait for an application that is not there: not while there is another endpoint.
    pub(super) fn patience(&self, params: &Params) -> Duration {
        if self.elsewhere > 0 {
            Duration::ZERO
        } else {
            params.patience
        }
    }

    /// What the failure says about the endpoint, when the call is to be tried again; if not, why
    /// it has failed.
    pub(super) fn again(
        &mut self,
        failed: Failed,
        rewind: impl FnOnce() -> bool,
    ) -> Result<Outcome, Fault> {
        const UNSENT_ATTEMPTS: u32 = 3;
        match failed {
            Failed::Unplaced(fault) => {
                if self.elsewhere == 0 {
                    return Err(fault);
                }
                self.elsewhere -= 1;
                Ok(Outcome::of_fault(&fault))
            }
            Failed::Unsent(fault) => {
                self.unsent += 1;
                if self.unsent < UNSENT_ATTEMPTS {
                    return Ok(Outcome::Neutral);
                }
                Err(fault)
            }
            Failed::Sent(fault) => {
                let never_processed = fault.retry() == Retry::NeverProcessed;
                if self.retried || !never_processed || !rewind() {
                    return Err(fault);
                }
                self.retried = true;
                Ok(Outcome::Neutral)
            }
        }
    }
}

/// An attempt begins.
pub(super) fn note_start(record: &Record, pool: &Pool) {
    let mut record = record.note();
    record.attempts += 1;
    record.endpoint = Some(pool.name.clone());
    record.upstream_started = Some(Instant::now().into_std());
}
