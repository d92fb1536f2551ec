//! Bodies made to hurt, megabytes of them: time stays linear and memory within ten times the
//! body, whether they are accepted or refused.
//!
//! What would be quadratic takes hours here, so that a regression shows whatever the machine.

#![allow(
    clippy::disallowed_methods,
    reason = "real time is what is measured here"
)]

#[path = "fuzz/schema.rs"]
mod schema;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

use schema::{SCHEMA, TYPES};
use sidegate::schema::binding::BodyTarget;
use sidegate::schema::policy::{Defaults, JsonOptions, UnknownFields};
use sidegate::transcode::bind::Bound;
use sidegate::transcode::json_to_wire::{self, Rejection, Request};
use sidegate::transcode::wire_to_json::{self, Response};

const MIB: usize = 1 << 20;
/// What a body may be, and so a message.
const BODY: usize = 4 * MIB;
/// Debug builds on a machine that does other things take seconds.
const LONGEST: Duration = Duration::from_secs(60);

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// Counts what each thread holds, and the most it held.
struct Counting;

#[allow(unsafe_code, reason = "an allocator that counts can not do without")]
// SAFETY: everything is the system allocator's; what grows is counted as if old and
// new were there at once, which is the worst that may happen.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.get() + layout.size();
        LIVE.set(live);
        PEAK.set(PEAK.get().max(live));
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get().saturating_sub(layout.size()));
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs it and checks that it took neither long nor, at any moment, more than `allowed` bytes.
fn bounded<T>(about: &str, allowed: usize, run: impl FnOnce() -> T) -> T {
    let before = LIVE.get();
    PEAK.set(before);
    let begun = Instant::now();
    let result = run();
    let (took, peak) = (begun.elapsed(), PEAK.get() - before);
    assert!(took < LONGEST, "{about}: took {took:?}");
    assert!(peak <= allowed, "{about}: {peak} bytes, not {allowed}");
    result
}

/// Reads a body of a type; the message's length, or what was complained about first.
fn read(name: &str, json: &str, options: &JsonOptions) -> Result<usize, String> {
    assert!(TYPES.contains(&name), "{name}");
    let request = Request {
        tables: &SCHEMA.tables,
        message: SCHEMA.tables.find_message(name).expect("a known type"),
        target: &BodyTarget::Whole,
        bound: &Bound::default(),
        options,
        limit: BODY,
    };
    let about = format!("{name} {}", json.get(..40).unwrap_or(json));
    let mut out = Vec::new();
    // Small bodies may cost a buffer.
    let result = bounded(&about, 10 * json.len().max(MIB / 16), || {
        json_to_wire::transcode(&request, json.as_bytes(), &mut out)
    });
    match result {
        Ok(()) => Ok(out.len()),
        Err(Rejection::TooLarge) => Err("too large".to_owned()),
        Err(Rejection::Invalid(violations)) => Err(violations
            .first()
            .map(|first| first.description.clone())
            .unwrap_or_default()),
    }
}

fn accepts(name: &str, json: &str) -> usize {
    read(name, json, &JsonOptions::default()).expect("it is sound")
}

fn refuses(name: &str, json: &str, why: &str) {
    let complaint = read(name, json, &JsonOptions::default()).expect_err("it is refused");
    assert!(complaint.contains(why), "{name}: {complaint}");
}

/// `before`, `part` until the body is full, `after`.
fn filled(before: &str, part: &str, after: &str) -> String {
    let times = (BODY - before.len() - after.len()) / part.len();
    format!("{before}{}{after}", part.repeat(times))
}

/// Keys that all differ, a million of them.
fn keys(value: &str) -> String {
    let members: Vec<String> = (0..1_000_000)
        .map(|key| format!("\"{key}\":{value}"))
        .collect();
    members.join(",")
}

/// 4 MiB of zeros, wherever a list may stand.
#[test]
fn long_lists() {
    assert!(accepts("t.Lists", &filled("{\"ints\":[0", ",0", "]}")) > BODY / 2 - 100);
    let list = filled("[0", ",0", "]");
    // A zero is eleven bytes as a `Value`.
    refuses("google.protobuf.Value", &list, "too large");
    refuses("t.Tree", &list, "expected an object");
    refuses(
        "t.Lists",
        &filled("{\"ints\":[true", ",true", "]}"),
        "expected",
    );
    refuses("t.Lists", &filled("{\"trees\":[{}", ",{}", ""), "");
    refuses("t.Lists", &filled("{\"strings\":[\"", "[", ""), "");
    accepts("t.Lists", &filled("{\"trees\":[{}", ",{}", "]}"));
    accepts("t.Lists", &filled("{\"strings\":[\"\"", ",\"\"", "]}"));
    accepts(
        "t.Lists",
        &filled("{\"doubles\":[", "0.1234567890123456789,", "0]}"),
    );
}

#[test]
fn long_texts() {
    accepts("t.Scalars", &filled("{\"fString\":\"", "\\u0041", "\"}"));
    accepts("t.Scalars", &filled("{\"fBytes\":\"", "AAAA", "\"}"));
    accepts("t.Scalars", &filled("{\"fDouble\":0.", "1", "}"));
    accepts("t.Scalars", &filled("{\"fString\":\"", "\u{FC}", "\"}"));
    refuses("t.Scalars", &filled("{\"fInt32\":", "1", "}"), "");
    refuses("t.Scalars", &filled("{\"", "x", "\":1}"), "");
    refuses("t.Scalars", &filled("{\"fString\":\"", "\\", ""), "");
    accepts("t.Scalars", &filled("{", " ", "}"));
}

/// A million keys of a map, of a `Struct`, of nothing that is known.
#[test]
fn many_keys() {
    accepts_up_to("t.Maps", &format!("{{\"i\":{{{}}}}}", keys("0")));
    accepts_up_to("google.protobuf.Value", &format!("{{{}}}", keys("null")));
    let unknown = format!("{{{}}}", keys("0"));
    refuses("t.Tree", &unknown, "");
    let ignore = JsonOptions {
        unknown_fields: UnknownFields::Ignore,
        ..JsonOptions::default()
    };
    assert_eq!(read("t.Tree", &unknown, &ignore), Ok(0));
}

/// Accepted, but for the size of the message.
fn accepts_up_to(name: &str, json: &str) {
    let result = read(name, json, &JsonOptions::default());
    if let Err(complaint) = result {
        assert_eq!(complaint, "too large", "{name}");
    }
}

/// The same key again and again, where it stands for a field, in a map, in a `Struct`.
#[test]
fn floods_of_one_key() {
    let twice = "is given twice";
    refuses(
        "t.Scalars",
        &filled("{", "\"fInt32\":1,", "\"fInt32\":1}"),
        twice,
    );
    refuses(
        "t.Scalars",
        &filled("{", "\"fInt32\":1,", "\"f_int32\":1}"),
        twice,
    );
    refuses(
        "t.Maps",
        &filled("{\"s\":{", "\"a\":\"\",", "\"a\":\"\"}}"),
        twice,
    );
    refuses(
        "google.protobuf.Value",
        &filled("{", "\"a\":0,", "\"a\":0}"),
        twice,
    );
    refuses(
        "t.Choice",
        &filled("{", "\"text\":\"\",\"number\":1,", "\"text\":\"\"}"),
        "",
    );
    refuses("t.Tree", &filled("{", "\"nope\":1,", "\"nope\":1}"), "");
}

/// Ten thousand levels, and as many as a body holds.
#[test]
fn deep_json() {
    for levels in [10_000, BODY / 10] {
        for (name, open) in [
            ("t.Tree", "{\"left\":"),
            ("t.Tree", "["),
            ("google.protobuf.Value", "["),
            ("google.protobuf.Value", "{\"a\":"),
            ("t.Tree", "{\"nope\":["),
        ] {
            refuses(name, &open.repeat(levels), "");
        }
        let closed = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        refuses(
            "google.protobuf.Value",
            &closed,
            "nested deeper than 100 levels",
        );
    }
}

/// Prints a message within so many times its size; the length of its JSON, or the error.
fn print_within(times: usize, name: &str, wire: &[u8]) -> Result<usize, String> {
    let options = JsonOptions {
        defaults: Defaults::Omit,
        ..JsonOptions::default()
    };
    let response = Response {
        tables: &SCHEMA.tables,
        message: SCHEMA.tables.find_message(name).expect("a known type"),
        selection: None,
        options: &options,
        // As the gateway has it for a message of 4 MiB.
        limit: 8 * BODY,
    };
    let about = format!("{name} {:?}", wire.get(..16));
    let mut out = Vec::new();
    let result = bounded(&about, times * wire.len().max(MIB / 16), || {
        wire_to_json::transcode(&response, wire, &mut out)
    });
    result.map(|_| out.len()).map_err(|error| error.to_string())
}

fn print(name: &str, wire: &[u8]) -> Result<usize, String> {
    print_within(10, name, wire)
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7F).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or(0));
    out.extend_from_slice(content);
    out
}

/// 200 levels of messages, of groups, and of `Any` in `Any`.
#[test]
fn deep_wire() {
    let mut tree = Vec::new();
    for _ in 0..200 {
        tree = field(2, &tree);
    }
    let error = print("t.Tree", &tree).expect_err("it is too deep");
    assert!(error.contains("nested too deep"), "{error}");
    let groups = [&[0x3B; 200][..], &[0x3C; 200]].concat();
    assert!(print("t.Old", &groups).is_err());
    assert!(print("t.Old", &[0x3B].repeat(BODY)).is_err());
    assert!(print("t.Tree", &[0x23].repeat(BODY)).is_err());
    let mut any = Vec::new();
    for _ in 0..200 {
        any = [field(1, b"a/google.protobuf.Any"), field(2, &any)].concat();
    }
    assert!(print("google.protobuf.Any", &any).is_ok());
}

/// Entries of a map that have to be grouped, a list in one piece.
#[test]
fn many_entries() {
    let packed = field(1, &[0].repeat(BODY));
    assert!(print("t.Lists", &packed).is_ok_and(|length| length > 2 * BODY));
    let entries: Vec<u8> = (0..200_000_u32)
        .flat_map(|key| {
            let key = field(1, key.to_string().as_bytes());
            field(1, &[&key[..], &field(2, b"")].concat())
        })
        .collect();
    assert!(print("t.Maps", &entries).is_ok());
    // One key twice makes all of it be grouped.
    let twice = [&entries[..], &field(1, &field(1, b"0"))].concat();
    assert!(print("t.Maps", &twice).is_ok());
}

/// What must be grouped first: everything scattered, everything again and again. A record may be
/// two bytes long, and to group it takes some thirty and what it takes to sort them.
#[test]
fn scattered_wire() {
    for (name, wire) in [
        ("t.Scalars", &[0x18, 1][..]),
        ("t.Scalars", &[0x18, 1, 0x20, 1]),
        ("t.Tree", &[0x12, 0]),
        ("t.Choice", &[0x10, 1, 0x30, 1]),
        ("t.Lists", &[0x08, 1, 0x28, 1]),
        ("t.Tree", &[0x78, 1]),
    ] {
        let wire = wire.repeat(BODY / wire.len());
        let printed = print_within(60, name, &wire);
        assert!(printed.is_ok(), "{printed:?}");
    }
}

/// Short wire that becomes long JSON ends at the limit, which is eight times what a message may
/// have; a buffer that grows holds three times as much for a moment.
#[test]
fn growing_wire() {
    let colors = field(8, &[0].repeat(BODY));
    let error = print_within(25, "t.Lists", &colors).expect_err("names are long");
    assert!(error.contains("exceeds its limit"), "{error}");
    let controls = field(14, &[1].repeat(BODY));
    let printed = print_within(25, "t.Scalars", &controls);
    assert!(printed.is_ok_and(|length| length > 6 * BODY));
    let empty = field(3, b"").repeat(BODY / 2);
    assert!(print("t.Tree", &empty).is_ok());
}
