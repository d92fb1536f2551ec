//! `sidegate check` as its user meets it: every folder of `tests/cases/check` is a configuration with
//! its schema, and `problems` beside them is what is told of both together, each with its place.
//!
//! `UPDATE_GOLDEN=1 cargo test --test check` writes what is told now; look at the difference.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn every_problem_of_every_folder_is_told_in_its_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/check");
    let entries = fs::read_dir(&root).expect("the cases");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("one").path()).collect();
    folders.sort();
    assert!(folders.len() >= 3, "the cases are missing");
    let mut wrong = Vec::new();
    for folder in folders {
        let (told, status) = check(&folder);
        // A problem of one rule is an error here, and what is only odd is none (R1).
        assert_eq!(
            status,
            Some(i32::from(told.contains(": error: "))),
            "{told}"
        );
        let path = folder.join("problems");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &told).expect("written");
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if told != expected {
            wrong.push(format!("{}:\n{told}instead of\n{expected}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is told of a folder, and the exit status.
fn check(folder: &Path) -> (String, Option<i32>) {
    let ran = Command::new(env!("CARGO_BIN_EXE_sidegate"))
        .args(["check", "--config", "sidegate.yaml", "--proto", "proto"])
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("it runs");
    let told = String::from_utf8(ran.stderr).expect("text");
    (told, ran.status.code())
}
