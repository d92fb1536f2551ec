//! Signals that ask the process to stop.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Ends when the process is asked to stop, with the signal's name.
pub async fn stop() -> io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
