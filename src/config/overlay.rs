//! Flags and variables: which key each stands for ([`SWITCHES`]), as layers over the file.

use std::io::IsTerminal;
use std::path::PathBuf;

use super::tree::{Layer, Source};
use crate::schema::nearest;
use crate::schema::problem::{Location, Problem};
use crate::schema::split::Splits;
use crate::yaml::{Entry, Mark, Node, Value};

/// Everything that a configuration is made of.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// `--config`, when given.
    pub file: Option<PathBuf>,
    /// The other flags that were given, by their names with dashes, each with its values.
    pub flags: Vec<(&'static str, Vec<String>)>,
    /// The environment, or the part of it that begins with `SIDEGATE_`.
    pub variables: Vec<(String, String)>,
    /// Where `sidegate.yaml` and `proto` are looked for; empty for the working directory.
    pub directory: PathBuf,
    /// Whether a person watches stdout.
    pub terminal: bool,
    /// What has become of splits so far; a configuration made anew goes on with it.
    pub splits: Splits,
}

impl Input {
    /// With the variables of this process, and whether its stdout is a terminal.
    pub fn with_environment(self) -> Self {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            name.starts_with(PREFIX)
                .then(|| (name, value.to_string_lossy().into_owned()))
        });
        let variables = variables.collect();
        Self {
            variables,
            terminal: std::io::stdout().is_terminal(),
            ..self
        }
    }
}

/// What all our variables begin with.
const PREFIX: &str = "SIDEGATE_";

/// The variable beside `--config`.
pub(super) const CONFIG_VARIABLE: &str = "SIDEGATE_CONFIG";

/// The variable that holds the token of the admin port; a flag would show it to everybody who can
/// list processes.
pub(super) const TOKEN_VARIABLE: &str = "SIDEGATE_ADMIN_TOKEN";

/// A flag, its variable and their key.
#[derive(Debug)]
pub struct Switch {
    /// With dashes.
    pub flag: &'static str,
    /// In the environment; lists are separated by commas there.
    pub variable: &'static str,
    /// In the file.
    pub key: &'static [&'static str],
    /// Whether the key takes a list.
    pub many: bool,
}

/// Every flag that has a key.
pub const SWITCHES: &[Switch] = &[
    one("--listen", "SIDEGATE_LISTEN", &["listen"]),
    one("--admin", "SIDEGATE_ADMIN", &["admin"]),
    one("--ops", "SIDEGATE_OPS", &["ops"]),
    one("--upstream", "SIDEGATE_UPSTREAM", UPSTREAM_KEY),
    one("--tls-cert", "SIDEGATE_TLS_CERT", &["tls", "cert"]),
    one("--tls-key", "SIDEGATE_TLS_KEY", &["tls", "key"]),
    one(
        "--tls-self-signed",
        "SIDEGATE_TLS_SELF_SIGNED",
        &["tls", "self_signed"],
    ),
    many("--proto", "SIDEGATE_PROTO", &["schema", "proto"]),
    many("--include", "SIDEGATE_INCLUDE", &["schema", "include"]),
    many(
        "--descriptor-set",
        "SIDEGATE_DESCRIPTOR_SET",
        &["schema", "descriptor_sets"],
    ),
    one(
        "--reflection",
        "SIDEGATE_REFLECTION",
        &["schema", "reflection"],
    ),
    many(
        "--http-rules",
        "SIDEGATE_HTTP_RULES",
        &["schema", "http_rules"],
    ),
    one("--workers", "SIDEGATE_WORKERS", &["limits", "workers"]),
    one(
        "--log-format",
        "SIDEGATE_LOG_FORMAT",
        &["telemetry", "log_format"],
    ),
];

/// The name of the upstream when nothing names one.
pub(super) const UPSTREAM: &str = "app";

/// The key of `--upstream`, which means the only upstream whatever it is called.
const UPSTREAM_KEY: &[&str] = &["upstreams", UPSTREAM, "url"];

const fn one(flag: &'static str, variable: &'static str, key: &'static [&'static str]) -> Switch {
    Switch {
        flag,
        variable,
        key,
        many: false,
    }
}

const fn many(flag: &'static str, variable: &'static str, key: &'static [&'static str]) -> Switch {
    Switch {
        flag,
        variable,
        key,
        many: true,
    }
}

/// The layers of variables, then those of flags: later ones win. `upstream` is the name of the
/// only upstream of the file.
pub(super) fn layers(input: &Input, upstream: &str, problems: &mut Vec<Problem>) -> Vec<Layer> {
    let mut layers = Vec::new();
    for switch in SWITCHES {
        let given = input
            .variables
            .iter()
            .find(|(name, value)| name == switch.variable && !value.is_empty());
        if let Some((_, value)) = given {
            let values: Vec<&str> = if switch.many {
                value.split(',').map(str::trim).collect()
            } else {
                vec![value]
            };
            layers.push(switch.layer(Source::Variable(switch.variable), &values, upstream));
        }
    }
    for (flag, values) in &input.flags {
        let Some(switch) = SWITCHES.iter().find(|switch| switch.flag == *flag) else {
            continue;
        };
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        if !values.is_empty() {
            layers.push(switch.layer(Source::Flag(switch.flag), &values, upstream));
        }
    }
    warn_of_unknown(&input.variables, problems);
    layers
}

impl Switch {
    fn layer(&self, source: Source, values: &[&str], upstream: &str) -> Layer {
        let value = if self.many {
            Value::List(values.iter().map(|text| scalar(text)).collect())
        } else {
            scalar(values.last().copied().unwrap_or_default()).value
        };
        let key = self.key.iter().map(|name| match *name {
            UPSTREAM if self.key == UPSTREAM_KEY => upstream,
            name => name,
        });
        let root = key.rev().fold(node(value), |inner, name| {
            node(Value::Map(vec![Entry {
                key: name.into(),
                key_at: NOWHERE,
                value: inner,
            }]))
        });
        Layer { source, root }
    }
}

/// Flags and variables have no lines.
const NOWHERE: Mark = Mark { line: 0, column: 0 };

fn node(value: Value) -> Node {
    Node { at: NOWHERE, value }
}

/// A text that was given: `null` is text here, since nothing can be left out by writing it.
fn scalar(text: &str) -> Node {
    node(Value::Scalar {
        text: text.into(),
        plain: true,
    })
}

/// A variable that nobody reads is probably a typing mistake.
fn warn_of_unknown(variables: &[(String, String)], problems: &mut Vec<Problem>) {
    let known = || {
        let switches = SWITCHES.iter().map(|switch| switch.variable);
        switches.chain([CONFIG_VARIABLE, TOKEN_VARIABLE])
    };
    for (name, _) in variables {
        let ours = name.starts_with(PREFIX) && !is_service_link(name);
        if !ours || known().any(|variable| variable == name) {
            continue;
        }
        let problem = Problem::warning(
            Location::file(name.as_str()),
            "no variable of this name is read",
        );
        // What all names share would make all of them near.
        let own = |name: &str| name.strip_prefix(PREFIX).map(str::to_owned);
        let names: Vec<String> = known().filter_map(own).collect();
        let near = nearest(
            &own(name).unwrap_or_default(),
            names.iter().map(String::as_str),
        );
        problems.push(match near {
            Some(variable) => problem.with_help(format!("the nearest is `{PREFIX}{variable}`")),
            None => {
                problem.with_help("the file has a key for everything: `sidegate config-schema`")
            }
        });
    }
}

/// Kubernetes gives every container variables about every service of its namespace: beside a
/// service named `sidegate` they are not ours to complain about.
fn is_service_link(name: &str) -> bool {
    let rest = name.strip_prefix(PREFIX).unwrap_or_default();
    rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_")
}
