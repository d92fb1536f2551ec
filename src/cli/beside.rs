//! `sidegate run -- CMD`: the application beside the gateway, one life for both.
//!
//! The gateway has its ports before the application is started, and takes calls when the
//! application can be reached. A signal to stop drains the gateway first, because what runs still
//! needs the application, and is handed on then. When the application ends, so does the gateway.

use std::ffi::OsString;
use std::io;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::app::Running;
use crate::life::child::{self, Child, Output, Stream};
use crate::life::signals::{Signals, is_stop};
use crate::life::systemd;
use crate::telemetry::log::app::{AppLog, Lines};

/// What is left of the grace period after `lifecycle.drain_timeout`, for the application.
const GRACE: Duration = Duration::from_secs(4);

/// How long what runs may go on when the application has gone.
const ORPHANED: Duration = Duration::from_secs(5);

/// Exit codes of shells for a command that is not there, or cannot be executed.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// Starts the application; the exit code when that is not possible.
pub(super) fn start(command: &[OsString], log: Option<&AppLog>) -> Result<Child, (u8, io::Error)> {
    let output = |stream: Stream| -> Output {
        match log {
            Some(log) => {
                let mut lines = Lines::new(log.clone(), stream.name());
                Box::new(move |text| lines.push(text))
            }
            None => Box::new(|_unwanted| {}),
        }
    };
    child::start(command, systemd::VARIABLES, output).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => (NOT_FOUND, error),
        _ => (NOT_EXECUTABLE, error),
    })
}

/// Why both end.
enum End {
    Told(Signal),
    Alone(u8),
}

/// Serves until the application ends or a signal asks to; the exit code. `reached` is called when
/// the application can be called, and `stopping` when both are to end: it tells what running calls have left.
pub(super) async fn wait(
    running: Running,
    mut child: Child,
    signals: Option<Signals>,
    (reached, stopping): (impl FnOnce(), impl FnOnce(&Running) -> Duration),
) -> io::Result<u8> {
    let mut signals = match signals {
        Some(signals) => signals,
        None => Signals::listen()?,
    };
    let end = live(&running, &mut child, &mut signals, reached).await;
    let began = Instant::now();
    match end {
        End::Told(signal) => {
            let patience = stopping(&running);
            tracing::info!(?signal, ?patience, "stopping");
            let killed_at = began + patience + GRACE;
            stop(running, patience, &child, &mut signals).await?;
            child.signal(signal);
            Ok(leave(&mut child, &mut signals, killed_at).await)
        }
        End::Alone(code) => {
            tracing::warn!(code, "the application has ended");
            let patience = stopping(&running).min(ORPHANED);
            stop(running, patience, &child, &mut signals).await?;
            Ok(code)
        }
    }
}

/// Until one of both ends.
async fn live(
    running: &Running,
    child: &mut Child,
    signals: &mut Signals,
    reached: impl FnOnce(),
) -> End {
    let mut reached = Some(reached);
    loop {
        let reaching = async {
            match reached {
                Some(_) => running.reached().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            signal = signals.next() => {
                if is_stop(signal) {
                    return End::Told(signal);
                }
                child.signal(signal);
            }
            code = child.ended() => return End::Alone(code),
            () = reaching => if let Some(reached) = reached.take() { reached() },
        }
    }
}

/// Stops the gateway while signals are still handed on: who sends one more is in a hurry.
async fn stop(
    running: Running,
    patience: Duration,
    child: &Child,
    signals: &mut Signals,
) -> io::Result<()> {
    let (sender, mut stopped) = oneshot::channel();
    let stopping = thread::Builder::new()
        .name("stop".to_owned())
        .spawn(move || {
            let clean = running.shutdown(patience);
            // Who waits is there until this has ended.
            let _nobody: Result<(), bool> = sender.send(clean);
        })?;
    loop {
        tokio::select! {
            clean = &mut stopped => {
                if clean != Ok(true) {
                    tracing::warn!("what was still in flight was ended");
                }
                break;
            }
            signal = signals.next() => child.signal(signal),
        }
    }
    drop(stopping.join());
    Ok(())
}

/// Waits for the application, which was told to end, and kills it in the end.
async fn leave(child: &mut Child, signals: &mut Signals, killed_at: Instant) -> u8 {
    loop {
        let ended = {
            let ending = timeout_at(killed_at, child.ended());
            tokio::select! {
                ended = ending => Some(ended),
                signal = signals.next() => {
                    child.signal(signal);
                    None
                }
            }
        };
        match ended {
            Some(Ok(code)) => return code,
            Some(Err(_elapsed)) => {
                tracing::warn!("the application did not end when it was told to: it is killed");
                child.signal(Signal::KILL);
                return child.ended().await;
            }
            None => {}
        }
    }
}
