//! The configuration as somebody sees it: every key with its value and who says so, and what holds
//! for one method.

use serde::Serialize;
use serde_json::{Value, json};

use super::Config;
use super::tree::{Origin, Tree};
use super::values::{Selector, Typed};

/// What stands for a secret.
const HIDDEN: &str = "***";

/// Keys of `limits` that a route may say otherwise; the first two stand beside a route's `limits`.
const LIMITS: [&str; 15] = [
    "timeout",
    "max_timeout",
    "request",
    "message",
    "response_message",
    "body_idle",
    "response_stall",
    "rate",
    "burst",
    "concurrency",
    "queue",
    "queue_time",
    "client_rate",
    "client_burst",
    "client_concurrency",
];

/// A key with the value that holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InEffect {
    /// The key that says it, with dots between.
    pub key: String,
    /// The value.
    pub value: Value,
    /// `default`, `compat`, `file`, `variable` or `flag`.
    pub source: &'static str,
    /// Where: `file:line:column`, or the name of the variable or flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

impl InEffect {
    fn new(key: String, tree: &Tree) -> Self {
        let Origin { source, .. } = &tree.origin;
        let value = match (is_secret(&key), tree.to_json()) {
            (true, Value::String(_)) => HIDDEN.into(),
            (_, value) => without_password(value),
        };
        Self {
            key,
            value,
            source: source.kind(),
            at: tree.origin.location().map(|place| place.to_string()),
        }
    }
}

impl Config {
    /// The configuration as it is in effect, to be shown: every key with its value and where that
    /// comes from. Secrets are not shown.
    pub fn view(&self) -> Value {
        json!({ "keys": self.keys() })
    }

    /// Every key that has a value.
    pub fn keys(&self) -> Vec<InEffect> {
        let mut keys = Vec::new();
        self.tree.for_each(&mut |path, tree| {
            keys.push(InEffect::new(path.join("."), tree));
        });
        keys
    }

    /// What holds for a method of deadlines, sizes, JSON and REST, and which key says so: that of
    /// the most specific selector, else the one for everybody.
    pub fn in_effect(&self, service: &str, method: &str, streams: bool) -> Vec<InEffect> {
        let name = Selector::read(&format!("{service}.{method}")).ok();
        let covers = |text: &&str| {
            let wide = Selector::read(text).ok();
            wide.zip(name.as_ref())
                .is_some_and(|(wide, name)| wide.covers(name))
        };
        let mut selectors: Vec<&str> = self.tree.keys(&["routes"]);
        selectors.retain(|selector| covers(selector));
        selectors.sort_by_key(|selector| std::cmp::Reverse(selector.len()));

        let mut found = Vec::new();
        let mut say = |within: &[&str], everybody: &[&str]| {
            let route = selectors.iter().find_map(|selector| {
                let path = [&["routes", selector], within].concat();
                self.given(&path)
            });
            found.extend(route.or_else(|| self.given(everybody)));
        };
        for key in LIMITS {
            match key {
                // A route has one timeout for both kinds.
                "timeout" if streams => say(&[key], &["limits", "stream_timeout"]),
                "timeout" | "max_timeout" => say(&[key], &["limits", key]),
                key => say(&["limits", key], &["limits", key]),
            }
        }
        for key in ["require", "scopes", "callers"] {
            say(&["auth", key], &["auth", key]);
        }
        for part in ["json", "rest"] {
            for key in self.tree.keys(&[part]) {
                say(&[part, key], &[part, key]);
            }
        }
        found
    }

    /// A key that has a value of its own.
    fn given(&self, path: &[&str]) -> Option<InEffect> {
        let tree = &self.tree.branch(path)?.tree;
        let is_leaf = !matches!(&tree.given, super::Given::Map(_));
        is_leaf.then(|| InEffect::new(path.join("."), tree))
    }
}

/// Whether a key holds a secret itself, and not the name of a file that does.
pub(super) fn is_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    ["token", "secret", "password", "passphrase"]
        .iter()
        .any(|word| last.ends_with(word))
}

/// The value, with what stands before the `@` of a URL hidden.
fn without_password(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(hide_user(text)),
        Value::Array(items) => items.into_iter().map(without_password).collect(),
        value => value,
    }
}

fn hide_user(text: String) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match authority.rsplit_once('@') {
        Some((user, _)) => {
            let after = rest.get(user.len()..).unwrap_or_default();
            format!("{scheme}://{HIDDEN}{after}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Input, load};

    fn config(yaml: &str) -> Config {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("sidegate.yaml"), yaml).unwrap();
        let (config, problems) = load(&Input {
            directory: directory.path().to_owned(),
            ..Input::default()
        });
        config.unwrap_or_else(|| panic!("{problems:?}"))
    }

    #[test]
    fn the_most_specific_selector_says_what_holds() {
        let config = config(
            "limits: {timeout: 20s}\n\
             json: {indent: 1}\n\
             routes:\n  \
               '*': {timeout: 9s, json: {indent: 2}}\n  \
               a.B: {limits: {request: 1KiB}}\n  \
               a.B.Get: {timeout: 1s}\n",
        );
        let said = |method: &str, streams: bool, key: &str| {
            let all = config.in_effect("a.B", method, streams);
            let one = all.iter().find(|one| one.key.ends_with(key)).unwrap();
            let line = one.at.as_deref().and_then(|at| at.rsplit(':').nth(1));
            format!("{}={} {}", one.key, one.value, line.unwrap_or(one.source))
        };
        assert_eq!(
            said("Get", false, "timeout"),
            "routes.a.B.Get.timeout=\"1s\" 6"
        );
        assert_eq!(said("List", true, "timeout"), "routes.*.timeout=\"9s\" 4");
        assert_eq!(
            said("List", false, "request"),
            "routes.a.B.limits.request=\"1KiB\" 5"
        );
        assert_eq!(said("Get", false, "indent"), "routes.*.json.indent=2 4");
        assert_eq!(said("Get", false, "names"), "json.names=\"camel\" default");
        let other = config.in_effect("c.D", "Get", true);
        assert_eq!(other[0].key, "routes.*.timeout");
    }

    #[test]
    fn secrets_are_not_shown() {
        assert!(is_secret("a.token") && is_secret("x.client_secret"));
        assert!(!is_secret("admin_token_file") && !is_secret("tokens"));
        for (given, shown) in [
            ("http://user:pass@host/a@b", "http://***@host/a@b"),
            ("http://host/a@b", "http://host/a@b"),
            ("user@host", "user@host"),
        ] {
            assert_eq!(hide_user(given.to_owned()), shown);
        }
    }
}
