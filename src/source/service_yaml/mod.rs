//! HTTP rules from YAML: a `google.api.Service`, of which `http.rules` counts, as Google's service
//! configurations and grpc-gateway's `grpc-api-configuration` have it (R9).
//!
//! ```yaml
//! type: google.api.Service
//! config_version: 3
//! http:
//!   rules:
//!     - selector: library.v1.Library.GetBook
//!       get: /v1/{name=shelves/*/books/*}
//! ```
//!
//! Keys are in snake case or, as JSON has them, in camel case. Everything else that a service
//! configuration may say is passed over. What a rule means is for the schema's compiler to check.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::schema::compile::RuleFile;
use crate::schema::descriptor::{CustomHttpPattern, HttpPattern, HttpRule};
use crate::schema::problem::{Location, Problem};
use crate::yaml::{self, Entry, Mark, Node, Value};

/// The keys of a rule, in the spelling that messages use.
const KEYS: [&str; 10] = [
    "selector",
    "get",
    "put",
    "post",
    "delete",
    "patch",
    "custom",
    "body",
    "response_body",
    "additional_bindings",
];

/// The keys of `http`; the second says how paths are decoded, which a setting of ours does.
const HTTP_KEYS: [&str; 3] = [
    "rules",
    "fully_decode_reserved_expansion",
    "fullyDecodeReservedExpansion",
];

/// Reads a file. This blocks.
pub fn load(path: &Path) -> (RuleFile, Vec<Problem>) {
    let name: Arc<str> = path.display().to_string().into();
    let mut bytes = Vec::new();
    let limit = yaml::MAX_BYTES as u64 + 1;
    let read = fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    if let Err(error) = read {
        let message = format!("cannot be read: {error}").to_lowercase();
        return (
            RuleFile::default(),
            vec![Problem::error(Location::file(name), message)],
        );
    }
    match String::from_utf8(bytes) {
        Ok(text) => read_rules(&text, &name),
        Err(_) => {
            let problem = Problem::error(Location::file(name), "the file is not UTF-8");
            (RuleFile::default(), vec![problem])
        }
    }
}

/// Reads the rules of a text; `file` names it to the user.
pub fn read_rules(text: &str, file: &Arc<str>) -> (RuleFile, Vec<Problem>) {
    let mut reader = Reader {
        file,
        problems: Vec::new(),
    };
    let parsed = yaml::parse(text);
    for complaint in parsed.complaints {
        let mut problem = Problem::error(reader.at(complaint.at), complaint.message);
        if let Some((at, why)) = complaint.note {
            problem = problem.with_note(reader.at(at), why);
        }
        problem.help = complaint.help.map(str::to_owned);
        if problem.help.is_none() && is_bare_star(text, complaint.at) {
            problem = problem.with_help("put quotes around the star: body: \"*\"");
        }
        reader.problems.push(problem);
    }
    let rules = parsed
        .root
        .map(|root| reader.service(&root))
        .unwrap_or_default();
    (RuleFile { rules }, reader.problems)
}

struct Reader<'a> {
    file: &'a Arc<str>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn at(&self, mark: Mark) -> Location {
        Location::at(Arc::clone(self.file), mark.line, mark.column)
    }

    fn error(&mut self, mark: Mark, message: impl Into<String>) {
        let problem = Problem::error(self.at(mark), message);
        self.problems.push(problem);
    }

    fn service(&mut self, root: &Node) -> Vec<(HttpRule, Location)> {
        if !matches!(root.value, Value::Map(_) | Value::Null) {
            let found = root.describe();
            self.error(
                root.at,
                format!("expected a google.api.Service, found {found}"),
            );
            return Vec::new();
        }
        if let Some(kind) = root.get("type")
            && kind.text() != Some("google.api.Service")
        {
            let found = kind.describe();
            self.error(
                kind.at,
                format!("type is {found}, expected google.api.Service"),
            );
            return Vec::new();
        }
        if let Some(http) = root.get("http") {
            self.http(http);
        }
        let Some(rules) = root.get("http").and_then(|http| http.get("rules")) else {
            let at = root.get("http").map_or(root.at, |http| http.at);
            let problem = Problem::warning(self.at(at), "there are no http.rules in this file")
                .with_help("rules stand in a list below http: rules:");
            self.problems.push(problem);
            return Vec::new();
        };
        match &rules.value {
            Value::Null => Vec::new(),
            Value::List(items) => items
                .iter()
                .filter_map(|item| Some((self.rule(item, false)?, self.at(item.at))))
                .collect(),
            Value::Scalar { .. } | Value::Map(_) => {
                let found = rules.describe();
                self.error(
                    rules.at,
                    format!("http.rules has to be a list, found {found}"),
                );
                Vec::new()
            }
        }
    }

    /// What may stand below `http`.
    fn http(&mut self, http: &Node) {
        if !matches!(http.value, Value::Map(_) | Value::Null) {
            let found = http.describe();
            self.error(http.at, format!("http has to be a mapping, found {found}"));
        }
        for entry in http.entries() {
            if !HTTP_KEYS.contains(&&*entry.key) {
                self.unknown(entry, "http", &["rules"]);
            }
        }
    }

    /// One rule; `None` when something in it is wrong, since half a rule would route elsewhere
    /// than was meant.
    fn rule(&mut self, node: &Node, is_additional: bool) -> Option<HttpRule> {
        if !matches!(node.value, Value::Map(_)) {
            let found = node.describe();
            self.error(
                node.at,
                format!("a rule has to be a mapping, found {found}"),
            );
            return None;
        }
        let before = self.problems.len();
        let mut rule = HttpRule::default();
        let mut patterns = Vec::new();
        for entry in node.entries() {
            match &*entry.key {
                "selector" => rule.selector = self.selector(entry, is_additional),
                "body" => rule.body = self.text(entry),
                "response_body" | "responseBody" => rule.response_body = self.text(entry),
                "additional_bindings" | "additionalBindings" => {
                    rule.additional_bindings = self.additional(entry, is_additional);
                }
                // A pattern that is nothing is none.
                key if entry.value.value == Value::Null && KEYS.contains(&key) => {}
                _ => match self.pattern(entry) {
                    Some(pattern) => patterns.push((pattern, entry)),
                    None => self.unknown(entry, "a rule", &KEYS),
                },
            }
        }
        if !is_additional && node.get("selector").is_none() {
            self.error(node.at, "a rule needs a selector");
        }
        self.one_pattern(node, &patterns);
        rule.pattern = patterns.into_iter().next().map(|(pattern, _)| pattern);
        (self.problems.len() == before).then_some(rule)
    }

    fn one_pattern(&mut self, node: &Node, patterns: &[(HttpPattern, &Entry)]) {
        match patterns {
            [] => {
                let place = self.at(node.at);
                self.problems.push(
                    Problem::error(place, "a rule needs a pattern")
                        .with_help("add one of get, put, post, delete, patch or custom"),
                );
            }
            [_] => {}
            [(_, first), others @ ..] => {
                for (_, other) in others {
                    let message =
                        format!("a rule has one pattern, this one has {} as well", other.key);
                    let problem = Problem::error(self.at(other.key_at), message)
                        .with_note(self.at(first.key_at), "the first is here")
                        .with_help("put the second into additional_bindings");
                    self.problems.push(problem);
                }
            }
        }
    }

    fn pattern(&mut self, entry: &Entry) -> Option<HttpPattern> {
        let make = match &*entry.key {
            "get" => HttpPattern::Get,
            "put" => HttpPattern::Put,
            "post" => HttpPattern::Post,
            "delete" => HttpPattern::Delete,
            "patch" => HttpPattern::Patch,
            "custom" => return Some(HttpPattern::Custom(self.custom(&entry.value))),
            _ => return None,
        };
        Some(make(self.text(entry)))
    }

    fn custom(&mut self, node: &Node) -> CustomHttpPattern {
        let mut custom = CustomHttpPattern::default();
        for entry in node.entries() {
            match &*entry.key {
                "kind" => custom.kind = self.text(entry),
                "path" => custom.path = self.text(entry),
                other => self.error(
                    entry.key_at,
                    format!("custom has no key `{other}`, it has kind and path"),
                ),
            }
        }
        if node.get("kind").is_none() || node.get("path").is_none() {
            self.error(node.at, "custom needs a kind and a path");
        }
        custom
    }

    fn selector(&mut self, entry: &Entry, is_additional: bool) -> String {
        let selector = self.text(entry);
        if is_additional {
            self.error(
                entry.key_at,
                "an additional binding has no selector: it belongs to that of its rule",
            );
        } else if !selector.split(',').all(|one| is_selector(one.trim())) {
            let place = self.at(entry.value.at);
            self.problems.push(
                Problem::error(place, format!("`{selector}` is not a selector"))
                    .with_help("write pkg.Service.Method, or pkg.Service.* for all methods"),
            );
        }
        selector
    }

    fn additional(&mut self, entry: &Entry, is_additional: bool) -> Vec<HttpRule> {
        if is_additional {
            self.error(entry.key_at, "additional bindings do not nest");
            return Vec::new();
        }
        match &entry.value.value {
            Value::Null => Vec::new(),
            Value::List(items) => items
                .iter()
                .filter_map(|item| self.rule(item, true))
                .collect(),
            Value::Scalar { .. } | Value::Map(_) => {
                let found = entry.value.describe();
                let message = format!("additional_bindings has to be a list, found {found}");
                self.error(entry.value.at, message);
                Vec::new()
            }
        }
    }

    fn text(&mut self, entry: &Entry) -> String {
        match &entry.value.value {
            Value::Scalar { text, .. } => return text.to_string(),
            // As in the JSON form of messages, nothing is what is not given.
            Value::Null => return String::new(),
            Value::List(_) | Value::Map(_) => {}
        }
        let found = entry.value.describe();
        self.error(
            entry.value.at,
            format!("{} has to be a text, found {found}", entry.key),
        );
        String::new()
    }

    fn unknown(&mut self, entry: &Entry, what: &str, keys: &[&str]) {
        let message = format!("{what} has no key `{}`", entry.key);
        let problem = Problem::error(self.at(entry.key_at), message);
        let near = keys
            .iter()
            .map(|known| (strsim::damerau_levenshtein(known, &entry.key), known))
            .min()
            .filter(|(distance, known)| *distance <= known.len() / 2);
        let problem = match near {
            Some((_, near)) => problem.with_help(format!("the nearest key is `{near}`")),
            None => problem.with_help(format!("the keys are {}", keys.join(", "))),
        };
        self.problems.push(problem);
    }
}

/// Whether a value around here is a star without quotes, which YAML takes for an alias.
fn is_bare_star(text: &str, at: Mark) -> bool {
    let line = usize::try_from(at.line).unwrap_or(usize::MAX);
    let around = text.lines().skip(line.saturating_sub(2)).take(2);
    around
        .filter_map(|line| line.split_once(':'))
        .any(|(_, value)| value.split('#').next().map(str::trim) == Some("*"))
}

/// Names with dots between, the last of which may be a star; or a star alone.
fn is_selector(selector: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name
                .chars()
                .all(|rest| rest.is_ascii_alphanumeric() || rest == '_')
    };
    let names = match selector.strip_suffix('*') {
        Some("") => return true,
        Some(names) => match names.strip_suffix('.') {
            Some(names) => names,
            None => return false,
        },
        None => selector,
    };
    names.split('.').all(is_name)
}

#[cfg(test)]
mod tests;
