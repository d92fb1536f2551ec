//! Cases as data: what a client sends, what the application must see, what it answers, and what
//! the client must get. `tests/cases/README.md` is the manual of the format.

mod answers;
pub(crate) mod check;
mod encoding;
mod expand;
mod google;
mod matching;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::support::client::Version;
use crate::support::schema::TestSchema;

/// One file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseFile {
    /// What the file is about; for readers.
    pub(crate) about: String,
    /// The proto snippet.
    #[serde(default)]
    pub(crate) proto: Option<String>,
    /// A shared snippet: the name of a file in `tests/cases/schemas`, without its ending.
    #[serde(default)]
    pub(crate) schema: Option<String>,
    /// The gateway's configuration.
    #[serde(default)]
    pub(crate) config: Value,
    /// More files beside the configuration, by name.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
    /// How the application treats its first connection.
    #[serde(default)]
    pub(crate) first_connection: First,
    /// The rows, before `each` multiplies them.
    pub(crate) cases: Vec<Value>,
}

/// `first_connection`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum First {
    #[default]
    Serve,
    Close,
    HalfPreface,
    GoAwayUnprocessed,
    Http1,
    /// Nobody listens at all.
    Absent,
}

/// One row.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// `METHOD target`.
    pub(crate) send: String,
    #[serde(default)]
    pub(crate) over: Vec<Over>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Value>,
    /// A text, or a list of steps.
    #[serde(default)]
    pub(crate) body: Option<Value>,
    /// A JSON body, written compactly.
    #[serde(default)]
    pub(crate) json: Option<Value>,
    /// What the application sees; nothing when absent, anything or nothing when `"*"`.
    #[serde(default)]
    pub(crate) sees: Option<Value>,
    /// Metadata that the application sees (`null`: does not see).
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, Value>,
    /// The authority that the application sees.
    #[serde(default)]
    pub(crate) authority: Option<String>,
    /// How often it is called.
    #[serde(default = "once")]
    pub(crate) times: usize,
    /// It must see the call cancelled.
    #[serde(default)]
    pub(crate) cancelled: bool,
    /// What the application answers.
    #[serde(default)]
    pub(crate) answers: Option<Value>,
    /// What the client gets.
    pub(crate) gets: Value,
}

/// `over`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Over {
    H1,
    H2,
}

/// What the client gets, spelled out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gets {
    #[serde(default)]
    pub(crate) status: Option<u16>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Value>,
    /// How the body is compressed; what is said of the body is said of what it holds.
    #[serde(default)]
    pub(crate) encoding: Option<String>,
    /// How messages in envelopes are compressed, at least one; the same holds for what they hold.
    #[serde(default)]
    pub(crate) packed: Option<String>,
    /// The body as JSON, compared by meaning.
    #[serde(default)]
    pub(crate) json: Option<Value>,
    /// The same, but objects may have more keys.
    #[serde(default)]
    pub(crate) has: Option<Value>,
    /// The body, letter by letter.
    #[serde(default)]
    pub(crate) body: Option<String>,
    /// The body, byte by byte.
    #[serde(default)]
    pub(crate) hex: Option<String>,
    /// The body as lines of JSON.
    #[serde(default)]
    pub(crate) lines: Option<Vec<Value>>,
    /// The body as server-sent events: `{data: …}` and, perhaps, `event` and `id`.
    #[serde(default)]
    pub(crate) events: Option<Vec<Value>>,
    /// The body's chunks or DATA frames, one by one.
    #[serde(default)]
    pub(crate) chunks: Option<Vec<String>>,
    /// An error in the shape `google`.
    #[serde(default)]
    pub(crate) error: Option<ErrorSays>,
    #[serde(default)]
    pub(crate) trailers: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) end: EndSays,
}

/// An error in the shape `google`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorSays {
    /// `NOT_FOUND` and the like.
    #[serde(default)]
    pub(crate) code: Option<String>,
    /// The message, letter by letter.
    #[serde(default)]
    pub(crate) message: Option<String>,
    /// Words that the message contains.
    #[serde(default)]
    pub(crate) says: Vec<String>,
    /// Words that nothing of the body contains.
    #[serde(default)]
    pub(crate) never_says: Vec<String>,
    /// A field that a BadRequest detail blames.
    #[serde(default)]
    pub(crate) field: Option<String>,
    /// The reason of an ErrorInfo of the domain `sidegate`.
    #[serde(default)]
    pub(crate) reason: Option<String>,
    /// The details, all of them.
    #[serde(default)]
    pub(crate) details: Option<Value>,
}

/// `end`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EndSays {
    #[default]
    Clean,
    Broken,
    /// The client left first: nothing is compared.
    Left,
}

fn once() -> usize {
    1
}

impl CaseFile {
    /// Reads a file, with the shared schema it may name.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        // YAML 1.2: `y`, `no` and `off` are texts.
        let options = serde_saphyr::options! { strict_booleans: true };
        let value: Value = serde_saphyr::from_str_with_options(&text, options)
            .map_err(|error| error.to_string())?;
        let mut file: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        if let Some(name) = &file.schema {
            let shared = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/cases/schemas")
                .join(format!("{name}.proto"));
            let text = std::fs::read_to_string(&shared)
                .map_err(|error| format!("{}: {error}", shared.display()))?;
            file.proto = Some(text);
        }
        Ok(file)
    }

    /// The schema, compiled.
    pub(crate) fn compile(&self) -> Result<TestSchema, String> {
        let proto = self.proto.as_deref();
        TestSchema::compile(proto.ok_or("a file has a `proto` or a `schema`")?)
    }

    /// The text of the configuration file.
    pub(crate) fn config_text(&self) -> String {
        match &self.config {
            Value::Null => String::new(),
            config => config.to_string(),
        }
    }

    /// The rows, multiplied by their `each`.
    pub(crate) fn rows(&self) -> Result<Vec<Case>, String> {
        let mut rows = Vec::new();
        for case in &self.cases {
            for value in expand::expand(case)? {
                let row = serde_json::from_value(value.clone());
                rows.push(row.map_err(|error| format!("{}: {error}", value["name"]))?);
            }
        }
        Ok(rows)
    }
}

impl Case {
    /// The versions of HTTP that the row is run over; both when it names none.
    pub(crate) fn versions(&self) -> Vec<Version> {
        let wants = |over| self.over.is_empty() || self.over.contains(&over);
        [(Over::H1, Version::H1), (Over::H2, Version::H2)]
            .into_iter()
            .filter(|(over, _)| wants(*over))
            .map(|(_, version)| version)
            .collect()
    }

    /// What the client gets; a bare number is a status.
    pub(crate) fn expected(&self) -> Result<Gets, String> {
        if let Some(status) = self.gets.as_u64() {
            let status = u16::try_from(status).map_err(|error| error.to_string())?;
            return Ok(Gets {
                status: Some(status),
                ..Gets::default()
            });
        }
        Gets::deserialize(&self.gets).map_err(|error| format!("gets: {error}"))
    }

    /// The rpc that the application sees, when it sees any.
    pub(crate) fn rpc(&self) -> Option<&str> {
        match self.sees.as_ref()? {
            Value::String(name) if name == "*" => None,
            Value::String(name) => Some(name),
            Value::Object(map) => map.keys().next().map(String::as_str),
            _ => None,
        }
    }

    /// The messages that the application sees, when the row says.
    pub(crate) fn messages(&self) -> Option<Vec<Value>> {
        match self.sees.as_ref()?.as_object()?.values().next()? {
            Value::Array(messages) => Some(messages.clone()),
            message => Some(vec![message.clone()]),
        }
    }
}
