//! Depth, size and what an attacker may try: everything is bounded and linear.
//!
//! What would be quadratic or exponential takes minutes here, so that a regression shows.

use super::{LIMIT, SCHEMA, encode, message, print, rejected, to_json, to_wire};
use crate::schema::binding::BodyTarget;
use crate::schema::policy::JsonOptions;
use crate::transcode::bind::Bound;
use crate::transcode::json_to_wire::{self, Request};
use crate::transcode::proto::put_len_field;
use crate::transcode::wire_to_json::{Response, transcode};

const BODY: usize = 1 << 20;

/// Reads a body of a few megabytes and says how long its message is.
fn large(name: &str, json: &str) -> usize {
    let request = Request {
        tables: &SCHEMA.tables,
        message: message(name),
        target: &BodyTarget::Whole,
        bound: &Bound::default(),
        options: &JsonOptions::default(),
        limit: BODY,
    };
    let mut out = Vec::new();
    json_to_wire::transcode(&request, json.as_bytes(), &mut out).unwrap();
    assert!(out.capacity() <= 10 * json.len());
    out.len()
}

fn nested(open: &str, close: &str, levels: usize) -> String {
    format!("{}{}", open.repeat(levels), close.repeat(levels))
}

/// J2: depth above 100.
#[test]
fn depth_is_bounded_on_input() {
    let tree = |levels| nested("{\"left\":", "}", levels).replace(":}", ":{}}");
    assert!(to_wire("Tree", &tree(99)).is_ok());
    let complaint = rejected(to_wire("Tree", &tree(100)));
    assert!(
        complaint.ends_with("left: is nested deeper than 100 levels"),
        "{complaint}"
    );
    let list = |levels| format!("{{\"listValue\":{}}}", nested("[", "]", levels));
    assert!(to_wire("Known", &list(99)).is_ok());
    let complaint = rejected(to_wire("Known", &list(100)));
    assert!(
        complaint.ends_with("is nested deeper than 100 levels"),
        "{complaint}"
    );
    for levels in [127, 128, 129, 10_000, 100_000] {
        for (name, json) in [
            ("Tree", nested("[", "]", levels)),
            ("Tree", "[".repeat(levels)),
            ("Tree", tree(levels)),
            ("Known", list(levels)),
            ("Known", format!("{{\"value\":{}", "[".repeat(levels))),
            (
                "Known",
                format!("{{\"struct\":{}", "{\"a\":".repeat(levels)),
            ),
            (
                "Known",
                format!(
                    "{{\"any\":{}",
                    "{\"@type\":\"a/google.protobuf.Any\",\"value\":".repeat(levels)
                ),
            ),
            (
                "Known",
                format!("{{\"any\":{}", "{\"value\":".repeat(levels)),
            ),
            (
                "Scalars",
                format!("{{\"fInt32\":{}}}", nested("[", "]", levels)),
            ),
            (
                "Scalars",
                format!("{{\"nope\":{}}}", nested("[{\"a\":", "}]", levels)),
            ),
        ] {
            let complaint = rejected(to_wire(name, &json));
            assert!(!complaint.starts_with("accepted"), "{levels} {complaint}");
        }
    }
}

/// A message in itself, `levels` times.
fn deep(number: u32, levels: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    for _ in 0..levels {
        let mut outer = Vec::new();
        put_len_field(&mut outer, number, &wire);
        wire = outer;
    }
    wire
}

#[test]
fn depth_is_bounded_on_output() {
    assert!(to_json("Tree", &deep(2, 99)).is_ok());
    let error = to_json("Tree", &deep(2, 100)).unwrap_err();
    assert_eq!(error, "t.Tree.left: messages are nested too deep");
    assert!(to_json("Tree", &deep(3, 5_000)).is_err());
    // The same in the second pass.
    let twice = [deep(2, 99), deep(2, 99)].concat();
    assert!(to_json("Tree", &twice).is_ok());
    let twice = [deep(2, 100), deep(2, 100)].concat();
    assert!(to_json("Tree", &twice).is_err());
    // A group within a group within a group.
    let groups = [0x3B].repeat(100_000);
    assert!(to_json("Old", &groups).is_err());
    // An Any in an Any: what is too deep is printed as bytes, and the answer lives.
    let mut any = Vec::new();
    for _ in 0..300 {
        let mut outer = Vec::new();
        put_len_field(&mut outer, 1, b"a/google.protobuf.Any");
        put_len_field(&mut outer, 2, &any);
        any = outer;
    }
    assert!(to_json("google.protobuf.Any", &any).is_ok());
}

/// A conflict at every level: the second pass must not start over once a level.
#[test]
fn conflicts_at_every_level_are_resolved_once() {
    let mut wire = Vec::new();
    for _ in 0..60 {
        let mut outer = Vec::new();
        put_len_field(&mut outer, 2, &wire);
        outer.extend(b"\x28\x01\x28\x02");
        wire = outer;
    }
    let json = to_json("Tree", &wire).unwrap();
    assert!(json.starts_with("{\"left\":{\"left\":"));
    assert_eq!(json.matches("\"weight\":2").count(), 60);
}

#[test]
fn large_bodies_take_linear_time_and_memory() {
    let zeros = format!("{{\"ints\":[{}0]}}", "0,".repeat(BODY / 2));
    assert!(large("Lists", &zeros) > BODY / 2);
    let messages = format!("{{\"trees\":[{}{{}}]}}", "{},".repeat(BODY / 3));
    large("Lists", &messages);
    let keys: Vec<String> = (0..75_000).map(|key| format!("\"{key}\":0")).collect();
    large("Maps", &format!("{{\"i\":{{{}}}}}", keys.join(",")));
    let keys: Vec<String> = (0..50_000).map(|key| format!("\"{key}\":\"\"")).collect();
    let map = format!("{{\"s\":{{{}}}}}", keys.join(","));
    large("Maps", &map);
    let string = format!("{{\"fString\":\"{}\"}}", "x".repeat(BODY - 10));
    large("Scalars", &string);
    let escapes = format!("{{\"fString\":\"{}\"}}", "\\n".repeat(BODY / 2));
    large("Scalars", &escapes);
    let digits = format!("{{\"fDouble\":0.{}}}", "1".repeat(BODY));
    large("Scalars", &digits);
    // A long text at the bottom is moved once a level at most.
    let bottom = format!("{{\"name\":\"{}\"}}", "x".repeat(BODY - 1_000));
    let deep = format!("{}{bottom}{}", "{\"left\":".repeat(90), "}".repeat(90));
    large("Tree", &deep);
    let twice = format!("{{\"s\":{{{},\"7\":\"\"}}}}", keys.join(","));
    assert_eq!(
        rejected(to_wire("Maps", &twice)),
        "s[\"7\"]: is given twice"
    );
}

/// A late `@type` makes its object be read twice; in one another they would add up.
#[test]
fn late_types_cannot_multiply_the_work() {
    let text = "x".repeat(1 << 19);
    let mut json = format!("{{\"name\":\"{text}\",\"@type\":\"a/t.Tree\"}}");
    for _ in 0..90 {
        json = format!("{{\"value\":{json},\"@type\":\"a/google.protobuf.Any\"}}");
    }
    let complaint = rejected(to_wire("google.protobuf.Any", &json));
    assert!(complaint.contains("`@type` must come first"), "{complaint}");
}

#[test]
fn large_messages_take_linear_time() {
    let print_large = |name: &str, wire: &[u8]| {
        let response = Response {
            tables: &SCHEMA.tables,
            message: message(name),
            selection: None,
            options: &JsonOptions::default(),
            limit: 64 << 20,
        };
        let mut out = Vec::new();
        transcode(&response, wire, &mut out).map(|_| out.len())
    };
    let entries: Vec<u8> = (0..200_000_u32)
        .flat_map(|key| {
            let text = key.to_string();
            let mut entry = Vec::new();
            put_len_field(&mut entry, 1, text.as_bytes());
            let mut out = Vec::new();
            put_len_field(&mut out, 1, &entry);
            out
        })
        .collect();
    assert!(print_large("Maps", &entries).is_ok());
    // The last key is there twice.
    assert!(print_large("Maps", &[&entries[..], b"\x0a\x03\x0a\x010"].concat()).is_ok());
    let scattered = b"\x08\x01\x32\x01a".repeat(200_000);
    assert!(print_large("Lists", &scattered).is_ok());
    let singles = b"\x18\x01".repeat(1 << 20);
    assert!(print_large("Scalars", &singles).is_ok());
    let pieces = b"\x12\x02\x28\x01".repeat(1 << 18);
    assert!(print_large("Tree", &pieces).is_ok());
}

/// E7: nothing is cut, the limit is an error of its own.
#[test]
fn output_is_bounded() {
    let options = JsonOptions::default();
    let colors = [&[0x42, 0x80, 0x80, 0x04][..], &[1; 1 << 16]].concat();
    let error = print("Lists", &options, &colors.repeat(8)).unwrap_err();
    assert!(
        error.ends_with("the JSON form exceeds its limit"),
        "{error}"
    );
    let indent = JsonOptions {
        indent: 16,
        ..options
    };
    let ints = [&[0x0A, 0x80, 0x80, 0x08][..], &[1; 1 << 17]].concat();
    assert!(print("Lists", &options, &ints).is_ok());
    assert!(print("Lists", &indent, &ints).is_err());
    let long = format!("{{\"fString\":\"{}\"}}", "x".repeat(LIMIT));
    assert_eq!(rejected(to_wire("Scalars", &long)), "too large");
    let exact = LIMIT - 4;
    let fits = format!("{{\"fString\":\"{}\"}}", "x".repeat(exact));
    assert_eq!(to_wire("Scalars", &fits).unwrap().len(), LIMIT);
    let many = format!("{{\"trees\":[{}{{}}]}}", "{},".repeat(LIMIT));
    assert_eq!(rejected(to_wire("Lists", &many)), "too large");
    let target = BodyTarget::Whole;
    let nothing = encode("Scalars", &target, &Bound::default(), &options, b"");
    assert_eq!(nothing, Ok(Vec::new()));
}
