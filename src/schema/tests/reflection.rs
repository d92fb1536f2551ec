//! What reflection asks a schema for, and the schema's digest.

use prost::Message;

use super::{input, schema, source_files};
use crate::schema::Schema;
use crate::schema::compile::{AutoMapping, Input, RuleFile, compile};
use crate::schema::descriptor::{FileDescriptorProto, HttpRule};
use crate::schema::policy::{Policies, Policy};
use crate::schema::problem::Location;

const TEXT: &str = r#"syntax = "proto2"; package p;
import "google/protobuf/empty.proto";
message M {
  optional string field = 1;
  oneof choice { string one = 2; }
  message Nested { enum Deep { DEEP = 0; } }
  extensions 100 to 200;
  extend M { optional string inside = 101; }
}
enum E { VALUE = 0; }
extend M { optional int32 outside = 100; }
service Z { rpc Do(M) returns (google.protobuf.Empty); }
service A { }
"#;

fn declaring<'s>(schema: &'s Schema, symbol: &str) -> Option<&'s str> {
    let index = schema.files.declaring(symbol)?;
    Some(&schema.files.files[index as usize].name)
}

#[test]
fn every_symbol_leads_to_its_file() {
    let schema = schema(TEXT);
    for symbol in [
        "p.M",
        "p.M.field",
        "p.M.choice",
        "p.M.one",
        "p.M.Nested",
        "p.M.Nested.Deep",
        "p.M.Nested.DEEP",
        "p.M.inside",
        "p.E",
        "p.VALUE",
        "p.outside",
        "p.Z",
        "p.Z.Do",
        "p.A",
    ] {
        assert_eq!(declaring(&schema, symbol), Some("test.proto"), "{symbol}");
    }
    let empty = Some("google/protobuf/empty.proto");
    assert_eq!(declaring(&schema, "google.protobuf.Empty"), empty);
    for symbol in ["p", "p.E.VALUE", "p.M.outside", "p.X", ""] {
        assert_eq!(declaring(&schema, symbol), None, "{symbol}");
    }
}

#[test]
fn files_know_their_imports_services_and_extensions() {
    let schema = schema(TEXT);
    let files = &schema.files;
    let at = |name: &str| files.by_name[name];
    let test = &files.files[at("test.proto") as usize];
    assert_eq!(*test.imports, [at("google/protobuf/empty.proto")]);
    assert!(at("google/protobuf/empty.proto") < at("test.proto"));
    assert_eq!(files.services, ["p.A".into(), "p.Z".into()]);
    let extensions = &files.extensions["p.M"];
    assert_eq!(
        *extensions,
        [(100, at("test.proto")), (101, at("test.proto"))]
    );
    assert_eq!(test.bytes, source_files(&[("test.proto", TEXT)])[1].bytes);
}

#[test]
fn of_two_files_with_one_name_the_later_counts() {
    let one = "syntax = \"proto3\"; message One {}";
    let two = "syntax = \"proto3\"; message Two {}";
    let mut files = source_files(&[("a.proto", one)]);
    files.extend(source_files(&[("a.proto", two)]));
    // What is replaced need not be sound.
    let mut future = files[0].clone();
    let edition = FileDescriptorProto {
        edition: Some(7777),
        syntax: Some("editions".to_owned()),
        name: Some("a.proto".to_owned()),
        ..FileDescriptorProto::default()
    };
    future.bytes = edition.encode_to_vec().into();
    files.insert(0, future);
    let (schema, problems) = compile(&Input {
        files,
        ..Input::default()
    });
    assert!(problems.is_empty());
    assert_eq!(schema.files.files.len(), 1);
    assert!(schema.tables.find("One").is_none());
    assert!(schema.tables.find("Two").is_some());
}

type Change<'a> = &'a dyn Fn(&mut Input);

#[test]
fn the_digest_changes_with_what_the_schema_is_made_of() {
    let digest = |change: Change<'_>| {
        let mut input = input(TEXT);
        change(&mut input);
        compile(&input).0.digest
    };
    let plain = digest(&|_| {});
    assert_eq!(plain, digest(&|_| {}));
    assert_eq!(plain, digest(&|input| input.files.reverse()));
    let changes: [(&str, Change<'_>); 6] = [
        ("auto", &|input| input.auto = AutoMapping::Off),
        ("unknown", &|input| input.allow_unknown_methods = true),
        ("services", &|input| {
            input.files[1].services = crate::schema::compile::Services::None;
        }),
        ("bytes", &|input| {
            let mut bytes = input.files[0].bytes.to_vec();
            // An unknown field, which no table shows.
            bytes.extend([0xa0, 0x3f, 1]);
            input.files[0].bytes = bytes.into();
        }),
        ("policies", &|input| {
            let mut policy = Policy::default();
            policy.limits.message_bytes = 1;
            input.policies = Policies {
                default: policy.into(),
                exceptions: Vec::new(),
            };
        }),
        ("rules", &|input| {
            let rule = (HttpRule::default(), Location::file("a.yaml"));
            input.rules = vec![RuleFile { rules: vec![rule] }];
        }),
    ];
    let mut seen = vec![plain];
    for (what, change) in changes {
        let changed = digest(change);
        assert!(!seen.contains(&changed), "{what}");
        seen.push(changed);
    }
}

#[test]
fn methods_have_the_policy_of_their_name() {
    let mut strict = Policy::default();
    strict.limits.message_bytes = 7;
    let mut input = input(TEXT);
    input.policies.exceptions = vec![("p.Z".into(), strict.into())];
    let (schema, _) = compile(&input);
    assert_eq!(schema.methods[0].policy.limits.message_bytes, 7);
    assert_ne!(schema.default_policy.limits.message_bytes, 7);
}
