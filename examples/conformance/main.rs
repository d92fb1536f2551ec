//! The rules of REST as a suite for any gateway: runs the rows of `tests/cases` and prints, for
//! each group of rules, how many of them a gateway keeps.
//!
//! ```text
//! cargo run --example conformance                                   # Sidegate
//! cargo run --example conformance -- routes/verbs --verbose         # one file, every difference
//! cargo run --example conformance -- --gateway envoy --envoy BINARY # Envoy, started for each file
//! cargo run --example conformance -- routes/verbs \
//!     --target http://127.0.0.1:8081 --app 127.0.0.1:50051          # a gateway that runs already
//! ```
//!
//! The application behind the gateway is scripted and started here. `tests/cases/README.md` tells
//! what a row is and what of it is asked of another gateway.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a command: it reports, and indexes JSON and tables that it made itself"
)]

#[path = "../../tests/support/mod.rs"]
mod support;

mod envoy;
mod grpc_gateway;
mod options;
mod peer;
mod table;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use clap::Parser;
use options::Options;
use peer::{Peer, Start};
use support::case::CaseFile;
use support::run;
use support::upstream::Upstream;
use table::{Table, Verdict, group_of};

fn main() -> ExitCode {
    // A gateway of ours is this program once more.
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return serve();
    }
    let options = Options::parse();
    let result = match &options.write_config {
        Some(_) => options
            .files()
            .and_then(|files| peer::write_configs(&options, &files)),
        None => judge(&options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(64)
        }
    }
}

fn serve() -> ExitCode {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let code = match sidegate::cli::Args::parse(std::env::args_os()) {
        Ok(args) => sidegate::cli::run::run(&args, &mut out, &mut err).unwrap_or(1),
        Err(stop) => stop.code,
    };
    ExitCode::from(code)
}

/// Runs every file against every gateway; whether all that was tried passed.
fn judge(options: &Options) -> Result<bool, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let files = options.files()?;
    let peers = options.peers()?;
    // One application for a gateway that runs already and knows its address.
    let shared = options.app.map(|address| {
        Upstream::start_at(
            &address.to_string(),
            support::upstream::FirstConnection::Serve,
        )
    });
    let mut table = Table::new(peers.iter().map(Peer::name).collect());
    for (column, peer) in peers.iter().enumerate() {
        let patience = options.patience.unwrap_or_else(|| peer.patience());
        support::PATIENCE.store(patience, Ordering::Relaxed);
        for path in &files {
            let name = options.name_of(path);
            let ran = runtime.block_on(file(path, &name, peer, shared.as_ref()));
            for (row, verdict) in ran? {
                if options.verbose {
                    verdict.print(&peer.name(), &name, &row);
                }
                table.note(column, group_of(&row), &verdict);
            }
        }
    }
    if options.markdown {
        print!("{}", table.markdown());
    } else {
        print!("{}", table.plain());
    }
    Ok(table.all_passed())
}

/// What became of each row of a file.
async fn file(
    path: &Path,
    name: &str,
    peer: &Peer,
    shared: Option<&Upstream>,
) -> Result<Vec<(String, Verdict)>, String> {
    let of_file = |error| format!("{name}: {error}");
    let file = CaseFile::read(path).map_err(of_file)?;
    let schema = file.compile().map_err(of_file)?;
    let mut rows = file.rows().map_err(of_file)?;
    rows.retain(|row| group_of(&row.name).is_some());
    let skipped = |reason: &str| {
        let skip =
            |row: &support::case::Case| (row.name.clone(), Verdict::Skipped(reason.to_owned()));
        Ok(rows.iter().map(skip).collect())
    };
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let own;
    let upstream = match shared {
        Some(shared) => shared,
        None => {
            own = run::application(&file);
            &own
        }
    };
    let start = Start {
        name,
        file: &file,
        schema: &schema,
        upstream: upstream.address,
    };
    let gateway = match peer.start(&start) {
        Ok(gateway) => gateway,
        Err(peer::Cannot::BeExpressed(reason)) => return skipped(&reason),
        // What another gateway cannot load is no news of single rules.
        Err(peer::Cannot::Start(problem)) => match peer {
            Peer::Sidegate | Peer::Running { .. } => return Err(of_file(problem)),
            _ => return skipped(&format!("it does not start: {problem}")),
        },
    };
    let ran = run::rows(&rows, peer.at_once(), (&gateway, upstream, &schema)).await;
    let mut verdicts: Vec<(String, Verdict)> = Vec::new();
    for row in &rows {
        let differences: Vec<String> = ran
            .iter()
            .filter(|ran| ran.name == row.name)
            .filter_map(|ran| Some(format!("({}) {}", ran.over, ran.result.as_ref().err()?)))
            .collect();
        let verdict = match differences.first() {
            None => Verdict::Passed,
            Some(_) => Verdict::Failed(differences.join("\n     ")),
        };
        verdicts.push((row.name.clone(), verdict));
    }
    Ok(verdicts)
}

/// The files below a folder, sorted.
fn yaml_below(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            // Cases of configuration files have a format and a test of their own.
            if !path.ends_with("config") {
                found.extend(yaml_below(&path)?);
            }
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
