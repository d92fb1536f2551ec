//! Whether a silent connection still lives.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::connection::Shared;

/// When a silent connection is asked whether it is alive.
pub(super) struct KeepAlive {
    pub(super) after: Duration,
    pub(super) patience: Duration,
    pub(super) again: Duration,
}

/// Ends when the far side does not answer a PING that was sent because a call waits in silence.
///
/// `ask` sends one, and may say when it is answered: what counts is that anything comes.
/// A second PING in the same silence waits long: servers take frequent ones for an attack.
pub(super) async fn watch(mut ask: impl AsyncFnMut(), shared: &Shared, keep_alive: &KeepAlive) {
    /// A PONG on the wire, and a little for the window updates and acknowledgements around it.
    const PONG_BYTES: u64 = 64;
    let traffic = &shared.traffic;
    let mut last_ping: Option<(Instant, u64)> = None;
    loop {
        let now = Instant::now();
        let quiet_since = traffic.last_read.get().max(shared.busy_since.get());
        let mut due = quiet_since + keep_alive.after;
        if let Some((sent, read_before)) = last_ping
            && traffic.bytes_read.get() <= read_before + PONG_BYTES
        {
            due = due.max(sent + keep_alive.again);
        }
        if shared.state.active() == 0 {
            due = due.max(now + keep_alive.after);
        }
        if now < due {
            tokio::time::sleep_until(due.min(now + keep_alive.after)).await;
            continue;
        }
        let read_before = traffic.bytes_read.get();
        last_ping = Some((now, read_before));
        // Whether it was answered in time shows in what was read.
        drop(timeout(keep_alive.patience, ask()).await);
        if traffic.bytes_read.get() == read_before {
            return;
        }
    }
}
