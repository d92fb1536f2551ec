//! `each`: one row with holes becomes many; and `<<3*ab>>`, which stands for `ababab`.

use serde_json::Value;

/// The rows that a row stands for: one for each entry of its `each`, with every `$name` replaced
/// by that entry's value. A string that is nothing but `$name` becomes the value as it is.
pub(super) fn expand(case: &Value) -> Result<Vec<Value>, String> {
    let Some(each) = case.get("each") else {
        return Ok(vec![repeated(case)]);
    };
    let entries = each.as_array().ok_or("`each` is a list")?;
    let mut bare = case.clone();
    if let Some(map) = bare.as_object_mut() {
        map.remove("each");
    }
    entries
        .iter()
        .map(|entry| {
            let names = entry.as_object().ok_or("an entry of `each` is a mapping")?;
            let mut row = repeated(&fill(&bare, names));
            if let Some(Value::String(name)) = row.get_mut("name")
                && *name == bare["name"].as_str().unwrap_or_default()
            {
                *name += &format!(" {entry}");
            }
            Ok(row)
        })
        .collect()
}

fn fill(value: &Value, names: &serde_json::Map<String, Value>) -> Value {
    match value {
        Value::String(text) => fill_text(text, names),
        Value::Array(items) => items.iter().map(|item| fill(item, names)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, item)| {
                let key = fill_text(key, names);
                (plain(&key), fill(item, names))
            })
            .collect(),
        other => other.clone(),
    }
}

fn fill_text(text: &str, names: &serde_json::Map<String, Value>) -> Value {
    if let Some(value) = text.strip_prefix('$').and_then(|name| names.get(name)) {
        return value.clone();
    }
    let mut filled = text.to_owned();
    for (name, value) in names {
        filled = filled.replace(&format!("${name}"), &plain(value));
    }
    Value::String(filled)
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The value with every `<<COUNT*TEXT>>` in its strings written out.
fn repeated(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(write_out(text)),
        Value::Array(items) => items.iter().map(repeated).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, item)| (key.clone(), repeated(item)))
            .collect(),
        other => other.clone(),
    }
}

fn write_out(text: &str) -> String {
    let Some((before, rest)) = text.split_once("<<") else {
        return text.to_owned();
    };
    let parts = rest
        .split_once(">>")
        .and_then(|(inside, after)| Some((inside.split_once('*')?, after)));
    match parts.and_then(|((count, text), after)| Some((count.parse().ok()?, text, after))) {
        Some((count, text, after)) => {
            let count: usize = count;
            format!("{before}{}{}", text.repeat(count), write_out(after))
        }
        None => text.to_owned(),
    }
}
