//! A form becomes wire bytes, by the rules of queries, below the field that is the body (B13).
//!
//! What path and headers bound stands in the tree already: a form may say the same of it, and
//! nothing else (B3).

use std::borrow::Cow;

use super::key::{self, KeyError, Select, Step};
use super::multipart::{self, Part};
use super::part::Content;
use super::{Binder, Bound, Input, MAX_PARAMETERS, MAX_VIOLATIONS, tree};
use crate::route::path::decode_query;
use crate::schema::binding::BodyTarget;
use crate::transcode::{Violation, names};

/// A request body that is a form.
#[derive(Clone, Copy, Debug)]
pub enum Form<'a> {
    /// `application/x-www-form-urlencoded`.
    Urlencoded(&'a [u8]),
    /// `multipart/form-data`.
    Multipart {
        /// What stands between its parts.
        boundary: &'a str,
        /// All of it.
        body: &'a [u8],
    },
}

/// Adds what a form says to what is bound already. Captures and query of `input` are not looked at.
pub fn form(input: &Input<'_>, bound: Bound, form: Form<'_>) -> Result<Bound, Vec<Violation>> {
    let mut binder = Binder {
        input,
        bound,
        violations: Vec::new(),
    };
    match form {
        Form::Urlencoded(body) => match std::str::from_utf8(body) {
            Ok(text) => binder.urlencoded(text),
            Err(_) => binder.complain("", "the body is not valid UTF-8"),
        },
        Form::Multipart { boundary, body } => match multipart::parts(body, boundary) {
            Ok(parts) => parts.iter().for_each(|part| binder.part(part)),
            Err(complaint) => binder.complain("", complaint),
        },
    }
    binder.finish()
}

impl Binder<'_> {
    fn urlencoded(&mut self, text: &str) {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        for (index, pair) in pairs.enumerate() {
            if index >= MAX_PARAMETERS {
                let text = format!("the form has more than {MAX_PARAMETERS} fields");
                return self.complain("", text);
            }
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (decode_query(key, false), decode_query(value, false)) {
                (Ok(key), Ok(value)) => self.entry(&key, Content::Text(&value)),
                (Ok(key), Err(error)) => self.complain(&names::clip(&key), error.to_string()),
                (Err(error), _) => self.complain(&names::clip(key), error.to_string()),
            }
        }
    }

    fn part(&mut self, part: &Part<'_>) {
        // A browser's file input that was left empty.
        if part.file_name.as_deref() == Some("") && part.data.is_empty() {
            return;
        }
        if part.is_text() {
            match std::str::from_utf8(part.data) {
                Ok(text) => self.entry(&part.name, Content::Text(text)),
                Err(_) => self.complain(&names::clip(&part.name), "is not valid UTF-8"),
            }
        } else {
            let content = Content::Part {
                media_type: part.media_type,
                data: part.data,
            };
            self.entry(&part.name, content);
        }
    }

    fn entry(&mut self, key: &str, content: Content<'_>) {
        if self.violations.len() < MAX_VIOLATIONS
            && let Err(complaint) = self.bind_entry(key, content)
        {
            self.complain(&names::clip(key), complaint);
        }
    }

    fn bind_entry(&mut self, key: &str, content: Content<'_>) -> Result<(), Cow<'static, str>> {
        let Input {
            tables,
            message,
            binding,
            json,
            ..
        } = *self.input;
        let mut root = message;
        let mut steps = Vec::new();
        if let BodyTarget::Field(body) = &binding.body {
            let message = tables.message(body.message);
            let field = message.by_number(body.number);
            let field = field.ok_or("the body is a field that is not there")?;
            root = field.kind.message().ok_or("the body is no message")?;
            steps.push(Step {
                message,
                field,
                select: Select::Whole,
            });
        }
        match key::parse(tables, root, key) {
            Ok(found) => steps.extend(found),
            Err(KeyError::Unknown { .. }) if self.is_ignored(key) => return Ok(()),
            Err(KeyError::Unknown { what, .. }) => return Err(Cow::Owned(what)),
            Err(KeyError::Wrong(what)) => return Err(what),
        }
        let value = tree::Value {
            tables,
            json,
            content,
            from: tree::From::Body,
        };
        self.bound.root.insert(&steps, &value)
    }
}
