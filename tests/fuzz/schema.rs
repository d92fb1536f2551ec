//! The schema that bytes are tried on: that of the codec's own tests, with rules over it.

use std::path::PathBuf;
use std::sync::LazyLock;

use sidegate::schema::Schema;
use sidegate::schema::compile::{Input, compile};
use sidegate::source::proto_dir;

/// Messages that a fuzzer chooses from by one byte.
pub(crate) const TYPES: [&str; 14] = [
    "t.Scalars",
    "t.Optionals",
    "t.Lists",
    "t.Maps",
    "t.Tree",
    "t.Choice",
    "t.Known",
    "t.Old",
    "t.Needs",
    "t.Request",
    "t.Wide",
    "google.protobuf.Value",
    "google.protobuf.Any",
    "google.protobuf.FieldMask",
];

/// Compiled once.
pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    // The crate of the fuzzers lies below the root.
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = here
        .ancestors()
        .find(|path| path.join("tests/fuzz/fuzz.proto").is_file());
    let root = root.expect("the repository is above");
    let loaded = proto_dir::load(&proto_dir::Params {
        protos: vec![root.join("tests/fuzz/fuzz.proto")],
        includes: vec![root.join("src/transcode/tests")],
        tools: Vec::new(),
    });
    let (schema, problems) = compile(&Input {
        files: loaded.files,
        ..Input::default()
    });
    let all: Vec<String> = loaded
        .problems
        .iter()
        .chain(&problems)
        .map(ToString::to_string)
        .collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
    schema
});
