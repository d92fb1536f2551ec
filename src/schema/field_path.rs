//! Field names of a rule, resolved to numbers (B1).

use super::binding::{FieldPath, FieldStep};
use super::name;
use super::plan::{Cardinality, Field, Kind, Message, MessageId, Tables, WellKnown};

/// Deeper paths are refused (B9).
const DEEPEST: usize = 100;

/// Why a name leads nowhere useful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldError {
    pub(super) text: String,
    pub(super) help: Option<String>,
}

/// The path of a variable of a path template: through singular messages down to one value that
/// a piece of text can hold.
pub(super) fn variable(
    tables: &Tables,
    root: MessageId,
    text: &str,
) -> Result<FieldPath, FieldError> {
    values(tables, root, text, false)
}

/// The same, where the last field may be a list of values if `many` are taken.
pub(super) fn values(
    tables: &Tables,
    root: MessageId,
    text: &str,
    many: bool,
) -> Result<FieldPath, FieldError> {
    let mut steps = Vec::new();
    let mut message = root;
    let mut rest = text;
    loop {
        let (own, deeper) = match rest.split_once('.') {
            Some((own, deeper)) => (own, Some(deeper)),
            None => (rest, None),
        };
        let field = find(tables.message(message), own)?;
        let is_list = many && deeper.is_none() && field.cardinality == Cardinality::Repeated;
        if field.cardinality != Cardinality::Singular && !is_list {
            return Err(error(
                format!("field `{own}` is {}", cardinality(field)),
                if many {
                    "take a value or a list of values; what leads to it are single messages"
                } else {
                    "a variable is one value, and what leads to it are single messages"
                },
            ));
        }
        steps.push(FieldStep {
            message,
            number: field.number,
        });
        let Some(deeper) = deeper else {
            check_value(tables, field)?;
            break;
        };
        let next = field
            .kind
            .message()
            .ok_or_else(|| error(format!("field `{own}` is not a message"), ""))?;
        if let Some(well_known) = tables.message(next).well_known {
            // A wrapper is its value, in JSON and here.
            let value = find(tables.message(next), deeper);
            if well_known == WellKnown::Wrapper && value.is_ok() {
                break;
            }
            return Err(error(
                format!(
                    "field `{own}` is a `{}`, whose fields have no names in JSON",
                    tables.message(next).full_name
                ),
                "bind the field as a whole",
            ));
        }
        if steps.len() >= DEEPEST {
            return Err(error(format!("it is deeper than {DEEPEST} fields"), ""));
        }
        message = next;
        rest = deeper;
    }
    Ok(FieldPath {
        steps: steps.into(),
        text: text.into(),
    })
}

/// A field of the message itself, as `body` and `response_body` name one.
pub(super) fn top_level(
    tables: &Tables,
    message: MessageId,
    own: &str,
) -> Result<FieldStep, FieldError> {
    let message_table = tables.message(message);
    if own.contains('.') && message_table.by_name(own).is_none() {
        return Err(error(
            "it names a field of a field".to_owned(),
            &format!("name a field of `{}` itself", message_table.full_name),
        ));
    }
    let field = find(message_table, own)?;
    Ok(FieldStep {
        message,
        number: field.number,
    })
}

/// The oneof that would have to hold both, if there is one.
pub(super) fn shared_oneof<'t>(
    tables: &'t Tables,
    one: &[FieldStep],
    other: &[FieldStep],
) -> Option<&'t str> {
    let mut pairs = one.iter().zip(other);
    let (one, other) = pairs.find(|(one, other)| one != other)?;
    let message = tables.message(one.message);
    let oneof_of = |step: &FieldStep| message.by_number(step.number)?.oneof;
    let oneof = oneof_of(one)?;
    if one.message != other.message || oneof_of(other) != Some(oneof) {
        return None;
    }
    message.oneofs.get(usize::from(oneof)).map(|name| &**name)
}

/// A field by its proto name or its JSON name; in a rule the proto name comes first.
fn find<'t>(message: &'t Message, own: &str) -> Result<&'t Field, FieldError> {
    let found = message.by_name(own);
    let found = match found {
        Some(field) if *field.name != *own => message
            .fields
            .iter()
            .find(|field| *field.name == *own)
            .or(found),
        Some(_) | None => found,
    };
    found.ok_or_else(|| {
        /// Among more fields than these nobody looks for a name by hand.
        const MOST: usize = 1000;
        let names = message.fields.iter().take(MOST);
        let names = names.map(|field| &*field.name);
        FieldError {
            text: format!("`{}` has no field `{}`", message.full_name, name::show(own)),
            help: name::nearest(own, names).map(|near| format!("the nearest field is `{near}`")),
        }
    })
}

/// Whether a piece of text can hold the field's value.
fn check_value(tables: &Tables, field: &Field) -> Result<(), FieldError> {
    let id = match field.kind {
        Kind::Message(id) | Kind::Group(id) => id,
        Kind::Double
        | Kind::Float
        | Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Fixed32
        | Kind::Fixed64
        | Kind::Sfixed32
        | Kind::Sfixed64
        | Kind::Bool
        | Kind::String
        | Kind::Bytes
        | Kind::Enum(_) => return Ok(()),
    };
    let message = tables.message(id);
    match message.well_known {
        Some(
            WellKnown::Timestamp | WellKnown::Duration | WellKnown::FieldMask | WellKnown::Wrapper,
        ) => Ok(()),
        Some(
            WellKnown::Any
            | WellKnown::Struct
            | WellKnown::Value
            | WellKnown::ListValue
            | WellKnown::Empty,
        )
        | None => Err(error(
            format!(
                "field `{}` is a message, `{}`",
                field.name, message.full_name
            ),
            "name a field inside of it",
        )),
    }
}

fn cardinality(field: &Field) -> &'static str {
    match field.cardinality {
        Cardinality::Map => "a map",
        Cardinality::Repeated => "repeated",
        Cardinality::Singular => "singular",
    }
}

fn error(text: String, help: &str) -> FieldError {
    FieldError {
        text,
        help: Some(help.to_owned()).filter(|help| !help.is_empty()),
    }
}
