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
use peer::{Cannot, Peer, Start};
use support::case::{Case, CaseFile};
use support::run::{self, Ran};
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
            let every = if matches!(peer, Peer::Sidegate) {
                1
            } else {
                options.every
            };
            let what = Part {
                path,
                name: &name,
                every: usize::from(every),
            };
            let ran = runtime.block_on(file(&what, peer, shared.as_ref()));
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

/// What of a file is run.
struct Part<'a> {
    path: &'a Path,
    name: &'a str,
    every: usize,
}

/// What became of each row of a file.
async fn file(
    &Part { path, name, every }: &Part<'_>,
    peer: &Peer,
    shared: Option<&Upstream>,
) -> Result<Vec<(String, Verdict)>, String> {
    let of_file = |error| format!("{name}: {error}");
    let file = CaseFile::read(path).map_err(of_file)?;
    let schema = file.compile().map_err(of_file)?;
    let mut rows = file.rows().map_err(of_file)?;
    rows.retain(|row| group_of(&row.name).is_some());
    rows = rows.into_iter().step_by(every).collect();
    let skipped = |reason: &str| {
        let skip = |row: &Case| (row.name.clone(), Verdict::Skipped(reason.to_owned()));
        Ok(rows.iter().map(skip).collect())
    };
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let own = match shared {
        Some(_) => None,
        None => Some(run::application(&file)),
    };
    let upstream = shared.or(own.as_ref()).expect("one or the other is there");
    let start = Start {
        name,
        file: &file,
        schema: &schema,
        upstream: upstream.address,
    };
    let gateway = match peer.start(&start) {
        Ok(gateway) => gateway,
        Err(Cannot::BeExpressed(reason)) => return skipped(&reason),
        // What another gateway cannot load is no news of single rules.
        Err(Cannot::Start(problem)) => match peer {
            Peer::Sidegate | Peer::Running { .. } => return Err(of_file(problem)),
            _ => return skipped(&format!("it does not start: {problem}")),
        },
    };
    let aim = (&gateway, upstream, &schema);
    let ran = run::rows(&rows, peer.at_once(), aim).await;
    let mut verdicts: Vec<(String, Verdict)> = Vec::new();
    let mut again = Vec::new();
    let dead = !gateway.listens();
    for (row, ran) in rows.iter().zip(by_row(&rows, ran)) {
        let verdict = Verdict::of(&ran);
        // Who dies takes other rows along: those are tried again, one at a time.
        if dead && matches!(verdict, Verdict::Failed(_)) {
            again.push(verdicts.len());
        }
        verdicts.push((row.name.clone(), verdict));
    }
    for at in again {
        let gateway = peer
            .start(&start)
            .map_err(|error| format!("{name}: {error:?}"))?;
        let row = std::slice::from_ref(&rows[at]);
        let ran = run::rows(row, 1, (&gateway, upstream, &schema)).await;
        verdicts[at].1 = Verdict::of(&ran);
        if let (false, Verdict::Failed(why)) = (gateway.listens(), &mut verdicts[at].1) {
            why.push_str("\n     (the gateway has died)");
        }
    }
    Ok(verdicts)
}

/// What was run, row by row: it comes in the order of the rows, each as often as it has versions.
fn by_row(rows: &[Case], ran: Vec<Ran>) -> Vec<Vec<Ran>> {
    let mut ran = ran.into_iter();
    rows.iter()
        .map(|row| ran.by_ref().take(row.versions().len()).collect())
        .collect()
}

/// Folders that are left out.
const OTHERS: [&str; 7] = [
    "auth", "check", "config", "grpc", "grpc_web", "connect", "fronts",
];

/// The files below a folder, sorted.
fn yaml_below(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            // Cases of configuration files have a format and a test of their own; other protocols,
            // and who may call, are not what this suite is about.
            if !OTHERS.iter().any(|other| path.ends_with(other)) {
                found.extend(yaml_below(&path)?);
            }
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
