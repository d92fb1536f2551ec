//! From a [`Layer`] to a [`Tree`]: every key known, every value of its type, or a problem.
//!
//! What may stand in the file is told by its JSON Schema alone ([`super::reference`]), so that the
//! manual, editors and this check can never differ. This reads the subset of JSON Schema that is
//! made there. It never stops: a bad part is told and left out, the rest is kept.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::later;
use super::tree::{Branch, Given, Layer, Origin, Tree};
use super::values::{self, Refused};
use super::words::list_words;
use crate::schema::nearest;
use crate::schema::problem::Problem;
use crate::yaml::{self, Mark, Node};

/// Checks a layer; `None` when nothing of it is left.
pub(super) fn check(layer: &Layer, schema: &Value, problems: &mut Vec<Problem>) -> Option<Tree> {
    let mut checker = Checker {
        layer,
        schema,
        problems,
    };
    checker.value(schema, &layer.root, &Path::default())
}

struct Checker<'a> {
    layer: &'a Layer,
    schema: &'a Value,
    problems: &'a mut Vec<Problem>,
}

/// The keys that lead to a value, and how they are written in messages.
#[derive(Clone, Default)]
struct Path {
    keys: Vec<String>,
    text: String,
}

impl Path {
    fn key(&self, key: &str) -> Self {
        let mut path = self.clone();
        if !path.text.is_empty() {
            path.text.push('.');
        }
        path.text.push_str(key);
        path.keys.push(key.to_owned());
        path
    }

    fn item(&self, index: usize) -> Self {
        let mut path = self.clone();
        path.text.push_str(&format!("[{index}]"));
        path
    }

    /// The name of the place, for messages.
    fn name(&self) -> String {
        if self.text.is_empty() {
            "the file".to_owned()
        } else {
            format!("`{}`", self.text)
        }
    }
}

impl Checker<'_> {
    fn value(&mut self, schema: &Value, node: &Node, path: &Path) -> Option<Tree> {
        if node.value == yaml::Value::Null {
            // A key whose value is commented out says nothing.
            return None;
        }
        let given = if let Some(known) = schema.get("properties") {
            self.object(schema, known, node, path)?
        } else if schema.get("additionalProperties").is_some() {
            self.dictionary(schema, node, path)?
        } else if let Some(items) = schema.get("items") {
            self.list(items, node, path)?
        } else {
            Given::Leaf(self.leaf(schema, node, path)?)
        };
        Some(Tree {
            origin: self.origin(node.at),
            given,
        })
    }

    fn object(&mut self, schema: &Value, known: &Value, node: &Node, path: &Path) -> Option<Given> {
        let yaml::Value::Map(entries) = &node.value else {
            return self.wrong(node, path, "a mapping of keys to values");
        };
        let mut found = BTreeMap::new();
        for entry in entries {
            let path = path.key(&entry.key);
            let Some(schema) = known.get(&*entry.key) else {
                self.unknown_key(schema, &entry.key, entry.key_at, &path);
                continue;
            };
            if let Some(tree) = self.value(schema, &entry.value, &path) {
                let key = self.origin(entry.key_at);
                found.insert(entry.key.clone(), Branch { key, tree });
            }
        }
        Some(Given::Map(found))
    }

    fn dictionary(&mut self, schema: &Value, node: &Node, path: &Path) -> Option<Given> {
        let yaml::Value::Map(entries) = &node.value else {
            return self.wrong(node, path, "a mapping of names to mappings");
        };
        let format = schema.pointer("/propertyNames/format");
        let format = format.and_then(Value::as_str).unwrap_or_default();
        let mut found = BTreeMap::new();
        for entry in entries {
            let refused = values::check(format, &entry.key).err();
            let key_is_sound = refused.is_none();
            if let Some(refused) = refused {
                let wrong = explain(refused, format);
                let message = format!("the key `{}` of {} {wrong}", entry.key, path.name());
                let location = self.origin(entry.key_at).location();
                self.problems.push(Problem::error(location, message));
            }
            let path = path.key(&entry.key);
            let schema = schema.get("additionalProperties")?;
            // What is named and not told anything is there all the same, if it can be empty.
            let empty = schema.get("properties").map(|_| Tree {
                origin: self.origin(entry.value.at),
                given: Given::Map(BTreeMap::new()),
            });
            let tree = self.value(schema, &entry.value, &path).or(empty);
            let (Some(tree), true) = (tree, key_is_sound) else {
                continue;
            };
            let key = self.origin(entry.key_at);
            let name = values::canonical(format, &entry.key);
            if let Some(before) = found.insert(name, Branch { key, tree }) {
                let at = self.origin(entry.key_at).location();
                let message = format!("{} is given twice", path.name());
                self.problems.push(
                    Problem::error(at, message)
                        .with_note(before.key.location(), "the first is here"),
                );
            }
        }
        Some(Given::Map(found))
    }

    fn list(&mut self, items: &Value, node: &Node, path: &Path) -> Option<Given> {
        let yaml::Value::List(nodes) = &node.value else {
            return self.wrong(node, path, "a list");
        };
        let mut found = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let path = path.item(index);
            if node.value == yaml::Value::Null {
                let message = format!("{} holds nothing", path.name());
                let problem = Problem::error(self.origin(node.at).location(), message);
                self.problems.push(problem.with_help("leave the item out"));
            }
            found.extend(self.value(items, node, &path));
        }
        Some(Given::List(found))
    }

    fn leaf(&mut self, schema: &Value, node: &Node, path: &Path) -> Option<Value> {
        let words = words(schema);
        if !words.is_empty() {
            return self.word(&words, node, path);
        }
        let format = schema.get("format").and_then(Value::as_str);
        let format = format.unwrap_or_default();
        if let Some(expected) = values::expected(format) {
            let Some(text) = node.text() else {
                return self.wrong(node, path, expected);
            };
            return match values::check(format, text) {
                Ok(()) => Some(Value::from(text)),
                Err(Refused::Form) => {
                    let problem = self.wrong_problem(node, path, expected);
                    let off = node.boolean() == Some(false) && values::check(format, "off").is_ok();
                    self.problems.push(if off {
                        problem.with_help("the word is `off`")
                    } else {
                        problem
                    });
                    None
                }
                Err(refused) => {
                    let wrong = explain(refused, format);
                    let space = if wrong.starts_with(':') { "" } else { " " };
                    let message = format!("{} {}{space}{wrong}", path.name(), node.describe());
                    let location = self.origin(node.at).location();
                    self.problems.push(Problem::error(location, message));
                    None
                }
            };
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("boolean") => match (node.boolean(), node.text()) {
                (Some(value), _) => Some(Value::from(value)),
                (None, Some("on")) => Some(Value::from(true)),
                (None, Some("off")) => Some(Value::from(false)),
                _ => self.wrong(node, path, "`true` or `false`"),
            },
            Some("integer") => self.integer(schema, node, path),
            _ => match node.text() {
                Some(text) if !text.is_empty() && !text.contains('\0') => Some(Value::from(text)),
                _ => self.wrong(node, path, "text that is not empty"),
            },
        }
    }

    fn word(&mut self, words: &[&str], node: &Node, path: &Path) -> Option<Value> {
        let text = node.text().unwrap_or_default();
        if words.contains(&text) {
            return Some(Value::from(text));
        }
        let expected = format!("one of {}", list_words(words, "or"));
        let problem = self.wrong_problem(node, path, &expected);
        let meant = match node.boolean() {
            Some(true) => words.contains(&"on").then_some("on"),
            Some(false) => words.contains(&"off").then_some("off"),
            None => nearest(text, words.iter().copied()),
        };
        self.problems.push(match meant {
            Some(word) => problem.with_help(format!("the nearest is `{word}`")),
            None => problem,
        });
        None
    }

    fn integer(&mut self, schema: &Value, node: &Node, path: &Path) -> Option<Value> {
        let bound = |key: &str| schema.get(key).and_then(Value::as_i64);
        let low = bound("minimum").unwrap_or(i64::MIN);
        let high = bound("maximum").unwrap_or(i64::MAX);
        let number = node.text().and_then(|text| text.parse::<i64>().ok());
        match number {
            Some(number) if (low..=high).contains(&number) => Some(Value::from(number)),
            _ => {
                let expected = format!("a whole number from {low} to {high}");
                self.wrong(node, path, &expected)
            }
        }
    }

    fn unknown_key(&mut self, schema: &Value, key: &str, at: Mark, path: &Path) {
        let location = self.origin(at).location();
        if later::is_planned(&path.keys) {
            let message = format!("{} is not available in this version", path.name());
            let problem = Problem::error(location, message);
            self.problems
                .push(problem.with_help("leave it out; a later version understands it"));
            return;
        }
        let known = keys_of(schema);
        let owners = owners(self.schema, key, "");
        let owners: Vec<&str> = owners.iter().map(String::as_str).collect();
        let help = match (nearest(key, known.iter().copied()), owners.as_slice()) {
            (Some(name), _) => format!("the nearest known key is `{name}`"),
            (None, []) => format!("the known keys here are {}", list_words(&known, "and")),
            (None, owners) => format!("it is a key of {}", list_words(owners, "and")),
        };
        let message = format!("unknown key {}", path.name());
        self.problems
            .push(Problem::error(location, message).with_help(help));
    }

    fn wrong<T>(&mut self, node: &Node, path: &Path, expected: &str) -> Option<T> {
        let problem = self.wrong_problem(node, path, expected);
        self.problems.push(problem);
        None
    }

    fn wrong_problem(&self, node: &Node, path: &Path, expected: &str) -> Problem {
        let message = format!(
            "{} must be {expected}, not {}",
            path.name(),
            node.describe()
        );
        Problem::error(self.origin(node.at).location(), message)
    }

    fn origin(&self, at: Mark) -> Origin {
        Origin {
            source: self.layer.source.clone(),
            at,
        }
    }
}

/// What is wrong with a text, to stand after its name.
fn explain(refused: Refused, format: &str) -> String {
    match refused {
        Refused::Form => format!("must be {}", values::expected(format).unwrap_or_default()),
        Refused::Because(reason) => reason,
    }
}

/// The keys of a mapping.
fn keys_of(schema: &Value) -> Vec<&str> {
    let known = schema.get("properties").and_then(Value::as_object);
    known
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect()
}

/// The mappings that have a key, whatever was meant by it at another place.
fn owners(schema: &Value, key: &str, path: &str) -> Vec<String> {
    let deeper = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    let mut found = Vec::new();
    if let Some(known) = schema.get("properties").and_then(Value::as_object) {
        if !path.is_empty() && known.contains_key(key) {
            found.push(path.to_owned());
        }
        let inner = known.iter();
        found.extend(inner.flat_map(|(name, inner)| owners(inner, key, &deeper(name))));
    } else if let Some(inner) = schema.get("additionalProperties") {
        found.extend(owners(inner, key, &deeper("*")));
    }
    found
}

/// The words that a schema allows, when it allows nothing else.
pub(super) fn words(schema: &Value) -> Vec<&str> {
    let documented = schema.get("oneOf").and_then(Value::as_array);
    let plain = schema.get("enum").and_then(Value::as_array);
    let documented = documented.into_iter().flatten();
    let words = documented.flat_map(|word| match word.get("enum").and_then(Value::as_array) {
        Some(words) => words.iter().collect(),
        None => word.get("const").into_iter().collect::<Vec<_>>(),
    });
    words
        .chain(plain.into_iter().flatten())
        .filter_map(Value::as_str)
        .collect()
}
