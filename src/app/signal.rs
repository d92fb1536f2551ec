//! Signals: those that ask the process to stop, and the one that asks it to look at its files.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask this process to stop.
#[derive(Debug)]
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// Hears of them from now on, so that none ends the process behind its back. It belongs on a
    /// runtime, and before anybody is told that this process is there.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Ends when the process is asked to stop, with the signal's name.
    pub async fn told(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// The hangups that this process is sent.
#[derive(Debug)]
pub(super) struct Hangups(Option<Signal>);

/// Hears of SIGHUP from now on, so that it no longer ends the process.
pub(super) fn hangups() -> Hangups {
    let heard = signal(SignalKind::hangup());
    let heard = heard.inspect_err(|error| tracing::warn!(%error, "SIGHUP cannot be heard"));
    Hangups(heard.ok())
}

impl Hangups {
    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        let heard = match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if heard.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
