//! What may stand in the file: its JSON Schema, [`json_schema`].

use serde_json::{Map, Value};

use super::settings::Settings;
use crate::yaml;

/// `defaults.yaml`: what holds when nothing else is said.
pub(super) const DEFAULTS: &str = include_str!("defaults.yaml");

/// The JSON Schema of `sidegate.yaml`, without references, with every default.
pub fn json_schema() -> Value {
    let settings =
        schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    let generated = settings.into_generator().into_root_schema_for::<Settings>();
    let mut schema = generated.to_value();
    simplify(&mut schema);
    if let Some(defaults) = yaml::parse(DEFAULTS).root {
        put_defaults(&mut schema, &defaults);
    }
    schema
}

/// Makes the schema tell what the reader of files does: nothing is required, since everything
/// has a default; unknown keys are refused; and a key without a value counts as not given, so
/// `null` needs no mention.
fn simplify(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Object(object) => {
            strip_null(object);
            object.remove("required");
            if object.get("type").and_then(Value::as_str) == Some("integer") {
                object.remove("format");
            }
            if object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            object.values_mut().for_each(simplify);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn strip_null(schema: &mut Map<String, Value>) {
    schema.remove("default");
    let is_null = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("null");
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| !is_null(choice));
        if let [only] = choices.as_slice()
            && let Some(inner) = only.as_object().cloned()
        {
            schema.remove("anyOf");
            for (key, value) in inner {
                schema.entry(key).or_insert(value);
            }
        }
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
}

/// Writes the defaults of the tree into the schema.
fn put_defaults(schema: &mut Value, node: &yaml::Node) {
    let default = match &node.value {
        yaml::Value::Map(entries) if !entries.is_empty() => {
            for entry in entries {
                if let Some(inner) = schema.pointer_mut(&format!("/properties/{}", entry.key)) {
                    put_defaults(inner, &entry.value);
                }
            }
            return;
        }
        yaml::Value::Null | yaml::Value::Map(_) => return,
        yaml::Value::List(_) => Value::Array(Vec::new()),
        yaml::Value::Scalar { text, .. } => match (schema.get("type"), node.boolean()) {
            (_, Some(boolean)) => Value::from(boolean),
            (Some(kind), None) if kind == "integer" => {
                text.parse::<i64>().map_or(Value::Null, Value::from)
            }
            _ => Value::from(&**text),
        },
    };
    if let Some(object) = schema.as_object_mut() {
        object.insert("default".to_owned(), default);
    }
}
