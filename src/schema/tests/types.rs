//! What becomes of messages and enums: every syntax, extensions, well-known types, JSON names.

use super::{input, raw_input, schema, shown};
use crate::schema::compile::compile;
use crate::schema::descriptor::{
    DescriptorProto, EnumDescriptorProto, EnumOptions, EnumValueDescriptorProto, FeatureSet,
    FieldDescriptorProto, FieldOptions, FileDescriptorProto, FileOptions, Label, MessageOptions,
    OneofDescriptorProto, OneofOptions, Type,
};
use crate::schema::plan::{Cardinality, Field, Kind, Message, WellKnown};
use crate::schema::{Idempotency, Schema};

fn message<'s>(schema: &'s Schema, name: &str) -> &'s Message {
    let id = schema.tables.find_message(name);
    schema
        .tables
        .message(id.unwrap_or_else(|| panic!("{name} is missing")))
}

fn field<'s>(schema: &'s Schema, message_name: &str, name: &str) -> &'s Field {
    let found = message(schema, message_name).by_name(name);
    found.unwrap_or_else(|| panic!("{message_name}.{name} is missing"))
}

#[test]
fn proto2_has_labels_groups_and_closed_enums() {
    let schema = schema(
        r#"syntax = "proto2"; package p;
        message M {
          required string must = 1;
          optional string may = 2;
          repeated int32 loose = 3;
          repeated int32 tight = 4 [packed = true];
          optional group Part = 5 { optional string inner = 1; }
          repeated group Parts = 6 { optional M more = 1; }
          map<int32, E> map = 7;
        }
        enum E { A = 1; B = 2; }
        "#,
    );
    let field = |name| field(&schema, "p.M", name);
    assert!(field("must").required && field("must").presence);
    assert!(!field("may").required && field("may").presence);
    assert!(!field("may").verify_utf8);
    assert!(!field("loose").packed && field("tight").packed);
    assert!(!field("loose").presence);
    assert!(matches!(field("part").kind, Kind::Group(_)));
    assert!(matches!(field("parts").kind, Kind::Group(_)));
    assert_eq!(field("parts").cardinality, Cardinality::Repeated);
    assert_eq!(field("map").cardinality, Cardinality::Map);
    let Kind::Enum(id) = message(&schema, "p.M.MapEntry").by_number(2).unwrap().kind else {
        panic!("the values are an enum");
    };
    let table = schema.tables.enumeration(id);
    assert!(table.closed && !table.null_value);
    assert_eq!(table.by_name["B"], 2);
    assert_eq!(&*table.values[table.by_number[&2] as usize].0, "B");
}

#[test]
fn proto3_has_implicit_presence_but_where_it_says_optional() {
    let schema = schema(
        r#"syntax = "proto3"; package p;
        message M {
          string plain = 1; optional string known = 2; M message = 3;
          oneof real { string a = 4; int32 b = 5; }
          optional int32 also = 6; repeated int32 list = 7; repeated int32 loose = 8 [packed = false];
          oneof second { string c = 9; }
        }
        enum E { option allow_alias = true; A = 0; B = 1; C = 1; }
        "#,
    );
    let field = |name| field(&schema, "p.M", name);
    for (name, presence, oneof) in [
        ("plain", false, None),
        ("known", true, None),
        ("message", true, None),
        ("a", true, Some(0)),
        ("b", true, Some(0)),
        ("also", true, None),
        ("list", false, None),
        ("c", true, Some(1)),
    ] {
        assert_eq!(field(name).presence, presence, "{name}");
        assert_eq!(field(name).oneof, oneof, "{name}");
        assert!(field(name).verify_utf8, "{name}");
    }
    assert!(field("list").packed && !field("loose").packed);
    let names: Vec<&str> = message(&schema, "p.M")
        .oneofs
        .iter()
        .map(|name| &**name)
        .collect();
    assert_eq!(names, ["real", "second"]);
    let table = &schema.tables.enums[0];
    assert!(!table.closed);
    assert_eq!(&*table.values[table.by_number[&1] as usize].0, "B");
    assert_eq!(table.by_name["C"], 1);
}

fn features(change: impl FnOnce(&mut FeatureSet)) -> Option<FeatureSet> {
    let mut features = FeatureSet::default();
    change(&mut features);
    Some(features)
}

fn raw_field(name: &str, number: i32, kind: Type, label: Label) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        r#type: Some(kind as i32),
        label: Some(label as i32),
        ..FieldDescriptorProto::default()
    }
}

fn with_features(
    mut field: FieldDescriptorProto,
    change: impl FnOnce(&mut FeatureSet),
) -> FieldDescriptorProto {
    field.options = Some(FieldOptions {
        features: features(change),
        ..FieldOptions::default()
    });
    field
}

fn of_type(mut field: FieldDescriptorProto, name: &str) -> FieldDescriptorProto {
    field.type_name = Some(name.to_owned());
    field
}

/// The entry of a map from strings to `e.M`.
fn edition_entry() -> DescriptorProto {
    DescriptorProto {
        name: Some("MapEntry".to_owned()),
        field: vec![
            raw_field("key", 1, Type::String, Label::Optional),
            of_type(
                raw_field("value", 2, Type::Message, Label::Optional),
                ".e.M",
            ),
        ],
        options: Some(MessageOptions {
            map_entry: Some(true),
            ..MessageOptions::default()
        }),
        ..DescriptorProto::default()
    }
}

/// A message whose fields are implicit.
fn edition_inner() -> DescriptorProto {
    DescriptorProto {
        name: Some("Inner".to_owned()),
        field: vec![raw_field("plain", 1, Type::String, Label::Optional)],
        options: Some(MessageOptions {
            features: features(|own| own.field_presence = Some(2)),
            ..MessageOptions::default()
        }),
        ..DescriptorProto::default()
    }
}

fn edition_message() -> DescriptorProto {
    let one = Label::Optional;
    let message = |name, number| of_type(raw_field(name, number, Type::Message, one), ".e.M");
    let in_oneof = FieldDescriptorProto {
        oneof_index: Some(0),
        ..raw_field("in_oneof", 8, Type::String, one)
    };
    let map = raw_field("map", 7, Type::Message, Label::Repeated);
    DescriptorProto {
        name: Some("M".to_owned()),
        field: vec![
            raw_field("plain", 1, Type::String, one),
            with_features(raw_field("implicit", 2, Type::Int32, one), |own| {
                own.field_presence = Some(2);
            }),
            with_features(raw_field("must", 3, Type::Int32, one), |own| {
                own.field_presence = Some(3);
            }),
            raw_field("list", 4, Type::Int32, Label::Repeated),
            message("delimited", 5),
            with_features(message("prefixed", 6), |own| own.message_encoding = Some(1)),
            of_type(map, ".e.M.MapEntry"),
            in_oneof,
        ],
        oneof_decl: vec![OneofDescriptorProto {
            name: Some("choice".to_owned()),
            options: Some(OneofOptions {
                features: features(|own| own.utf8_validation = Some(3)),
            }),
        }],
        nested_type: vec![edition_entry(), edition_inner()],
        ..DescriptorProto::default()
    }
}

fn edition_enum(name: &str, value: &str, features: Option<FeatureSet>) -> EnumDescriptorProto {
    EnumDescriptorProto {
        name: Some(name.to_owned()),
        value: vec![EnumValueDescriptorProto {
            name: Some(value.to_owned()),
            number: Some(0),
        }],
        options: Some(EnumOptions {
            features,
            ..EnumOptions::default()
        }),
    }
}

/// A file of edition 2023 that turns most features around, and turns some of them back inside.
fn edition() -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some("edition.proto".to_owned()),
        package: Some("e".to_owned()),
        syntax: Some("editions".to_owned()),
        edition: Some(1000),
        message_type: vec![edition_message()],
        enum_type: vec![
            edition_enum("Open", "ZERO", None),
            edition_enum("Closed", "NULL", features(|own| own.enum_type = Some(2))),
        ],
        options: Some(FileOptions {
            features: features(|own| {
                own.repeated_field_encoding = Some(2);
                own.message_encoding = Some(2);
            }),
            ..FileOptions::default()
        }),
        ..FileDescriptorProto::default()
    }
}

#[test]
fn editions_have_features() {
    for number in [1000, 1001] {
        let (schema, problems) = compile(&raw_input(&[FileDescriptorProto {
            edition: Some(number),
            ..edition()
        }]));
        assert_eq!(shown(&problems), "");
        let field = |name| field(&schema, "e.M", name);
        assert!(field("plain").presence && field("plain").verify_utf8);
        assert!(!field("implicit").presence && !field("implicit").required);
        assert!(field("must").presence && field("must").required);
        assert!(!field("list").packed);
        assert!(matches!(field("delimited").kind, Kind::Group(_)));
        assert!(matches!(field("prefixed").kind, Kind::Message(_)));
        assert!(field("in_oneof").presence && !field("in_oneof").verify_utf8);
        assert_eq!(field("in_oneof").oneof, Some(0));
        // What a map is made of is never delimited.
        assert!(matches!(field("map").kind, Kind::Message(_)));
        let entry = message(&schema, "e.M.MapEntry");
        assert!(matches!(entry.by_number(2).unwrap().kind, Kind::Message(_)));
        let inner = message(&schema, "e.M.Inner");
        assert!(!inner.by_number(1).unwrap().presence);
        let closed: Vec<bool> = schema
            .tables
            .enums
            .iter()
            .map(|table| table.closed)
            .collect();
        assert_eq!(closed, [false, true]);
    }
}

#[test]
fn extensions_are_fields_of_what_they_extend() {
    let schema = schema(
        r#"syntax = "proto2"; package p;
        message M { optional string name = 150; extensions 100 to 149, 160 to 199; }
        message Scope { extend M { repeated int32 inside = 120; } }
        extend M { optional M outside = 199; optional string early = 100; }
        "#,
    );
    let message = message(&schema, "p.M");
    let names: Vec<&str> = message.fields.iter().map(|field| &*field.name).collect();
    assert_eq!(
        names,
        ["[p.early]", "[p.Scope.inside]", "name", "[p.outside]"]
    );
    let inside = message.by_name("[p.Scope.inside]").unwrap();
    assert_eq!(
        (inside.number, &*inside.json_name),
        (120, "[p.Scope.inside]")
    );
    assert_eq!(inside.cardinality, Cardinality::Repeated);
    assert!(message.by_name("[p.early]").unwrap().presence);
    assert!(message.by_name("early").is_none());
    assert_eq!(message.by_name("name").unwrap().number, 150);
}

#[test]
fn well_known_types_are_known_by_name_and_form() {
    let names = [
        ("any", "Any", Some(WellKnown::Any)),
        ("timestamp", "Timestamp", Some(WellKnown::Timestamp)),
        ("duration", "Duration", Some(WellKnown::Duration)),
        ("field_mask", "FieldMask", Some(WellKnown::FieldMask)),
        ("struct", "Struct", Some(WellKnown::Struct)),
        ("struct", "Value", Some(WellKnown::Value)),
        ("struct", "ListValue", Some(WellKnown::ListValue)),
        ("empty", "Empty", Some(WellKnown::Empty)),
        ("wrappers", "DoubleValue", Some(WellKnown::Wrapper)),
        ("wrappers", "FloatValue", Some(WellKnown::Wrapper)),
        ("wrappers", "Int64Value", Some(WellKnown::Wrapper)),
        ("wrappers", "UInt64Value", Some(WellKnown::Wrapper)),
        ("wrappers", "Int32Value", Some(WellKnown::Wrapper)),
        ("wrappers", "UInt32Value", Some(WellKnown::Wrapper)),
        ("wrappers", "BoolValue", Some(WellKnown::Wrapper)),
        ("wrappers", "StringValue", Some(WellKnown::Wrapper)),
        ("wrappers", "BytesValue", Some(WellKnown::Wrapper)),
        ("type", "Type", None),
    ];
    let imports: std::collections::BTreeSet<String> = names
        .iter()
        .map(|(file, ..)| format!("import \"google/protobuf/{file}.proto\";"))
        .collect();
    let imports: String = imports.into_iter().collect();
    let schema = schema(&format!(r#"syntax = "proto3"; {imports}"#));
    for (_, name, well_known) in names {
        let found = message(&schema, &format!("google.protobuf.{name}"));
        assert_eq!(found.well_known, well_known, "{name}");
    }
    let null = schema.tables.enums.iter().filter(|table| table.null_value);
    assert_eq!(null.count(), 1);
}

#[test]
fn a_type_that_only_has_a_well_known_name_is_an_ordinary_one() {
    let (schema, problems) = compile(&input(
        r#"syntax = "proto3"; package google.protobuf;
        message Timestamp { string text = 1; }
        message StringValue { string value = 1; }"#,
    ));
    assert_eq!(
        shown(&problems),
        "test.proto: warning: `google.protobuf.Timestamp` is not the well-known type of that name \
         and has no special JSON form"
    );
    assert_eq!(
        message(&schema, "google.protobuf.Timestamp").well_known,
        None
    );
    let wrapper = message(&schema, "google.protobuf.StringValue");
    assert_eq!(wrapper.well_known, Some(WellKnown::Wrapper));
}

#[test]
fn a_json_name_wins_over_a_proto_name() {
    let (schema, problems) = compile(&input(
        r#"syntax = "proto3"; package p; message M {
        string a = 1 [json_name = "b"];
        string b = 2 [json_name = "c"];
        }"#,
    ));
    assert_eq!(
        shown(&problems),
        "test.proto:1:31: warning: in JSON `b` names both `a` and `b` of `p.M`\n  \
         note: it is read as `a`\n  \
         help: give one of the fields a json_name of its own"
    );
    for (name, number) in [("a", 1), ("b", 1), ("c", 2)] {
        assert_eq!(field(&schema, "p.M", name).number, number, "{name}");
    }
}

#[test]
fn options_of_methods_reach_the_schema() {
    let schema = schema(
        r#"syntax = "proto3"; package p; message M {}
        service S {
          rpc A(M) returns (M) { option idempotency_level = NO_SIDE_EFFECTS; }
          rpc B(M) returns (M) { option idempotency_level = IDEMPOTENT; option deprecated = true; }
          rpc C(M) returns (M);
        }
        service Old { option deprecated = true; rpc D(M) returns (M); }"#,
    );
    let repeatable: Vec<bool> = schema
        .methods
        .iter()
        .map(|method| method.repeatable)
        .collect();
    assert_eq!(repeatable, [false, true, true, false]);
    let facts: Vec<(&str, Idempotency, bool)> = schema
        .methods
        .iter()
        .map(|method| (&*method.name, method.idempotency, method.deprecated))
        .collect();
    assert_eq!(
        facts,
        [
            ("D", Idempotency::Unknown, true),
            ("A", Idempotency::NoSideEffects, false),
            ("B", Idempotency::Idempotent, true),
            ("C", Idempotency::Unknown, false),
        ]
    );
}
