//! Runs the case files of `tests/cases` against the gateway, a folder a test.
//!
//! `SIDEGATE_CASES=part-of-a-path` runs fewer files. How to aim at another gateway is told in
//! `tests/cases/README.md`.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use futures_util::stream;
use support::case::{CaseFile, First, check};
use support::client::Version;
use support::schema::TestSchema;
use support::target::{self, Setup};
use support::upstream::{FirstConnection, Upstream};

macro_rules! folders {
    ($($folder:ident),* $(,)?) => {
        const FOLDERS: &[&str] = &[$(stringify!($folder)),*];
        $(
            #[test]
            fn $folder() {
                run_folder(stringify!($folder));
            }
        )*
    };
}

folders![
    routes, binding, json, streams, errors, metadata, grpc, grpc_web, connect, cors
];

/// Rows of one file that run at the same time.
const AT_ONCE: usize = 8;

#[test]
fn every_folder_of_cases_has_a_test() {
    let found: BTreeSet<String> = fs::read_dir(cases_root())
        .expect("tests/cases exists")
        .map(|entry| entry.expect("an entry").path())
        // `config` is run by tests/config.
        .filter(|path| path.is_dir() && !path.ends_with("schemas") && !path.ends_with("config"))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    let listed: BTreeSet<String> = FOLDERS.iter().map(ToString::to_string).collect();
    assert_eq!(found, listed);
}

#[test]
fn every_row_makes_sense() {
    let mut problems = Vec::new();
    let mut count = 0;
    for path in FOLDERS.iter().flat_map(|folder| files_of(folder)) {
        let name = path.display().to_string();
        let checked = CaseFile::read(&path).and_then(|file| {
            let proto = file
                .proto
                .as_deref()
                .ok_or("a file has a `proto` or a `schema`")?;
            Ok((file.rows()?, TestSchema::compile(proto)?))
        });
        match checked {
            Ok((rows, schema)) => {
                count += rows.len();
                problems.extend(rows.iter().filter_map(|row| {
                    let problem = check::sound(row, &schema).err()?;
                    Some(format!("{name}: {}: {problem}", row.name))
                }));
            }
            Err(problem) => problems.push(format!("{name}: {problem}")),
        }
    }
    assert!(
        problems.is_empty(),
        "{} of {count} rows\n{}",
        problems.len(),
        problems.join("\n")
    );
    assert!(count > 0);
}

fn cases_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn run_folder(folder: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let files = files_of(folder);
    let mut failures = Vec::new();
    let mut rows = 0;
    for path in &files {
        let name = path
            .strip_prefix(cases_root())
            .unwrap_or(path)
            .display()
            .to_string();
        match runtime.block_on(run_file(path)) {
            Ok((count, failed)) => {
                rows += count;
                failures.extend(
                    failed
                        .into_iter()
                        .map(|failure| format!("{name}: {failure}")),
                );
            }
            Err(problem) => failures.push(format!("{name}: {problem}")),
        }
    }
    let count = failures.len();
    assert!(
        failures.is_empty(),
        "{count} of {rows} rows of {folder}\n\n{}",
        failures.join("\n\n")
    );
}

fn files_of(folder: &str) -> Vec<PathBuf> {
    let only = std::env::var("SIDEGATE_CASES").unwrap_or_default();
    let mut files: Vec<PathBuf> = fs::read_dir(cases_root().join(folder))
        .expect("the folder exists")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .filter(|path| path.to_string_lossy().contains(&only))
        .collect();
    files.sort();
    files
}

/// Runs one file; how many rows there were and what failed.
async fn run_file(path: &Path) -> Result<(usize, Vec<String>), String> {
    let file = CaseFile::read(path)?;
    let rows = file.rows()?;
    let proto = file
        .proto
        .as_deref()
        .ok_or("a file has a `proto` or a `schema`")?;
    let schema = TestSchema::compile(proto)?;
    let upstream = upstream(file.first_connection);
    let config = match &file.config {
        serde_json::Value::Null => String::new(),
        config => config.to_string(),
    };
    let gateway = target::start(&Setup {
        proto: &schema.text,
        config: &config,
        files: &file.files,
        upstream: upstream.address,
    })?;
    let runs = rows.iter().flat_map(|case| {
        case.versions()
            .into_iter()
            .map(move |version| (case, version))
    });
    let aim = (&gateway, &upstream, &schema);
    let results: Vec<(String, Result<(), String>)> = stream::iter(runs)
        .map(|(case, version)| async move {
            let over = if version == Version::H1 { "h1" } else { "h2" };
            let name = format!("{} ({over})", case.name);
            (name, check::run(case, version, aim).await)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let count = results.len();
    let mut failed: Vec<String> = results
        .into_iter()
        .filter_map(|(name, result)| Some(format!("{name}\n     {}", result.err()?)))
        .collect();
    failed.sort();
    let said = gateway.said();
    if said.contains("panicked") {
        failed.push(format!("the gateway panicked:\n{said}"));
    }
    Ok((count, failed))
}

fn upstream(first: First) -> Upstream {
    let first = match first {
        First::Serve => FirstConnection::Serve,
        First::Close => FirstConnection::Close,
        First::HalfPreface => FirstConnection::HalfPreface,
        First::GoAwayUnprocessed => FirstConnection::GoAwayUnprocessed,
        First::Http1 => FirstConnection::Http1,
        First::Absent => FirstConnection::Absent,
    };
    let address = std::env::var("SIDEGATE_CASES_UPSTREAM");
    Upstream::start_at(address.as_deref().unwrap_or("127.0.0.1:0"), first)
}
