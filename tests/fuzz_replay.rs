//! What the fuzzers found, and seeds near everything sound, on every `cargo test`.
//!
//! `fuzz/README.md` tells how to look for more. A crash becomes a file in the corpus of its target
//! first; a file that makes a target panic is named here.

mod fuzz;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[test]
fn nothing_in_the_corpora_panics() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut wrong = Vec::new();
    for (name, run) in fuzz::TARGETS {
        let entries = fs::read_dir(folder.join(name)).expect("every target has a corpus");
        let mut files: Vec<_> = entries
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        assert!(files.len() >= 5, "the corpus of {name} is missing");
        for path in files {
            let data = fs::read(&path).expect("a file of the corpus");
            if catch_unwind(AssertUnwindSafe(|| run(&data))).is_err() {
                wrong.push(path.display().to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each file cut short at every byte, and with one byte changed, is still nothing to panic at.
#[test]
fn nothing_near_the_corpora_panics() {
    const LONGEST: usize = 300;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for (name, run) in fuzz::TARGETS {
        // These write files: a few are enough.
        let step = if matches!(*name, "config" | "descriptors") {
            29
        } else {
            3
        };
        for entry in fs::read_dir(folder.join(name)).expect("every target has a corpus") {
            let data = fs::read(entry.expect("an entry").path()).expect("a file");
            for at in (0..data.len().min(LONGEST)).step_by(step) {
                run(&data[..at]);
                let mut changed = data.clone();
                changed[at] ^= 1 << (at % 8);
                run(&changed);
            }
        }
    }
}

#[test]
fn every_corpus_has_its_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for entry in fs::read_dir(folder).expect("the corpora") {
        let name = entry.expect("an entry").file_name();
        assert!(fuzz::target(&name.to_string_lossy()).is_some(), "{name:?}");
    }
}
