//! Types: scalars, well-known types, oneofs, enums, recursion, and what options say of fields.

use serde_json::{Value, json};

use super::{ODD, OLD, check, described};
use crate::schema::policy::{Enums, FieldNames, Int64, UnknownFields};

#[test]
fn d1_scalars() {
    let document = described(&[ODD], |_| {});
    let kinds = &document["components"]["schemas"]["odd.v1.Kinds"]["properties"];
    let int32 =
        json!({"type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX});
    let uint32 = json!({"type": "integer", "format": "uint32", "minimum": 0, "maximum": u32::MAX});
    let int64 = json!({"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$"});
    let uint64 = json!({"type": "string", "format": "uint64", "pattern": "^[0-9]{1,20}$"});
    check(
        kinds,
        &[
            ("/aDouble", json!({"type": "number", "format": "double"})),
            ("/aFloat/format", json!("float")),
            ("/anInt32", int32.clone()),
            ("/aSint32", int32),
            ("/aUint32", uint32.clone()),
            ("/aFixed32", uint32),
            ("/anInt64", int64.clone()),
            ("/aSint64", int64),
            ("/aUint64", uint64.clone()),
            ("/aFixed64", uint64),
            ("/aBool", json!({"type": "boolean"})),
            ("/aString", json!({"type": "string"})),
            (
                "/someBytes",
                json!({"type": "string", "format": "byte", "contentEncoding": "base64"}),
            ),
        ],
    );
}

#[test]
fn d1_fields_of_every_kind() {
    let document = described(&[ODD], |_| {});
    let kinds = &document["components"]["schemas"]["odd.v1.Kinds"]["properties"];
    let int64 = json!({"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$"});
    let thing = json!({"$ref": "#/components/schemas/odd.v1.Thing"});
    let colour = json!({"$ref": "#/components/schemas/odd.v1.Colour"});
    let mut maybe = int64.clone();
    maybe["type"] = json!(["string", "null"]);
    check(
        kinds,
        &[
            ("/colour", colour.clone()),
            ("/numbers", json!({"type": "array", "items": int64})),
            (
                "/counts",
                json!({"type": "object", "additionalProperties": int64}),
            ),
            ("/things/additionalProperties", thing.clone()),
            (
                "/things/propertyNames",
                json!({"pattern": "^-?[0-9]{1,10}$"}),
            ),
            (
                "/colours",
                json!({
                    "type": "object", "propertyNames": {"enum": ["true", "false"]}, "additionalProperties": colour,
                }),
            ),
            (
                "/any",
                json!({"$ref": "#/components/schemas/google.protobuf.Any"}),
            ),
            ("/time", json!({"type": "string", "format": "date-time"})),
            (
                "/duration/pattern",
                json!(r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$"),
            ),
            ("/mask/type", json!("string")),
            (
                "/struct",
                json!({"type": "object", "additionalProperties": true}),
            ),
            ("/value", json!({})),
            ("/list", json!({"type": "array", "items": {}})),
            (
                "/empty",
                json!({"type": "object", "additionalProperties": false}),
            ),
            ("/null", json!({"type": "null"})),
            ("/maybe", maybe),
            (
                "/maybes",
                json!({"type": "array", "items": {"type": ["string", "null"]}}),
            ),
            ("/present", json!({"type": "string"})),
            ("/other-name", json!({"type": "string"})),
            ("/renamed", Value::Null),
            ("/listOfThings", json!({"type": "array", "items": thing})),
        ],
    );
}

#[test]
fn d1_what_options_and_comments_say() {
    let document = described(&[ODD], |_| {});
    let schemas = &document["components"]["schemas"];
    check(
        schemas,
        &[
            ("/odd.v1.Thing/description", json!("A thing.")),
            ("/odd.v1.Thing/required", json!(["title"])),
            (
                "/odd.v1.Thing/properties/name",
                json!({
                    "type": "string", "examples": ["rooms/my-room/things/my-thing"],
                    "description": "What it is called.", "x-immutable": true,
                }),
            ),
            (
                "/odd.v1.Thing/properties/uid",
                json!({
                    "type": "string", "format": "uuid", "description": "Given by the server.", "readOnly": true,
                }),
            ),
            ("/odd.v1.Thing/properties/secret/writeOnly", json!(true)),
            ("/odd.v1.Thing/properties/title/minLength", json!(1)),
            ("/odd.v1.Thing/properties/old/deprecated", json!(true)),
            ("/odd.v1.Thing.Inner/deprecated", json!(true)),
            (
                "/odd.v1.Colour/enum",
                json!(["COLOUR_UNSPECIFIED", "RED", "CRIMSON", "BLUE"]),
            ),
            (
                "/odd.v1.Colour/description",
                json!("Colours, some of them twice.\n\nValues:\n\n- `RED`: Like blood."),
            ),
            (
                "/odd.v1.Choice/description",
                json!(
                    "At most one of `text`, `number`, `thing` may be set (oneof `what`). One of these."
                ),
            ),
            (
                "/odd.v1.Choice/not",
                json!({"anyOf": [
                    {"required": ["text", "number"]},
                    {"required": ["text", "thing"]},
                    {"required": ["number", "thing"]},
                ]}),
            ),
            (
                "/odd.v1.Tree/properties/children/items",
                json!({"$ref": "#/components/schemas/odd.v1.Tree"}),
            ),
            (
                "/odd.v1.Tree/properties/named/additionalProperties",
                json!({"$ref": "#/components/schemas/odd.v1.Tree"}),
            ),
        ],
    );
    let service = json!("Odd things. <script>alert(1)</script>");
    assert_eq!(document["tags"][0]["description"], service);
}

/// Messages that a request may hold refuse unknown fields; those of answers alone may grow.
#[test]
fn d1_only_requests_are_closed() {
    let closed = |document: &Value, name: &str| {
        document["components"]["schemas"][name]["additionalProperties"].clone()
    };
    let document = described(&[ODD, OLD], |_| {});
    for (name, expected) in [
        ("odd.v1.Kinds", json!(false)),
        ("odd.v1.Choice", json!(false)),
        ("odd.v1.Thing.Inner", json!(false)),
        ("odd.v1.Tree", Value::Null),
        ("old.v1.Response", Value::Null),
    ] {
        assert_eq!(closed(&document, name), expected, "{name}");
    }
    let lenient = described(&[ODD], |policy| {
        policy.json.unknown_fields = UnknownFields::Ignore;
    });
    assert_eq!(closed(&lenient, "odd.v1.Kinds"), Value::Null);
}

#[test]
fn d1_the_options_of_json_count() {
    let document = described(&[ODD], |policy| {
        policy.json.names = FieldNames::Proto;
        policy.json.int64 = Int64::Number;
        policy.json.enums = Enums::Number;
    });
    check(
        &document["components"]["schemas"],
        &[
            (
                "/odd.v1.Kinds/properties/an_int64",
                json!({"type": "integer", "format": "int64"}),
            ),
            (
                "/odd.v1.Kinds/properties/renamed",
                json!({"type": "string"}),
            ),
            ("/odd.v1.Colour/enum", json!([0, 1, -5])),
            (
                "/odd.v1.Colour/x-enum-varnames",
                json!(["COLOUR_UNSPECIFIED", "RED", "BLUE"]),
            ),
        ],
    );
}

#[test]
fn d1_proto2_has_groups_required_fields_and_extensions() {
    let document = described(&[OLD], |_| {});
    check(
        &document["components"]["schemas"],
        &[
            (
                "/old.v1.Response/properties/result",
                json!({
                    "type": "array", "items": {"$ref": "#/components/schemas/old.v1.Response.Result"},
                }),
            ),
            (
                "/old.v1.Response.Result/description",
                json!("A group of its own."),
            ),
            (
                "/old.v1.Response.Result/properties/url",
                json!({"type": "string"}),
            ),
        ],
    );
    let parameters = document["paths"]["/old/{id}"]["get"]["parameters"]
        .as_array()
        .expect("a list");
    let names: Vec<&str> = parameters
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(names, ["id", "word", "filter.by", "[old.v1.extra]"]);
    let required: Vec<bool> = parameters
        .iter()
        .map(|one| one["required"] == true)
        .collect();
    assert_eq!(required, [true, true, false, false]);
    assert_eq!(parameters[3]["description"], "Said by somebody else.");
}
