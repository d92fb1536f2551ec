//! What is linked keeps everything that was written.

use super::*;

const LIBRARY: &str = r#"syntax = "proto3";

package library.v1;

import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "google/protobuf/timestamp.proto";

// Lends books.
service Library {
  // Finds one.
  rpc GetBook(GetBookRequest) returns (Book) {
    option deprecated = true;
    option (google.api.http) = {
      get: "/v1/{name=books/*}"
      additional_bindings { get: "/v1/book" }
    };
  }
}

message GetBookRequest {
  string name = 1 [(google.api.field_behavior) = REQUIRED, (google.api.field_behavior) = IMMUTABLE];
}

message Book {
  string name = 1;
  google.protobuf.Timestamp printed = 2;
  map<string, int32> pages = 3;
  oneof kind { option (note).first.text = "x"; option (note).first.more = 1; bool paper = 4; }
}

extend google.protobuf.OneofOptions { Note note = 50001; }
message Note { Note first = 1; string text = 2; repeated int32 more = 3; }
"#;

#[test]
fn options_comments_and_places_survive() {
    let disk = Disk::new(&[("p/library.proto", LIBRARY)]).proto("p");
    // The extension of OneofOptions needs descriptor.proto, which annotations.proto brings only
    // to itself.
    let outcome = disk.load();
    outcome.assert_problems(&[
        "p/library.proto:32:8: error: name 'google.protobuf.OneofOptions' is not defined\n  \
         help: 'google.protobuf.OneofOptions' is defined in 'google/protobuf/descriptor.proto', \
         which is not imported by 'library.proto'",
    ]);
    let text = LIBRARY.replace(
        "import \"google/protobuf/t",
        "import \"google/protobuf/descriptor.proto\"; import \"google/protobuf/t",
    );
    disk.write("p/library.proto", text.as_bytes());
    let outcome = disk.load();
    outcome.assert_problems(&[]);
    assert_eq!(outcome.names().last(), Some(&"library.proto"));

    let file = outcome.file("library.proto");
    let method = &file.service[0].method[0];
    let options = method.options.as_ref().unwrap();
    let http = options.http.as_ref().unwrap();
    assert_eq!(options.deprecated, Some(true));
    assert_eq!(http.additional_bindings.len(), 1);
    let name = &file.message_type[0].field[0];
    assert_eq!(name.options.as_ref().unwrap().field_behavior, [2, 5]);
    outcome.pool();
}

/// The places of options go where prost-reflect, and protoc, would put them.
#[test]
fn places_of_options_are_those_of_the_linker() {
    let text = LIBRARY.replace(
        "import \"google/protobuf/t",
        "import \"google/protobuf/descriptor.proto\"; import \"google/protobuf/t",
    );
    let disk = Disk::new(&[("library.proto", &text)]).proto("");
    let outcome = disk.load();
    let ours = outcome.files.last().unwrap().1.clone();
    let ours = prost_types::FileDescriptorProto::decode(ours).unwrap();

    let mut pool = DescriptorPool::new();
    for (_, bytes, ..) in outcome.files.iter().rev().skip(1).rev() {
        pool.decode_file_descriptor_proto(bytes.clone()).unwrap();
    }
    let parsed = protox::file::File::from_source("library.proto", &text).unwrap();
    let parsed = prost_types::FileDescriptorProto::from(parsed);
    pool.add_file_descriptor_proto(parsed).unwrap();
    let theirs = pool.get_file_by_name("library.proto").unwrap();
    let theirs = theirs.file_descriptor_proto().source_code_info.clone();

    assert_eq!(ours.source_code_info, theirs);
    let paths = theirs
        .unwrap()
        .location
        .into_iter()
        .map(|location| location.path);
    let paths = paths.collect::<Vec<_>>();
    for path in [
        &[6, 0, 2, 0, 4, 72_295_728][..],
        &[4, 0, 2, 0, 8, 1052, 1],
        &[4, 1, 8, 0, 2, 50_001, 1, 3, 0],
    ] {
        assert!(
            paths.iter().any(|known| known == path),
            "{path:?} in {paths:?}"
        );
    }
}

#[test]
fn services_of_files_that_are_only_imported_are_not_offered() {
    let importing = file(
        "a",
        "import \"b.proto\"; import \"google/longrunning/operations.proto\";",
    );
    let imported = file("b", "message M {} service S { rpc R(M) returns (M); }");
    let disk = Disk::new(&[("p/a.proto", &importing), ("inc/b.proto", &imported)]);
    let outcome = disk.proto("p").include("inc").load();
    outcome.assert_problems(&[]);
    for (file, _, origin, services) in &outcome.files {
        let listed = file.name.as_deref() == Some("a.proto");
        assert_eq!(*services == Services::All, listed, "{origin}");
    }
    let origins = outcome
        .files
        .iter()
        .map(|(_, _, origin, _)| origin.as_str());
    let origins = origins.collect::<Vec<_>>();
    assert!(origins.contains(&"inc/b.proto"), "{origins:?}");
    assert!(
        origins.contains(&"built-in google/rpc/status.proto"),
        "{origins:?}"
    );
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let disk = Disk::new(&[
        (
            "b.proto",
            &file("b", "import \"google/type/money.proto\"; message B {}"),
        ),
        (
            "a.proto",
            &file("a", "import \"b.proto\"; message A { b.B b = 1; }"),
        ),
        (
            "z.proto",
            &file("z", "import \"missing.proto\"; message Z {}"),
        ),
        ("y.proto", "broken"),
    ]);
    let disk = disk.proto("");
    let (first, second) = (disk.load(), disk.load());
    let bytes = |outcome: &Outcome| -> Vec<bytes::Bytes> {
        outcome
            .files
            .iter()
            .map(|(_, bytes, ..)| bytes.clone())
            .collect()
    };
    assert_eq!(bytes(&first), bytes(&second));
    assert_eq!(first.problems, second.problems);
    assert_eq!(first.own(), ["b.proto", "a.proto", "z.proto"]);
}

#[test]
fn built_in_files_come_with_their_imports() {
    let files = crate::source::known::files(&["google/api/annotations.proto", "no.proto"]);
    let names = files.iter().map(|file| {
        let decoded = FileDescriptorProto::decode(file.bytes.clone()).unwrap();
        decoded.name.unwrap()
    });
    assert_eq!(
        names.collect::<Vec<_>>(),
        [
            "google/api/http.proto",
            "google/protobuf/descriptor.proto",
            "google/api/annotations.proto",
        ]
    );
    assert!(files.iter().all(|file| file.services == Services::None));
    assert!(crate::source::known::descriptor("google/protobuf/any.proto").is_some());
    assert!(crate::source::known::descriptor("no.proto").is_none());
}
