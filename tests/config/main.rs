//! The configuration as its user meets it: every problem of every case file, the manual and the
//! JSON Schema.
//!
//! A case is a file `tests/cases/config/NAME.yaml`; what `sidegate check` tells about it stands
//! beside it in `NAME.problems`. `UPDATE_GOLDEN=1 cargo test --test config` writes what is told
//! now into these files; look at the difference before you commit it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use sidegate::config::{self, Input};
use sidegate::schema::problem::Severity;
use sidegate::yaml;

#[test]
fn every_problem_of_every_case_is_told() {
    let cases = cases();
    assert!(cases.len() > 10, "the cases are missing");
    let mut golden = Golden::default();
    for (path, text) in &cases {
        golden.compare(&path.with_extension("problems"), &told(path));
        assert!(text.starts_with("# "), "{}: say what it is", path.display());
    }
    golden.finish();
}

#[test]
fn the_manual_is_true() {
    let mut golden = Golden::default();
    golden.compare(&root().join("docs/configuration.md"), &config::manual());
    golden.finish();
}

#[test]
fn the_json_schema_is_as_published() {
    let mut golden = Golden::default();
    let schema = serde_json::to_string_pretty(&config::json_schema()).expect("a value");
    golden.compare(&root().join("docs/sidegate.schema.json"), &(schema + "\n"));
    golden.finish();
}

/// A configuration without problems is shown as it is in effect, with the origin of each value;
/// what is shown loads to the same.
#[test]
fn the_effective_configuration_loads_again() {
    let sound = cases()
        .into_iter()
        .filter(|(path, _)| told(path).is_empty());
    let mut count = 0;
    for (path, _) in sound {
        let (first, _) = config::load(&named(&path));
        let first = first.expect("no problem was told");
        let directory = tempfile::tempdir().expect("a directory");
        let again = directory.path().join("again.yaml");
        let shown = serde_json::to_string_pretty(&first.tree.to_json()).expect("a value");
        fs::write(&again, &shown).expect("written");
        let (second, problems) = config::load(&named(&again));
        assert!(
            second.is_some(),
            "{}: {problems:#?}\n{shown}",
            path.display()
        );
        assert_eq!(
            second.map(|config| config.tree.to_json()),
            Some(first.tree.to_json())
        );
        count += 1;
    }
    assert!(count > 0, "no case is sound");
}

proptest! {
    /// Whatever a file holds: problems, never a panic, and no configuration without a reason.
    #[test]
    fn nothing_in_a_file_panics(text in ".{0,200}") {
        survives(&text);
    }

    /// The same near what is sound: lines of the cases, cut and mixed.
    #[test]
    fn nothing_near_a_sound_file_panics(
        seed in prop::collection::vec((0usize..1000, 0usize..40, "[-:{}\\[\\]&*!|>'\"%@`~#,? a0]{0,3}"), 1..20),
    ) {
        let all: Vec<String> = cases()
            .values()
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let line = |(index, cut, noise): &(usize, usize, String)| {
            let line = &all[index % all.len()];
            let (before, after) = line.split_at_checked(*cut).unwrap_or((line, ""));
            format!("{before}{noise}{after}")
        };
        let text: Vec<String> = seed.iter().map(line).collect();
        survives(&text.join("\n"));
    }
}

fn survives(text: &str) {
    let parsed = yaml::parse(text);
    assert!(parsed.root.is_some() || !parsed.complaints.is_empty());
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("sidegate.yaml");
    fs::write(&path, text).expect("written");
    let (config, problems) = config::load(&named(&path));
    let errors = problems.iter().any(|p| p.severity == Severity::Error);
    assert_eq!(config.is_none(), errors, "{problems:#?}");
}

// === Cases ===

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every case file and its text.
fn cases() -> BTreeMap<PathBuf, String> {
    let folder = fs::read_dir(root().join("tests/cases/config")).expect("the folder exists");
    let paths = folder.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a case is text");
            (path, text)
        })
        .collect()
}

fn named(path: &Path) -> Input {
    Input {
        file: Some(path.to_owned()),
        ..Input::default()
    }
}

/// All problems of a file, as they are printed, under the file's own name.
fn told(path: &Path) -> String {
    let (_, problems) = config::load(&named(path));
    let folder = format!("{}/", path.parent().expect("a folder").display());
    let line = |problem: &sidegate::schema::problem::Problem| {
        problem.to_string().replace(&folder, "") + "\n"
    };
    problems.iter().map(line).collect()
}

/// Files that say what is expected.
#[derive(Default)]
struct Golden {
    differences: Vec<String>,
}

impl Golden {
    fn compare(&mut self, path: &Path, actual: &str) {
        let expected = fs::read_to_string(path).unwrap_or_default();
        if expected == actual {
            return;
        }
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(path, actual).expect("the file can be written");
            return;
        }
        let differs = expected
            .lines()
            .zip(actual.lines())
            .position(|(expected, actual)| expected != actual);
        let line = differs.unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
        let at = |text: &str| text.lines().nth(line).unwrap_or("(nothing)").to_owned();
        self.differences.push(format!(
            "{}:{}:\n  expected {}\n  told     {}",
            path.display(),
            line + 1,
            at(&expected),
            at(actual)
        ));
    }

    fn finish(self) {
        assert!(
            self.differences.is_empty(),
            "{}\nUPDATE_GOLDEN=1 writes what is told now",
            self.differences.join("\n")
        );
    }
}
