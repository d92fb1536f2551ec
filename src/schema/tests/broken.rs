//! Types that are incomplete or wrong: each degrades what needs it and nothing else, and each is
//! told once.

use super::made::{compiled, field, file, message, paths, service};
use crate::schema::descriptor::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, Label,
    MessageOptions, Type,
};
use crate::schema::plan::Cardinality;

/// One message with these fields, and a service that uses it: what is said, and the numbers of
/// the fields that are left.
fn check_fields(fields: Vec<FieldDescriptorProto>, problems: &str, left: &[u32]) {
    let service = service("S", &[("Do", ".p.M", ".p.M")]);
    let (schema, found) = compiled(&[file(vec![message("M", fields)], vec![service])]);
    assert_eq!(found, problems);
    assert_eq!(paths(&schema), ["/p.S/Do"]);
    let table = schema.tables.message(schema.methods[0].input);
    let numbers: Vec<u32> = table.fields.iter().map(|field| field.number).collect();
    assert_eq!(numbers, left);
}

#[test]
fn fields_that_cannot_be_are_left_out_one_by_one() {
    let ok = || field("ok", 1, Type::String, None);
    let check = |bad: FieldDescriptorProto, problem: &str| {
        let text = format!(
            "a.proto: error: {problem}\n  note: the field is left out and treated as unknown"
        );
        check_fields(vec![ok(), bad], &text, &[1]);
    };
    for number in [0, -1, i32::MIN, 1 << 29, i32::MAX] {
        check(
            field("x", number, Type::String, None),
            &format!("field `p.M.x` has number {number}; numbers go from 1 to 536870911"),
        );
    }
    check(
        field("x", 1, Type::String, None),
        "field `p.M.x` has number 1, which another field has",
    );
    check(
        field("ok", 2, Type::String, None),
        "field `p.M.ok` is declared twice",
    );
    check(
        field("a b\n", 2, Type::String, None),
        "field `p.M.a b\\n` has a name that is not a name",
    );
    let mut unnamed = ok();
    unnamed.name = None;
    check(unnamed, "field `p.M.` has a name that is not a name");
    let mut untyped = field("x", 2, Type::String, None);
    untyped.r#type = None;
    check(untyped.clone(), "field `p.M.x` has no known type (0)");
    untyped.r#type = Some(19);
    check(untyped, "field `p.M.x` has no known type (19)");
    check(
        field("x", 2, Type::Enum, Some(".p.M")),
        "the type `p.M` of field `p.M.x` is a message",
    );
}

#[test]
fn a_type_may_be_named_relatively_and_its_kind_left_out() {
    let mut untyped = field("x", 2, Type::Message, Some("M"));
    untyped.r#type = None;
    check_fields(
        vec![field("m", 1, Type::Message, Some("p.M")), untyped],
        "",
        &[1, 2],
    );
}

#[test]
fn a_missing_type_costs_the_fields_that_have_it() {
    let missing = |name, number| field(name, number, Type::Message, Some(".q.Gone"));
    check_fields(
        vec![missing("x", 1), field("ok", 2, Type::String, None)],
        "a.proto: error: field `p.M.x` has type `q.Gone`, which no loaded file declares\n  \
         note: what has this type is treated as an unknown field\n  \
         help: load the file that declares it",
        &[2],
    );
    check_fields(
        vec![missing("x", 1), missing("y", 2), missing("z", 3)],
        "a.proto: error: field `p.M.x` has type `q.Gone`, which no loaded file declares \
         (and so have 2 more fields)\n  \
         note: what has this type is treated as an unknown field\n  \
         help: load the file that declares it",
        &[],
    );
}

#[test]
fn maps_that_are_none_are_left_out() {
    let entry = |fields| DescriptorProto {
        options: Some(MessageOptions {
            map_entry: Some(true),
            ..MessageOptions::default()
        }),
        ..message("E", fields)
    };
    let key = |kind, type_name| field("key", 1, kind, type_name);
    let value = || field("value", 2, Type::String, None);
    for fields in [
        vec![],
        vec![key(Type::String, None)],
        vec![value()],
        vec![key(Type::Double, None), value()],
        vec![key(Type::Bytes, None), value()],
        vec![key(Type::Message, Some(".p.M")), value()],
        vec![
            key(Type::String, None),
            value(),
            field("more", 3, Type::String, None),
        ],
    ] {
        let mut map = field("map", 1, Type::Message, Some(".p.M.E"));
        map.label = Some(Label::Repeated as i32);
        let mut owner = message("M", vec![map, field("ok", 2, Type::String, None)]);
        owner.nested_type = vec![entry(fields)];
        let (schema, problems) = compiled(&[file(vec![owner], vec![])]);
        assert_eq!(
            problems,
            "a.proto: error: map `p.M.map` has no usable entry type\n  \
             note: the field is left out and treated as unknown"
        );
        let table = schema
            .tables
            .message(schema.tables.find_message("p.M").unwrap());
        assert_eq!(table.fields.len(), 1);
        assert_eq!(table.by_name("ok").unwrap().number, 2);
        assert!(table.by_name("map").is_none());
    }
}

#[test]
fn an_extension_is_never_a_map() {
    let mut entry = message("E", vec![]);
    entry.options = Some(MessageOptions {
        map_entry: Some(true),
        ..MessageOptions::default()
    });
    let mut one = file(vec![entry], vec![]);
    one.extension = vec![FieldDescriptorProto {
        extendee: Some(".p.E".to_owned()),
        label: Some(Label::Repeated as i32),
        ..field("x", 1, Type::Message, Some(".p.E"))
    }];
    let (schema, problems) = compiled(&[one]);
    assert_eq!(problems, "");
    let table = &schema.tables.messages[0];
    assert_eq!(table.fields[0].cardinality, Cardinality::Repeated);
    assert!(!table.map_entry);
}

#[test]
fn extensions_that_fit_nowhere_are_left_out() {
    let extension = |name: &str, number, extendee: &str| FieldDescriptorProto {
        extendee: Some(extendee.to_owned()),
        ..field(name, number, Type::String, None)
    };
    let mut one = file(
        vec![message("M", vec![field("x", 1, Type::String, None)])],
        vec![],
    );
    one.extension = vec![
        extension("taken", 1, ".p.M"),
        extension("fine", 2, ".p.M"),
        extension("again", 2, ".p.M"),
        extension("lost", 3, ".q.Gone"),
        extension("option", 50_000, ".google.protobuf.FieldOptions"),
        extension("negative", -1, ".p.M"),
    ];
    let (schema, problems) = compiled(&[one]);
    assert_eq!(
        problems,
        "a.proto: warning: extension `p.lost` extends `q.Gone`, which no loaded file declares\n\
         a.proto: error: field `p.negative` has number -1; numbers go from 1 to 536870911\n  \
         note: the field is left out and treated as unknown\n\
         a.proto: warning: extension `[p.taken]` is left out: field 1 of `p.M` is taken\n\
         a.proto: warning: extension `[p.again]` is left out: field 2 of `p.M` is taken"
    );
    let table = schema
        .tables
        .message(schema.tables.find_message("p.M").unwrap());
    let names: Vec<&str> = table.fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["x", "[p.fine]"]);
}

#[test]
fn enums_that_are_odd_still_stand() {
    let value = |name: &str, number| EnumValueDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
    };
    let mut one = file(vec![], vec![]);
    one.enum_type = vec![
        EnumDescriptorProto {
            name: Some("None".to_owned()),
            ..EnumDescriptorProto::default()
        },
        EnumDescriptorProto {
            name: Some("Twice".to_owned()),
            value: vec![value("A", 0), value("A", 1)],
            options: None,
        },
    ];
    let (schema, problems) = compiled(&[one]);
    assert_eq!(
        problems,
        "a.proto: error: enum `p.None` has no values\n\
         a.proto: error: enum `p.Twice` has two values called `A`"
    );
    assert_eq!(schema.tables.enums[1].by_name["A"], 0);
}
