//! What one pass over a JSON body carries along: output, complaints, and where it is.

use std::borrow::Cow;
use std::fmt::Write as _;

use rustc_hash::FxHashMap;

use super::Rejection;
use crate::schema::plan::{Message, Tables};
use crate::schema::policy::JsonOptions;
use crate::transcode::proto::Delimited;
use crate::transcode::{MAX_DEPTH, Violation};

/// After so many complaints the rest of the body is not read.
const MAX_VIOLATIONS: usize = 32;

/// The state of one pass.
pub(super) struct Context<'t, 'j> {
    /// Where type ids lead now; differs from `schema` inside of an `Any` with a built-in type.
    pub(super) tables: &'t Tables,
    /// The tables of the application.
    pub(super) schema: &'t Tables,
    pub(super) options: &'t JsonOptions,
    pub(super) out: &'t mut Vec<u8>,
    json: &'j str,
    /// `out` may grow up to here.
    end: usize,
    depth: usize,
    /// How wide the last length at each depth was: the next one is probably as wide.
    widths: [u8; MAX_DEPTH + 1],
    /// Whether a message type has required fields, by its address.
    required: FxHashMap<*const Message, bool>,
    /// How many bytes may still be read a second time for the sake of a late `@type`.
    rescan: usize,
    /// Where the last token stood.
    near: usize,
    violations: Vec<Violation>,
    too_large: bool,
    /// The pass was given up on purpose; the parser's error says nothing.
    aborted: bool,
    /// Path of the innermost value that the parser failed in.
    failed_in: Option<String>,
}

/// Where a value stands: the steps back to the root, on the stack.
#[derive(Clone, Copy)]
pub(super) struct At<'p> {
    parent: Option<&'p Self>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Field(&'p str),
    Key(&'p str),
    Index(usize),
}

impl<'p> At<'p> {
    pub(super) const ROOT: Self = Self {
        parent: None,
        step: Step::Root,
    };

    pub(super) fn field(&'p self, name: &'p str) -> Self {
        self.child(Step::Field(name))
    }

    pub(super) fn key(&'p self, key: &'p str) -> Self {
        self.child(Step::Key(key))
    }

    pub(super) fn index(&'p self, index: usize) -> Self {
        self.child(Step::Index(index))
    }

    fn child(&'p self, step: Step<'p>) -> Self {
        Self {
            parent: Some(self),
            step,
        }
    }

    /// `book.tags[2]`, `labels["a b"]`.
    pub(super) fn path(&self) -> String {
        let mut steps = Vec::new();
        let mut at = Some(self);
        while let Some(here) = at {
            steps.push(here.step);
            at = here.parent;
        }
        let mut path = String::new();
        for step in steps.into_iter().rev() {
            // Writing to a string does not fail.
            let _infallible = match step {
                Step::Root => Ok(()),
                Step::Field(name) if path.is_empty() => path.write_str(name),
                Step::Field(name) => write!(path, ".{name}"),
                Step::Key(key) => write!(path, "[{key:?}]"),
                Step::Index(index) => write!(path, "[{index}]"),
            };
        }
        path
    }
}

impl<'t, 'j> Context<'t, 'j> {
    pub(super) fn new(
        tables: &'t Tables,
        options: &'t JsonOptions,
        limit: usize,
        json: &'j str,
        out: &'t mut Vec<u8>,
    ) -> Self {
        Self {
            tables,
            schema: tables,
            options,
            json,
            end: out.len().saturating_add(limit),
            out,
            depth: 0,
            widths: [1; MAX_DEPTH + 1],
            required: FxHashMap::default(),
            rescan: json.len().saturating_mul(8).saturating_add(1 << 16),
            near: 0,
            violations: Vec::new(),
            too_large: false,
            aborted: false,
            failed_in: None,
        }
    }

    /// Records a complaint about the value at `at`.
    pub(super) fn complain(&mut self, at: &At<'_>, description: impl Into<Cow<'static, str>>) {
        let description = description.into().into_owned();
        self.violations.push(Violation {
            field: at.path(),
            description,
            offset: Some(self.near),
        });
    }

    /// The bytes a token was read from, for the complaint that may follow.
    pub(super) fn saw(&mut self, token: &str) {
        let at = (token.as_ptr() as usize).wrapping_sub(self.json.as_ptr() as usize);
        if at <= self.json.len() {
            self.near = at;
        }
    }

    /// To be called after each value: gives up when the output or the complaints are too many.
    pub(super) fn check<E: serde::de::Error>(&mut self) -> Result<(), E> {
        if self.out.len() > self.end {
            self.too_large = true;
            return Err(self.abort());
        }
        if self.violations.len() >= MAX_VIOLATIONS {
            return Err(self.abort());
        }
        Ok(())
    }

    /// Gives the pass up.
    pub(super) fn abort<E: serde::de::Error>(&mut self) -> E {
        self.aborted = true;
        E::custom("aborted")
    }

    /// To be called when an object or a list begins.
    pub(super) fn enter<E: serde::de::Error>(&mut self, at: &At<'_>) -> Result<(), E> {
        if self.depth >= MAX_DEPTH {
            self.complain(at, format!("is nested deeper than {MAX_DEPTH} levels"));
            return Err(self.abort());
        }
        self.depth += 1;
        Ok(())
    }

    /// To be called when it ends.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Accounts for text that will be read again.
    pub(super) fn will_rescan<E: serde::de::Error>(
        &mut self,
        at: &At<'_>,
        len: usize,
    ) -> Result<(), E> {
        match self.rescan.checked_sub(len) {
            Some(rest) => {
                self.rescan = rest;
                Ok(())
            }
            None => {
                self.complain(at, "`@type` must come first in an `Any` as large as this");
                Err(self.abort())
            }
        }
    }

    /// Begins a length-delimited value.
    pub(super) fn open(&mut self) -> Delimited {
        let width = self.widths.get(self.depth).copied().unwrap_or(1);
        Delimited::open(self.out, usize::from(width))
    }

    /// Ends it.
    pub(super) fn close(&mut self, delimited: Delimited) {
        let width = delimited.close(self.out);
        if let Some(place) = self.widths.get_mut(self.depth) {
            *place = width as u8;
        }
    }

    /// Whether a message type has required fields.
    pub(super) fn has_required(&mut self, message: &'t Message) -> bool {
        *self
            .required
            .entry(std::ptr::from_ref(message))
            .or_insert_with(|| message.fields.iter().any(|field| field.required))
    }

    /// Remembers where the parser failed; innermost first, so only the first call counts.
    pub(super) fn failed<E>(&mut self, at: &At<'_>, error: E) -> E {
        if !self.aborted {
            self.failed_in.get_or_insert_with(|| at.path());
        }
        error
    }

    /// A parser over a part of the body failed: its error becomes the outer parser's.
    pub(super) fn failed_within<E: serde::de::Error>(
        &mut self,
        part: &str,
        error: &serde_json::Error,
    ) -> E {
        if !self.aborted {
            self.saw(part);
            let violation = Violation {
                field: self.failed_in.take().unwrap_or_default(),
                description: syntax(error).to_owned(),
                offset: Some(self.near.saturating_add(offset(part, error))),
            };
            self.violations.push(violation);
        }
        self.abort()
    }

    /// What came of the pass.
    pub(super) fn finish(mut self, result: Result<(), serde_json::Error>) -> Result<(), Rejection> {
        if self.too_large {
            return Err(Rejection::TooLarge);
        }
        if let Err(error) = result
            && !self.aborted
        {
            self.violations.push(Violation {
                field: self.failed_in.take().unwrap_or_default(),
                description: syntax(&error).to_owned(),
                offset: Some(offset(self.json, &error)),
            });
        }
        if self.violations.is_empty() {
            Ok(())
        } else {
            Err(Rejection::Invalid(self.violations))
        }
    }
}

/// The parser's complaint in our words.
pub(super) fn syntax(error: &serde_json::Error) -> &'static str {
    const TEXTS: [(&str, &str); 10] = [
        ("number out of range", "a number is out of range"),
        ("lone leading surrogate", "a string holds a lone surrogate"),
        (
            "unexpected end of hex escape",
            "a string holds a lone surrogate",
        ),
        (
            "invalid unicode code point",
            "a string holds a lone surrogate",
        ),
        ("invalid escape", "a string holds an unknown escape"),
        (
            "control character",
            "a string holds a control character that is not escaped",
        ),
        (
            "trailing characters",
            "there is more text after the JSON value",
        ),
        (
            "trailing comma",
            "not valid JSON: a comma with nothing after it",
        ),
        (
            "key must be a string",
            "not valid JSON: a key is not a string",
        ),
        ("recursion limit", "is nested too deep"),
    ];
    if error.is_eof() {
        return "the JSON text ends too early";
    }
    let text = error.to_string();
    TEXTS
        .iter()
        .find(|(theirs, _)| text.starts_with(theirs))
        .map_or("not valid JSON", |(_, ours)| ours)
}

/// Byte offset of a parser's error in its text.
pub(super) fn offset(text: &str, error: &serde_json::Error) -> usize {
    let line = match error.line() {
        0 | 1 => 0,
        line => memchr::memchr_iter(b'\n', text.as_bytes())
            .nth(line - 2)
            .map_or(0, |at| at + 1),
    };
    (line + error.column().saturating_sub(1)).min(text.len())
}
