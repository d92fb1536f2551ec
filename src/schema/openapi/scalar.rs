//! What has no fields to describe: scalars, keys of maps, and the well-known types with a JSON form
//! of their own.

use super::form::Form;
use super::json::{Json, Object};
use crate::schema::plan::{Kind, WellKnown};

/// Digits of a 64-bit number as a text.
const SIGNED: &str = "^-?[0-9]{1,19}$";
const UNSIGNED: &str = "^[0-9]{1,20}$";

/// A scalar.
pub(super) fn schema(kind: Kind, form: Form) -> Object {
    let of = |kind: &str| Object::new().with("type", kind);
    match kind {
        Kind::Bool => of("boolean"),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => of("integer")
            .with("format", "int32")
            .with("minimum", i64::from(i32::MIN))
            .with("maximum", i64::from(i32::MAX)),
        Kind::Uint32 | Kind::Fixed32 => of("integer")
            .with("format", "uint32")
            .with("minimum", 0_i64)
            .with("maximum", i64::from(u32::MAX)),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            if form.int64_numbers() {
                return of("integer").with("format", "int64");
            }
            of("string").with("format", "int64").with("pattern", SIGNED)
        }
        Kind::Uint64 | Kind::Fixed64 => {
            if form.int64_numbers() {
                return of("integer")
                    .with("format", "uint64")
                    .with("minimum", 0_i64);
            }
            of("string")
                .with("format", "uint64")
                .with("pattern", UNSIGNED)
        }
        Kind::Float => of("number")
            .with("format", "float")
            .with("minimum", Json::Float(f64::from(f32::MIN)))
            .with("maximum", Json::Float(f64::from(f32::MAX))),
        Kind::Double => of("number").with("format", "double"),
        Kind::Bytes => of("string")
            .with("format", "byte")
            .with("contentEncoding", "base64"),
        // Messages and enums are written elsewhere.
        Kind::String | Kind::Enum(_) | Kind::Message(_) | Kind::Group(_) => of("string"),
    }
}

/// The same, or null.
pub(super) fn nullable(mut schema: Object) -> Object {
    if let Some(Json::Text(kind)) = schema.get("type") {
        let kinds = vec![kind.clone(), "null".to_owned()];
        schema.put("type", kinds);
    }
    schema
}

/// The key of a map, which JSON has as a text; nothing to say of one that is a text.
pub(super) fn map_key(kind: Kind) -> Option<Object> {
    let pattern = |text: &str| Some(Object::new().with("pattern", text));
    match kind {
        Kind::Bool => Some(Object::new().with("enum", vec!["true", "false"])),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => pattern("^-?[0-9]{1,10}$"),
        Kind::Uint32 | Kind::Fixed32 => pattern("^[0-9]{1,10}$"),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => pattern(SIGNED),
        Kind::Uint64 | Kind::Fixed64 => pattern(UNSIGNED),
        _ => None,
    }
}

/// A well-known type that is no component and no wrapper.
pub(super) fn well_known(known: WellKnown) -> Object {
    let of = |kind: &str| Object::new().with("type", kind);
    match known {
        WellKnown::Timestamp => of("string").with("format", "date-time"),
        WellKnown::Duration => of("string")
            .with("format", "google-duration")
            .with("pattern", r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$")
            .with("examples", vec!["1.5s"]),
        WellKnown::FieldMask => of("string")
            .with("format", "google-fieldmask")
            .with("description", "Names of fields, separated by commas."),
        WellKnown::Struct => of("object").with("additionalProperties", true),
        WellKnown::ListValue => of("array").with("items", Object::new()),
        WellKnown::Empty => of("object").with("additionalProperties", false),
        WellKnown::Value | WellKnown::Any | WellKnown::Wrapper => Object::new(),
    }
}

/// `google.protobuf.Any`.
pub(super) fn any() -> Object {
    let kind = Object::new().with("type", "string").with(
        "description",
        "A URL whose last segment is the full name of the message's type.",
    );
    Object::new()
        .with("type", "object")
        .with(
            "description",
            "A message of any type, with its type beside its fields.",
        )
        .with("properties", Object::new().with("@type", kind))
        .with("additionalProperties", true)
}
