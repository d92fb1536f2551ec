//! The manual of the file, made from its JSON Schema: [`manual`].

use std::fmt::Write;

use serde_json::{Map, Value};

use super::check::words;
use super::overlay::{CONFIG_VARIABLE, SWITCHES};
use super::reference::{self, json_schema};
use super::values;
use super::words::list_words;
use crate::yaml::{self, Node};

/// The reference manual of `sidegate.yaml`, in Markdown.
pub fn manual() -> String {
    let schema = json_schema();
    let mut page = String::from("# sidegate.yaml\n\n");
    page.push_str(description(&schema));
    page.push_str(
        "\n\nA key without a value counts as not given. Unknown keys are errors, and all problems \
         are told at once, with file, line and column.\n\n\
         This page is made from the types that read the file; `UPDATE_GOLDEN=1 cargo test --test \
         config` renews it.\n\n",
    );
    switches(&mut page);
    let defaults = yaml::parse(reference::DEFAULTS).root;
    for (key, inner) in ordered(&schema, defaults.as_ref()) {
        let defaults = defaults.as_ref().and_then(|node| node.get(key));
        section(&mut page, key, inner, defaults);
    }
    page
}

fn switches(page: &mut String) {
    page.push_str("| flag | variable | key |\n|---|---|---|\n");
    let row =
        |flag: &str, variable: &str, key: &str| format!("| `{flag}` | `{variable}` | {key} |\n");
    page.push_str(&row("--config", CONFIG_VARIABLE, "the file itself"));
    for switch in SWITCHES {
        let key = format!("`{}`", switch.key.join("."));
        page.push_str(&row(switch.flag, switch.variable, &key));
    }
    page.push_str("\nVariables take lists with commas between.\n");
}

/// A key and everything below it.
fn section(page: &mut String, path: &str, schema: &Value, defaults: Option<&Node>) {
    let hashes = if path.contains('.') { "###" } else { "##" };
    put(
        page,
        format_args!("\n{hashes} `{path}`\n\n{}\n", description(schema)),
    );
    if let Some(inner) = schema.get("additionalProperties").filter(|s| s.is_object()) {
        let path = format!("{path}.*");
        for (key, inner) in ordered(inner, None) {
            section(page, &format!("{path}.{key}"), inner, None);
        }
    } else if schema.get("properties").is_none() {
        leaf(page, schema);
    } else if path.contains('*') {
        // What it says is said already where it stands for everybody.
        let name = path.rsplit('.').next().unwrap_or(path);
        let keys: Vec<&str> = ordered(schema, None).map(|(key, _)| key).collect();
        let keys = list_words(&keys, "and");
        put(
            page,
            format_args!("\nThe keys {keys}, as in [`{name}`](#{name}).\n"),
        );
    } else {
        for (key, inner) in ordered(schema, defaults) {
            let defaults = defaults.and_then(|node| node.get(key));
            section(page, &format!("{path}.{key}"), inner, defaults);
        }
    }
}

/// What a value may be, and what it is when nothing is said.
fn leaf(page: &mut String, schema: &Value) {
    let default = match schema.get("default") {
        Some(Value::String(text)) => format!("Default: `{text}`. "),
        Some(Value::Array(_)) => "Default: none. ".to_owned(),
        Some(other) => format!("Default: `{other}`. "),
        None => String::new(),
    };
    let choices = words(schema);
    if choices.is_empty() {
        put(page, format_args!("\n{default}It is {}.\n", kind(schema)));
        return;
    }
    put(page, format_args!("\n{default}One of:\n\n"));
    let told = schema.get("oneOf").and_then(Value::as_array);
    for word in choices {
        let meaning = told
            .into_iter()
            .flatten()
            .find(|choice| choice.get("const").and_then(Value::as_str) == Some(word));
        put(
            page,
            format_args!("- `{word}`: {}\n", meaning.map_or("", description)),
        );
    }
}

/// What a value is, to stand after "it is".
fn kind(schema: &Value) -> String {
    let format = schema.get("format").and_then(Value::as_str);
    if let Some(expected) = format.and_then(values::expected) {
        return expected.to_owned();
    }
    if let Some(items) = schema.get("items") {
        return format!("a list; each item is {}", kind(items));
    }
    if let Some(known) = schema.get("properties").and_then(Value::as_object) {
        let keys: Vec<&str> = known.keys().map(String::as_str).collect();
        return format!("a mapping of {}", list_words(&keys, "and"));
    }
    let bound = |key: &str| schema.get(key).map(ToString::to_string).unwrap_or_default();
    match schema.get("type").and_then(Value::as_str) {
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("integer") => format!(
            "a whole number from {} to {}",
            bound("minimum"),
            bound("maximum")
        ),
        _ => "a path".to_owned(),
    }
}

/// The keys of a mapping: in the order of the defaults, then the others.
fn ordered<'a>(
    schema: &'a Value,
    defaults: Option<&'a Node>,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let known = schema.get("properties").and_then(Value::as_object);
    let listed = defaults.map_or(&[][..], Node::entries);
    let first = listed
        .iter()
        .filter_map(move |entry| known?.get_key_value(&*entry.key));
    let rest = known.into_iter().flat_map(Map::iter);
    let rest = rest.filter(move |(key, _)| listed.iter().all(|entry| *entry.key != ***key));
    first
        .chain(rest)
        .map(|(key, schema)| (key.as_str(), schema))
}

fn description(schema: &Value) -> &str {
    let text = schema.get("description").and_then(Value::as_str);
    text.unwrap_or_default()
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a string takes everything");
}
