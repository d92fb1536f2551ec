//! Random bytes never panic, and what is printed reads back as the same.

use proptest::prelude::*;

use super::bind::{Case, bound};
use super::generate::wire;
use super::values::Entropy;
use super::{SCHEMA, message, step, to_json, to_wire};
use crate::schema::binding::BodyTarget;
use crate::schema::policy::{Defaults, JsonOptions, UnknownFields};
use crate::transcode::bind::Bound;
use crate::transcode::detail::details_to_json;

const TYPES: [&str; 10] = [
    "Scalars",
    "Optionals",
    "Lists",
    "Maps",
    "Tree",
    "Choice",
    "Known",
    "Old",
    "Needs",
    "google.protobuf.Value",
];

/// Pieces of JSON that the schema has an opinion on.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\u",
        "d800",
        "null",
        "true",
        "-",
        "1",
        "0.5",
        "e9",
        " ",
        "\"name\":",
        "\"tree\":{",
        "\"any\":{\"@type\":\"a/t.Tree\",",
        "\"struct\":{\"a\":",
        "\"ints\":[",
        "\"s\":{\"k\":",
        "\"timestamp\":\"2020-01-01T",
        "\"text\":",
        "\"inner\":{",
        "\"[t.extra]\":",
        "\u{FC}",
        "\u{0}",
        "\"fDouble\":",
        "\"value\":",
    ]);
    prop::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn random_json_never_panics(
        which in 0..TYPES.len(),
        json in prop_oneof![pieces(), prop::collection::vec(any::<u8>(), 0..60)],
        ignore in any::<bool>(),
    ) {
        let name = TYPES[which];
        let options = JsonOptions {
            unknown_fields: if ignore { UnknownFields::Ignore } else { UnknownFields::Reject },
            ..JsonOptions::default()
        };
        let bound = Bound::default();
        for target in [BodyTarget::None, BodyTarget::Whole] {
            if let Ok(wire) = super::encode(name, &target, &bound, &options, &json) {
                // What was accepted is JSON and becomes a message.
                prop_assert!(json.is_empty() || serde_json::from_slice::<serde_json::Value>(&json).is_ok());
                prop_assert!(to_json(name, &wire).is_ok());
            }
        }
        let target = BodyTarget::Field(step("Request", "book"));
        drop(super::encode("Request", &target, &bound, &options, &json));
    }

    #[test]
    fn random_queries_never_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "name", "book", "books", "labels", "shelf", "tags", "counts", "extra", "value",
                "query", "like", "title", "author", ".", "[", "]", "=", "&", "0", "1", "-", "%41",
                "%f", "+", "{\"a\":", "null}", "$alt", "json;", "\u{FC}", "1.5s", "color", "RED",
            ]),
            0..25,
        ),
        capture in ".{0,12}",
    ) {
        let query = pieces.concat();
        for template in ["/v1/{name}", "/v1/{book.author.name=**}", "/v1/{limit}"] {
            for body in ["", "*", "book"] {
                let case = Case { template, captures: &[&capture], body, query: &query };
                if let Ok(bound) = bound(&case) {
                    prop_assert!(to_json("Request", &bound.wire).is_ok());
                }
            }
        }
    }

    #[test]
    fn random_details_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut out = Vec::new();
        let mut status = b"\x08\x05\x1a".to_vec();
        status.push(bytes.len() as u8);
        status.extend(&bytes);
        for bytes in [&bytes, &status] {
            if details_to_json(&SCHEMA.tables, bytes, 5, true, &mut out).is_some() {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
            }
            out.clear();
        }
    }

    #[test]
    fn random_wire_never_panics(
        which in 0..TYPES.len(),
        wire in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(vec![0x0A_u8, 0x12, 0x1A, 0x0B, 0x0C, 1, 0])],
            0..60,
        ),
    ) {
        let options = JsonOptions { indent: 3, defaults: Defaults::Emit, ..JsonOptions::default() };
        drop(super::print(TYPES[which], &options, &wire));
        drop(to_json(TYPES[which], &wire));
    }

    #[test]
    fn what_is_printed_reads_back_the_same(
        which in 0..TYPES.len(),
        seed in prop::collection::vec(any::<u8>(), 0..300),
        broken in any::<Option<(prop::sample::Index, u8)>>(),
    ) {
        let name = TYPES[which];
        let mut bytes = wire(&SCHEMA.tables, message(name), &mut Entropy::new(&seed));
        if let Some((place, byte)) = broken && !bytes.is_empty() {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        let Ok(json) = to_json(name, &bytes) else {
            return Ok(());
        };
        match to_wire(name, &json) {
            Ok(again) => {
                // Every number of `NullValue` is printed as null, which is read as 0, its default.
                let null = "\"fNull\":null";
                let expected = json
                    .replace(&format!(",{null}"), "")
                    .replace(&format!("{null},"), "")
                    .replace(null, "");
                prop_assert_eq!(to_json(name, &again), Ok(expected));
            }
            // Readers refuse what writers let pass: a type that is not known, a field that lacks.
            Err(rejected) => {
                let text = format!("{rejected:?}");
                let forgiven = ["is required", "is not known", "is no type URL", "@type", "any"];
                prop_assert!(forgiven.iter().any(|word| text.contains(word)), "{json} {text}");
            }
        }
    }
}
