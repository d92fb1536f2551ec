//! Path variables and query parameters become wire bytes that are appended to the body's.
//!
//! Concatenating protobuf messages merges them, so nothing has to be woven into the body: the
//! bound values are records of their own, defaults included, and being last they win. What must
//! not meet - path and query, two members of a oneof, body and URL - is compared by field numbers
//! (B1), here and, with the tree that stays in [`Bound`], while the body is read.
//!
//! Rules: B1-B9, B13, R6.

mod form;
mod key;
mod multipart;
mod part;
mod system;
mod text;
mod tree;
mod update_mask;

use std::borrow::Cow;

use super::{Violation, names};
use crate::route::path::{decode_capture, decode_query};
use crate::schema::binding::{Binding, BodyTarget, FieldPath, HeaderBinding};
use crate::schema::plan::{MessageId, Tables};
use crate::schema::policy::{JsonOptions, RestOptions};
pub use form::{Form, form};
use key::{KeyError, Select, Step};
use part::Content;
pub use system::{Alt, AltForm, System};
pub(crate) use tree::{Node, Slot};

/// A query may have this many parameters (B9).
const MAX_PARAMETERS: usize = 1_000;
/// After so many complaints the rest of the query is not read.
const MAX_VIOLATIONS: usize = 32;

/// Where bound values come from and how they are read.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The tables that the binding and the request belong to.
    pub tables: &'a Tables,
    /// The request type of the method.
    pub message: MessageId,
    /// The rule that matched.
    pub binding: &'a Binding,
    /// The raw text of each variable of its template, in order.
    pub captures: &'a [&'a str],
    /// What headers and cookies say, and the field that each is bound to (B14).
    pub headers: &'a [(&'a HeaderBinding, Cow<'a, str>)],
    /// The raw query, without the question mark.
    pub query: Option<&'a str>,
    /// How paths and queries are read.
    pub rest: &'a RestOptions,
    /// How enum names are compared.
    pub json: &'a JsonOptions,
}

/// What the URL of a request says.
#[derive(Debug, Default)]
pub struct Bound {
    /// Records to append after those of the body.
    pub wire: Vec<u8>,
    /// System parameters (B8).
    pub system: System,
    /// The same as `wire`, for the body to be checked against.
    pub(crate) root: Node,
}

/// Reads path variables and query parameters of one request.
pub fn bind(input: &Input<'_>) -> Result<Bound, Vec<Violation>> {
    let mut binder = Binder {
        input,
        bound: Bound::default(),
        violations: Vec::new(),
    };
    for ((path, variable), raw) in input
        .binding
        .variables
        .iter()
        .zip(input.binding.template.variables())
        .zip(input.captures)
    {
        let result = decode_capture(raw, variable.multi, input.rest.unescape)
            .map_err(|error| error.to_string())
            .and_then(|text| {
                let bound = binder.variable(path, &text, tree::From::Path);
                bound.map_err(Cow::into_owned)
            });
        if let Err(complaint) = result {
            binder.complain(&path.text, complaint);
        }
    }
    for (header, text) in input.headers {
        if let Err(complaint) = binder.variable(&header.path, text, tree::From::Header) {
            let complaint = format!("{complaint} ({})", header.source);
            binder.complain(&header.path.text, complaint);
        }
    }
    if let Some(query) = input.query {
        binder.query(query);
    }
    binder.finish()
}

struct Binder<'a> {
    input: &'a Input<'a>,
    bound: Bound,
    violations: Vec<Violation>,
}

impl Binder<'_> {
    /// What was bound, if nothing is wrong with it.
    fn finish(mut self) -> Result<Bound, Vec<Violation>> {
        let request = (self.input.tables, self.input.message);
        let root = &self.bound.root;
        root.check_lists(request, "", &mut self.violations);
        if !self.violations.is_empty() {
            return Err(self.violations);
        }
        let mut bound = self.bound;
        bound.wire.clear();
        bound.root.write(&mut bound.wire);
        Ok(bound)
    }

    fn complain(&mut self, field: &str, description: impl Into<String>) {
        self.violations.push(Violation {
            field: field.to_owned(),
            description: description.into(),
            offset: None,
        });
    }

    fn variable(
        &mut self,
        path: &FieldPath,
        text: &str,
        from: tree::From,
    ) -> Result<(), Cow<'static, str>> {
        let tables = self.input.tables;
        let steps: Option<Vec<Step<'_, '_>>> = path
            .steps
            .iter()
            .map(|step| {
                let message = tables.message(step.message);
                Some(Step {
                    message,
                    field: message.by_number(step.number)?,
                    select: Select::Whole,
                })
            })
            .collect();
        let steps = steps.ok_or("is bound to a field that is not there")?;
        let value = tree::Value {
            tables,
            json: self.input.json,
            content: Content::Text(text),
            from,
        };
        self.bound.root.insert(&steps, &value)
    }

    fn query(&mut self, query: &str) {
        let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
        for (index, parameter) in parameters.enumerate() {
            if index >= MAX_PARAMETERS {
                let text = format!("the query has more than {MAX_PARAMETERS} parameters");
                return self.complain("", text);
            }
            if self.violations.len() >= MAX_VIOLATIONS {
                return;
            }
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let is_plus = self.input.rest.plus_in_query;
            match (decode_query(key, is_plus), decode_query(value, is_plus)) {
                (Ok(key), Ok(value)) => {
                    if let Err(complaint) = self.parameter(&key, &value) {
                        self.complain(&names::clip(&key), complaint);
                    }
                }
                (Ok(key), Err(error)) => self.complain(&names::clip(&key), error.to_string()),
                (Err(error), _) => self.complain(&names::clip(key), error.to_string()),
            }
        }
    }

    fn parameter(&mut self, key: &str, text: &str) -> Result<(), Cow<'static, str>> {
        let Input {
            tables,
            message,
            binding,
            json,
            ..
        } = *self.input;
        if binding.body == BodyTarget::Whole {
            if self.bound.system.read(key, text)? || self.is_ignored(key) {
                return Ok(());
            }
            let what = "this method takes its fields from the body, not from the query";
            return Err(Cow::Borrowed(what));
        }
        let steps = match key::parse(tables, message, key) {
            Ok(steps) => steps,
            Err(KeyError::Unknown { first, what }) => {
                if (first && self.bound.system.read(key, text)?) || self.is_ignored(key) {
                    return Ok(());
                }
                return Err(Cow::Owned(what));
            }
            Err(KeyError::Wrong(what)) => return Err(what),
        };
        if let (BodyTarget::Field(body), Some(first)) = (&binding.body, steps.first())
            && body.number == first.field.number
        {
            return Err(Cow::Borrowed("is taken from the body, not from the query"));
        }
        let value = tree::Value {
            tables,
            json,
            content: Content::Text(text),
            from: tree::From::Query,
        };
        self.bound.root.insert(&steps, &value)
    }

    /// Parameters that are let pass although nobody knows them (B7).
    fn is_ignored(&self, key: &str) -> bool {
        let rest = self.input.rest;
        rest.ignore_unknown_query
            || rest.ignored_query.iter().any(|pattern| {
                pattern
                    .strip_suffix('*')
                    .map_or(key == &**pattern, |prefix| key.starts_with(prefix))
            })
    }
}
