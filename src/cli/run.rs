//! Carrying out a command line.
//!
//! Nothing here prints or exits: texts go to the writers that `main` gives, and the exit code is
//! the result.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use super::drain::drain;
use super::probe::probe;
use super::supervisor::Supervisor;
use super::{Args, Command, DocumentFormat, Explain, TableFormat, beside, exit, manual};
use crate::admin::explain::{Asked, Outcome};
use crate::admin::routes_view::RoutesView;
use crate::app::{self, Addresses, Bound, Gateway, Outputs, Running, StartError};
use crate::config::{self, Config};
use crate::life::child::Child;
use crate::life::signals::Signals;
use crate::life::{init, task};
use crate::schema::problem::{Problem, Severity};
use crate::telemetry::diagnostics;
use crate::telemetry::log::app::AppLog;
use crate::telemetry::queue::{self, Queue};

/// How long a gateway may take to answer that it drains.
const PATIENCE: Duration = Duration::from_secs(3);

/// Does what `args` ask for; the exit code.
pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    match args.command {
        Command::Run { .. } if init::is_first() => {
            return init::run(std::env::args_os().skip(1));
        }
        Command::ConfigSchema => {
            writeln!(out, "{:#}", config::json_schema())?;
            return Ok(exit::FINE);
        }
        Command::Completions { shell } => {
            manual::completions(shell, out)?;
            return Ok(exit::FINE);
        }
        Command::Man { ref page } => return manual::page(page.as_deref(), out, err),
        Command::Probe { check, timeout } => {
            let listeners = config::listeners(&args.input.clone().with_environment());
            let listener = listeners.and_then(|(admin, ops)| admin.or(ops));
            return ask(listener, |listener| probe(listener, check, timeout), err);
        }
        Command::Drain { wait } => {
            let listeners = config::listeners(&args.input.clone().with_environment());
            let admin = listeners.and_then(|(admin, _)| admin);
            return ask(admin, |admin| drain(admin, wait, PATIENCE), err);
        }
        _ => {}
    }
    let (config, problems) = config::load(&args.input.clone().with_environment());
    tell(&problems, err)?;
    let Some(config) = config else {
        return Ok(exit::of_configuration(&problems));
    };
    match &args.command {
        Command::Serve => serve(config, None, err),
        Command::Run { command } => serve(config, Some(command), err),
        Command::Explain(asked) => explaining(&config, asked, out, err),
        Command::Check => check(&config, &problems, out, err),
        Command::Routes { format } => routes(&config, *format, out, err),
        Command::Openapi { format } => openapi(&config, *format, out, err),
        Command::Probe { .. }
        | Command::Drain { .. }
        | Command::ConfigSchema
        | Command::Completions { .. }
        | Command::Man { .. } => Ok(exit::FINE),
    }
}

fn tell(problems: &[Problem], err: &mut dyn Write) -> io::Result<()> {
    problems
        .iter()
        .try_for_each(|problem| writeln!(err, "{problem}"))
}

fn is_wrong(problems: &[Problem]) -> bool {
    problems
        .iter()
        .any(|problem| problem.severity == Severity::Error)
}

fn check(
    config: &Config,
    known: &[Problem],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let (schema, mut problems) = app::check(config);
    problems.extend(app::check_certificates(config));
    problems.extend(app::check_endpoints(config));
    tell(&problems, err)?;
    writeln!(
        out,
        "{} services, {} methods, {} routes",
        schema.files.services.len(),
        schema.methods.len(),
        schema.bindings.len()
    )?;
    let wrong = is_wrong(known) || is_wrong(&problems);
    Ok(if wrong { exit::PROBLEM } else { exit::FINE })
}

fn routes(
    config: &Config,
    format: TableFormat,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let (schema, problems) = app::check(config);
    tell(&problems, err)?;
    let view = RoutesView::new(&schema);
    match format {
        TableFormat::Table => write!(out, "{view}")?,
        TableFormat::Json => {
            let text = serde_json::to_string_pretty(&view).map_err(io::Error::other)?;
            writeln!(out, "{text}")?;
        }
    }
    Ok(exit::FINE)
}

/// Prints the description of what is sound; what is not is told as by `check`.
fn openapi(
    config: &Config,
    format: DocumentFormat,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let (schema, problems) = app::check(config);
    tell(&problems, err)?;
    let text = match format {
        DocumentFormat::Json => schema.openapi_json(),
        DocumentFormat::Yaml => schema.openapi_yaml(),
    };
    out.write_all(text.as_bytes())?;
    Ok(exit::FINE)
}

/// Says what would become of a request; exit 0 if it would be served or answered.
fn explaining(
    config: &Config,
    asked: &Explain,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let request = match asked
        .headers()
        .and_then(|headers| Asked::new(&asked.method, &asked.path, headers))
    {
        Ok(request) => request,
        Err(why) => {
            writeln!(err, "error: {why}")?;
            return Ok(exit::USAGE);
        }
    };
    let (schema, problems) = app::check(config);
    tell(&problems, err)?;
    let said = app::explain(config, &schema, &request);
    match asked.format {
        TableFormat::Table => write!(out, "{said}")?,
        TableFormat::Json => {
            let text = serde_json::to_string_pretty(&said).map_err(io::Error::other)?;
            writeln!(out, "{text}")?;
        }
    }
    Ok(match said.outcome {
        Outcome::Refused => exit::PROBLEM,
        Outcome::Served | Outcome::Answered => exit::FINE,
    })
}

/// Asks a gateway that runs; what is wrong with a file that it may not even have read yet must not
/// keep anybody from that.
fn ask(
    listener: Option<SocketAddr>,
    question: impl FnOnce(SocketAddr) -> Result<(), String>,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let answer = match listener {
        Some(listener) => question(listener),
        None => Err("there is nobody to ask: `admin` is off, or its address is wrong".to_owned()),
    };
    match answer {
        Ok(()) => Ok(exit::FINE),
        Err(why) => {
            writeln!(err, "{why}")?;
            Ok(exit::PROBLEM)
        }
    }
}

/// Serves, by itself or beside an application that it starts.
fn serve(
    config: Config,
    application: Option<&Vec<OsString>>,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let supervisor = match Supervisor::of_environment() {
        Ok(supervisor) => supervisor,
        Err(error) => {
            writeln!(err, "error: what started this: {error}")?;
            return Ok(exit::UNAVAILABLE);
        }
    };
    let notifier = supervisor.notifier.clone();
    // Who hears that this process is there may stop it at once.
    let runtime = task::local_runtime()?;
    let mut stop = runtime.block_on(async { app::signal::Stop::listen() })?;
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
    let outputs = Outputs::start(telemetry, &stdout)?.with_log_level(level);
    let signals = application.map(|_| runtime.block_on(async { Signals::listen() }));
    let signals = signals.transpose()?;
    let started = match application {
        None => bind(config, &outputs, supervisor).and_then(|bound| start(bound, &stdout)),
        Some(command) => bind(config, &outputs, supervisor)
            .and_then(|bound| start_both(bound, command, outputs.app_log())),
    };
    match started {
        Ok((running, None)) => {
            notifier.ready(&status(&running));
            let signal = runtime.block_on(stop.told());
            notifier.stopping();
            end(running, signal);
            Ok(exit::FINE)
        }
        Ok((running, Some(Ok(child)))) => {
            let line = listening(running.addresses(), running.own_fingerprint().as_deref());
            let status = status(&running);
            let reached = || {
                stdout.push(line.as_bytes());
                notifier.ready(&status);
            };
            let stopping = |running: &Running| {
                notifier.stopping();
                left(running.config().drain_timeout, running.drain().age())
            };
            let living = beside::wait(running, child, signals, (reached, stopping));
            runtime.block_on(living)
        }
        Ok((_running, Some(Err((code, error))))) => {
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
        StartError::Certificates(problems) => {
            tell(&problems, err)?;
            Ok(exit::CONFIG)
        }
        StartError::Thread(_) => Err(io::Error::other(error)),
    }
}

fn start(bound: Bound, stdout: &Queue) -> Result<(Running, Option<Started>), StartError> {
    // The kernel takes connections from here on, and this line comes before any of their log.
    stdout.push(listening(bound.addresses(), bound.own_fingerprint().as_deref()).as_bytes());
    Ok((bound.start()?, None))
}

/// An application, or the exit code for one that cannot be started.
type Started = Result<Child, (u8, io::Error)>;

/// Starts the gateway, which takes calls when the application can be reached, and that.
fn start_both(
    bound: Bound,
    command: &[OsString],
    log: Option<&AppLog>,
) -> Result<(Running, Option<Started>), StartError> {
    let running = bound.hold().start()?;
    Ok((running, Some(beside::start(command, log))))
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
