//! What became of the settings between two configurations, and which of them wait for a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::tree::{Given, Tree};
use super::view::is_secret;
use super::{Config, Telemetry};

/// Settings that hold from the start of the process to its end: others took up what they say.
const FIXED: &[&str] = &[
    "admin",
    "lifecycle.takeover",
    "limits.workers",
    "listen",
    "ops",
];

/// The one setting of telemetry that does not.
const LOG_LEVEL: &str = "telemetry.log_level";

/// A setting that is another one than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its dotted path.
    pub key: String,
    /// The value before; `None` when there was none.
    pub before: Option<Value>,
    /// The value after.
    pub after: Option<Value>,
}

/// Every setting that differs, by path; defaults count as values.
pub fn changes(before: &Tree, after: &Tree) -> Vec<Change> {
    let (before, after) = (flat(before), flat(after));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| Change {
            key: key.clone(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
        })
        .collect()
}

impl Change {
    /// Whether it cannot hold before the next start.
    pub fn waits_for_restart(&self) -> bool {
        let key = self.key.as_str();
        FIXED.contains(&key)
            || key.starts_with("tls.acme.")
            || key.starts_with("telemetry.") && key != LOG_LEVEL
    }

    fn shown(&self, value: Option<&Value>) -> String {
        match value {
            None => "nothing".to_owned(),
            Some(_) if is_secret(&self.key) => "(hidden)".to_owned(),
            Some(value) => value.to_string(),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (self.before.as_ref(), self.after.as_ref());
        let (before, after) = (self.shown(before), self.shown(after));
        write!(f, "{}: {before} -> {after}", self.key)
    }
}

impl Config {
    /// Takes over what a running process cannot change from the configuration that it began with.
    pub fn keep_fixed(&mut self, running: &Self) {
        self.listen = running.listen;
        self.admin = running.admin;
        self.admin_token.clone_from(&running.admin_token);
        self.ops = running.ops;
        self.workers = running.workers;
        self.acme.clone_from(&running.acme);
        if let (Some(tls), Some(begun)) = (&mut self.tls, &running.tls) {
            tls.managed.clone_from(&begun.managed);
        }
        self.takeover.clone_from(&running.takeover);
        self.telemetry = Telemetry {
            level: self.telemetry.level,
            ..running.telemetry.clone()
        };
    }
}

fn flat(tree: &Tree) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    gather(tree, String::new(), &mut found);
    found
}

fn gather(tree: &Tree, path: String, found: &mut BTreeMap<String, Value>) {
    match &tree.given {
        Given::Map(entries) => {
            for (name, branch) in entries {
                let dot = if path.is_empty() { "" } else { "." };
                gather(&branch.tree, format!("{path}{dot}{name}"), found);
            }
        }
        Given::List(_) | Given::Leaf(_) => {
            found.insert(path, tree.to_json());
        }
    }
}
