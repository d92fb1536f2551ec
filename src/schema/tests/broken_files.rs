//! Files that are incomplete, wrong or at odds with each other, and what of them is served.

use prost::Message;

use super::made::{compiled, field, file, message, paths, service};
use super::{input, shown, source_files};
use crate::schema::compile::{Input, Services, SourceFile, compile};
use crate::schema::descriptor::{EnumDescriptorProto, EnumValueDescriptorProto, Type};

#[test]
fn missing_imports_are_named_where_they_are_missed() {
    let mut one = file(
        vec![message(
            "M",
            vec![field("x", 1, Type::Message, Some(".q.Gone"))],
        )],
        vec![],
    );
    one.dependency = ["q.proto", "r.proto", "s.proto", "t.proto", "u.proto"]
        .map(str::to_owned)
        .to_vec();
    let (_, problems) = compiled(&[one]);
    assert_eq!(
        problems,
        "a.proto: error: field `p.M.x` has type `q.Gone`, which no loaded file declares\n  \
         note: what has this type is treated as an unknown field\n  \
         help: load what this file imports: `q.proto`, `r.proto`, `s.proto`, 2 more"
    );
}

#[test]
fn an_import_that_only_options_need_is_a_warning_once() {
    let mut one = file(vec![], vec![service("S", &[])]);
    one.dependency = vec!["gogoproto/gogo.proto".to_owned()];
    let mut two = one.clone();
    two.name = Some("b.proto".to_owned());
    two.service = vec![];
    let (schema, problems) = compiled(&[one, two]);
    assert_eq!(
        problems,
        "a.proto: warning: import `gogoproto/gogo.proto` is not loaded\n  \
         note: options that it declares are ignored"
    );
    assert_eq!(schema.files.services, ["p.S".into()]);
}

#[test]
fn a_method_without_its_types_is_left_out_and_its_siblings_are_not() {
    let methods = [
        ("A", ".p.M", ".p.M"),
        ("B", ".p.Gone", ".p.M"),
        ("C", ".p.M", ".q.Gone"),
        ("A", ".p.M", ".p.M"),
        ("no name", ".p.M", ".p.M"),
        ("D", "M", "p.M"),
        ("E", ".p.M", ""),
        ("F", ".p.En", ".p.M"),
    ];
    let mut one = file(vec![message("M", vec![])], vec![service("S", &methods)]);
    one.enum_type = vec![EnumDescriptorProto {
        name: Some("En".to_owned()),
        value: vec![EnumValueDescriptorProto {
            name: Some("ZERO".to_owned()),
            number: Some(0),
        }],
        options: None,
    }];
    let (schema, problems) = compiled(&[one]);
    assert_eq!(paths(&schema), ["/p.S/A", "/p.S/D"]);
    let help = "\n  help: load the file that declares it\n";
    let left_out = "a.proto: error: method `p.S.";
    assert_eq!(
        format!("{problems}\n"),
        [
            left_out,
            "B` is left out: no loaded file declares its request type `p.Gone`",
            help,
            left_out,
            "C` is left out: no loaded file declares its response type `q.Gone`",
            help,
            left_out,
            "A` is declared twice\n",
            left_out,
            "no name` is left out: its name is not a name\n",
            left_out,
            "E` is left out: no loaded file declares its response type ``",
            help,
            left_out,
            "F` is left out: its request type `p.En` is an enum\n",
        ]
        .concat()
    );
}

#[test]
fn one_file_under_two_names_is_a_warning_and_two_truths_are_an_error() {
    let one = file(
        vec![message("M", vec![]), message("N", vec![])],
        vec![service("S", &[("Do", ".p.M", ".p.N")])],
    );
    let mut two = one.clone();
    two.name = Some("b.proto".to_owned());
    let (schema, problems) = compiled(&[one.clone(), two.clone()]);
    assert_eq!(paths(&schema), ["/p.S/Do"]);
    assert_eq!(
        problems,
        "b.proto: warning: `p.M` is declared by `a.proto` too (and so are 2 more names)\n  \
         note: a.proto: the declaration here counts\n  \
         help: load one of the two files"
    );
    two.message_type = vec![message("M", vec![field("x", 1, Type::String, None)])];
    two.service = vec![];
    let (schema, problems) = compiled(&[one, two]);
    assert!(problems.starts_with("b.proto: error: `p.M` is declared by `a.proto` too\n"));
    assert!(
        schema
            .tables
            .message(schema.methods[0].input)
            .fields
            .is_empty()
    );
}

#[test]
fn a_name_declared_twice_in_one_file_counts_once() {
    let with_field = message("M", vec![field("x", 1, Type::String, None)]);
    let (schema, problems) = compiled(&[file(
        vec![message("M", vec![]), with_field],
        vec![service("M", &[])],
    )]);
    assert_eq!(
        problems,
        "a.proto: error: `p.M` is declared twice\n  \
         help: the first declaration counts; remove the other"
    );
    assert_eq!(schema.tables.messages().count(), 1);
    assert!(schema.files.services.is_empty());
}

#[test]
fn an_unknown_edition_costs_the_services_of_its_file() {
    let mut future = file(
        vec![message("M", vec![])],
        vec![service("S", &[("Do", ".p.M", ".p.M")])],
    );
    future.syntax = Some("editions".to_owned());
    future.edition = Some(1002);
    let mut user = file(vec![], vec![service("T", &[("Do", ".p.M", ".p.M")])]);
    user.name = Some("b.proto".to_owned());
    let (schema, problems) = compiled(&[future, user]);
    assert_eq!(paths(&schema), ["/p.T/Do"]);
    assert_eq!(
        problems,
        "a.proto: error: edition number 1002 is not known: the services of this file are left \
         out\n  help: update the gateway, or use edition 2024 or an older one"
    );
}

#[test]
fn files_that_are_none_are_left_out() {
    let sound = || source_files(&[("ok.proto", "syntax = \"proto3\"; message Ok {}")]);
    let check = |bytes: Vec<u8>, expected: &str| {
        let mut files = sound();
        files.push(SourceFile {
            bytes: bytes.into(),
            origin: "set.binpb".into(),
            services: Services::All,
        });
        let (schema, problems) = compile(&Input {
            files,
            ..Input::default()
        });
        assert_eq!(shown(&problems), expected);
        assert_eq!(schema.files.files.len(), 1);
    };
    check(
        Vec::new(),
        "set.binpb: error: the descriptor has no file name",
    );
    let mut bytes = file(vec![], vec![]).encode_to_vec();
    bytes.extend([0x22, 0x7f]);
    check(
        bytes,
        "set.binpb: error: the descriptor cannot be decoded: failed to decode Protobuf message: \
         FileDescriptorProto.message_type: buffer underflow\n  \
         help: write the descriptor anew with protoc or buf",
    );
    let mut odd = file(vec![], vec![]);
    odd.package = Some("a b".to_owned());
    check(
        odd.encode_to_vec(),
        "set.binpb: a.proto: error: package `a b` is not a dotted name",
    );
}

#[test]
fn problems_come_in_the_order_of_files_and_lines() {
    let text = |package: &str| {
        format!(
            r#"syntax = "proto3"; package {package};
import "google/api/annotations.proto";
message M {{}}
service S {{
  rpc A(M) returns (M) {{ option (google.api.http) = {{ get: "/{{a}}" }}; }}
  rpc B(M) returns (M) {{ option (google.api.http) = {{ get: "/{{b}}" }}; }}
}}"#
        )
    };
    let (b, a) = (text("b"), text("a"));
    let (_, problems) = compile(&Input {
        files: source_files(&[("b.proto", &b), ("a.proto", &a)]),
        ..Input::default()
    });
    let places: Vec<String> = problems
        .iter()
        .map(|problem| problem.location.as_ref().unwrap().to_string())
        .collect();
    assert_eq!(
        places,
        [
            "b.proto:5:26",
            "b.proto:6:26",
            "a.proto:5:26",
            "a.proto:6:26"
        ]
    );
    assert!(compile(&input("syntax = \"proto3\";")).1.is_empty());
}

#[test]
fn names_that_multiply_are_bounded() {
    let mut inner = message("x", vec![]);
    for _ in 0..40 {
        let mut outer = message(&"a".repeat(500), vec![]);
        outer.nested_type = vec![inner];
        inner = outer;
    }
    let (schema, problems) = compiled(&[file(vec![inner], vec![])]);
    assert_eq!(schema.tables.messages().count(), 2);
    assert!(
        problems.ends_with("aaa...` is too long with what is around it"),
        "{problems}"
    );
}
