//! [`lines`]: values as variables, `DATABASE_HOST="db.example"` a line, as shells, systemd and
//! libraries for `.env` files read them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::schema::problem::Problem;

/// A line for every value that has no keys of its own. Two of one name are a problem.
pub(super) fn lines(values: &Value, problems: &mut Vec<Problem>) -> String {
    let mut found = BTreeMap::new();
    walk(&mut Vec::new(), values, &mut |path, value| {
        let path = path.join(".");
        let before = found.insert(name(&path), (path.clone(), quoted(value)));
        if let Some((before, _)) = before {
            let message = format!("`{before}` and `{path}` would both be {}", name(&path));
            problems.push(Problem::error(None, message));
        }
    });
    let line = |(name, (_, value)): (&String, &(String, String))| format!("{name}={value}\n");
    found.iter().map(line).collect()
}

fn walk<'v>(
    path: &mut Vec<&'v str>,
    value: &'v Value,
    visit: &mut impl FnMut(&[&'v str], &'v Value),
) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                path.push(key);
                walk(path, value, visit);
                path.pop();
            }
        }
        value => visit(path, value),
    }
}

/// A path of keys as a variable.
fn name(path: &str) -> String {
    let letter = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    let name: String = path.chars().map(letter).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        format!("_{name}")
    } else {
        name
    }
}

/// A value as a shell reads it: bare where nothing can be meant by it, else in quotes.
fn quoted(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        value => value.to_string(),
    };
    let harmless = |letter: char| letter.is_ascii_alphanumeric() || "_./:@%+-,".contains(letter);
    if text.chars().all(harmless) {
        return text;
    }
    let mut out = String::from("\"");
    for letter in text.chars() {
        if matches!(letter, '"' | '\\' | '$' | '`') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_variables() {
        let values = json!({
            "db": {"host-name": "db.example", "port": 5432, "password": "a\"b$c`d\\e f"},
            "list": [1, "x"], "9": true, "none": null
        });
        let mut problems = Vec::new();
        let text = lines(&values, &mut problems);
        assert!(problems.is_empty());
        assert_eq!(
            text,
            "DB_HOST_NAME=db.example\nDB_PASSWORD=\"a\\\"b\\$c\\`d\\\\e f\"\nDB_PORT=5432\n\
             LIST=\"[1,\\\"x\\\"]\"\nNONE=\n_9=true\n"
        );
        // And a shell reads them so.
        let script = format!("{text}printf '%s|%s' \"$DB_PASSWORD\" \"$LIST\"");
        let said = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&said.stdout),
            "a\"b$c`d\\e f|[1,\"x\"]"
        );
    }

    #[test]
    fn two_of_one_name_are_told() {
        let mut problems = Vec::new();
        lines(&json!({"a": {"b": 1}, "a_b": 2}), &mut problems);
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains("`a.b` and `a_b` would both be A_B"),
            "{told:?}"
        );
    }
}
