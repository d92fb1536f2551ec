//! The fault table: everything that goes wrong around a gateway, done to the real process, beside
//! a well-behaved client that must notice nothing.
//!
//! ```text
//! cargo run --release --example faults                        # all of it, in short: minutes
//! cargo run --release --example faults -- --long              # with the full counts and times
//! cargo run --release --example faults -- --only 9,35
//! cargo run --release --example faults -- --target nginx      # the faults that apply to a peer
//! ```
//!
//! One line a fault: its number, what was done, what was measured, what the bystander saw, and the
//! verdict. The bystander makes 200 calls a second; none of them may fail, and the 99th percentile
//! of their latency may be at most the larger of double what it was right before, and 20 ms more.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::infinite_loop,
    clippy::string_slice,
    reason = "a command with tasks and clocks of its own: it reports, and indexes what it made itself"
)]

mod app;
mod bystander;
mod client;
mod faults;
mod gateway;
mod keyserver;
mod nameserver;
mod options;
mod peers;
mod relay;
mod report;
mod scene;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use options::Options;
use report::Report;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    // A gateway of ours is this program once more.
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return serve();
    }
    match table(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

/// The program `sidegate`.
fn serve() -> ExitCode {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    match sidegate::cli::Args::parse(std::env::args_os()) {
        Ok(args) => {
            let code = sidegate::cli::run::run(&args, &mut out, &mut err);
            ExitCode::from(code.unwrap_or(1))
        }
        Err(stop) => {
            eprint!("{}", stop.text);
            ExitCode::from(stop.code)
        }
    }
}

/// Does every fault that is asked for; whether all went well.
fn table(options: &Options) -> Result<bool> {
    scene::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mut report = Report::begin(options);
    for fault in faults::all() {
        if options.wants(fault.number) {
            let line = runtime.block_on(scene::stage(&fault, options));
            report.add(&fault, line);
        }
    }
    Ok(report.end())
}
