//! Values that are one JSON token: scalars, enums, wrappers, times and masks.

use std::borrow::Cow;

use super::context::{At, Context};
use super::value::Outcome;
use crate::schema::plan::{Enum, Field, Kind, WellKnown};
use crate::schema::policy::UnknownFields;
use crate::transcode::number::{self, NumberError};
use crate::transcode::proto::{WireType, put_bytes, put_len_field, put_tag, put_varint};
use crate::transcode::{base64, names, time};

/// One JSON value as the parser cut it out.
enum Token<'j> {
    Null,
    Bool(bool),
    Number(&'j str),
    Text(Cow<'j, str>),
    Object,
    List,
}

impl Token<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Object => "an object",
            Self::List => "a list",
        }
    }
}

type Complaint = Cow<'static, str>;

/// The wire type of a kind outside of packed lists.
pub(in crate::transcode) fn wire_type(kind: Kind) -> WireType {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => WireType::Fixed64,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => WireType::Fixed32,
        Kind::String | Kind::Bytes | Kind::Message(_) => WireType::Len,
        Kind::Group(_) => WireType::StartGroup,
        Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Bool
        | Kind::Enum(_) => WireType::Varint,
    }
}

/// Appends the value of a scalar or enum that `raw` stands for.
pub(super) fn read(context: &mut Context<'_, '_>, kind: Kind, raw: &str, at: &At<'_>) -> Outcome {
    context.saw(raw);
    let result = token(raw).and_then(|token| put(context, kind, token));
    noted(context, result, at)
}

/// Appends the content of a message that is one JSON token.
pub(super) fn well_known(
    context: &mut Context<'_, '_>,
    well_known: WellKnown,
    only_field: Option<&Field>,
    raw: &str,
    at: &At<'_>,
) -> Outcome {
    context.saw(raw);
    let result = token(raw).and_then(|token| match (well_known, token) {
        (WellKnown::Wrapper, token) => wrapper(context, only_field, token),
        (_, Token::Null) => Ok(Outcome::Null),
        (_, Token::Text(text)) => {
            put_text_form(context.out, well_known, &text, false).map(|()| Outcome::Set)
        }
        (_, token) => Err(mismatch(form_of(well_known), &token)),
    });
    noted(context, result, at)
}

fn noted(
    context: &mut Context<'_, '_>,
    result: Result<Outcome, Complaint>,
    at: &At<'_>,
) -> Outcome {
    result.unwrap_or_else(|complaint| {
        context.complain(at, complaint);
        Outcome::Wrong
    })
}

fn wrapper(
    context: &mut Context<'_, '_>,
    field: Option<&Field>,
    token: Token<'_>,
) -> Result<Outcome, Complaint> {
    let Some(field) = field else {
        return Err(Cow::Borrowed("this wrapper type has no value field"));
    };
    let start = context.out.len();
    put_tag(context.out, field.number, wire_type(field.kind));
    let outcome = put(context, field.kind, token)?;
    if outcome != Outcome::Set {
        context.out.truncate(start);
    }
    Ok(match outcome {
        Outcome::Default => Outcome::Set,
        outcome => outcome,
    })
}

fn form_of(well_known: WellKnown) -> &'static str {
    match well_known {
        WellKnown::Timestamp => "an RFC 3339 time such as \"2024-01-31T12:00:00Z\"",
        WellKnown::Duration => "a duration such as \"1.5s\"",
        _ => "field paths such as \"title,author.name\"",
    }
}

/// Appends the content of a `Timestamp`, `Duration` or `FieldMask` from its text; `snake` allows
/// paths of a mask to be written as in the proto file.
pub(in crate::transcode) fn put_text_form(
    out: &mut Vec<u8>,
    well_known: WellKnown,
    text: &str,
    snake: bool,
) -> Result<(), Complaint> {
    let wrong = || {
        Cow::Owned(format!(
            "expected {}, found `{}`",
            form_of(well_known),
            names::clip(text)
        ))
    };
    let parsed = match well_known {
        WellKnown::Timestamp => time::parse_timestamp(text),
        WellKnown::Duration => time::parse_duration(text),
        _ => {
            for path in text.split(',').filter(|_| !text.is_empty()) {
                let path = time::path_to_snake(path, snake).ok_or_else(wrong)?;
                put_len_field(out, 1, path.as_bytes());
            }
            return Ok(());
        }
    };
    let (seconds, nanos) = parsed.ok_or_else(wrong)?;
    for (number, value) in [(1, seconds), (2, i64::from(nanos))] {
        if value != 0 {
            put_tag(out, number, WireType::Varint);
            put_varint(out, value as u64);
        }
    }
    Ok(())
}

/// Looks at the first character only: the parser has checked the rest, but for surrogates.
fn token(raw: &str) -> Result<Token<'_>, Complaint> {
    Ok(match raw.as_bytes() {
        [b'"', ..] => Token::Text(unescape(raw)?),
        [b't', ..] => Token::Bool(true),
        [b'f', ..] => Token::Bool(false),
        [b'n', ..] => Token::Null,
        [b'{', ..] => Token::Object,
        [b'[', ..] => Token::List,
        _ => Token::Number(raw),
    })
}

fn unescape(raw: &str) -> Result<Cow<'_, str>, Complaint> {
    let plain = raw
        .strip_prefix('"')
        .and_then(|raw| raw.strip_suffix('"'))
        .filter(|_| memchr::memchr(b'\\', raw.as_bytes()).is_none());
    match plain {
        Some(plain) => Ok(Cow::Borrowed(plain)),
        None => serde_json::from_str(raw)
            .map(Cow::Owned)
            .map_err(|error| Cow::Borrowed(super::context::syntax(&error))),
    }
}

fn mismatch(expected: &str, found: &Token<'_>) -> Complaint {
    Cow::Owned(format!("expected {expected}, found {}", found.name()))
}

fn put(context: &mut Context<'_, '_>, kind: Kind, token: Token<'_>) -> Result<Outcome, Complaint> {
    if let Kind::Enum(id) = kind {
        let enumeration = context.tables.enumeration(id);
        return put_enum(context, enumeration, kind, &token);
    }
    let is_default = match (kind, token) {
        (_, Token::Null) => return Ok(Outcome::Null),
        (Kind::Bool, Token::Bool(value)) => {
            context.out.push(u8::from(value));
            !value
        }
        (Kind::String, Token::Text(text)) => {
            put_bytes(context.out, text.as_bytes());
            text.is_empty()
        }
        (Kind::Bytes, Token::Text(text)) => {
            let bytes = base64::decode(&text).ok_or("is not valid base64")?;
            put_bytes(context.out, &bytes);
            bytes.is_empty()
        }
        (Kind::Double | Kind::Float, Token::Number(text)) => put_float(context.out, kind, text)?,
        (Kind::Double | Kind::Float, Token::Text(text)) => put_float(context.out, kind, &text)?,
        (Kind::Bool | Kind::String | Kind::Bytes | Kind::Double | Kind::Float, token) => {
            return Err(mismatch(form_of_kind(kind), &token));
        }
        (_, Token::Number(text)) => put_integer(context, kind, text)?,
        (_, Token::Text(text)) => put_integer(context, kind, &text)?,
        (_, token) => return Err(mismatch("an integer", &token)),
    };
    Ok(if is_default {
        Outcome::Default
    } else {
        Outcome::Set
    })
}

fn form_of_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "true or false",
        Kind::String => "a string",
        Kind::Bytes => "a string in base64",
        _ => "a number",
    }
}

fn put_integer(context: &mut Context<'_, '_>, kind: Kind, text: &str) -> Result<bool, Complaint> {
    number::integer(text)
        .and_then(|value| number::put_integer(context.out, kind, value))
        .map_err(|error| number_complaint(error, text, &names::describe(context.tables, kind)))
}

/// What is wrong with a number.
pub(in crate::transcode) fn number_complaint(
    error: NumberError,
    text: &str,
    kind: &str,
) -> Complaint {
    let text = names::clip(text);
    Cow::Owned(match error {
        NumberError::Grammar => format!("`{text}` is not a valid {kind}"),
        NumberError::Fraction => format!("`{text}` is not an integer"),
        NumberError::Range => format!("`{text}` is out of range for {kind}"),
    })
}

/// Appends a float or double; says whether it is (positive) zero.
pub(in crate::transcode) fn put_float(
    out: &mut Vec<u8>,
    kind: Kind,
    text: &str,
) -> Result<bool, Complaint> {
    let special = number::special(text);
    if kind == Kind::Float {
        let value = match special {
            Some(special) => special as f32,
            None => number::float(text).map_err(|error| number_complaint(error, text, "float"))?,
        };
        out.extend_from_slice(&value.to_le_bytes());
        return Ok(value.to_bits() == 0);
    }
    let value = match special {
        Some(special) => special,
        None => number::double(text).map_err(|error| number_complaint(error, text, "double"))?,
    };
    out.extend_from_slice(&value.to_le_bytes());
    Ok(value.to_bits() == 0)
}

fn put_enum(
    context: &mut Context<'_, '_>,
    enumeration: &Enum,
    kind: Kind,
    token: &Token<'_>,
) -> Result<Outcome, Complaint> {
    let value = match token {
        Token::Null if enumeration.null_value => 0,
        Token::Null => return Ok(Outcome::Null),
        Token::Text(name) => {
            match names::enum_number(enumeration, name, context.options.enum_case) {
                Some(number) => i128::from(number),
                None if context.options.unknown_fields == UnknownFields::Ignore => {
                    return Ok(Outcome::Skipped);
                }
                None => return Err(Cow::Owned(names::unknown_value(enumeration, name))),
            }
        }
        Token::Number(text) => {
            let complain = |error| number_complaint(error, text, &enumeration.full_name);
            number::integer(text).map_err(complain)?
        }
        token => return Err(mismatch("the name of an enum value", token)),
    };
    let known = i32::try_from(value).is_ok_and(|value| enumeration.by_number.contains_key(&value));
    if enumeration.closed && !known {
        let name = &enumeration.full_name;
        return Err(Cow::Owned(format!("{value} is no value of {name}")));
    }
    let is_default = number::put_integer(context.out, kind, value)
        .map_err(|error| number_complaint(error, &value.to_string(), &enumeration.full_name))?;
    Ok(if is_default {
        Outcome::Default
    } else {
        Outcome::Set
    })
}
