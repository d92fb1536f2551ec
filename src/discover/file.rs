//! Endpoint files: a list in YAML or JSON, each item a place or a mapping that has one.
//!
//! ```yaml
//! - 10.0.0.1:50051
//! - {address: 10.0.0.2:50051, weight: 2, metadata: {zone: a}}
//! - unix:/run/app.sock
//! ```

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::{Found, Place};
use crate::schema::problem::{Location, Problem};
use crate::yaml::{self, Mark, Node};

/// The largest weight.
const MOST_WEIGHT: u32 = 1_000_000;

/// The keys of an item.
const KEYS: [&str; 3] = ["address", "metadata", "weight"];

/// Reads a file; all that is wrong with it if anything is. Blocks.
pub fn read(path: &Path) -> Result<Vec<Found>, Vec<Problem>> {
    let name: Arc<str> = path.to_string_lossy().into();
    let text = text(path).map_err(|error| {
        let message = format!("the endpoints cannot be read: {error}");
        vec![Problem::error(Location::file(Arc::clone(&name)), message)]
    })?;
    parse(&name, &text)
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let most = yaml::MAX_BYTES as u64 + 1;
    File::open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}

fn parse(name: &Arc<str>, text: &str) -> Result<Vec<Found>, Vec<Problem>> {
    let mut reader = Reader {
        name,
        problems: Vec::new(),
    };
    let parsed = yaml::parse(text);
    for complaint in parsed.complaints {
        let location = reader.at(complaint.at);
        let mut problem = Problem::error(location, complaint.message);
        problem.help = complaint.help.map(str::to_owned);
        reader.problems.push(problem);
    }
    let found = parsed.root.map(|root| reader.list(&root));
    match found {
        Some(found) if reader.problems.is_empty() => Ok(found),
        _ => Err(reader.problems),
    }
}

struct Reader<'n> {
    name: &'n Arc<str>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn list(&mut self, root: &Node) -> Vec<Found> {
        let yaml::Value::List(items) = &root.value else {
            // Nothing may be a file of which only the beginning is there; no endpoints are `[]`.
            let message = format!("the endpoints must be a list, not {}", root.describe());
            self.wrong(
                root.at,
                message,
                "write `- host:port` for each; `[]` for none",
            );
            return Vec::new();
        };
        items.iter().filter_map(|item| self.item(item)).collect()
    }

    fn item(&mut self, item: &Node) -> Option<Found> {
        if let yaml::Value::Map(entries) = &item.value {
            for entry in entries.iter().filter(|entry| !KEYS.contains(&&*entry.key)) {
                let message = format!("unknown key `{}` of an endpoint", entry.key);
                let help = "the known keys are `address`, `metadata` and `weight`";
                self.wrong(entry.key_at, message, help);
            }
        }
        let written = item.get("address").unwrap_or(item);
        let Some(place) = written.text().and_then(Place::parse) else {
            let message = format!("{} is not an endpoint", written.describe());
            self.wrong(written.at, message, "write `host:port` or `unix:path`");
            return None;
        };
        Some(Found {
            place,
            weight: item.get("weight").map_or(1, |weight| self.weight(weight)),
            metadata: item.get("metadata").map(json),
        })
    }

    fn weight(&mut self, node: &Node) -> u32 {
        let weight = node.text().and_then(|text| text.parse().ok());
        weight
            .filter(|weight| (1..=MOST_WEIGHT).contains(weight))
            .unwrap_or_else(|| {
                let message = format!(
                    "a weight must be a whole number from 1 to {MOST_WEIGHT}, not {}",
                    node.describe()
                );
                self.wrong(node.at, message, "leave it out for 1");
                1
            })
    }

    fn wrong(&mut self, at: Mark, message: String, help: &str) {
        let location = self.at(at);
        let problem = Problem::error(location, message);
        self.problems.push(problem.with_help(help));
    }

    fn at(&self, at: Mark) -> Location {
        Location::at(Arc::clone(self.name), at.line, at.column)
    }
}

/// A value as JSON has it; numbers stay as they were written, which is text.
fn json(node: &Node) -> Value {
    match &node.value {
        yaml::Value::Null => Value::Null,
        yaml::Value::Scalar { text, .. } => match node.boolean() {
            Some(value) => Value::Bool(value),
            None => Value::String(text.to_string()),
        },
        yaml::Value::List(items) => items.iter().map(json).collect(),
        yaml::Value::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.to_string(), json(&entry.value)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(text: &str) -> Result<Vec<Found>, Vec<String>> {
        let told = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
        parse(&"e".into(), text).map_err(told)
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let expected = vec![
            Found::at(Place::tcp("10.0.0.1", 1)),
            Found {
                place: Place::Unix("/b".into()),
                weight: 2,
                metadata: Some(json!({"zone": "a", "old": true})),
            },
        ];
        let yaml =
            "- 10.0.0.1:1\n- address: unix:/b\n  weight: 2\n  metadata: {zone: a, old: true}\n";
        assert_eq!(parsed(yaml), Ok(expected.clone()));
        let json = r#"[{"address": "10.0.0.1:1"},
                       {"address": "unix:/b", "weight": 2, "metadata": {"zone": "a", "old": true}}]"#;
        assert_eq!(parsed(json), Ok(expected));
        assert_eq!(parsed("[]"), Ok(Vec::new()));
    }

    /// Fault 39: whatever is wrong is told with its place, and nothing of the file is taken.
    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, expected) in [
            (
                "",
                "e:1:1: error: the endpoints must be a list, not nothing\n  help: write `- host:port` for each; `[]` for none",
            ),
            (
                "- a:1\n- b",
                "e:2:3: error: `b` is not an endpoint\n  help: write `host:port` or `unix:path`",
            ),
            (
                "- {weight: 1}",
                "e:1:3: error: a mapping is not an endpoint\n  help: write `host:port` or `unix:path`",
            ),
            (
                "- {address: 'a:1', wait: 1}",
                "e:1:20: error: unknown key `wait` of an endpoint\n  help: the known keys are `address`, `metadata` and `weight`",
            ),
            (
                "- {address: 'a:1', weight: 0}",
                "e:1:28: error: a weight must be a whole number from 1 to 1000000, not `0`\n  help: leave it out for 1",
            ),
        ] {
            assert_eq!(parsed(text).unwrap_err(), [expected], "{text}");
        }
        assert!(parsed("[{").is_err());
    }
}
