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

/// What is made of the files of a corpus: several bytes changed, pieces cut out, doubled, and taken from
/// one another. `FUZZ_ROUNDS=100000 cargo test --test fuzz_replay further` looks for more.
#[test]
fn nothing_further_from_the_corpora_panics() {
    let wanted = std::env::var("FUZZ_ROUNDS").ok();
    let rounds: usize = wanted.map_or(200, |text| text.parse().expect("a number"));
    let only = std::env::var("FUZZ_TARGET").ok();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for (name, run) in fuzz::TARGETS {
        // These write files.
        let slow = matches!(*name, "config" | "descriptors");
        if slow || only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let entries = fs::read_dir(folder.join(name)).expect("every target has a corpus");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("one").path()).collect();
        files.sort();
        let all: Vec<Vec<u8>> = files
            .iter()
            .map(|path| fs::read(path).expect("a file"))
            .collect();
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
        for _ in 0..rounds {
            let data = dice.mutated(&all);
            let ran = catch_unwind(AssertUnwindSafe(|| run(&data)));
            assert!(ran.is_ok(), "{name}: {}", data.escape_ascii());
        }
    }
}

/// The same numbers in every run.
struct Dice(u64);

#[allow(
    clippy::indexing_slicing,
    reason = "every index is below the length it was drawn for"
)]
impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 32).expect("32 bits") % end.max(1)
    }

    fn mutated(&mut self, all: &[Vec<u8>]) -> Vec<u8> {
        const BYTES: [u8; 16] = *b"\0\x01\x7f\x80\xff&=%[].\r\n-\"{";
        let mut data = all[self.below(all.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(data.len() + 1);
            let to = (at + self.below(16)).min(data.len());
            match self.below(6) {
                0 if at < data.len() => data[at] ^= 1 << self.below(8),
                1 if at < data.len() => data[at] = BYTES[self.below(BYTES.len())],
                2 => data.insert(at, BYTES[self.below(BYTES.len())]),
                3 => drop(data.drain(at..to)),
                4 => {
                    let piece = data[at..to].to_vec();
                    drop(data.splice(at..at, piece));
                }
                _ => {
                    let other = &all[self.below(all.len())];
                    let from = self.below(other.len() + 1);
                    drop(data.splice(at..to, other[from..].iter().copied()));
                }
            }
        }
        data.truncate(4 << 10);
        data
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
