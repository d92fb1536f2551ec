//! The rules of the house that no compiler knows: which module may import which, which crates
//! stay behind which fence, and how files look.
//!
//! Every complaint names the place and the rule. When a rule makes the code worse, change the
//! rule here, with its reason, in the same commit.

#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "positions come from the same text; a failing test may panic"
)]

mod house;
mod imports;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

#[test]
fn imports_go_downward() {
    report(rust_files().iter().flat_map(imports::direction));
}

#[test]
fn crates_stay_behind_their_fences() {
    report(rust_files().iter().flat_map(imports::fences));
}

#[test]
fn every_module_of_the_library_has_a_level() {
    let library = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs exists");
    report(imports::modules_without_level(&Source::new(
        "src/lib.rs",
        &library,
    )));
}

#[test]
fn files_begin_with_their_purpose_and_hold_one_idea() {
    report(rust_files().iter().flat_map(house::shape));
}

#[test]
fn exceptions_are_still_needed() {
    report(house::stale_exceptions(&rust_files()));
}

#[test]
fn nothing_is_left_undone() {
    report(rust_files().iter().flat_map(house::undone));
}

#[test]
fn the_architecture_page_is_short() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap_or_default();
    report(house::architecture(&page));
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    let texts = committed_files().into_iter().filter_map(|path| {
        let text = fs::read_to_string(root().join(&path)).ok()?;
        Some((path, text))
    });
    report(texts.flat_map(|(path, text)| house::machine_paths(&path, &text)));
}

/// The checker itself can fail: each row is a small file and the rules it breaks.
#[test]
fn the_rules_can_be_broken() {
    for (path, text, expected) in BROKEN {
        let source = Source::new(path, text);
        let found: Vec<String> = [
            imports::direction,
            imports::fences,
            house::shape,
            house::undone,
        ]
        .iter()
        .flat_map(|rule| rule(&source))
        .collect();
        let matches = found.len() == expected.len()
            && expected
                .iter()
                .all(|part| found.iter().any(|complaint| complaint.contains(part)));
        assert!(
            matches,
            "{path}: {text}\nexpected {expected:?}\nfound {found:#?}"
        );
    }
    let long = format!("//! A.\n{}", "\n".repeat(house::MOST_LINES));
    assert_eq!(house::shape(&Source::new("src/wire/a.rs", &long)).len(), 1);
    assert_eq!(house::architecture(&"line\n".repeat(151)).len(), 1);
    assert_eq!(
        house::machine_paths("a.md", &format!("see {}{}", "/wo", "rk/main")).len(),
        1
    );
    let library = Source::new("src/lib.rs", "//! A.\npub mod wire;\nmod surprise;");
    assert_eq!(imports::modules_without_level(&library).len(), 1);
}

fn report(complaints: impl IntoIterator<Item = String>) {
    let all: Vec<String> = complaints.into_iter().collect();
    assert!(
        all.is_empty(),
        "{} complaints\n{}",
        all.len(),
        all.join("\n")
    );
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files() -> Vec<Source> {
    committed_files()
        .into_iter()
        .filter(|path| path.ends_with(".rs"))
        .map(|path| {
            let text = fs::read_to_string(root().join(&path)).expect("a Rust file is UTF-8");
            Source::new(&path, &text)
        })
        .collect()
}

/// Every file that belongs to the repository, sorted; build products and hidden folders but
/// `.ci` are not.
fn committed_files() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root().join(&folder)).expect("a folder of the repository");
        for entry in entries.map(|entry| entry.expect("an entry of a folder")) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = folder.join(&name);
            let kind = entry.file_type().expect("the type of an entry");
            let ours = !matches!(
                name.as_str(),
                "target" | "node_modules" | "__pycache__" | "venv"
            ) && (!name.starts_with('.') || name == ".ci");
            if kind.is_dir() && ours {
                folders.push(path);
            } else if kind.is_file() && name != ".git" {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// A path, a small file at it, and a part of each complaint about it.
const BROKEN: &[(&str, &str, &[&str])] = &[
    (
        "src/wire/a.rs",
        "//! A.\nuse crate::schema::Schema;",
        &["src/wire/a.rs:2: wire"],
    ),
    (
        "src/wire/a.rs",
        "//! A.\n/* x */ fn f() -> crate::call::Call {}",
        &["src/wire/a.rs:2: wire"],
    ),
    (
        "src/wire/a.rs",
        "//! A.\nuse super::super::{call, life};",
        &["wire (L0) imports call", "wire (L0) imports life"],
    ),
    (
        "src/layer/a.rs",
        "//! A.\nuse crate::{\n  serve::X, call::{self, Y},\n protocol};",
        &[
            "a.rs:3: layer (L4) imports serve",
            "a.rs:4: layer (L4) imports protocol",
        ],
    ),
    (
        "src/layer/a.rs",
        "//! A.\nuse crate::call::Call;\nuse crate::life::task;\nuse crate::layer::b;",
        &[],
    ),
    (
        "src/call/a.rs",
        "//! A.\nuse crate::telemetry::log;",
        &["call (L3a) imports telemetry"],
    ),
    (
        "src/wire/a.rs",
        "//! crate::call is above.\n// use crate::call;\nconst A: &str = \"crate::call\";",
        &[],
    ),
    (
        "src/wire/a.rs",
        "//! A.\n#[cfg(test)]\nmod tests {\n use crate::call::Call; use tokio::time; }",
        &[],
    ),
    (
        "src/wire/a.rs",
        "//! A.\n#[cfg(test)]\nmod tests;\nuse tokio::time;",
        &["a.rs:4: tokio"],
    ),
    ("src/wire/tests.rs", "//! A.\nuse crate::call::Call;", &[]),
    (
        "src/schema/a.rs",
        "//! A.\nuse prost_reflect::DescriptorPool;",
        &["prost_reflect"],
    ),
    (
        "src/source/a.rs",
        "//! A.\nuse prost_reflect::DescriptorPool; use h2::client;",
        &[],
    ),
    ("src/call/a.rs", "//! A.\nuse tower::Service;", &["tower"]),
    (
        "src/call/mod.rs",
        "//! A.\nuse tower::Service; fn f(a: hyper::Body) {}",
        &["hyper"],
    ),
    (
        "src/app/stack.rs",
        "//! A.\nuse tower::Service; use axum::Router;",
        &["axum"],
    ),
    (
        "src/upstream/a.rs",
        "//! A.\nuse hyper_util::rt::tokio::WithHyperIo; use ::tower::x;",
        &["tower"],
    ),
    (
        "src/wire/a.rs",
        "use std::fmt;",
        &["a.rs:1: a file begins with"],
    ),
    (
        "src/wire/a.rs",
        "//! A.\nfn f<'a>(x: &'a str) { let c = '\"'; todo!() }",
        &["a.rs:2: todo!"],
    ),
    (
        "src/wire/a.rs",
        "//! A.\nfn f() { unimplemented!(\"{}\", r#\"\"# ) } // TODO: x",
        &["unimplemented!", "a.rs:2: TODO"],
    ),
];
