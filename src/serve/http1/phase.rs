//! [`Phase`]: what a connection does, which decides how long it may do it.
//!
//! A head that has begun has little time in total, a connection without a request has more, and
//! while an answer is made only the client's reading is watched.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::super::Params;

#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    /// No request, since the instant.
    Idle(Instant),
    /// A head comes, since the instant.
    Head(Instant),
    /// A request is answered.
    Busy,
    /// The connection is to end, and the client has until the instant for a request that is on
    /// its way.
    Leaving(Instant),
}

impl Phase {
    /// The phase of a connection that is to end. What comes within a moment is still served: a
    /// client may just be sending on a connection that has rested, and nothing would tell it that
    /// this was never read. Half a head has some more, but does not hold up a process that stops.
    pub(super) fn leave(self, params: &Params) -> Self {
        const RESTED: Duration = Duration::from_secs(1);
        const HEAD: Duration = Duration::from_secs(2);
        let now = Instant::now();
        match self {
            Self::Idle(since) => Self::Leaving(since + RESTED.min(params.idle)),
            Self::Head(since) => Self::Leaving((since + params.head).min(now + HEAD)),
            Self::Busy | Self::Leaving(_) => self,
        }
    }

    /// When it has lasted too long; `stuck_since` tells since when the client takes nothing.
    pub(super) fn ends(self, stuck_since: Option<Instant>, params: &Params) -> Option<Instant> {
        let phase_ends = match self {
            Self::Idle(since) => Some(since + params.idle),
            Self::Head(since) => Some(since + params.head),
            Self::Leaving(at) => Some(at),
            Self::Busy => None,
        };
        let stuck_ends = stuck_since.map(|since| since + params.response_stall);
        [phase_ends, stuck_ends].into_iter().flatten().min()
    }
}

/// The shortest limit.
pub(super) fn nap(params: &Params) -> Duration {
    params.head.min(params.idle).min(params.response_stall)
}

/// Ready when what ends has lasted too long. It sleeps no longer than the shortest limit, so that
/// one which begins meanwhile is never missed, and nothing has to be done for every request.
pub(super) fn poll_too_long(
    mut sleep: Pin<&mut Sleep>,
    ends: impl Fn() -> Option<Instant>,
    params: &Params,
    context: &mut Context<'_>,
) -> Poll<()> {
    while sleep.as_mut().poll(context).is_ready() {
        let now = Instant::now();
        let ends = ends();
        if ends.is_some_and(|ends| ends <= now) {
            return Poll::Ready(());
        }
        let nap_ends = now + nap(params);
        let until = ends.map_or(nap_ends, |ends| ends.min(nap_ends));
        sleep.as_mut().reset(until);
    }
    Poll::Pending
}
