//! Strategies for descriptors that are well-formed bytes and otherwise anything.

use proptest::prelude::*;

use crate::schema::descriptor::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FeatureSet,
    FieldDescriptorProto, FieldOptions, FileDescriptorProto, HttpPattern, HttpRule, MessageOptions,
    MethodDescriptorProto, MethodOptions, OneofDescriptorProto, ServiceDescriptorProto,
};

// Few names and numbers, so that they meet each other.

fn name() -> impl Strategy<Value = Option<String>> {
    const NAMES: &[&str] = &[
        "a", "b", "c", "a_b", "key", "value", "", "a.b", "\r\n", "google",
    ];
    prop_oneof![
        8 => prop::sample::select(NAMES).prop_map(|name| Some(name.to_owned())),
        1 => Just(None),
    ]
}

fn type_name() -> impl Strategy<Value = Option<String>> {
    const NAMES: &[&str] = &[
        ".a", ".a.b", "a", "b", "a.a", "b.a.b", ".", "", "..a", ".a.b.a.a", "c",
    ];
    prop::option::weighted(0.8, prop::sample::select(NAMES).prop_map(str::to_owned))
}

fn number() -> impl Strategy<Value = Option<i32>> {
    prop_oneof![
        8 => (1..5).prop_map(Some),
        1 => any::<i32>().prop_map(Some),
        1 => Just(None),
    ]
}

fn features() -> impl Strategy<Value = Option<FeatureSet>> {
    let value = || prop::option::of(0..4);
    let set = (value(), value(), value(), value(), value()).prop_map(
        |(
            field_presence,
            enum_type,
            repeated_field_encoding,
            utf8_validation,
            message_encoding,
        )| {
            FeatureSet {
                field_presence,
                enum_type,
                repeated_field_encoding,
                utf8_validation,
                message_encoding,
                json_format: None,
            }
        },
    );
    prop::option::weighted(0.2, set)
}

fn field() -> impl Strategy<Value = FieldDescriptorProto> {
    let kinds = (
        name(),
        number(),
        prop::option::of(-1..5),
        prop::option::of(0..20),
    );
    let rest = (
        type_name(),
        type_name(),
        prop::option::of(-1..3),
        name(),
        any::<bool>(),
        features(),
    );
    (kinds, rest).prop_map(|((name, number, label, kind), rest)| {
        let (type_name, extendee, oneof_index, json_name, proto3_optional, features) = rest;
        FieldDescriptorProto {
            name,
            number,
            label,
            r#type: kind,
            type_name,
            extendee,
            oneof_index,
            json_name,
            proto3_optional: Some(proto3_optional),
            options: Some(FieldOptions {
                features,
                ..FieldOptions::default()
            }),
            default_value: None,
        }
    })
}

fn enumeration() -> impl Strategy<Value = EnumDescriptorProto> {
    let value =
        (name(), number()).prop_map(|(name, number)| EnumValueDescriptorProto { name, number });
    (name(), prop::collection::vec(value, 0..4)).prop_map(|(name, value)| EnumDescriptorProto {
        name,
        value,
        options: None,
    })
}

fn message() -> impl Strategy<Value = DescriptorProto> {
    let flat = (
        name(),
        prop::collection::vec(field(), 0..5),
        prop::collection::vec(enumeration(), 0..2),
        prop::collection::vec(field(), 0..2),
        prop::collection::vec(name(), 0..3),
        any::<bool>(),
    );
    let flat =
        flat.prop_map(
            |(name, field, enum_type, extension, oneofs, map_entry)| DescriptorProto {
                name,
                field,
                enum_type,
                extension,
                oneof_decl: oneofs
                    .into_iter()
                    .map(|name| OneofDescriptorProto {
                        name,
                        options: None,
                    })
                    .collect(),
                options: Some(MessageOptions {
                    map_entry: Some(map_entry),
                    ..MessageOptions::default()
                }),
                nested_type: Vec::new(),
            },
        );
    flat.prop_recursive(3, 8, 3, |inner| {
        (inner.clone(), prop::collection::vec(inner, 0..3)).prop_map(|(mut outer, nested)| {
            outer.nested_type = nested;
            outer
        })
    })
}

fn rule() -> impl Strategy<Value = HttpRule> {
    const PATHS: &[&str] = &[
        "/{a}",
        "/{a.b}",
        "/a/{b=**}",
        "/{a}/{b}",
        "{",
        "",
        "/**/a:b",
        "/{a.a.a}",
    ];
    const BODIES: &[&str] = &["", "*", "a", "b", "a.b"];
    (
        prop::sample::select(PATHS),
        prop::sample::select(BODIES),
        prop::sample::select(BODIES),
    )
        .prop_map(|(path, body, response_body)| HttpRule {
            pattern: Some(HttpPattern::Post(path.to_owned())),
            body: body.to_owned(),
            response_body: response_body.to_owned(),
            ..HttpRule::default()
        })
}

fn service() -> impl Strategy<Value = ServiceDescriptorProto> {
    let method = (name(), type_name(), type_name(), prop::option::of(rule())).prop_map(
        |(name, input_type, output_type, http)| MethodDescriptorProto {
            name,
            input_type,
            output_type,
            options: Some(MethodOptions {
                http,
                ..MethodOptions::default()
            }),
            ..MethodDescriptorProto::default()
        },
    );
    (name(), prop::collection::vec(method, 0..4)).prop_map(|(name, method)| {
        ServiceDescriptorProto {
            name,
            method,
            options: None,
        }
    })
}

/// Any file, sound or not.
pub(super) fn file() -> impl Strategy<Value = FileDescriptorProto> {
    const SYNTAXES: &[&str] = &["proto2", "proto3", "editions", "proto9"];
    (
        name(),
        name(),
        prop::sample::select(SYNTAXES),
        prop::option::of(998..1003),
        prop::collection::vec(message(), 0..4),
        prop::collection::vec(enumeration(), 0..2),
        prop::collection::vec(service(), 0..3),
        prop::collection::vec(field(), 0..3),
        prop::collection::vec(name().prop_map(Option::unwrap_or_default), 0..3),
    )
        .prop_map(
            |(
                name,
                package,
                syntax,
                edition,
                message_type,
                enum_type,
                service,
                extension,
                dependency,
            )| {
                FileDescriptorProto {
                    name,
                    package,
                    syntax: Some(syntax.to_owned()),
                    edition,
                    message_type,
                    enum_type,
                    service,
                    extension,
                    dependency,
                    ..FileDescriptorProto::default()
                }
            },
        )
}
