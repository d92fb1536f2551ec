//! Carrying out a command line.
//!
//! Nothing here prints or exits: texts go to the writers that `main` gives, and the exit code is
//! the result.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use super::drain::drain;
use super::probe::probe;
use super::serve::{Mode, serve};
use super::{Args, Command, DocumentFormat, Explain, TableFormat, exit, manual};
use crate::admin::explain::{Asked, Outcome};
use crate::admin::routes_view::RoutesView;
use crate::app;
use crate::config::{self, Config};
use crate::life::init;
use crate::schema::problem::{Problem, Severity};

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
        Command::Serve { takeover } => serve(
            config,
            Mode::Alone {
                takeover: *takeover,
            },
            err,
        ),
        Command::Run { command } => serve(config, Mode::Beside(command), err),
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

pub(super) fn tell(problems: &[Problem], err: &mut dyn Write) -> io::Result<()> {
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
    problems.extend(app::check_app_config(config));
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
