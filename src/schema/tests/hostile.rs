//! Descriptors as nobody should send them: whatever the bytes, compiling neither panics nor
//! takes long, and what comes out holds together.

use proptest::prelude::*;
use prost::Message;

use super::{arbitrary, source_files};
use crate::schema::Schema;
use crate::schema::binding::{BodyTarget, FieldStep};
use crate::schema::compile::{
    AutoMapping, Conflicts, Input, RuleFile, Services, SourceFile, compile,
};
use crate::schema::descriptor::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, HttpPattern, HttpRule,
};
use crate::schema::plan::{self, Cardinality, Kind, Tables, TypeId};
use crate::schema::problem::Location;

/// Everything that other modules take for granted of a schema.
fn check(schema: &Schema) {
    let tables = &schema.tables;
    for (id, message) in tables.messages() {
        assert_eq!(tables.find(&message.full_name), Some(TypeId::Message(id)));
        check_message(tables, message);
    }
    for table in &tables.enums {
        for (name, number) in &table.values {
            assert_eq!(table.by_name.get(name), Some(number));
            assert!(table.by_number.contains_key(number));
        }
    }
    assert!(
        schema
            .methods
            .is_sorted_by(|one, other| one.service <= other.service)
    );
    assert_eq!(schema.by_path.len(), schema.methods.len());
    for (path, id) in &schema.by_path {
        assert_eq!(schema.method(*id).path, *path);
    }
    check_bindings(schema);
    for file in &schema.files.files {
        assert!(schema.files.by_name.contains_key(&file.name));
        assert!(
            file.imports
                .iter()
                .all(|import| (*import as usize) < schema.files.files.len())
        );
    }
}

fn check_message(tables: &Tables, message: &plan::Message) {
    assert!(
        message
            .fields
            .is_sorted_by(|one, other| one.number < other.number)
    );
    for field in &message.fields {
        assert!((1..1 << 29).contains(&field.number));
        assert!(message.by_name(&field.name).is_some());
        assert!(message.by_name(&field.json_name).is_some());
        match field.kind {
            Kind::Message(id) | Kind::Group(id) => drop(tables.message(id).full_name.clone()),
            Kind::Enum(id) => drop(tables.enumeration(id).full_name.clone()),
            _ => {}
        }
        let repeated = field.cardinality != Cardinality::Singular;
        assert!(!(repeated && (field.presence || field.required || field.oneof.is_some())));
        assert!(!field.packed || (repeated && field.kind.packable()));
        assert!(
            field
                .oneof
                .is_none_or(|oneof| usize::from(oneof) < message.oneofs.len())
        );
        if field.cardinality == Cardinality::Map {
            let entry = tables.message(field.kind.message().unwrap());
            assert!(entry.map_entry);
        }
    }
    for number in [1, 2].into_iter().filter(|_| message.map_entry) {
        let part = message.by_number(number).unwrap();
        assert_eq!(part.cardinality, Cardinality::Singular);
    }
}

fn check_bindings(schema: &Schema) {
    let tables = &schema.tables;
    let exists = |step: &FieldStep| {
        tables
            .message(step.message)
            .by_number(step.number)
            .is_some()
    };
    for binding in &schema.bindings {
        let method = schema.method(binding.method);
        assert_eq!(binding.variables.len(), binding.template.variables().len());
        for path in &binding.variables {
            assert_eq!(path.steps[0].message, method.input);
            assert!(path.steps.iter().all(exists));
        }
        if let BodyTarget::Field(step) = &binding.body {
            assert!(step.message == method.input && exists(step));
        }
        if let Some(step) = &binding.response_body {
            assert!(step.message == method.output && exists(step));
        }
    }
    // The table has no iterator, but it shows itself.
    let targets = format!("{:?}", schema.routes);
    assert!(schema.bindings.is_empty() != targets.contains("BindingId"));
}

fn compile_files(files: Vec<Vec<u8>>, conflicts: Conflicts) -> Schema {
    let files = files.into_iter().map(|bytes| SourceFile {
        bytes: bytes.into(),
        origin: "hostile".into(),
        services: Services::All,
    });
    let rule = |selector: &str, path: &str| {
        let rule = HttpRule {
            selector: selector.to_owned(),
            pattern: Some(HttpPattern::Get(path.to_owned())),
            ..HttpRule::default()
        };
        (rule, Location::at("a.yaml", 1, 1))
    };
    let input = Input {
        files: files.collect(),
        rules: vec![RuleFile {
            rules: vec![rule("*", "/{a.a}"), rule("a.b.*", "/{a}"), rule("a..", "/")],
        }],
        auto: AutoMapping::Always,
        conflicts,
        ..Input::default()
    };
    let (schema, problems) = compile(&input);
    for problem in &problems {
        let text = problem.to_string();
        assert!(
            !text
                .chars()
                .any(|letter| letter.is_control() && letter != '\n'),
            "{text:?}"
        );
    }
    schema
}

/// A sound file in which every kind of declaration stands.
fn seed() -> Vec<u8> {
    let text = r#"syntax = "proto2"; package a.b;
        import "google/api/annotations.proto";
        message a {
          optional string a = 1; repeated b bs = 2; map<string, c> c = 3; optional a d = 4;
          oneof o { int32 x = 5; e y = 6; }
          optional group G = 7 { optional a a = 1; }
          message b { required int64 a = 1; } enum e { A = 0; B = 1; }
          extensions 100 to 200;
        }
        message c { optional c a = 1; }
        extend a { optional c ext = 100; }
        service s {
          rpc m(a) returns (c) { option (google.api.http) = { get: "/{a}" additional_bindings { post: "/{d.a}" body: "d" } }; }
          rpc n(stream a) returns (stream c) { option (google.api.http) = { get: "/{x}/{a}" response_body: "a" }; }
        }"#;
    let files = source_files(&[("a.proto", text)]);
    files.last().unwrap().bytes.to_vec()
}

#[test]
fn the_seed_is_sound() {
    let schema = compile_files(vec![seed()], Conflicts::Error);
    check(&schema);
    assert_eq!(schema.methods.len(), 2);
    assert!(schema.tables.messages().count() > 4);
}

/// A change to bytes at a place given as a fraction.
#[derive(Clone, Debug)]
enum Change {
    Set(u8),
    Remove(u8),
    Insert(Vec<u8>),
    CopyFrom(u16, u8),
}

fn changes() -> impl Strategy<Value = Vec<(u16, Change)>> {
    let change = prop_oneof![
        4 => any::<u8>().prop_map(Change::Set),
        1 => any::<u8>().prop_map(Change::Remove),
        1 => prop::collection::vec(any::<u8>(), 1..12).prop_map(Change::Insert),
        1 => (any::<u16>(), any::<u8>()).prop_map(|(from, length)| Change::CopyFrom(from, length)),
    ];
    prop::collection::vec((any::<u16>(), change), 1..12)
}

fn mutate(mut bytes: Vec<u8>, changes: &[(u16, Change)]) -> Vec<u8> {
    for (at, change) in changes {
        let place = |at: u16| usize::from(at) * bytes.len() / (usize::from(u16::MAX) + 1);
        let at = place(*at);
        match change {
            Change::Set(byte) => {
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            Change::Remove(length) => {
                let end = (at + usize::from(*length)).min(bytes.len());
                bytes.drain(at..end);
            }
            Change::Insert(new) => drop(bytes.splice(at..at, new.iter().copied())),
            Change::CopyFrom(from, length) => {
                let from = place(*from);
                let end = (from + usize::from(*length)).min(bytes.len());
                let part = bytes[from..end].to_vec();
                drop(bytes.splice(at..at, part));
            }
        }
    }
    bytes
}

fn conflicts() -> impl Strategy<Value = Conflicts> {
    prop::sample::select(vec![Conflicts::Error, Conflicts::First, Conflicts::Last])
}

proptest! {
    #[test]
    fn mutated_bytes_never_panic(changes in changes(), conflicts in conflicts()) {
        check(&compile_files(vec![mutate(seed(), &changes)], conflicts));
    }

    #[test]
    fn made_up_descriptors_never_panic(
        files in prop::collection::vec(arbitrary::file(), 1..4),
        conflicts in conflicts(),
    ) {
        let files = files.iter().map(Message::encode_to_vec).collect();
        check(&compile_files(files, conflicts));
    }
}

#[test]
fn nesting_has_an_end() {
    let mut bytes = Vec::new();
    for _ in 0..200 {
        // A message `m` that holds what was there before as a nested type.
        let mut outer = vec![0x0a, 1, b'm', 0x1a];
        prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
        outer.append(&mut bytes);
        bytes = outer;
    }
    let mut file = FileDescriptorProto {
        name: Some("deep.proto".to_owned()),
        ..FileDescriptorProto::default()
    }
    .encode_to_vec();
    file.push(0x22);
    prost::encoding::encode_varint(bytes.len() as u64, &mut file);
    file.append(&mut bytes);
    assert!(
        compile_files(vec![file], Conflicts::Error)
            .files
            .files
            .is_empty()
    );
}

#[test]
fn a_message_has_at_most_so_many_fields() {
    let field = (1..=70_000).map(|number| FieldDescriptorProto {
        name: Some(format!("f{number}")),
        number: Some(number),
        r#type: Some(9),
        ..FieldDescriptorProto::default()
    });
    let file = FileDescriptorProto {
        name: Some("wide.proto".to_owned()),
        message_type: vec![DescriptorProto {
            name: Some("Wide".to_owned()),
            field: field.collect(),
            ..DescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    };
    let schema = compile_files(vec![file.encode_to_vec()], Conflicts::Error);
    check(&schema);
    let id = schema.tables.find_message("Wide").unwrap();
    assert_eq!(
        schema.tables.message(id).fields.len(),
        usize::from(u16::MAX)
    );
}
