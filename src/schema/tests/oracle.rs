//! The tables say of every type what prost-reflect says of it. (It knows proto2 and proto3 only;
//! editions are tried in `types`.)

use prost_reflect::{
    Cardinality as Theirs, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind as TheirKind,
    MessageDescriptor, Syntax,
};

use super::{shown, source_files};
use crate::schema::Schema;
use crate::schema::builtin;
use crate::schema::compile::{Input, compile};
use crate::schema::plan::{Cardinality, Field, Kind};

/// What the built-in imports lack: groups, extensions, oneofs with everything in them.
const MORE: &str = r#"syntax = "proto2"; package more;
message M {
  required string a = 1; optional int32 b_c = 2 [json_name = "other"];
  repeated sint64 list = 3; repeated fixed32 tight = 4 [packed = true];
  optional group Part = 5 { optional M m = 1; repeated group Deep = 2 { optional bytes x = 1; } }
  oneof choice { string one = 6; M two = 7; group Three = 8 { optional E e = 1; } }
  map<bool, M> by_flag = 9; map<string, E> by_name = 10;
  extensions 100 to max;
  extend M { optional double inside = 100; repeated float tight_ext = 101 [packed = true]; }
}
extend M { optional group Grown = 200 { optional string s = 1; } optional E ext = 201; }
enum E { X = 7; Y = -1; }
"#;

fn both() -> (Schema, DescriptorPool) {
    // Two of the built-in files extend options by the same numbers, which a pool refuses.
    let files = builtin::FILES.iter();
    let imports: String = files
        .filter(|file| !file.name.starts_with("protoc-gen-swagger"))
        .map(|file| format!("import \"{}\";\n", file.name))
        .collect();
    let all = format!("syntax = \"proto3\"; package all;\n{imports}");
    let input = Input {
        files: source_files(&[("more.proto", MORE), ("all.proto", &all)]),
        ..Input::default()
    };
    let (schema, problems) = compile(&input);
    assert_eq!(shown(&problems), "");
    let mut pool = DescriptorPool::new();
    for file in &schema.files.files {
        pool.decode_file_descriptor_proto(file.bytes.clone())
            .expect("imports come first");
    }
    (schema, pool)
}

#[test]
fn every_message_is_as_prost_reflect_sees_it() {
    let (schema, pool) = both();
    let mut fields = 0;
    for theirs in pool.all_messages() {
        let name = theirs.full_name();
        let id = schema.tables.find_message(name);
        let ours = schema
            .tables
            .message(id.unwrap_or_else(|| panic!("{name} is missing")));
        assert_eq!(ours.map_entry, theirs.is_map_entry(), "{name}");
        let real = |theirs: &MessageDescriptor| {
            let oneofs = theirs.oneofs().filter(|oneof| !oneof.is_synthetic());
            oneofs
                .map(|oneof| oneof.name().into())
                .collect::<Vec<Box<str>>>()
        };
        assert_eq!(*ours.oneofs, *real(&theirs), "{name}");
        let count = theirs.fields().count() + theirs.extensions().count();
        assert_eq!(ours.fields.len(), count, "{name}");
        for field in theirs.fields() {
            let ours = ours
                .by_number(field.number())
                .expect("a field of its number");
            check_field(&schema, ours, &field);
            fields += 1;
        }
        for extension in theirs.extensions() {
            let ours = ours.by_number(extension.number()).expect("an extension");
            assert_eq!(*ours.name, *extension.json_name());
            assert_eq!(
                cardinality(ours),
                their_cardinality(extension.cardinality(), false)
            );
            assert_eq!(ours.packed, extension.is_packed());
            assert_eq!(ours.presence, extension.supports_presence());
            check_kind(&schema, ours, &extension.kind(), extension.is_group());
        }
    }
    assert!(fields > 1000, "{fields}");
}

#[test]
fn every_enum_is_as_prost_reflect_sees_it() {
    let (schema, pool) = both();
    for theirs in pool.all_enums() {
        let name = theirs.full_name();
        let ours = schema
            .tables
            .enums
            .iter()
            .find(|ours| *ours.full_name == *name);
        let ours = ours.unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(ours.closed, is_closed(&theirs), "{name}");
        let mut values: Vec<(&str, i32)> = ours
            .values
            .iter()
            .map(|(name, number)| (&**name, *number))
            .collect();
        let mut expected: Vec<(String, i32)> = theirs
            .values()
            .map(|value| (value.name().to_owned(), value.number()))
            .collect();
        values.sort_unstable();
        expected.sort();
        assert!(
            values
                .iter()
                .copied()
                .eq(expected.iter().map(|(name, number)| (&**name, *number)))
        );
    }
}

fn is_closed(theirs: &EnumDescriptor) -> bool {
    theirs.parent_file().syntax() == Syntax::Proto2
}

fn check_field(schema: &Schema, ours: &Field, theirs: &FieldDescriptor) {
    let name = theirs.full_name();
    assert_eq!(*ours.name, *theirs.name(), "{name}");
    assert_eq!(*ours.json_name, *theirs.json_name(), "{name}");
    let expected = their_cardinality(theirs.cardinality(), theirs.is_map());
    assert_eq!(cardinality(ours), expected, "{name}");
    assert_eq!(ours.packed, theirs.is_packed(), "{name}");
    assert_eq!(ours.presence, theirs.supports_presence(), "{name}");
    assert_eq!(
        ours.verify_utf8,
        theirs.parent_file().syntax() == Syntax::Proto3,
        "{name}"
    );
    let theirs_real = theirs
        .containing_oneof()
        .filter(|oneof| !oneof.is_synthetic());
    assert_eq!(ours.oneof.is_some(), theirs_real.is_some(), "{name}");
    check_kind(schema, ours, &theirs.kind(), theirs.is_group());
}

/// Singular, required, repeated and map in one.
fn cardinality(ours: &Field) -> (Cardinality, bool) {
    (ours.cardinality, ours.required)
}

fn their_cardinality(theirs: Theirs, map: bool) -> (Cardinality, bool) {
    match theirs {
        Theirs::Optional => (Cardinality::Singular, false),
        Theirs::Required => (Cardinality::Singular, true),
        Theirs::Repeated if map => (Cardinality::Map, false),
        Theirs::Repeated => (Cardinality::Repeated, false),
    }
}

fn check_kind(schema: &Schema, ours: &Field, theirs: &TheirKind, group: bool) {
    let expected = match theirs {
        TheirKind::Double => Kind::Double,
        TheirKind::Float => Kind::Float,
        TheirKind::Int32 => Kind::Int32,
        TheirKind::Int64 => Kind::Int64,
        TheirKind::Uint32 => Kind::Uint32,
        TheirKind::Uint64 => Kind::Uint64,
        TheirKind::Sint32 => Kind::Sint32,
        TheirKind::Sint64 => Kind::Sint64,
        TheirKind::Fixed32 => Kind::Fixed32,
        TheirKind::Fixed64 => Kind::Fixed64,
        TheirKind::Sfixed32 => Kind::Sfixed32,
        TheirKind::Sfixed64 => Kind::Sfixed64,
        TheirKind::Bool => Kind::Bool,
        TheirKind::String => Kind::String,
        TheirKind::Bytes => Kind::Bytes,
        TheirKind::Message(message) => {
            let id = schema.tables.find_message(message.full_name());
            let id = id.expect("checked with the messages");
            if group {
                Kind::Group(id)
            } else {
                Kind::Message(id)
            }
        }
        TheirKind::Enum(theirs) => {
            let Kind::Enum(id) = ours.kind else {
                panic!("{} is {:?}", ours.name, ours.kind);
            };
            let name = &schema.tables.enumeration(id).full_name;
            assert_eq!(**name, *theirs.full_name());
            return;
        }
    };
    assert_eq!(ours.kind, expected, "{}", ours.name);
}
