//! Comparing what came with what a row says.
//!
//! In expected values the string `<any>` stands for anything and `<contains X>` for a string
//! with `X` in it. Numbers compare by value: `2` is `2.0`.

use serde_json::Value;

/// Whether `got` is what `expected` says; where and how they differ otherwise.
pub(super) fn json(expected: &Value, got: &Value, more_keys: bool) -> Result<(), String> {
    at("", expected, got, more_keys)
}

fn at(path: &str, expected: &Value, got: &Value, more_keys: bool) -> Result<(), String> {
    let differ = || Err(format!("at `{path}`: expected {expected}, got {got}"));
    match (expected, got) {
        (Value::String(pattern), _) if text(pattern, got.as_str().unwrap_or_default()) => {
            // A pattern other than `<any>` wants a string.
            if got.is_string() || pattern == "<any>" {
                Ok(())
            } else {
                differ()
            }
        }
        (Value::Number(a), Value::Number(b)) => {
            if a == b || a.as_f64() == b.as_f64() {
                Ok(())
            } else {
                differ()
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                return differ();
            }
            let pairs = a.iter().zip(b).enumerate();
            for (index, (a, b)) in pairs {
                at(&format!("{path}[{index}]"), a, b, more_keys)?;
            }
            Ok(())
        }
        (Value::Object(a), Value::Object(b)) => {
            for (key, expected) in a {
                let Some(got) = b.get(key) else {
                    return Err(format!("at `{path}`: no key {key} in {got}"));
                };
                at(&format!("{path}.{key}"), expected, got, more_keys)?;
            }
            match b.keys().find(|key| !more_keys && !a.contains_key(*key)) {
                Some(key) => Err(format!("at `{path}`: an unexpected key {key} in {got}")),
                None => Ok(()),
            }
        }
        _ if expected == got => Ok(()),
        _ => differ(),
    }
}

/// Whether a text is what a pattern says.
pub(super) fn text(pattern: &str, got: &str) -> bool {
    if pattern == "<any>" {
        return true;
    }
    match pattern
        .strip_prefix("<contains ")
        .and_then(|rest| rest.strip_suffix('>'))
    {
        Some(part) => got.contains(part),
        None => pattern == got,
    }
}

/// Whether a header map has what a row says of one name: a value, a list of values, or `null`.
pub(super) fn header(
    headers: &http::HeaderMap,
    name: &str,
    expected: &Value,
) -> Result<(), String> {
    let got: Vec<String> = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect();
    let wanted: Vec<String> = match expected {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().map(plain).collect(),
        value => vec![plain(value)],
    };
    let same = wanted.len() == got.len() && wanted.iter().zip(&got).all(|(a, b)| text(a, b));
    if same {
        Ok(())
    } else {
        Err(format!("{name}: expected {expected}, got {got:?}"))
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
