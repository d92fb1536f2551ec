//! [`filled`]: a template with its places filled in.
//!
//! ```text
//! place   = "{{" blank ( path [ blank "|" blank "json" ] | quoted ) blank "}}"
//! path    = key *( "." key )          ; of a mapping, or the number of an item, from 0
//! quoted  = '"' text without '"' '"'  ; itself: {{ "{{" }} is {{
//! ```
//!
//! A text stands as it is, everything else as JSON; `json` makes a text JSON too, quotes and all.

use std::path::Path;

use serde_json::Value;

use super::named;
use super::values::text_of;
use crate::schema::problem::{Location, Problem};

/// Fills in a file; all that is wrong with it is told.
pub(super) fn filled(file: &Path, values: &Value, problems: &mut Vec<Problem>) -> String {
    match text_of(file) {
        Ok(text) => fill(&text, values, &named(file), problems),
        Err(error) => {
            let message = format!("the template cannot be read: {error}");
            problems.push(Problem::error(named(file), message));
            String::new()
        }
    }
}

fn fill(text: &str, values: &Value, file: &Location, problems: &mut Vec<Problem>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let at = place(text, text.len() - after.len() - "{{".len(), file);
        let Some((inside, following)) = end(after) else {
            problems.push(
                Problem::error(at, "`{{` has no `}}`")
                    .with_help("a `{{` that is meant as it stands is written `{{ \"{{\" }}`"),
            );
            return out;
        };
        match look_up(inside.trim(), values) {
            Ok(found) => out.push_str(&found),
            Err((message, help)) => {
                let problem = Problem::error(at, message);
                problems.push(match help {
                    Some(help) => problem.with_help(help),
                    None => problem,
                });
            }
        }
        rest = following;
    }
    out.push_str(rest);
    out
}

/// What is inside, and what follows. A quoted text may hold braces.
fn end(after: &str) -> Option<(&str, &str)> {
    let quoted = after.trim_start().strip_prefix('"');
    let quoted = quoted.and_then(|text| text.split_once('"'));
    let begin = quoted.map_or(0, |(_, behind)| after.len() - behind.len());
    let (head, tail) = after.split_at_checked(begin)?;
    let (inside, following) = tail.split_once("}}")?;
    let inside = after.get(..head.len() + inside.len())?;
    Some((inside, following))
}

/// What stands at a place, or what is wrong with it and what to do.
fn look_up(inside: &str, values: &Value) -> Result<String, (String, Option<String>)> {
    if let Some(quoted) = inside.strip_prefix('"') {
        let text = quoted.strip_suffix('"').filter(|text| !text.contains('"'));
        let text = text.ok_or_else(|| (format!("`{inside}` is no text in quotes"), None))?;
        return Ok(text.to_owned());
    }
    let (path, as_json) = match inside.split_once('|') {
        None => (inside, false),
        Some((path, filter)) if filter.trim() == "json" => (path.trim_end(), true),
        Some((_, filter)) => {
            let message = format!("`{}` is nothing that can be done here", filter.trim());
            return Err((message, Some(String::from("there is `json` alone"))));
        }
    };
    if path.is_empty() || path.contains(char::is_whitespace) {
        let help = "a place is `{{ key }}`, `{{ key.of.a.mapping }}` or `{{ list.0 }}`";
        return Err((format!("`{path}` is no key"), Some(help.to_owned())));
    }
    match found(path, values)? {
        Value::String(text) if !as_json => Ok(text.clone()),
        value => Ok(value.to_string()),
    }
}

fn found<'v>(path: &str, values: &'v Value) -> Result<&'v Value, (String, Option<String>)> {
    let mut value = values;
    for key in path.split('.') {
        let next = match value {
            Value::Object(entries) => entries.get(key),
            Value::Array(items) => key.parse().ok().and_then(|index: usize| items.get(index)),
            _ => None,
        };
        value = next.ok_or_else(|| {
            let near = value.as_object().and_then(|entries| {
                let likeness = |name: &&String| strsim::damerau_levenshtein(name.as_str(), key);
                let nearest = entries.keys().min_by_key(likeness)?;
                Some(format!("the nearest key is `{nearest}`"))
            });
            let message = if key == path {
                format!("no values have the key `{key}`")
            } else {
                format!("no values have `{key}` of `{path}`")
            };
            (message, near)
        })?;
    }
    Ok(value)
}

/// Where a byte of a text stands.
fn place(text: &str, byte: usize, file: &Location) -> Location {
    let before = text.get(..byte).unwrap_or(text);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let line = count(before.matches('\n').count() + 1);
    let last = before.rsplit('\n').next().unwrap_or(before);
    Location::at(
        std::sync::Arc::clone(&file.file),
        line,
        count(last.chars().count() + 1),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(text: &str) -> Result<String, Vec<String>> {
        let values = json!({
            "db": {"host": "a b", "port": 5432, "tls": false, "none": null},
            "hosts": ["x", "y"]
        });
        let mut problems = Vec::new();
        let text = fill(text, &values, &Location::file("t"), &mut problems);
        if problems.is_empty() {
            Ok(text)
        } else {
            Err(problems.iter().map(ToString::to_string).collect())
        }
    }

    #[test]
    fn places_are_filled_in() {
        for (text, expected) in [
            ("", ""),
            ("nothing } here {", "nothing } here {"),
            (
                "host={{ db.host }}\nport={{db.port}}\n",
                "host=a b\nport=5432\n",
            ),
            (
                "{{ db.host | json }} {{ db.tls }} {{ db.none }}",
                "\"a b\" false null",
            ),
            ("{{ hosts }} {{ hosts.1 }}", "[\"x\",\"y\"] y"),
            ("{{ \"{{\" }} {{\"}}\"}}é{{ hosts.0 }}", "{{ }}éx"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_is_told_with_its_place() {
        let told = filled("ok\n é{{ db.prt }}{{ hosts.2 }}\n{{ a b }}{{ db.host | upper }}{{");
        let told = told.unwrap_err();
        let expected = [
            "t:2:3: error: no values have `prt` of `db.prt`\n  help: the nearest key is `port`",
            "t:2:15: error: no values have `2` of `hosts.2`",
            "t:3:1: error: `a b` is no key\n  help: a place is",
            "t:3:10: error: `upper` is nothing that can be done here\n  help: there is `json` alone",
            "t:3:31: error: `{{` has no `}}`",
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told:?} {expected:?}");
        }
    }

    #[test]
    fn nothing_makes_it_panic() {
        for text in [
            "{{\"",
            "{{\"}}",
            "{{\"\"",
            "{{}}",
            "{{|}}",
            "{{ . }}",
            "{{{{}}}}",
            "{{ \"é\" x }}",
        ] {
            assert!(filled(text).is_err(), "{text}");
        }
    }
}
