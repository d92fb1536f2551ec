//! YAML as a tree that knows where everything stands: [`parse`].
//!
//! Configuration and HTTP rules are written by people, and what is wrong with them has to be told
//! with line and column, all of it at once. So a document becomes [`Node`]s with their places and
//! a list of [`Complaint`]s; what the nodes mean is for the reader of the tree to say.
//!
//! Size, depth and what aliases expand to are bounded. Nothing here reads a file, and nothing in
//! a document makes it panic.
//!
//! ```
//! let parsed = sidegate::yaml::parse("rest:\n  stream: sse\n");
//! let root = parsed.root.unwrap();
//! let stream = root.get("rest").and_then(|rest| rest.get("stream")).unwrap();
//! assert_eq!((stream.text(), stream.at.line, stream.at.column), (Some("sse"), 2, 11));
//! ```

mod build;
#[cfg(test)]
mod tests;

pub use build::{MAX_BYTES, MAX_DEPTH, parse};

/// A place in a document, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One value of a document and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it begins.
    pub at: Mark,
    /// What it is.
    pub value: Value,
}

/// The shapes a value can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing, or a plain `null` or `~`.
    Null,
    /// A scalar. Only its reader knows whether `8081` is a number or a name.
    Scalar {
        /// The text, escapes undone.
        text: Box<str>,
        /// Written without quotes: only then can it be a number or a boolean.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the document; a key never stands in it twice.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Box<str>,
    /// Where the key stands.
    pub key_at: Mark,
    /// What belongs to it.
    pub value: Node,
}

/// A document, as far as it could be read.
#[derive(Debug)]
pub struct Parsed {
    /// The tree; `None` when the text is not YAML or exceeds a limit. An empty document is
    /// [`Value::Null`].
    pub root: Option<Node>,
    /// What is wrong, in order of appearance.
    pub complaints: Vec<Complaint>,
}

/// Something wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Where.
    pub at: Mark,
    /// What, lower-case and without a full stop.
    pub message: String,
    /// Another place that belongs to it, and why.
    pub note: Option<(Mark, &'static str)>,
    /// What to do.
    pub help: Option<&'static str>,
}

impl Node {
    /// The value of a key, when this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|entry| &*entry.key == key)
            .map(|entry| &entry.value)
    }

    /// The entries of a mapping; none for everything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Null | Value::Scalar { .. } | Value::List(_) => &[],
        }
    }

    /// The items of a sequence; none for everything else.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            Value::Null | Value::Scalar { .. } | Value::Map(_) => &[],
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The value of a plain `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        match &self.value {
            Value::Scalar { text, plain: true } => match &**text {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// What a person would call this value, for messages: `a list`, `a mapping`, `nothing`,
    /// `true`, or the text in backquotes.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Scalar { text, .. } => format!("`{}`", shorten(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// A text short enough for one line of a message.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 60;
    let line: String = text
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        line + "…"
    } else {
        line
    }
}
