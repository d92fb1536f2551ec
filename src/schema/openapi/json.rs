//! [`Json`]: a JSON value whose objects keep the order they were written in, as JSON and as YAML.
//!
//! Order is part of a description that people read: `openapi` first, properties as declared.

use std::borrow::Cow;
use std::fmt::Write;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// Any value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Self>),
    Object(Object),
}

/// Keys and values, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Object(Vec<(Cow<'static, str>, Json)>);

impl Object {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// An object with one more key, at its end.
    pub(super) fn with(
        mut self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<Json>,
    ) -> Self {
        self.put(key, value);
        self
    }

    /// The same, if there is a value.
    pub(super) fn maybe(
        self,
        key: impl Into<Cow<'static, str>>,
        value: Option<impl Into<Json>>,
    ) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Adds a key at the end, or gives the one that is there another value.
    pub(super) fn put(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Json>) {
        let (key, value) = (key.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }

    /// The same without a key.
    pub(super) fn without(mut self, key: &str) -> Self {
        self.0.retain(|(known, _)| known != key);
        self
    }

    pub(super) fn get(&self, key: &str) -> Option<&Json> {
        let found = self.0.iter().find(|(known, _)| *known == key);
        found.map(|(_, value)| value)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, Json)> for Object {
    fn from_iter<I: IntoIterator<Item = (String, Json)>>(iter: I) -> Self {
        let owned = iter.into_iter();
        Self(owned.map(|(key, value)| (key.into(), value)).collect())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Json {
    fn from(list: Vec<T>) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => serializer.collect_seq(list),
            Self::Object(Object(members)) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl Json {
    /// The value as JSON in one line.
    pub(super) fn compact(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The value as JSON for people, with a line feed at its end.
    pub(super) fn pretty(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The value as YAML. Texts are written as JSON has them, which YAML 1.2 reads alike, so that
    /// none is ever taken for something else.
    pub(super) fn yaml(&self) -> String {
        let mut out = String::new();
        self.write_yaml(0, &mut out);
        out
    }

    /// Writes the lines of a value that stands so deep.
    fn write_yaml(&self, depth: usize, out: &mut String) {
        let indent = "  ".repeat(depth);
        match self {
            Self::Object(Object(members)) if !members.is_empty() => {
                for (key, value) in members {
                    out.push_str(&indent);
                    out.push_str(&yaml_key(key));
                    out.push(':');
                    value.write_behind(depth, out);
                }
            }
            Self::List(list) if !list.is_empty() => {
                for value in list {
                    out.push_str(&indent);
                    out.push('-');
                    value.write_behind(depth, out);
                }
            }
            scalar => {
                // Writing to a text cannot fail.
                let _infallible = writeln!(out, "{indent}{}", scalar.compact());
            }
        }
    }

    /// Writes a value behind its key or dash: on the same line, or below it.
    fn write_behind(&self, depth: usize, out: &mut String) {
        let nested = match self {
            Self::Object(object) => !object.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_) => false,
        };
        if nested {
            out.push('\n');
            self.write_yaml(depth + 1, out);
        } else {
            out.push(' ');
            self.write_yaml(0, out);
        }
    }
}

/// A key as YAML: bare if nothing can mistake it.
fn yaml_key(key: &str) -> Cow<'_, str> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_./-".contains(letter);
    let word = key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if word && key.chars().all(plain) && !reserved.contains(&&*key.to_ascii_lowercase()) {
        Cow::Borrowed(key)
    } else {
        Cow::Owned(Json::from(key).compact())
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, Object};

    #[test]
    fn objects_keep_their_order_and_texts_stay_texts() {
        let inner = Object::new().with("no", "off").with("a b", vec!["1", "x"]);
        let value = Json::from(
            Object::new()
                .with("z", 1_i64)
                .with("a", inner)
                .with("none", Object::new())
                .with("list", vec![Json::from(Object::new().with("k", true))])
                .maybe("gone", None::<bool>),
        );
        assert_eq!(
            value.compact(),
            r#"{"z":1,"a":{"no":"off","a b":["1","x"]},"none":{},"list":[{"k":true}]}"#
        );
        let expected = "z: 1\na:\n  \"no\": \"off\"\n  \"a b\":\n    - \"1\"\n    - \"x\"\nnone: {}\n\
                        list:\n  -\n    k: true\n";
        assert_eq!(value.yaml(), expected);
    }

    #[test]
    fn a_key_has_one_value() {
        let object = Object::new()
            .with("a", 1_i64)
            .with("b", 2_i64)
            .with("a", 3_i64);
        assert_eq!(Json::from(object).compact(), r#"{"a":3,"b":2}"#);
    }
}
