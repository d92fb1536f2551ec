//! Loads a large body of protos and checks that every HTTP rule in it is served where it says.
//!
//! ```text
//! cargo run --release --example corpus -- all.binpb          a FileDescriptorSet
//! cargo run --release --example corpus -- googleapis/        a directory of .proto files
//! ```
//!
//! Each API package gets a table of its own, and then all of them share one with `rest.conflicts:
//! first`. In both, each rule whose method and shape are its own must route back to its own RPC by
//! a URL made from its template, and each clash must be told once, with both places. The rules
//! are counted from the descriptors here, so that one that is lost on the way is missed.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    clippy::disallowed_methods,
    reason = "a command: it prints, measures and exits"
)]

mod rules;
mod tables;

use std::path::{Path, PathBuf};
use std::time::Instant;

use sidegate::source::{Loaded, descriptor_set, proto_dir};

fn main() {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        eprintln!("usage: corpus FILE.binpb|DIRECTORY...");
        std::process::exit(64);
    }
    let mut failures = 0;
    for path in &paths {
        match run(path) {
            Ok(count) => failures += count,
            Err(problem) => {
                eprintln!("{}: {problem}", path.display());
                failures += 1;
            }
        }
    }
    std::process::exit(i32::from(failures > 0));
}

/// Checks one corpus; how many things are wrong.
fn run(path: &Path) -> Result<usize, String> {
    println!("corpus: {}", path.display());
    let begun = Instant::now();
    let Loaded { files, problems } = if path.is_dir() {
        directory(path)
    } else {
        descriptor_set::load(path)
    };
    let read = begun.elapsed();
    for problem in problems.iter().take(40) {
        println!("  {problem}");
    }
    println!(
        "corpus: read {} files in {:.1} s, {} problems, {}",
        files.len(),
        read.as_secs_f64(),
        problems.len(),
        memory()
    );
    let corpus = rules::Corpus::new(files)?;
    println!(
        "corpus: {} packages with services, {} methods with a rule, {} rules",
        corpus.packages.len(),
        corpus.annotated_methods,
        corpus.rules.len()
    );
    Ok(tables::each_package(&corpus) + tables::all_in_one(&corpus))
}

fn directory(path: &Path) -> Loaded {
    proto_dir::load(&proto_dir::Params {
        protos: vec![path.to_path_buf()],
        includes: Vec::new(),
        tools: proto_dir::editions::find(std::env::var_os("PATH").as_deref()),
    })
}

/// What the process takes now and took at most.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mebibytes = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.split_whitespace().next())
            .and_then(|text| text.parse::<u64>().ok())
            .map_or_else(
                || "?".to_owned(),
                |kibibytes| (kibibytes / 1024).to_string(),
            )
    };
    format!(
        "{} MiB resident, {} MiB at most",
        mebibytes("VmRSS:"),
        mebibytes("VmHWM:")
    )
}
