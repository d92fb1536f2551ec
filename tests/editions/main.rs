//! Editions, beside protoc: messages that it encodes print as the JSON of `cases.txt`, and the JSON
//! becomes the bytes that protoc encodes.
//!
//! Neither protox nor prost-reflect knows editions, so protoc is the oracle of the wire here; the
//! `conformance` suite of CI asks Python's protobuf about the JSON of the same file.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sidegate::schema::Schema;
use sidegate::schema::binding::BodyTarget;
use sidegate::schema::compile::{Input, compile};
use sidegate::schema::policy::JsonOptions;
use sidegate::source::descriptor_set;
use sidegate::transcode::bind::Bound;
use sidegate::transcode::json_to_wire::{self, Rejection, Request};
use sidegate::transcode::wire_to_json::{self, Response};

const FILES: [&str; 2] = ["e2023.proto", "e2024.proto"];
const LIMIT: usize = 1 << 20;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/editions")
}

/// Runs protoc on the files; `None` when it refuses.
fn protoc(option: &str, input: &[u8]) -> Option<Vec<u8>> {
    let program = protoc_bin_vendored::protoc_bin_path().expect("protoc comes with the tests");
    let mut child = Command::new(program)
        .arg("-I")
        .arg(folder())
        .arg(option)
        .args(FILES)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("protoc starts");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(input).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    output.status.success().then_some(output.stdout)
}

fn schema() -> Schema {
    let directory = tempfile::tempdir().expect("a directory");
    let set = directory.path().join("set.binpb");
    let option = format!("--descriptor_set_out={}", set.display());
    protoc(&option, b"").expect("the files are sound");
    let loaded = descriptor_set::load(&set);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let (schema, problems) = compile(&Input {
        files: loaded.files,
        ..Input::default()
    });
    assert!(problems.is_empty(), "{problems:?}");
    schema
}

fn print(schema: &Schema, name: &str, wire: &[u8]) -> Result<String, String> {
    let mut out = Vec::new();
    let response = Response {
        tables: &schema.tables,
        message: schema.tables.find_message(name).expect("a known type"),
        selection: None,
        options: &JsonOptions::default(),
        limit: LIMIT,
    };
    wire_to_json::transcode(&response, wire, &mut out).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).expect("JSON is UTF-8"))
}

fn read(schema: &Schema, name: &str, json: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let request = Request {
        tables: &schema.tables,
        message: schema.tables.find_message(name).expect("a known type"),
        target: &BodyTarget::Whole,
        bound: &Bound::default(),
        options: &JsonOptions::default(),
        limit: LIMIT,
    };
    match json_to_wire::transcode(&request, json.as_bytes(), &mut out) {
        Ok(()) => Ok(out),
        Err(Rejection::TooLarge) => Err("too large".to_owned()),
        Err(Rejection::Invalid(violations)) => Err(violations
            .iter()
            .map(|one| format!("{}: {}", one.field, one.description))
            .collect()),
    }
}

/// The message type, text format and JSON of every case.
fn cases() -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(folder().join("cases.txt")).expect("the cases");
    let (mut name, mut message) = (String::new(), String::new());
    let mut cases = Vec::new();
    for line in text.lines() {
        let rest = line.get(1..).unwrap_or_default().trim();
        match line.bytes().next() {
            Some(b'@') => rest.clone_into(&mut name),
            Some(b'>') => rest.clone_into(&mut message),
            Some(b'=') => cases.push((name.clone(), message.clone(), rest.to_owned())),
            _ => {}
        }
    }
    cases
}

#[test]
fn messages_are_as_protoc_encodes_them() {
    let schema = schema();
    let cases = cases();
    assert!(cases.len() >= 13, "the cases are missing");
    for (name, message, json) in cases {
        let wire = protoc(&format!("--encode={name}"), message.as_bytes());
        let wire = wire.unwrap_or_else(|| panic!("{name}: protoc refuses {message}"));
        assert_eq!(
            print(&schema, &name, &wire).as_deref(),
            Ok(&*json),
            "{message}"
        );
        assert_eq!(
            read(&schema, &name, &json).as_ref(),
            Ok(&wire),
            "{name} {json}"
        );
    }
}

/// What a feature forbids: each is sound under the other setting of it.
#[test]
fn what_a_feature_forbids_is_refused() {
    let schema = schema();
    for (name, json, complaint) in [
        ("e23.Presence", "{}", "requiredNumber: is required"),
        ("e23.Enums", r#"{"closed":5}"#, "closed: "),
        ("e24.Whole", r#"{"kind":5}"#, "kind: "),
        ("e23.Nested", r#"{"one":{},"other":1}"#, "other: "),
    ] {
        let error = read(&schema, name, json).expect_err(json);
        assert!(error.starts_with(complaint), "{json}: {error}");
    }
    // What is not valid UTF-8 has no JSON form, whether somebody verifies it or not.
    for wire in [b"\x0a\x01\xff", b"\x12\x01\xff"] {
        let error = print(&schema, "e23.Texts", wire).expect_err("it is no text");
        assert!(error.contains("not valid UTF-8"), "{error}");
    }
    // The other form of a list is read as well; the other form of a message is an unknown field.
    for (name, wire, json) in [
        (
            "e23.Lists",
            &b"\x08\x01\x12\x02\x01\x02"[..],
            r#"{"packed":[1],"expanded":[1,2]}"#,
        ),
        ("e23.Nested", b"\x12\x02\x38\x01\x3a\x00", "{}"),
        ("e23.Nested", b"\x0b\x38\x01\x0c", "{}"),
        ("e24.Whole", b"\x2b\x08\x01\x2c", r#"{"part":{"number":1}}"#),
        ("e24.Whole", b"\x2a\x02\x08\x01", "{}"),
        ("e23.Enums", b"\x10\x05", "{}"),
    ] {
        assert_eq!(print(&schema, name, wire).as_deref(), Ok(json), "{wire:?}");
    }
}
