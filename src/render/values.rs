//! [`merged`]: values from files, one over the other as JSON Merge Patch has it (RFC 7396).

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Number, Value};

use super::named;
use crate::schema::problem::{Location, Problem};
use crate::yaml::{self, Mark, Node};

/// The values of all files; those of sound ones when others are not.
pub(super) fn merged(files: &[PathBuf], problems: &mut Vec<Problem>) -> Value {
    let mut merged = Value::Object(Map::new());
    for file in files {
        if let Some(values) = read(file, problems) {
            lay(&mut merged, values);
        }
    }
    merged
}

/// One file, YAML or JSON.
fn read(file: &Path, problems: &mut Vec<Problem>) -> Option<Value> {
    let text = match text_of(file) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("the values cannot be read: {error}");
            problems.push(Problem::error(named(file), message));
            return None;
        }
    };
    if text.trim().is_empty() {
        // Who saves a file empties it first, and nothing must become of that.
        let problem = Problem::error(named(file), "the values are empty");
        problems.push(problem.with_help("write `{}` if that is meant"));
        return None;
    }
    let parsed = yaml::parse(&text);
    let at = |mark: Mark| Location::at(named(file).file, mark.line, mark.column);
    let is_sound = parsed.complaints.is_empty();
    for complaint in parsed.complaints {
        let mut problem = Problem::error(at(complaint.at), complaint.message);
        problem.help = complaint.help.map(str::to_owned);
        if let Some((mark, note)) = complaint.note {
            problem = problem.with_note(at(mark), note);
        }
        problems.push(problem);
    }
    let root = parsed.root.filter(|_| is_sound)?;
    match root.value {
        yaml::Value::Map(_) => Some(value_of(&root)),
        yaml::Value::Null => None,
        yaml::Value::Scalar { .. } | yaml::Value::List(_) => {
            let message = format!("the values must be a mapping, and not {}", root.describe());
            problems.push(Problem::error(at(root.at), message));
            None
        }
    }
}

/// A file as text, but not more of it than a document may have.
pub(super) fn text_of(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let most = yaml::MAX_BYTES as u64 + 1;
    File::open(file)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}

/// A node as a value. What is not quoted and is a number in JSON is one.
fn value_of(node: &Node) -> Value {
    match &node.value {
        yaml::Value::Null => Value::Null,
        yaml::Value::Scalar { text, plain } => {
            let number = || text.parse::<Number>().ok().filter(|_| *plain);
            match node.boolean() {
                Some(boolean) => Value::Bool(boolean),
                None => number().map_or_else(|| Value::String(text.to_string()), Value::Number),
            }
        }
        yaml::Value::List(items) => items.iter().map(value_of).collect(),
        yaml::Value::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.to_string(), value_of(&entry.value)))
            .collect(),
    }
}

/// Lays `over` over `base`.
fn lay(base: &mut Value, over: Value) {
    let Value::Object(over) = over else {
        *base = over;
        return;
    };
    if !base.is_object() {
        *base = Value::Object(Map::new());
    }
    let Value::Object(base) = base else { return };
    for (key, value) in over {
        if value.is_null() {
            base.remove(&key);
        } else {
            lay(base.entry(key).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_later_file_changes_what_it_names() {
        for (base, over, expected) in [
            (
                json!({"a": 1, "b": 2}),
                json!({"b": 3}),
                json!({"a": 1, "b": 3}),
            ),
            (
                json!({"a": {"b": 1, "c": 2}}),
                json!({"a": {"c": null, "d": [1]}}),
                json!({"a": {"b": 1, "d": [1]}}),
            ),
            (json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]})),
            (
                json!({"a": 1}),
                json!({"a": {"b": 1}}),
                json!({"a": {"b": 1}}),
            ),
            (json!({"a": {"b": 1}}), json!({"a": "x"}), json!({"a": "x"})),
            (json!({}), json!({"a": {"b": null}}), json!({"a": {}})),
        ] {
            let mut merged = base.clone();
            lay(&mut merged, over.clone());
            assert_eq!(merged, expected, "{base} {over}");
        }
    }

    #[test]
    fn scalars_are_what_they_look_like() {
        let text = "a: 1\nb: '1'\nc: 1.5\nd: true\ne: yes\nf: 007\ng: ~\nh: -2e3\ni: ''\n";
        let root = yaml::parse(text).root.unwrap();
        let expected = json!({
            "a": 1, "b": "1", "c": 1.5, "d": true, "e": "yes", "f": "007", "g": null,
            "h": -2e3, "i": ""
        });
        assert_eq!(value_of(&root), expected);
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let files = [
            file("list.yaml", "- a\n"),
            file("twice.yaml", "a: 1\na: 2\n"),
            folder.path().join("none.yaml"),
            file("empty.yaml", "\n"),
            file("comment.yaml", "# nothing yet\n"),
            file("good.json", "{\"a\": {\"b\": true}}"),
        ];
        let mut problems = Vec::new();
        assert_eq!(merged(&files, &mut problems), json!({"a": {"b": true}}));
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(
            told[0].contains("list.yaml:1:1: error: the values must be a mapping"),
            "{told:?}"
        );
        assert!(told[1].contains("twice.yaml:2:1"), "{told:?}");
        assert!(
            told[3].contains("empty.yaml: error: the values are empty"),
            "{told:?}"
        );
        assert!(
            told[2].contains("none.yaml: error: the values cannot be read"),
            "{told:?}"
        );
    }
}
