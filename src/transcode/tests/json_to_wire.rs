//! JSON to wire by table: what is accepted and what it means, what is refused and in which words.

use super::cases::check;
use super::{encode, rejected, round, step, to_json, to_wire};
use crate::schema::binding::BodyTarget;
use crate::schema::policy::{EnumCase, JsonOptions, UnknownFields};
use crate::transcode::bind::Bound;
use crate::transcode::json_to_wire::Rejection;

#[test]
fn bodies_are_read_as_the_table_says() {
    check(include_str!("cases/json.txt"), round);
}

/// B10.
#[test]
fn a_body_may_be_one_field() {
    check(include_str!("cases/field.txt"), |field, json| {
        let target = BodyTarget::Field(step("Request", field));
        let (bound, options) = (Bound::default(), JsonOptions::default());
        match encode("Request", &target, &bound, &options, json.as_bytes()) {
            Ok(wire) => to_json("Request", &wire).unwrap(),
            rejected => self::rejected(rejected),
        }
    });
}

/// J2, B10: what the table cannot hold.
#[test]
fn whitespace_and_bytes_are_looked_at() {
    for (json, expected) in [
        (&b" \n"[..], ": the body holds nothing but whitespace"),
        (
            b"{\"fString\":\"a\nb\"}",
            "fString: a string holds a control character that is not escaped",
        ),
        (b"{\"fString\":\"\xff\"}", ": the body is not valid UTF-8"),
        (b"\xef\xbb\xbf{}", ": not valid JSON"),
    ] {
        let (bound, options) = (Bound::default(), JsonOptions::default());
        let result = encode("Scalars", &BodyTarget::Whole, &bound, &options, json);
        assert_eq!(rejected(result), expected);
    }
    assert_eq!(to_wire("Scalars", " {\n} \t\r\n"), Ok(Vec::new()));
    assert_eq!(
        to_wire("Scalars", r#"{"fInt32":0,"fString":""}"#),
        Ok(Vec::new())
    );
}

#[test]
fn complaints_are_bounded() {
    let many = format!("{{\"ints\":[{}1]}}", "true,".repeat(1_000));
    match to_wire("Lists", &many) {
        Err(Rejection::Invalid(violations)) => assert_eq!(violations.len(), 32),
        other => panic!("{other:?}"),
    }
}

#[test]
fn complaints_know_their_place() {
    for (json, offset) in [
        (r#"{"fInt32": "x"}"#, 11),
        ("{\n \"fBool\":1 , \"fInt32\":\n\n true}", 11),
        (r#"{"nope":1}"#, 2),
        ("{\n\n\"fInt32\":01}", 13),
        (r#"{"fInt32":1"#, 10),
        ("{} x", 3),
    ] {
        match to_wire("Scalars", json) {
            Err(Rejection::Invalid(violations)) => {
                assert_eq!(violations[0].offset, Some(offset), "{json}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn options_let_unknown_things_pass() {
    let options = JsonOptions {
        unknown_fields: UnknownFields::Ignore,
        enum_case: EnumCase::Insensitive,
        ..JsonOptions::default()
    };
    let read = |name: &str, json: &str| {
        encode(
            name,
            &BodyTarget::Whole,
            &Bound::default(),
            &options,
            json.as_bytes(),
        )
        .and_then(|wire| to_json(name, &wire).map_err(|_error| Rejection::TooLarge))
    };
    for (name, json, expected) in [
        (
            "Scalars",
            r#"{"nope":[{"a":1e999}],"fInt32":1}"#,
            r#"{"fInt32":1}"#,
        ),
        ("Scalars", r#"{"fColor":"red"}"#, r#"{"fColor":"RED"}"#),
        ("Scalars", r#"{"fColor":"none"}"#, "{}"),
        (
            "Lists",
            r#"{"colors":["RED","none","GREEN"]}"#,
            r#"{"colors":["RED","GREEN"]}"#,
        ),
        (
            "Maps",
            r#"{"colors":{"true":"none","false":"RED"}}"#,
            r#"{"colors":{"false":"RED"}}"#,
        ),
        (
            "Known",
            r#"{"any":{"x":1,"@type":"a/google.protobuf.Duration","value":"1s"}}"#,
            r#"{"any":{"@type":"a/google.protobuf.Duration","value":"1s"}}"#,
        ),
    ] {
        assert_eq!(read(name, json).as_deref(), Ok(expected), "{json}");
    }
    assert!(
        read("Scalars", r#"{"nope":[1,}"#).is_err(),
        "what is skipped must be JSON"
    );
}

#[test]
fn a_rule_without_a_body_takes_none() {
    let options = JsonOptions::default();
    let read = |json: &[u8]| {
        encode(
            "Request",
            &BodyTarget::None,
            &Bound::default(),
            &options,
            json,
        )
    };
    assert_eq!(read(b""), Ok(Vec::new()));
    assert_eq!(rejected(read(b"{}")), ": this method takes no body");
    assert_eq!(
        rejected(read(b" ")),
        ": the body holds nothing but whitespace"
    );
}

/// B10, proto2: what is required may be missing although there is no body.
#[test]
fn an_empty_body_still_lacks_what_is_required() {
    assert_eq!(rejected(to_wire("Needs", "")), "id: is required");
    assert_eq!(to_wire("Scalars", ""), Ok(Vec::new()));
}
