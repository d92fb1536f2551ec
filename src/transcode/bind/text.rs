//! The text of a path variable or query parameter becomes a wire value (B6).

use std::borrow::Cow;

use crate::schema::plan::{Kind, MessageId, Tables, WellKnown};
use crate::schema::policy::JsonOptions;
use crate::transcode::json_to_wire::{self, number_complaint, put_float, put_text_form, wire_type};
use crate::transcode::proto::{put_bytes, put_tag};
use crate::transcode::{base64, names, number};

/// Appends the record of a field, its default included.
pub(super) fn put_record(
    tables: &Tables,
    json: &JsonOptions,
    (number, kind): (u32, Kind),
    text: &str,
    out: &mut Vec<u8>,
) -> Result<(), Cow<'static, str>> {
    put_tag(out, number, wire_type(kind));
    put_value(tables, json, kind, text, out)
}

/// Appends the value alone, as in a packed list.
pub(super) fn put_value(
    tables: &Tables,
    json: &JsonOptions,
    kind: Kind,
    text: &str,
    out: &mut Vec<u8>,
) -> Result<(), Cow<'static, str>> {
    match kind {
        Kind::String => put_bytes(out, text.as_bytes()),
        Kind::Bytes => put_bytes(out, &base64::decode(text).ok_or("is not valid base64")?),
        Kind::Bool => out.push(match text {
            "true" => 1,
            "false" => 0,
            _ => return Err(Cow::Borrowed("expected true or false")),
        }),
        Kind::Double | Kind::Float => {
            put_float(out, kind, text)?;
        }
        Kind::Enum(id) => {
            let enumeration = tables.enumeration(id);
            let number = match names::enum_number(enumeration, text, json.enum_case) {
                Some(number) => number,
                None => number::decimal(text)
                    .ok()
                    .and_then(|number| i32::try_from(number).ok())
                    .filter(|number| {
                        !enumeration.closed || enumeration.by_number.contains_key(number)
                    })
                    .ok_or_else(|| names::unknown_value(enumeration, text))?,
            };
            put_integer(tables, kind, &number.to_string(), out)?;
        }
        Kind::Message(id) | Kind::Group(id) => {
            let mut content = Vec::new();
            put_message(tables, json, id, text, &mut content)?;
            put_bytes(out, &content);
        }
        _ => put_integer(tables, kind, text, out)?,
    }
    Ok(())
}

fn put_integer(
    tables: &Tables,
    kind: Kind,
    text: &str,
    out: &mut Vec<u8>,
) -> Result<(), Cow<'static, str>> {
    number::decimal(text)
        .and_then(|value| number::put_integer(out, kind, value))
        .map(|_is_zero| ())
        .map_err(|error| number_complaint(error, text, &names::describe(tables, kind)))
}

fn put_message(
    tables: &Tables,
    json: &JsonOptions,
    id: MessageId,
    text: &str,
    out: &mut Vec<u8>,
) -> Result<(), Cow<'static, str>> {
    let message = tables.message(id);
    match message.well_known {
        Some(form @ (WellKnown::Timestamp | WellKnown::Duration | WellKnown::FieldMask)) => {
            put_text_form(out, form, text, true)
        }
        Some(WellKnown::Wrapper) => {
            let value = message.fields.first();
            let value = value.ok_or("this wrapper type has no value field")?;
            let mut bytes = Vec::new();
            put_value(tables, json, value.kind, text, &mut bytes)?;
            // Every default, and nothing else, is zeros alone; the body leaves it out too, and
            // the two are compared (B3).
            if bytes.iter().any(|byte| *byte != 0) {
                put_tag(out, value.number, wire_type(value.kind));
                out.extend_from_slice(&bytes);
            }
            Ok(())
        }
        Some(
            WellKnown::Struct
            | WellKnown::Value
            | WellKnown::ListValue
            | WellKnown::Any
            | WellKnown::Empty,
        ) => json_to_wire::content(tables, json, id, text, out).map_err(|violations| {
            let first = violations.into_iter().next();
            Cow::Owned(first.map_or_else(
                || String::from("is too large"),
                |first| format!("expected JSON text: {}", first.description),
            ))
        }),
        None => Err(Cow::Borrowed(
            "is a message; name one of its fields, as `a.b`",
        )),
    }
}
