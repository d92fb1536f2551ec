//! `each`: one row with holes becomes many, by one list or by every choice out of several; and
//! `<<3*ab>>`, which stands for `ababab`.

use serde_json::{Map, Value};

/// The rows that a row stands for: one for each entry of its `each`, with every `$name` replaced
/// by that entry's value. A string that is nothing but `$name` becomes the value as it is.
pub(super) fn expand(case: &Value) -> Result<Vec<Value>, String> {
    let Some(each) = case.get("each") else {
        return Ok(vec![repeated(case)]);
    };
    let entries = entries(each.as_array().ok_or("`each` is a list")?)?;
    let mut bare = case.clone();
    if let Some(map) = bare.as_object_mut() {
        map.remove("each");
    }
    entries
        .iter()
        .map(|names| {
            let mut row = repeated(&fill(&bare, names));
            if let Some(Value::String(name)) = row.get_mut("name")
                && *name == bare["name"].as_str().unwrap_or_default()
            {
                *name += &format!(" {}", Value::Object(names.clone()));
            }
            Ok(row)
        })
        .collect()
}

/// The mappings of a list, or, of a list of lists, one of each list put together in every way.
fn entries(each: &[Value]) -> Result<Vec<Map<String, Value>>, String> {
    let mapping = |entry: &Value| {
        let names = entry.as_object().cloned();
        names.ok_or_else(|| "an entry of `each` is a mapping".to_owned())
    };
    if !matches!(each, [Value::Array(_), ..]) {
        return each.iter().map(mapping).collect();
    }
    let mut all = vec![Map::new()];
    for list in each {
        let list = list.as_array().ok_or("`each` is a list of lists")?;
        let list: Vec<Map<String, Value>> = list.iter().map(mapping).collect::<Result<_, _>>()?;
        all = all
            .iter()
            .flat_map(|begun| list.iter().map(|more| merged(begun, more)))
            .collect();
    }
    Ok(all)
}

fn merged(begun: &Map<String, Value>, more: &Map<String, Value>) -> Map<String, Value> {
    begun
        .iter()
        .chain(more)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn fill(value: &Value, names: &Map<String, Value>) -> Value {
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

fn fill_text(text: &str, names: &Map<String, Value>) -> Value {
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
