//! The key of a query parameter: which field it means.
//!
//! ```text
//! key     = step { "." step }
//! step    = name [ "[" ( index | map key ) "]" ]
//! name    = identifier | "[" full name of an extension "]"
//! ```
//! A map key ends at the last bracket when its value is one text, so that it may contain `]` and
//! `.` (B5); when its value is a message it ends at the first `].`.

use std::borrow::Cow;

use crate::schema::plan::{Cardinality, Field, Message, MessageId, Tables};
use crate::transcode::{MAX_DEPTH, names};

/// One field on the way to the value.
#[derive(Clone, Copy)]
pub(super) struct Step<'t, 'k> {
    pub(super) message: &'t Message,
    pub(super) field: &'t Field,
    pub(super) select: Select<'k>,
}

/// Which part of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Select<'k> {
    /// All of it.
    Whole,
    /// One element of a list.
    Index(u32),
    /// One entry of a map.
    Key(&'k str),
}

/// Why a key means no field.
pub(super) enum KeyError {
    /// A name is not known; `first` when it is that of the request message.
    Unknown { first: bool, what: String },
    /// Something else.
    Wrong(Cow<'static, str>),
}

impl From<&'static str> for KeyError {
    fn from(what: &'static str) -> Self {
        Self::Wrong(Cow::Borrowed(what))
    }
}

/// The message whose fields may be named behind a field: none if its JSON form is one text.
pub(super) fn nested(tables: &Tables, field: &Field) -> Option<MessageId> {
    let id = match field.cardinality {
        Cardinality::Map => {
            let entry = tables.message(field.kind.message()?);
            entry.by_number(2)?.kind.message()?
        }
        Cardinality::Singular | Cardinality::Repeated => field.kind.message()?,
    };
    tables.message(id).well_known.is_none().then_some(id)
}

/// Resolves a decoded key.
pub(super) fn parse<'t, 'k>(
    tables: &'t Tables,
    root: MessageId,
    key: &'k str,
) -> Result<Vec<Step<'t, 'k>>, KeyError> {
    let mut steps = Vec::new();
    let mut message = tables.message(root);
    let mut rest = key;
    loop {
        if steps.len() >= MAX_DEPTH {
            return Err(KeyError::from("names a field that is nested too deep"));
        }
        let (name, after) = split_name(rest);
        let Some(field) = message.by_name(name) else {
            let what = format!(
                "`{}` is no field of {}",
                names::clip(name),
                message.full_name
            );
            return Err(KeyError::Unknown {
                first: steps.is_empty(),
                what: names::unknown(&what, names::nearest_field(name, message)),
            });
        };
        let inner = nested(tables, field);
        let (select, after) = match after.strip_prefix('[') {
            None => (Select::Whole, after),
            Some(bracket) => split_bracket(field, inner.is_some(), bracket)?,
        };
        steps.push(Step {
            message,
            field,
            select,
        });
        rest = match after.strip_prefix('.') {
            Some(rest) => rest,
            None if after.is_empty() => return Ok(steps),
            None => return Err(KeyError::from("has text after a bracket")),
        };
        if select == Select::Whole && field.cardinality != Cardinality::Singular {
            return Err(KeyError::from(match field.cardinality {
                Cardinality::Map => "names a map; give the key in brackets, as `m[key].field`",
                _ => "names a list; give the index in brackets, as `a[0].field`",
            }));
        }
        let Some(inner) = inner else {
            let what = format!("`{}` has no fields to name", field.json_name);
            return Err(KeyError::Wrong(Cow::Owned(what)));
        };
        message = tables.message(inner);
    }
}

fn split_name(text: &str) -> (&str, &str) {
    let end = if text.starts_with('[') {
        text.find(']').map(|at| at + 1)
    } else {
        text.find(['.', '['])
    };
    text.split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or((text, ""))
}

/// Splits what stands behind an opening bracket at its closing one.
fn split_bracket<'k>(
    field: &Field,
    has_fields: bool,
    text: &'k str,
) -> Result<(Select<'k>, &'k str), KeyError> {
    const OPEN: &str = "has a bracket that is not closed";
    match field.cardinality {
        Cardinality::Singular => Err(KeyError::from(
            "has brackets behind a field that is no list",
        )),
        Cardinality::Repeated => {
            let (index, after) = text.split_once(']').ok_or(OPEN)?;
            let digits = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
            let index = index.parse().ok().filter(|_| digits);
            let index = index.ok_or("has an index that is no number")?;
            Ok((Select::Index(index), after))
        }
        Cardinality::Map => {
            let end = match text.find("].") {
                Some(end) if has_fields => Some(end),
                _ => text.ends_with(']').then(|| text.len() - 1),
            };
            let (key, after) = end.and_then(|end| text.split_at_checked(end)).ok_or(OPEN)?;
            Ok((Select::Key(key), after.strip_prefix(']').unwrap_or(after)))
        }
    }
}
