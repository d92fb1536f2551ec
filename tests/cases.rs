//! Runs the case files of `tests/cases` against the gateway, a folder a test.
//!
//! `SIDEGATE_CASES=part-of-a-path` runs fewer files. `examples/conformance` runs the same files
//! against any gateway; `tests/cases/README.md` tells how.

#![allow(clippy::indexing_slicing, reason = "a failing test may panic")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use support::case::{Case, CaseFile, check};
use support::run;
use support::target::{self, Setup};

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
    auth,
    routes,
    binding,
    json,
    streams,
    errors,
    metadata,
    grpc,
    grpc_web,
    connect,
    fronts,
    cors,
    docs,
    compression,
    compat
];

/// Rows of one file that run at the same time.
const AT_ONCE: usize = 8;

#[test]
fn every_folder_of_cases_has_a_test() {
    let found: BTreeSet<String> = fs::read_dir(cases_root())
        .expect("tests/cases exists")
        .map(|entry| entry.expect("an entry").path())
        // `config` is run by tests/config, `check` by tests/check.rs.
        .filter(|path| path.is_dir())
        .filter(|path| {
            !["schemas", "config", "check"]
                .iter()
                .any(|name| path.ends_with(name))
        })
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    let listed: BTreeSet<String> = FOLDERS.iter().map(ToString::to_string).collect();
    assert_eq!(found, listed);
}

/// "What speaks what" in the README: every cell has rows in `fronts/matrix.yaml`, over the versions
/// of HTTP that it says and no others, for each codec and each compression; WebSockets have theirs in
/// `tests/websocket`.
#[test]
fn the_readme_s_table_of_protocols_is_shown_by_cases() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("the README");
    let rows =
        CaseFile::read(&cases_root().join("fronts/matrix.yaml")).and_then(|file| file.rows());
    let rows = rows.expect("the matrix is sound");
    let mut lines = readme
        .lines()
        .skip_while(|line| !line.starts_with("| client speaks |"));
    let columns: Vec<&str> = cells(lines.next().expect("the table"));
    let (mut checked, mut wrong) = (0, Vec::new());
    for line in lines.skip(1).take_while(|line| line.starts_with('|')) {
        let line = cells(line);
        let front = line[0].split(',').next().unwrap_or_default();
        if front.contains("ebsocket") || front.contains("WebSocket") {
            assert!(line[4..].iter().all(|cell| *cell == "yes"), "{front}");
            continue;
        }
        let of_front = |row: &&Case| row.name.split(" / ").nth(1) == Some(front);
        let of_front: Vec<&Case> = rows.iter().filter(of_front).collect();
        checked += ways(&line, &of_front, &mut wrong);
        for (kind, cell) in columns.iter().zip(&line).skip(4) {
            checked += 1;
            let versions: BTreeSet<String> = of_front
                .iter()
                .filter(|row| row.name.starts_with(&format!("{kind} / ")))
                .flat_map(|row| row.versions())
                .map(|version| format!("{version:?}"))
                .collect();
            let expected = match (*cell, line[1]) {
                ("yes", "1.1, 2") => vec!["H1", "H2"],
                ("yes" | "HTTP/2 only", _) => vec!["H2"],
                _ => vec![],
            };
            if !versions.iter().eq(expected.iter()) {
                wrong.push(format!(
                    "{front}, {kind}: {cell}, but rows over {versions:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 50, "only {checked} cells");
}

/// Whether every codec and every compression of a line has its row; how many there are.
fn ways(line: &[&str], rows: &[&Case], wrong: &mut Vec<String>) -> usize {
    if line[0] == "REST" {
        return 0;
    }
    let codecs = line[2].split(", ").map(|codec| {
        let found = rows
            .iter()
            .any(|row| row.name.contains("json") == (codec == "JSON"));
        (codec, found)
    });
    let named = line[3]
        .split([',', ';'])
        .map(str::trim)
        .filter(|word| !word.contains(' '));
    let packed = named.map(|word| {
        let asked = format!("asked in {word}");
        (word, rows.iter().any(|row| row.name.ends_with(&asked)))
    });
    let all: Vec<(&str, bool)> = codecs.chain(packed).collect();
    let missing = all.iter().filter(|(_, found)| !found);
    wrong.extend(missing.map(|(word, _)| format!("{}: no row in {word}", line[0])));
    all.len()
}

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn every_row_makes_sense() {
    let mut problems = Vec::new();
    let mut count = 0;
    for path in FOLDERS.iter().flat_map(|folder| files_of(folder)) {
        let name = path.display().to_string();
        let checked = CaseFile::read(&path).and_then(|file| Ok((file.rows()?, file.compile()?)));
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

/// Whoever runs the cases elsewhere has protoc or what is as strict.
#[test]
fn every_snippet_compiles_with_protoc() {
    let protoc = protoc_bin_vendored::protoc_bin_path().expect("protoc for this machine");
    let includes = protoc_bin_vendored::include_path().expect("its own protos");
    let folder = tempfile::TempDir::new().expect("a folder");
    let mut problems = Vec::new();
    for path in FOLDERS.iter().flat_map(|folder| files_of(folder)) {
        let file = CaseFile::read(&path).and_then(|file| file.compile());
        // What is no case at all, another test says.
        let Ok(schema) = file else { continue };
        fs::write(folder.path().join("case.proto"), &schema.text).expect("a file");
        let ran = std::process::Command::new(&protoc)
            .arg("-I")
            .arg(folder.path())
            .arg("-I")
            .arg(&includes)
            .arg("-I")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/schema/builtin"))
            .args(["-o/dev/null", "case.proto"])
            .output()
            .expect("protoc runs");
        if !ran.status.success() {
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            problems.push(format!("{}: {said}", path.display()));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
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
    let schema = file.compile()?;
    let upstream = run::application(&file);
    let gateway = target::start(&Setup {
        proto: &schema.text,
        config: &file.config_text(),
        files: &file.files,
        upstream: upstream.address,
    })?;
    let rows = file.rows()?;
    let results = run::rows(&rows, AT_ONCE, (&gateway, &upstream, &schema)).await;
    let count = results.len();
    let mut failed: Vec<String> = results
        .into_iter()
        .filter_map(|ran| {
            let problem = ran.result.err()?;
            Some(format!("{} ({})\n     {problem}", ran.name, ran.over))
        })
        .collect();
    failed.sort();
    let said = gateway.said();
    if said.contains("panicked") {
        failed.push(format!("the gateway panicked:\n{said}"));
    }
    Ok((count, failed))
}
