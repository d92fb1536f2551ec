//! [`merge`]: the application's own metrics on the gateway's page.
//!
//! Source: Prometheus' text format 0.0.4, "Text format details".
//!
//! What is not sound is left out and counted, so that the page always is. A family whose name the
//! gateway has already gets `app_` before it: which of two `process_open_fds` is meant must not be
//! a guess, and two types under one name make the whole page unreadable.
//!
//! ```text
//! line   = "# HELP " name " " text | "# TYPE " name " " kind | "#" comment
//!        | name [ "{" *( label "=" quoted "," ) "}" ] " " value [ " " milliseconds ]
//! ```

use rustc_hash::{FxHashMap, FxHashSet};

use super::page::{Form, Page};

/// The most samples of an application that are shown.
const SAMPLES: usize = 50_000;

/// What names of samples have behind that of their family.
const SUFFIXES: [(&str, &str); 6] = [
    ("_bucket", "histogram"),
    ("_sum", "histogram"),
    ("_count", "histogram"),
    ("_sum", "summary"),
    ("_count", "summary"),
    ("_total", "counter"),
];

/// A family as the application wrote it.
#[derive(Default)]
struct Family<'text> {
    name: &'text str,
    kind: &'text str,
    help: &'text str,
    samples: Vec<Sample<'text>>,
}

struct Sample<'text> {
    name: &'text str,
    /// With the braces, or empty.
    labels: &'text str,
    value: &'text str,
}

/// Appends what `text`, a page of the application, holds; how many lines were left out.
pub fn merge(page: &mut Page, text: &str) -> u64 {
    let (families, mut left_out) = parse(text);
    let mut taken: FxHashSet<String> = page
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .map(String::from)
        .collect();
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        let shown = Shown::new(family, page.form());
        let prefix = if taken.contains(shown.name) {
            "app_"
        } else {
            ""
        };
        if !taken.insert(format!("{prefix}{}", shown.name)) {
            left_out += family.samples.len() as u64;
            continue;
        }
        shown.write(page, prefix);
    }
    left_out
}

/// A family in the form of the page.
struct Shown<'text> {
    family: &'text Family<'text>,
    name: &'text str,
    kind: &'text str,
}

impl<'text> Shown<'text> {
    fn new(family: &'text Family<'text>, form: Form) -> Self {
        let (name, kind) = match (form, family.kind) {
            (Form::OpenMetrics, "counter") => match family.name.strip_suffix("_total") {
                Some(name) => (name, "counter"),
                // OpenMetrics has no counter without that end.
                None => (family.name, "unknown"),
            },
            (Form::OpenMetrics, "untyped") => (family.name, "unknown"),
            (_, kind) => (family.name, kind),
        };
        Self { family, name, kind }
    }

    fn write(&self, page: &mut Page, prefix: &str) {
        let (name, kind) = (self.name, self.kind);
        if !self.family.help.is_empty() {
            let help = self.family.help;
            page.append(format_args!("# HELP {prefix}{name} {help}\n"));
        }
        page.append(format_args!("# TYPE {prefix}{name} {kind}\n"));
        for sample in &self.family.samples {
            let (name, labels, value) = (sample.name, sample.labels, sample.value);
            page.append(format_args!("{prefix}{name}{labels} {value}\n"));
        }
    }
}

/// All sound families, in order of their coming, and how many lines were not.
fn parse(text: &str) -> (Vec<Family<'_>>, u64) {
    let mut families: Vec<Family<'_>> = Vec::new();
    let mut places: FxHashMap<&str, usize> = FxHashMap::default();
    let mut seen: FxHashSet<(&str, &str)> = FxHashSet::default();
    let mut left_out = 0;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix('#') {
            if let Some((word, name, rest)) = told(comment)
                && let Some(family) = family(&mut families, &mut places, name)
            {
                match word {
                    "HELP" => family.help = rest,
                    // A type comes once, and before the samples.
                    _ if family.kind.is_empty() && family.samples.is_empty() => family.kind = rest,
                    _ => left_out += 1,
                }
            }
            continue;
        }
        let sound = sample(line)
            .filter(|sample| seen.len() < SAMPLES && seen.insert((sample.name, sample.labels)));
        let Some(sample) = sound else {
            left_out += 1;
            continue;
        };
        let name = family_name(sample.name, &families, &places);
        if let Some(family) = family(&mut families, &mut places, name) {
            family.samples.push(sample);
        }
    }
    for family in &mut families {
        if family.kind.is_empty() {
            family.kind = "untyped";
        }
    }
    (families, left_out)
}

fn family<'own, 'text>(
    families: &'own mut Vec<Family<'text>>,
    places: &mut FxHashMap<&'text str, usize>,
    name: &'text str,
) -> Option<&'own mut Family<'text>> {
    let at = *places.entry(name).or_insert(families.len());
    if at == families.len() {
        families.push(Family {
            name,
            ..Family::default()
        });
    }
    families.get_mut(at)
}

/// The family that a sample belongs to: one of its own name, or of that without a suffix.
fn family_name<'text>(
    sample: &'text str,
    families: &[Family<'text>],
    places: &FxHashMap<&'text str, usize>,
) -> &'text str {
    if places.contains_key(sample) {
        return sample;
    }
    let of = SUFFIXES.iter().find_map(|(suffix, kind)| {
        let name = sample.strip_suffix(suffix)?;
        let family = families.get(*places.get(name)?)?;
        (family.kind == *kind).then_some(family.name)
    });
    of.unwrap_or(sample)
}

/// `HELP` or `TYPE`, a name and what is told of it; everything else is a comment.
fn told(comment: &str) -> Option<(&str, &str, &str)> {
    let (word, rest) = comment.trim_start().split_once([' ', '\t'])?;
    let rest = rest.trim_start();
    let (name, rest) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let rest = rest.trim();
    let sound = match word {
        "HELP" => true,
        "TYPE" => matches!(
            rest,
            "counter" | "gauge" | "histogram" | "summary" | "untyped"
        ),
        _ => false,
    };
    (sound && is_name(name)).then_some((word, name, rest))
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(['{', ' ', '\t'])?;
    let (name, rest) = line.split_at_checked(end)?;
    let (labels, rest) = if rest.starts_with('{') {
        rest.split_at_checked(labels(rest)?)?
    } else {
        ("", rest)
    };
    let mut parts = rest.split_ascii_whitespace();
    let value = parts.next()?;
    let timestamp = parts.next().is_none_or(|time| time.parse::<i64>().is_ok());
    let sound = is_name(name) && is_value(value) && timestamp && parts.next().is_none();
    sound.then_some(Sample {
        name,
        labels,
        value,
    })
}

/// Where the labels that `text` begins with end, their braces included.
fn labels(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        while matches!(bytes.get(at), Some(b' ' | b',')) {
            at += 1;
        }
        if bytes.get(at) == Some(&b'}') {
            return Some(at + 1);
        }
        let equals = at + bytes.get(at..)?.iter().position(|byte| *byte == b'=')?;
        if !is_name(text.get(at..equals)?) || bytes.get(equals + 1) != Some(&b'"') {
            return None;
        }
        at = equals + 2;
        while *bytes.get(at)? != b'"' {
            at += if bytes.get(at) == Some(&b'\\') { 2 } else { 1 };
        }
        at += 1;
        if !matches!(bytes.get(at), Some(b' ' | b',' | b'}')) {
            return None;
        }
    }
}

fn is_name(name: &str) -> bool {
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    !name.is_empty()
        && name.bytes().all(belongs)
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// Whether a text is a number as Go reads it; hexadecimal ones are left out.
fn is_value(value: &str) -> bool {
    let bare = value.trim_start_matches(['+', '-']);
    matches!(bare, "NaN" | "Inf")
        || (bare.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && value.parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(form: Form, text: &str) -> (String, u64) {
        let mut page = Page::new(form);
        page.single("process_open_fds", "gauge", "Open.", 3);
        let began = page.text().len();
        let left_out = merge(&mut page, text);
        let added = page.text().get(began..).unwrap();
        (added.to_owned(), left_out)
    }

    #[test]
    fn families_come_whole_and_clashes_are_named() {
        let text = "\
# HELP books Books\\nthere are.
# TYPE books gauge
books{shelf=\"a \\\"b\\\" }\"} 3
# a comment
# TYPE took_seconds histogram
took_seconds_bucket{le=\"1\"} 1 1700000000000
took_seconds_bucket{le=\"+Inf\"} 2
took_seconds_sum 3e0
books{shelf=\"b\"} +Inf
took_seconds_count 2
# TYPE process_open_fds counter
process_open_fds 9
bare_total 1
";
        let expected = "\
# HELP books Books\\nthere are.
# TYPE books gauge
books{shelf=\"a \\\"b\\\" }\"} 3
books{shelf=\"b\"} +Inf
# TYPE took_seconds histogram
took_seconds_bucket{le=\"1\"} 1
took_seconds_bucket{le=\"+Inf\"} 2
took_seconds_sum 3e0
took_seconds_count 2
# TYPE app_process_open_fds counter
app_process_open_fds 9
# TYPE bare_total untyped
bare_total 1
";
        assert_eq!(merged(Form::Text, text), (expected.to_owned(), 0));
        let expected = expected
            .replace("process_open_fds counter", "process_open_fds unknown")
            .replace("untyped", "unknown");
        assert_eq!(merged(Form::OpenMetrics, text), (expected, 0));
        let text = "# TYPE reads_total counter\nreads_total 1\n";
        let expected = "# TYPE reads counter\nreads_total 1\n";
        assert_eq!(merged(Form::OpenMetrics, text).0, expected);
    }

    #[test]
    fn what_is_not_sound_is_left_out() {
        for line in [
            "a",
            "a{",
            "a{b=\"c} 1",
            "a{b=c} 1",
            "a{b=\"c\"d=\"e\"} 1",
            "a{1b=\"c\"} 1",
            "1a 1",
            "a b",
            "a 1 b",
            "a 1 2 3",
            "a{b=\"\\",
            "é 1",
            "a infinity",
            "<html>",
        ] {
            let (page, left_out) = merged(Form::Text, &format!("{line}\nfine 1\n"));
            assert_eq!(
                (page.as_str(), left_out),
                ("# TYPE fine untyped\nfine 1\n", 1),
                "{line}"
            );
        }
        let (page, left_out) = merged(Form::Text, "a 1\na 2\na{} 1\n");
        assert_eq!(
            (page.as_str(), left_out),
            ("# TYPE a untyped\na 1\na{} 1\n", 1)
        );
    }

    /// Fault 45.
    #[test]
    fn there_is_an_end() {
        let many: String = (0..SAMPLES + 10)
            .map(|number| format!("a{{n=\"{number}\"}} 1\n"))
            .collect();
        let (page, left_out) = merged(Form::Text, &many);
        assert_eq!((page.lines().count(), left_out), (SAMPLES + 1, 10));
    }
}
