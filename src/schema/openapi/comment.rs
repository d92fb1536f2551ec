//! Comments of a proto file as texts for readers of an API.

/// The longest text that still is a summary.
const LONGEST_SUMMARY: usize = 120;

/// A leading comment without what is not for readers: the space behind the slashes, AIP's internal
/// remarks `(-- … --)`, and directives to linters.
pub(super) fn clean(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, inside)) = rest.split_once("(--") {
        text.push_str(before);
        rest = inside.split_once("--)").map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    let lines = text.lines().map(|line| {
        let line = line.strip_prefix(' ').unwrap_or(line);
        line.trim_end()
    });
    let kept: Vec<&str> = lines.filter(|line| !is_directive(line)).collect();
    kept.join("\n").trim_matches('\n').to_owned()
}

fn is_directive(line: &str) -> bool {
    let line = line.trim_start();
    ["buf:lint:", "buf:breaking:", "api-linter:", "@exclude"]
        .iter()
        .any(|directive| line.starts_with(directive))
}

/// The first sentence, without its full stop, in one line; nothing when it is too long for that.
pub(super) fn summary(text: &str) -> Option<String> {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let ends = line.match_indices(". ").find(|(at, _)| {
        // `e.g. this` goes on; `Done. Then` ends.
        let after = line.get(at + 2..).unwrap_or_default();
        after.starts_with(|next: char| !next.is_lowercase())
    });
    let sentence = match ends {
        Some((at, _)) => line.get(..at).unwrap_or(&line),
        None => line.strip_suffix('.').unwrap_or(&line),
    };
    let fits = !sentence.is_empty() && sentence.chars().count() <= LONGEST_SUMMARY;
    fits.then(|| sentence.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{clean, summary};

    #[test]
    fn comments_lose_what_is_not_for_readers() {
        for (raw, expected) in [
            (" One line.\n", "One line."),
            (
                " A list:\n\n   * one\n   * two \n",
                "A list:\n\n  * one\n  * two",
            ),
            (" Said.\n (-- api-linter: off\n     because --)\n", "Said."),
            (" buf:lint:ignore X\n Said.\n", "Said."),
            (" (-- never closed", ""),
            ("", ""),
        ] {
            assert_eq!(clean(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn a_summary_is_a_sentence() {
        for (text, expected) in [
            ("Returns one shelf.", Some("Returns one shelf")),
            ("Done. Then more.", Some("Done")),
            ("Takes e.g. this one. More.", Some("Takes e.g. this one")),
            ("Two\nlines; done\n\nMore.", Some("Two lines; done")),
            ("", None),
        ] {
            assert_eq!(summary(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(summary(&"long ".repeat(40)), None);
    }
}
