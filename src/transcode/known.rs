//! The types that an `Any` may hold although the application's schema lacks them: `google.rpc`'s
//! error details and the well-known types (J4).
//!
//! Source: `google/rpc/status.proto`, `google/rpc/error_details.proto` and the well-known types;
//! names and numbers are facts, nothing is copied.

use std::sync::{Arc, LazyLock};

use crate::schema::plan::{
    Cardinality, Enum, EnumId, EnumValues, Field, Kind, Lazy, Message, MessageId, Shape, Tables,
    TypeId, WellKnown,
};

/// A message by its full name, in the application's schema or else among the built-in types.
pub(crate) fn find<'t>(schema: &'t Tables, full_name: &str) -> Option<(&'t Tables, MessageId)> {
    let known: &'static Tables = &KNOWN;
    [schema, known]
        .into_iter()
        .find_map(|tables| Some((tables, tables.find_message(full_name)?)))
}

/// The type of a row's field.
#[derive(Clone, Copy)]
enum Of {
    /// A scalar.
    One(Kind),
    /// Scalars.
    Many(Kind),
    /// A message by its full name.
    Message(&'static str),
    /// Messages by their full name.
    Messages(&'static str),
    /// A map with string keys, by the full name of its entry.
    Map(&'static str),
    /// A member of the oneof.
    Member(&'static Self),
}

type Row = (u32, &'static str, Of);

const STRING: Of = Of::One(Kind::String);
const STRINGS: Of = Of::Many(Kind::String);
const INT64: Of = Of::One(Kind::Int64);
const INT32: Of = Of::One(Kind::Int32);
const NULL_VALUE: Of = Of::One(Kind::Enum(EnumId(0)));

const ANY: &str = "google.protobuf.Any";
const DURATION: &str = "google.protobuf.Duration";
const VALUE: &str = "google.protobuf.Value";
const STRUCT: &str = "google.protobuf.Struct";
const LIST_VALUE: &str = "google.protobuf.ListValue";
const VIOLATIONS: &str = "violations";

/// Names, forms and fields; a field's JSON name is derived as protoc derives it.
const MESSAGES: &[(&str, Option<WellKnown>, &[Row])] = &[
    (
        ANY,
        Some(WellKnown::Any),
        &[(1, "type_url", STRING), (2, "value", Of::One(Kind::Bytes))],
    ),
    (
        "google.protobuf.Timestamp",
        Some(WellKnown::Timestamp),
        &[(1, "seconds", INT64), (2, "nanos", INT32)],
    ),
    (
        DURATION,
        Some(WellKnown::Duration),
        &[(1, "seconds", INT64), (2, "nanos", INT32)],
    ),
    (
        "google.protobuf.FieldMask",
        Some(WellKnown::FieldMask),
        &[(1, "paths", STRINGS)],
    ),
    ("google.protobuf.Empty", Some(WellKnown::Empty), &[]),
    (
        STRUCT,
        Some(WellKnown::Struct),
        &[(1, "fields", Of::Map("google.protobuf.Struct.FieldsEntry"))],
    ),
    (
        "google.protobuf.Struct.FieldsEntry",
        None,
        &[(1, "key", STRING), (2, "value", Of::Message(VALUE))],
    ),
    (
        VALUE,
        Some(WellKnown::Value),
        &[
            (1, "null_value", Of::Member(&NULL_VALUE)),
            (2, "number_value", Of::Member(&Of::One(Kind::Double))),
            (3, "string_value", Of::Member(&STRING)),
            (4, "bool_value", Of::Member(&Of::One(Kind::Bool))),
            (5, "struct_value", Of::Member(&Of::Message(STRUCT))),
            (6, "list_value", Of::Member(&Of::Message(LIST_VALUE))),
        ],
    ),
    (
        LIST_VALUE,
        Some(WellKnown::ListValue),
        &[(1, "values", Of::Messages(VALUE))],
    ),
    wrapper(
        "google.protobuf.DoubleValue",
        &[(1, "value", Of::One(Kind::Double))],
    ),
    wrapper(
        "google.protobuf.FloatValue",
        &[(1, "value", Of::One(Kind::Float))],
    ),
    wrapper("google.protobuf.Int64Value", &[(1, "value", INT64)]),
    wrapper(
        "google.protobuf.UInt64Value",
        &[(1, "value", Of::One(Kind::Uint64))],
    ),
    wrapper("google.protobuf.Int32Value", &[(1, "value", INT32)]),
    wrapper(
        "google.protobuf.UInt32Value",
        &[(1, "value", Of::One(Kind::Uint32))],
    ),
    wrapper(
        "google.protobuf.BoolValue",
        &[(1, "value", Of::One(Kind::Bool))],
    ),
    wrapper("google.protobuf.StringValue", &[(1, "value", STRING)]),
    wrapper(
        "google.protobuf.BytesValue",
        &[(1, "value", Of::One(Kind::Bytes))],
    ),
    (
        "google.rpc.Status",
        None,
        &[
            (1, "code", INT32),
            (2, "message", STRING),
            (3, "details", Of::Messages(ANY)),
        ],
    ),
    (
        "google.rpc.ErrorInfo",
        None,
        &[
            (1, "reason", STRING),
            (2, "domain", STRING),
            (3, "metadata", Of::Map("google.rpc.ErrorInfo.MetadataEntry")),
        ],
    ),
    entry("google.rpc.ErrorInfo.MetadataEntry"),
    (
        "google.rpc.RetryInfo",
        None,
        &[(1, "retry_delay", Of::Message(DURATION))],
    ),
    (
        "google.rpc.DebugInfo",
        None,
        &[(1, "stack_entries", STRINGS), (2, "detail", STRING)],
    ),
    (
        "google.rpc.QuotaFailure",
        None,
        &[(
            1,
            VIOLATIONS,
            Of::Messages("google.rpc.QuotaFailure.Violation"),
        )],
    ),
    (
        "google.rpc.QuotaFailure.Violation",
        None,
        &[
            (1, "subject", STRING),
            (2, "description", STRING),
            (3, "api_service", STRING),
            (4, "quota_metric", STRING),
            (5, "quota_id", STRING),
            (
                6,
                "quota_dimensions",
                Of::Map("google.rpc.QuotaFailure.Violation.QuotaDimensionsEntry"),
            ),
            (7, "quota_value", INT64),
            (8, "future_quota_value", Of::Member(&INT64)),
        ],
    ),
    entry("google.rpc.QuotaFailure.Violation.QuotaDimensionsEntry"),
    (
        "google.rpc.PreconditionFailure",
        None,
        &[(
            1,
            VIOLATIONS,
            Of::Messages("google.rpc.PreconditionFailure.Violation"),
        )],
    ),
    (
        "google.rpc.PreconditionFailure.Violation",
        None,
        &[
            (1, "type", STRING),
            (2, "subject", STRING),
            (3, "description", STRING),
        ],
    ),
    (
        "google.rpc.BadRequest",
        None,
        &[(
            1,
            "field_violations",
            Of::Messages("google.rpc.BadRequest.FieldViolation"),
        )],
    ),
    (
        "google.rpc.BadRequest.FieldViolation",
        None,
        &[
            (1, "field", STRING),
            (2, "description", STRING),
            (3, "reason", STRING),
            (
                4,
                "localized_message",
                Of::Message("google.rpc.LocalizedMessage"),
            ),
        ],
    ),
    (
        "google.rpc.RequestInfo",
        None,
        &[(1, "request_id", STRING), (2, "serving_data", STRING)],
    ),
    (
        "google.rpc.ResourceInfo",
        None,
        &[
            (1, "resource_type", STRING),
            (2, "resource_name", STRING),
            (3, "owner", STRING),
            (4, "description", STRING),
        ],
    ),
    (
        "google.rpc.Help",
        None,
        &[(1, "links", Of::Messages("google.rpc.Help.Link"))],
    ),
    (
        "google.rpc.Help.Link",
        None,
        &[(1, "description", STRING), (2, "url", STRING)],
    ),
    (
        "google.rpc.LocalizedMessage",
        None,
        &[(1, "locale", STRING), (2, "message", STRING)],
    ),
];

const fn wrapper(
    name: &'static str,
    rows: &'static [Row],
) -> (&'static str, Option<WellKnown>, &'static [Row]) {
    (name, Some(WellKnown::Wrapper), rows)
}

const fn entry(name: &'static str) -> (&'static str, Option<WellKnown>, &'static [Row]) {
    (name, None, &[(1, "key", STRING), (2, "value", STRING)])
}

static KNOWN: LazyLock<Tables> = LazyLock::new(|| {
    let ids = (0..).map(|id| TypeId::Message(MessageId(id)));
    let names = MESSAGES.iter().map(|(name, ..)| Arc::from(*name));
    let mut tables = Tables::of_names(names.zip(ids));
    tables.messages = MESSAGES
        .iter()
        .map(|(name, well_known, rows)| message(&tables, name, *well_known, rows))
        .collect();
    tables.enums.push(null_value());
    tables
});

fn message(tables: &Tables, name: &str, well_known: Option<WellKnown>, rows: &[Row]) -> Message {
    let fields: Box<[Field]> = rows.iter().map(|row| field(tables, row)).collect();
    let names = (0..)
        .zip(&fields)
        .flat_map(|(at, field)| [(field.name.clone(), at), (field.json_name.clone(), at)])
        .collect();
    let oneof = fields.iter().any(|field| field.oneof.is_some());
    Message {
        full_name: Arc::from(name),
        shape: Lazy::ready(Shape {
            fields,
            names,
            oneofs: oneof.then(|| Box::from("kind")).into_iter().collect(),
            ..Shape::default()
        }),
        well_known,
        map_entry: name.ends_with("Entry"),
        message_set: false,
    }
}

fn field(tables: &Tables, (number, name, of): &Row) -> Field {
    let (of, member) = match of {
        Of::Member(of) => (**of, true),
        of => (*of, false),
    };
    // Every name in the table above is in the table above, which a test checks.
    let message = |name| Kind::Message(tables.find_message(name).unwrap_or(MessageId(0)));
    let (kind, cardinality) = match of {
        Of::One(kind) => (kind, Cardinality::Singular),
        Of::Many(kind) => (kind, Cardinality::Repeated),
        Of::Message(name) => (message(name), Cardinality::Singular),
        Of::Messages(name) => (message(name), Cardinality::Repeated),
        Of::Map(name) => (message(name), Cardinality::Map),
        Of::Member(_) => (Kind::String, Cardinality::Singular),
    };
    Field {
        number: *number,
        name: Arc::from(*name),
        json_name: json_name(name),
        kind,
        cardinality,
        packed: cardinality == Cardinality::Repeated && kind.packable(),
        presence: member || matches!(of, Of::Message(_)),
        required: false,
        oneof: member.then_some(0),
        optional: false,
        verify_utf8: true,
    }
}

fn json_name(name: &str) -> Arc<str> {
    let mut parts = name.split('_');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut chars = part.chars();
        out.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    out.into()
}

fn null_value() -> Enum {
    Enum {
        full_name: Arc::from("google.protobuf.NullValue"),
        listed: Lazy::ready(EnumValues::new([("NULL_VALUE", 0)])),
        closed: false,
        null_value: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_is_named_is_there() {
        for (_, _, rows) in MESSAGES {
            for (_, _, of) in *rows {
                let of = match of {
                    Of::Member(of) => of,
                    of => of,
                };
                if let Of::Message(name) | Of::Messages(name) | Of::Map(name) = of {
                    assert!(KNOWN.find_message(name).is_some(), "{name}");
                }
            }
        }
    }
}
