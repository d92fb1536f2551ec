//! Serving: alone, in place of a gateway that runs, or beside an application that is started.

use std::ffi::OsString;
use std::io::{self, Write};
use std::time::Duration;

use tokio::runtime::LocalRuntime;

use super::run::tell;
use super::supervisor::Supervisor;
use super::{beside, exit, takeover};
use crate::app::signal::Stop;
use crate::app::{Addresses, Bound, Gateway, Outputs, Running, StartError};
use crate::config::Config;
use crate::life::child::Child;
use crate::life::signals::Signals;
use crate::life::task;
use crate::schema::problem::Severity;
use crate::telemetry::diagnostics;
use crate::telemetry::log::app::AppLog;
use crate::telemetry::queue::{self, Queue};

/// How a gateway lives.
#[derive(Clone, Copy)]
pub(super) enum Mode<'a> {
    /// By itself, perhaps in place of one that runs.
    Alone { takeover: bool },
    /// Beside an application that it starts.
    Beside(&'a [OsString]),
}

/// What a gateway is started with, whatever its life.
struct Start {
    config: Config,
    outputs: Outputs,
    supervisor: Supervisor,
    runtime: LocalRuntime,
    stdout: Queue,
}

/// Serves, by itself or beside an application that it starts.
pub(super) fn serve(config: Config, mode: Mode<'_>, err: &mut dyn Write) -> io::Result<u8> {
    let supervisor = match Supervisor::of_environment() {
        Ok(supervisor) => supervisor,
        Err(error) => {
            writeln!(err, "error: what started this: {error}")?;
            return Ok(exit::UNAVAILABLE);
        }
    };
    // Who hears that this process is there may stop it at once.
    let runtime = task::local_runtime()?;
    let stop = runtime.block_on(async { Stop::listen() })?;
    // Both writers come to rest, with what is left, when this function ends.
    let (stdout, _flush_stdout) = queue::start("stdout", queue::DEFAULT_LIMIT, io::stdout())?;
    let (stderr, _flush_stderr) = queue::start("stderr", queue::DEFAULT_LIMIT, io::stderr())?;
    let telemetry = &config.telemetry;
    let level = match diagnostics::init(telemetry.format, telemetry.level.as_str(), stderr) {
        Ok(level) => level,
        Err(error) => {
            writeln!(err, "{error}")?;
            return Ok(exit::CONFIG);
        }
    };
    let start = Start {
        outputs: Outputs::start(telemetry, &stdout)?.with_log_level(level),
        config,
        supervisor,
        runtime,
        stdout,
    };
    match mode {
        Mode::Alone { takeover } => alone(start, stop, takeover, err),
        Mode::Beside(command) => with_application(start, command, err),
    }
}

/// Serves until it is told to end, or replaced.
fn alone(start: Start, mut stop: Stop, takeover: bool, err: &mut dyn Write) -> io::Result<u8> {
    let Start {
        config,
        outputs,
        mut supervisor,
        runtime,
        stdout,
    } = start;
    let predecessor = match takeover.then(|| takeover::take(&config, &mut supervisor.sockets)) {
        None => None,
        Some(Ok(predecessor)) => predecessor,
        Some(Err(refused)) => return refused.tell(err),
    };
    let (place, asked) = (config.takeover.clone(), takeover::Asked::of(&config));
    let notifier = supervisor.notifier.clone();
    let bound = match bind(config, &outputs, supervisor) {
        Ok(bound) => bound,
        Err(error) => return refuse(error, err),
    };
    let line = listening(bound.addresses(), bound.own_fingerprint().as_deref());
    let sockets = bound.sockets()?;
    let offer = |replace| runtime.block_on(takeover::offer(place, asked, sockets, replace));
    let started = match predecessor {
        None => offer(false).map(|offer| {
            // The kernel takes connections from here on, and this line comes before any of their
            // log.
            stdout.push(line.as_bytes());
            bound.start().map(|running| (running, offer))
        }),
        Some(predecessor) => {
            let succeeding = takeover::succeed(bound, predecessor, &mut stop);
            runtime.block_on(succeeding).map(|succeeded| {
                stdout.push(line.as_bytes());
                succeeded.map(|running| (running, takeover::anyway(offer(true))))
            })
        }
    };
    let (running, offer) = match started {
        Ok(Ok(started)) => started,
        Ok(Err(error)) => return refuse(error, err),
        Err(refused) => return refused.tell(err),
    };
    notifier.ready(&status(&running));
    match runtime.block_on(takeover::end(&mut stop, offer, &running)) {
        takeover::End::Signal(signal) => {
            notifier.stopping();
            end(running, signal);
        }
        takeover::End::Replaced(successor) => {
            notifier.replaced(successor.pid);
            takeover::leave(running, &successor);
        }
    }
    Ok(exit::FINE)
}

/// Serves for as long as an application that it starts.
fn with_application(start: Start, command: &[OsString], err: &mut dyn Write) -> io::Result<u8> {
    let notifier = start.supervisor.notifier.clone();
    let signals = start.runtime.block_on(async { Signals::listen() })?;
    let outputs = start.outputs;
    let started = bind(start.config, &outputs, start.supervisor)
        .and_then(|bound| start_both(bound, command, outputs.app_log()));
    match started {
        Ok((running, Ok(child))) => {
            let line = listening(running.addresses(), running.own_fingerprint().as_deref());
            let status = status(&running);
            let reached = || {
                start.stdout.push(line.as_bytes());
                notifier.ready(&status);
            };
            let stopping = |running: &Running| {
                notifier.stopping();
                left(running.config().drain_timeout, running.drain().age())
            };
            let living = beside::wait(running, child, Some(signals), (reached, stopping));
            start.runtime.block_on(living)
        }
        Ok((_running, Err((code, error)))) => {
            writeln!(err, "error: the command cannot be started: {error}")?;
            Ok(code)
        }
        Err(error) => refuse(error, err),
    }
}

/// Says why nothing was started; the exit code.
fn refuse(error: StartError, err: &mut dyn Write) -> io::Result<u8> {
    match error {
        StartError::Listen { .. } => {
            writeln!(err, "error: {error}")?;
            Ok(exit::UNAVAILABLE)
        }
        StartError::Certificates(problems) | StartError::AppConfig(problems) => {
            tell(&problems, err)?;
            Ok(exit::CONFIG)
        }
        StartError::Thread(_) => Err(io::Error::other(error)),
    }
}

/// An application, or the exit code for one that cannot be started.
type Started = Result<Child, (u8, io::Error)>;

/// Starts the gateway, which takes calls when the application can be reached, and that.
fn start_both(
    bound: Bound,
    command: &[OsString],
    log: Option<&AppLog>,
) -> Result<(Running, Started), StartError> {
    let application = bound.application();
    let running = bound.hold().start()?;
    let started = beside::start(command, log);
    if let Ok(child) = &started {
        application.get_or_init(|| child.handle());
    }
    Ok((running, started))
}

fn bind(config: Config, outputs: &Outputs, by: Supervisor) -> Result<Bound, StartError> {
    let bound = Gateway::bind_to(config, outputs, by.sockets)?.watched(by.watchdog);
    for problem in bound.problems().iter() {
        match problem.severity {
            Severity::Error => tracing::error!("{problem}"),
            Severity::Warning => tracing::warn!("{problem}"),
        }
    }
    Ok(bound)
}

/// What a supervisor shows of a gateway that serves.
fn status(running: &Running) -> String {
    format!("serving on {}", running.addresses().listen)
}

/// The first line on stdout, for scripts that gave port 0.
fn listening(addresses: Addresses, fingerprint: Option<&str>) -> String {
    // Addresses need no escaping, and `event` is to stand first for whoever reads with `grep`.
    let mut line = format!(r#"{{"event":"listening","listen":"{}""#, addresses.listen);
    for (name, address) in [("admin", addresses.admin), ("ops", addresses.ops)] {
        if let Some(address) = address {
            line.push_str(&format!(r#","{name}":"{address}""#));
        }
    }
    if let Some(fingerprint) = fingerprint {
        line.push_str(&format!(r#","tls_sha256":"{fingerprint}""#));
    }
    line.push_str("}\n");
    line
}

/// Lets what is in flight end.
fn end(running: Running, signal: &str) {
    // As it is by now.
    let patience = left(running.config().drain_timeout, running.drain().age());
    tracing::info!(signal, ?patience, "stopping");
    if !running.shutdown(patience) {
        tracing::warn!("what was still in flight was ended");
    }
}

/// What is left for running calls when it has drained for some time: whoever stops us counts from
/// then.
fn left(patience: Duration, drained: Option<Duration>) -> Duration {
    /// What there is in any case; Kubernetes has the same.
    const LEAST: Duration = Duration::from_secs(2);
    match drained {
        None => patience,
        Some(drained) => patience.saturating_sub(drained).max(LEAST.min(patience)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_counts() {
        let seconds = Duration::from_secs;
        for (patience, drained, expected) in [
            (25, None, 25),
            (25, Some(0), 25),
            (25, Some(20), 5),
            (25, Some(24), 2),
            (25, Some(3600), 2),
            (1, Some(20), 1),
            (0, Some(20), 0),
        ] {
            let told = left(seconds(patience), drained.map(seconds));
            assert_eq!(told, seconds(expected), "{patience} {drained:?}");
        }
    }

    #[test]
    fn the_first_line_is_json_and_begins_with_the_event() {
        let all = Addresses {
            listen: ([127, 0, 0, 1], 8081).into(),
            admin: Some(([127, 0, 0, 1], 9901).into()),
            ops: None,
        };
        assert_eq!(
            listening(all, None),
            "{\"event\":\"listening\",\"listen\":\"127.0.0.1:8081\",\
             \"admin\":\"127.0.0.1:9901\"}\n"
        );
        assert!(listening(all, Some("ab12")).ends_with(",\"tls_sha256\":\"ab12\"}\n"));
    }
}
