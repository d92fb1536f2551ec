//! Answers that nobody reads (fault 5): what holds one up is not only felt by the application, the
//! answer is given up when it has waited too long.
//!
//! The driver has one timer for all streams. It is set for when the first of them could be due at
//! the earliest and then left alone, so that a stream that is read costs no look at a timer.

use std::time::Duration;

use h2::Reason;
use tokio::time::Instant;

use super::session::Session;
use super::stream::{End, Failure, Key};

impl Session {
    /// Gives the answer on a stream up when something of it waits unread for `stall`.
    pub(super) fn limit_stall(&mut self, key: Key, stall: Duration) {
        let Some(stream) = self.streams.get(key) else {
            return;
        };
        stream.limit_stall(stall);
        let due = Instant::now() + stall;
        if self.look_at.is_none_or(|at| due < at) {
            self.look_at = Some(due);
            self.wake_driver();
        }
    }

    /// Gives up what has waited too long, and says when to look again.
    pub(super) fn give_up_stalled(&mut self, now: Instant) {
        self.look_at = None;
        for key in self.streams.running() {
            let Some(due) = self.streams.get(key).and_then(|one| one.stalled_at(now)) else {
                continue;
            };
            if due > now {
                self.look_at = Some(self.look_at.map_or(due, |at| at.min(due)));
                continue;
            }
            if let Some(stream) = self.streams.get(key) {
                stream.discard();
            }
            self.push_reset(key.id(), Reason::CANCEL);
            self.end(key, End::Failed(Failure::Stalled));
        }
    }
}
