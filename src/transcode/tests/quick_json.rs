//! The quick pass of JSON to wire against the simple one: what it accepts the simple one accepts
//! too, and both write the same bytes. What it doubts it leaves to the simple one, which costs time
//! and nothing else; so what real clients send must not be doubted.

use proptest::prelude::*;

use super::bind::{Case, bound};
use super::cases::check;
use super::generate::json;
use super::values::Entropy;
use super::{LIMIT, SCHEMA, message, step};
use crate::schema::binding::BodyTarget;
use crate::schema::policy::{EnumCase, JsonOptions, UnknownFields};
use crate::transcode::bind::Bound;
use crate::transcode::json_to_wire::{Request, transcode_quickly, transcode_simply};

const TYPES: [&str; 14] = [
    "Scalars",
    "Optionals",
    "Lists",
    "Maps",
    "Tree",
    "Choice",
    "Known",
    "Old",
    "Needs",
    "Request",
    "Wide",
    "google.protobuf.Value",
    "google.protobuf.Struct",
    "google.protobuf.Any",
];

/// Reads a body in both ways; says whether the quick pass was sure.
fn compare_request(request: &Request<'_>, json: &[u8]) -> Result<bool, String> {
    let quick = transcode_quickly(request, json);
    let mut simple = Vec::new();
    let result = transcode_simply(request, json, &mut simple);
    match (&quick, &result) {
        (Some(quick), Ok(())) if *quick == simple => Ok(true),
        (None, _) => Ok(false),
        _ => Err(format!(
            "{}\n{quick:?}\n{simple:?} {result:?}",
            String::from_utf8_lossy(json)
        )),
    }
}

fn compare(name: &str, options: &JsonOptions, json: &[u8]) -> Result<bool, String> {
    let request = Request {
        tables: &SCHEMA.tables,
        message: message(name),
        target: &BodyTarget::Whole,
        bound: &Bound::default(),
        options,
        limit: LIMIT,
    };
    compare_request(&request, json)
}

fn lenient() -> JsonOptions {
    JsonOptions {
        unknown_fields: UnknownFields::Ignore,
        enum_case: EnumCase::Insensitive,
        ..JsonOptions::default()
    }
}

/// A text, all its beginnings, and with each byte replaced by others that mean something.
fn compare_mutants(name: &str, json: &str) {
    for options in [&JsonOptions::default(), &lenient()] {
        compare(name, options, json.as_bytes()).unwrap();
        for end in 0..json.len() {
            compare(name, options, &json.as_bytes()[..end]).unwrap();
        }
        let mut bytes = json.as_bytes().to_vec();
        for at in 0..bytes.len() {
            let kept = bytes[at];
            for byte in *b"\"\\{}[],: 0-.e\n\x00\x1f\xc3n" {
                bytes[at] = byte;
                compare(name, options, &bytes).unwrap();
            }
            bytes[at] = kept;
            bytes.insert(at, b' ');
            compare(name, options, &bytes).unwrap();
            bytes.remove(at);
            bytes[at] = kept;
        }
    }
}

#[test]
fn the_cases_and_their_mutants_are_read_alike() {
    check(include_str!("cases/json.txt"), |name, json| {
        compare_mutants(name, json);
        super::round(name, json)
    });
}

#[test]
fn single_fields_are_read_alike() {
    let (bound, options) = (Bound::default(), JsonOptions::default());
    check(include_str!("cases/field.txt"), |field, json| {
        let target = BodyTarget::Field(step("Request", field));
        let request = Request {
            tables: &SCHEMA.tables,
            message: message("Request"),
            target: &target,
            bound: &bound,
            options: &options,
            limit: LIMIT,
        };
        compare_request(&request, json.as_bytes()).unwrap();
        match super::encode("Request", &target, &bound, &options, json.as_bytes()) {
            Ok(wire) => super::to_json("Request", &wire).unwrap(),
            rejected => super::rejected(rejected),
        }
    });
}

/// B3, B4: with what the URL binds, every case of the table about it, and its neighbours.
#[test]
fn bound_fields_are_read_alike() {
    let mut cases = 0;
    let mut url = "";
    for line in include_str!("cases/url.txt").lines() {
        if let Some(about) = line.strip_prefix("@ ") {
            url = about;
        }
        let Some(json) = line.strip_prefix('>') else {
            continue;
        };
        let (template, capture) = url.split_once(' ').unwrap();
        let bound = bound(&Case {
            template,
            captures: &[capture],
            body: "*",
            query: "",
        });
        let Ok(bound) = bound else { continue };
        let options = JsonOptions::default();
        let request = Request {
            tables: &SCHEMA.tables,
            message: message("Request"),
            target: &BodyTarget::Whole,
            bound: &bound,
            options: &options,
            limit: LIMIT,
        };
        let bytes = json.as_bytes();
        compare_request(&request, bytes).unwrap();
        for at in 0..bytes.len() {
            compare_request(&request, &[&bytes[..at], &bytes[at + 1..]].concat()).unwrap();
            compare_request(&request, &[&bytes[..at], b"1", &bytes[at..]].concat()).unwrap();
        }
        cases += 1;
    }
    assert!(cases > 15, "{cases}");
}

/// What the quick pass is for: it must not be slow by doubting without need.
#[test]
fn what_clients_send_is_not_doubted() {
    for (name, json) in [
        (
            "Scalars",
            r#"{"fDouble":1.5,"f_float":-1e-3,"fInt64":"-7","fUint64":12345678901234567890}"#,
        ),
        (
            "Scalars",
            r#" { "fString" : "a\u00fc\n\"" , "fBytes" : "aGk\/" , "fColor" : "RED" } "#,
        ),
        (
            "Scalars",
            "{\n  \"fBool\": true,\n  \"fNull\": null,\n  \"fString\": null\n}\n",
        ),
        (
            "Lists",
            r#"{"ints":[1,2,3],"strings":["","ü"],"colors":["RED",2],"nulls":[null],"values":[null,{}]}"#,
        ),
        (
            "Maps",
            r#"{"s":{"a":"b","\n":"c"},"i":{"1":1,"-2":2},"colors":{"true":"RED"},"trees":{"7":{}}}"#,
        ),
        ("Choice", r#"{"text":null,"number":0,"yes":true}"#),
        (
            "Known",
            r#"{"timestamp":"2020-01-01T00:00:00Z","duration":"1.5s","fieldMask":"a,bC","empty":{}}"#,
        ),
        (
            "Known",
            r#"{"struct":{"a":[1,"b",null,true,{}]},"value":null,"listValue":[],"wInt32":0,"wString":"x"}"#,
        ),
        (
            "Known",
            r#"{"any":{"@type":"a/t.Tree","name":"x"},"anys":[{"@type":"a/google.protobuf.Duration","value":"1s"},{}]}"#,
        ),
        (
            "Old",
            r#"{"inner":{"a":"x","deeper":{"c":false}},"[t.extra]":5,"packed":["ONE"]}"#,
        ),
        ("Needs", r#"{"id":"a","named":{"k":{"id":""}}}"#),
        ("Wide", r#"{"f70":1,"f1":2,"f5000":"x","f300":[1,2]}"#),
    ] {
        let sure = compare(name, &JsonOptions::default(), json.as_bytes());
        assert_eq!(sure, Ok(true), "{json}");
    }
    let unknown = r#"{"nope":[{"a":1.5},"x",null,true],"fInt32":1}"#;
    assert_eq!(compare("Scalars", &lenient(), unknown.as_bytes()), Ok(true));
}

/// The quick pass needs no more memory than the message, and stops where the limit is.
#[test]
fn limits_are_kept_alike() {
    let json = br#"{"strings":["0123456789","0123456789"],"doubles":[0,0,0,0,0,0,0,0]}"#;
    for limit in 0..120 {
        let request = Request {
            tables: &SCHEMA.tables,
            message: message("Lists"),
            target: &BodyTarget::Whole,
            bound: &Bound::default(),
            options: &JsonOptions::default(),
            limit,
        };
        let sure = compare_request(&request, json).unwrap();
        assert_eq!(sure, limit >= 90, "{limit}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn sound_json_is_read_alike_and_not_doubted(
        which in 0..TYPES.len(),
        seed in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let name = TYPES[which];
        let text = json(&SCHEMA.tables, message(name), &mut Entropy::new(&seed));
        let sure = compare(name, &JsonOptions::default(), text.as_bytes());
        prop_assert!(sure.is_ok(), "{}", sure.unwrap_err());
    }

    #[test]
    fn broken_json_is_read_alike(
        which in 0..TYPES.len(),
        lenient in any::<bool>(),
        seed in prop::collection::vec(any::<u8>(), 0..400),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..5_u8), 1..4),
    ) {
        let name = TYPES[which];
        let options = if lenient { self::lenient() } else { JsonOptions::default() };
        let mut bytes = json(&SCHEMA.tables, message(name), &mut Entropy::new(&seed)).into_bytes();
        for (place, byte, edit) in edits {
            let at = place.index(bytes.len() + 1);
            match edit {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.truncate(at),
                // The same once more.
                3 => bytes.extend_from_within(at..),
                _ => if let Some(place) = bytes.get_mut(at) { *place = byte },
            }
        }
        let result = compare(name, &options, &bytes);
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }
}
