//! How files look: purpose first, one idea, nothing left undone, nothing of one machine.

use super::source::{self, Source};

/// The longest file; the aim is 100 to 400.
pub(crate) const MOST_LINES: usize = 450;

/// Files that may be longer, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// A file begins with its purpose (the unit tests of a module have that of the module) and is short enough to hold one idea.
pub(crate) fn shape(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    let unit_tests = source.path.starts_with("src/") && source.path.ends_with("/tests.rs");
    if !unit_tests && !source.text.starts_with("//! ") {
        complaints.push(format!(
            "{}:1: a file begins with `//! ` and says what it is and what it must never do",
            source.path
        ));
    }
    let lines = source.text.lines().count();
    let excepted = LONG_FILES.iter().any(|(path, _)| *path == source.path);
    if lines > MOST_LINES && !excepted {
        complaints.push(format!(
            "{}:{lines}: longer than {MOST_LINES} lines: find the second idea and give it a file",
            source.path
        ));
    }
    complaints
}

/// Exceptions whose file has become short or has gone.
pub(crate) fn stale_exceptions(sources: &[Source]) -> Vec<String> {
    let is_long = |path: &str| {
        sources
            .iter()
            .any(|source| source.path == path && source.text.lines().count() > MOST_LINES)
    };
    LONG_FILES
        .iter()
        .filter(|(path, _)| !is_long(path))
        .map(|(path, _)| format!("{path}: no longer needs its exception in tests/tidy/house.rs"))
        .collect()
}

/// Work that was begun and not finished.
pub(crate) fn undone(source: &Source) -> Vec<String> {
    let macros = source::words(&source.code)
        .filter(|word| matches!(word.text, "todo" | "unimplemented"))
        .filter(|word| source.code[word.end..].starts_with('!'))
        .map(|word| (format!("{}!", word.text), word.start));
    let marks = ["TODO", "FIXME", "XXX"].into_iter().flat_map(|mark| {
        source
            .text
            .match_indices(mark)
            .map(move |(at, _)| (mark.to_owned(), at))
    });
    // A mark counts in comments only: strings may speak of one, as the rows of this test do.
    let in_comment = |at: usize| {
        let line = source.text[..at].rfind('\n').map_or(0, |end| end + 1);
        source.text[line..at].contains("//") && source.code[at..].starts_with(' ')
    };
    macros
        .chain(marks.filter(|(_, at)| in_comment(*at) && !source.path.starts_with("tests/tidy/")))
        .map(|(what, at)| format!("{}: {what} is not finished work", source.place(at)))
        .collect()
}

/// The architecture page stays a page.
pub(crate) fn architecture(page: &str) -> Vec<String> {
    const MOST: usize = 150;
    let lines = page.lines().count();
    if lines > MOST {
        return vec![format!("ARCHITECTURE.md:{lines}: longer than {MOST} lines")];
    }
    Vec::new()
}

/// Paths of the machine that something was written on have no meaning anywhere else.
pub(crate) fn machine_paths(path: &str, text: &str) -> Vec<String> {
    // In halves, so that this file does not complain about itself.
    let forbidden = [
        ["/wo", "rk/"].concat(),
        ["/tmp/", "wt"].concat(),
        ["/tmp/", "brief"].concat(),
        ["/tmp/", "land"].concat(),
        ["/ro", "ot/"].concat(),
        [".lib", "rary/"].concat(),
        [".mir", "ror/"].concat(),
    ];
    text.lines()
        .enumerate()
        .flat_map(|(at, line)| {
            forbidden
                .iter()
                .filter(|needle| line.contains(needle.as_str()))
                .map(move |needle| {
                    format!("{path}:{}: names {needle}, a path of one machine", at + 1)
                })
        })
        .collect()
}
