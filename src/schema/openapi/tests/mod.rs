//! Descriptions of the bookstore, whole, and of two schemas that have every construct, piece by
//! piece.
//!
//! `UPDATE_GOLDEN=1 cargo test --lib schema::openapi` writes the bookstore's again; look at the
//! difference before you commit it.

mod beyond;
mod constructs;
mod routes;

use std::path::Path;

use serde_json::Value;

use crate::schema::Schema;
use crate::schema::compile::{Input, compile};
use crate::schema::policy::{Policies, Policy};
use crate::schema::tests::source_files;

const ODD: &str = include_str!("odd.proto");
const OLD: &str = include_str!("old.proto");
const BOOKSTORE: &str = include_str!("../../../../proto/bookstore/v1/bookstore.proto");

/// The schema of proto texts under a policy. What is wrong with it is not asked.
fn schema_of(texts: &[&str], policies: Policies) -> Schema {
    let names: Vec<String> = (0..texts.len()).map(|at| format!("{at}.proto")).collect();
    let named: Vec<(&str, &str)> = names
        .iter()
        .zip(texts)
        .map(|(name, text)| (name.as_str(), *text))
        .collect();
    let input = Input {
        files: source_files(&named),
        policies,
        ..Input::default()
    };
    compile(&input).0
}

fn described(texts: &[&str], policy: impl FnOnce(&mut Policy)) -> Value {
    let mut default = Policy::default();
    policy(&mut default);
    let policies = Policies {
        default: default.into(),
        exceptions: Vec::new(),
    };
    let schema = schema_of(texts, policies);
    serde_json::from_slice(&schema.openapi().json).expect("it is JSON")
}

/// Compares parts of a document, by their JSON pointers, with what they must be.
#[track_caller]
fn check(document: &Value, rows: &[(&str, Value)]) {
    for (pointer, expected) in rows {
        let found = document.pointer(pointer).unwrap_or(&Value::Null);
        assert_eq!(found, expected, "{pointer}");
    }
}

#[test]
fn the_bookstore_is_described_as_published() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bookstore/openapi.json");
    let schema = schema_of(&[BOOKSTORE], Policies::default());
    let now = schema.openapi_json();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &now).expect("written");
    }
    let golden = std::fs::read_to_string(&path).expect("it is in the tree");
    assert!(
        now == golden,
        "examples/bookstore/openapi.json differs; UPDATE_GOLDEN=1 renews it"
    );
}

/// D2: whatever order files come in, the description is the same to the byte.
#[test]
fn d2_the_order_of_files_changes_nothing() {
    let one = schema_of(&[ODD, OLD, BOOKSTORE], Policies::default());
    let other = schema_of(&[BOOKSTORE, OLD, ODD], Policies::default());
    assert!(one.openapi().json == other.openapi().json);
    assert_eq!(one.openapi_yaml(), other.openapi_yaml());
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, document: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').expect("a local reference");
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                members.values().for_each(|value| walk(value, document));
            }
            Value::Array(list) => list.iter().for_each(|value| walk(value, document)),
            _ => {}
        }
    }
    let document = described(&[ODD, OLD, BOOKSTORE], |_| {});
    walk(&document, &document);
}

#[test]
fn the_packed_form_is_the_same() {
    use std::io::Read;
    let schema = schema_of(&[OLD], Policies::default());
    let described = schema.openapi();
    let mut text = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(&described.gzip[..]);
    reader.read_to_end(&mut text).expect("it is gzip");
    assert_eq!(text, described.json);
    assert!(described.etag.starts_with('"') && described.etag.ends_with('"'));
}

#[test]
fn a_schema_of_nothing_is_described() {
    let document = described(&[], |_| {});
    check(
        &document,
        &[
            ("/openapi", "3.1.0".into()),
            ("/paths", serde_json::json!({})),
            ("/components", serde_json::json!({})),
        ],
    );
}
