//! How fast the codec is: `cargo bench --bench codec`.
//!
//! MB of JSON a second, in both directions, beside the simple pass and prost-reflect, in one run:
//! of a small message, one of 2 KB, and a list of 1,000 that all differ. Each figure is the best of
//! many short rounds, which take turns, so that what else the machine does hits all alike.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and it measures real time"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use sidegate::schema::Schema;
use sidegate::schema::binding::BodyTarget;
use sidegate::schema::compile::{Input, Services, SourceFile, compile};
use sidegate::schema::policy::JsonOptions;
use sidegate::transcode::bind::Bound;
use sidegate::transcode::{json_to_wire, wire_to_json};

const ROUNDS: u32 = 60;
const ROUND: Duration = Duration::from_millis(8);
const LIMIT: usize = 64 << 20;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[allow(unsafe_code, reason = "an allocator that counts can not do without")]
// SAFETY: everything is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One way of doing it.
struct Way<'a> {
    name: &'static str,
    run: Box<dyn FnMut() + 'a>,
    best: Duration,
    allocations: u64,
}

impl<'a> Way<'a> {
    fn new(name: &'static str, mut run: impl FnMut() + 'a) -> Self {
        // Buffers grow and tables are made the first time.
        run();
        run();
        let before = ALLOCATIONS.get();
        run();
        Self {
            name,
            allocations: ALLOCATIONS.get() - before,
            run: Box::new(run),
            best: Duration::MAX,
        }
    }

    /// Runs for a while and keeps the mean, if it is better.
    fn round(&mut self) {
        let start = Instant::now();
        let mut times = 0;
        while start.elapsed() < ROUND {
            for _ in 0..4 {
                (self.run)();
            }
            times += 4;
        }
        self.best = self.best.min(start.elapsed() / times);
    }
}

fn measure(title: &str, bytes: usize, mut ways: Vec<Way<'_>>) {
    for _ in 0..ROUNDS {
        ways.iter_mut().for_each(Way::round);
    }
    let reference = ways.last().map_or(Duration::MAX, |way| way.best);
    for way in &ways {
        let rate = bytes as f64 / way.best.as_secs_f64() / 1e6;
        let ratio = reference.as_secs_f64() / way.best.as_secs_f64();
        println!(
            "{title:<32} {:<14} {rate:>8.0} MB/s {ratio:>6.1} x {:>8} allocations",
            way.name, way.allocations
        );
    }
}

/// The schema of `codec.proto`, ours and prost-reflect's.
fn schemas() -> (Schema, DescriptorPool) {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/benches");
    let set = protox::compile(["codec.proto"], [directory]).expect("codec.proto is sound");
    let files = set.file.iter().map(|file| SourceFile {
        bytes: file.encode_to_vec().into(),
        origin: file.name().into(),
        services: Services::All,
    });
    let (schema, problems) = compile(&Input {
        files: files.collect(),
        ..Input::default()
    });
    assert!(problems.is_empty(), "{problems:?}");
    let pool = DescriptorPool::from_file_descriptor_set(set).expect("the set is sound");
    (schema, pool)
}

const BOOK: &str = r#"{"name":"shelves/7/books/1984","title":"Nineteen Eighty-Four","author":"George Orwell","pages":328,"sold":"30000000","state":"STATE_PUBLISHED"}"#;

/// An item of about 2 KB; no two are the same.
fn item(number: u64) -> String {
    let mut random = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let part = |next: &mut dyn FnMut() -> u64| {
        format!(
            r#"{{"partNumber":"PN-{:08x}","description":"A part for machine {} of line {}","weightGrams":{}.{},"quantity":{}}}"#,
            next() % 0xFFFF_FFFF,
            next() % 10_000,
            next() % 100,
            next() % 5_000,
            next() % 1_000,
            next() % 100 + 1,
        )
    };
    let parts: Vec<String> = (0..5).map(|_| part(&mut next)).collect();
    let mut json = String::new();
    // Writing to a string does not fail.
    let _infallible = write!(
        json,
        concat!(
            r#"{{"itemId":"items/{number:06}","displayName":"Item {a:x} \"{b}\"","longDescription":"#,
            r#""The item {a:x} is made of {b} pieces and grüßt {c:x}; it was first described in "#,
            r#"volume {b} of the catalogue, where its dimensions, its makers and all its known "#,
            r#"uses are told at length.\nSee also {c:x}.","state":"{state}","priceMicros":"{a}","#,
            r#""rating":{r}.{b},"discount":0.25,"available":true,"#,
            r#""createTime":"20{y:02}-03-0{d}T1{d}:2{d}:3{d}.{b:03}Z","#,
            r#""updateTime":"20{y:02}-11-1{d}T0{d}:5{d}:1{d}Z","leadTime":"{b}.500s","#,
            r#""tags":["red","tag-{b}","long-lived","{c:x}"],"scores":[{b},{d},-{y},7,0,{e}],"#,
            r#""measures":[{d}.5,{b}.125,{y}.75,-0.{b}],"labels":{{"zone":"eu-{d}","team":"t{b}","#,
            r#""cost-centre":"{e}"}},"parts":[{parts}],"mainPart":{main},"#,
            r#""checksum":"q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=","stock":"{e}","#,
            r#""nickname":"nick{b}","attributes":{{"colour":"blue","depth":{b},"deep":{{"list":"#,
            r#"[1,"two",{d},true]}}}},"serial":"{c}","offset":-{b},"madeBy":"maker {d}"}}"#,
        ),
        number = number,
        a = next() % 1_000_000_007,
        b = next() % 900 + 100,
        c = next(),
        d = next() % 9 + 1,
        e = next() % 100_000,
        y = next() % 20 + 10,
        r = next() % 5,
        state = match next() % 3 {
            0 => "STATE_DRAFT",
            1 => "STATE_PUBLISHED",
            _ => "STATE_WITHDRAWN",
        },
        main = parts.first().map_or("{}", String::as_str),
        parts = parts.join(","),
    );
    json
}

fn their_json(descriptor: &MessageDescriptor, wire: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let message = DynamicMessage::decode(descriptor.clone(), wire).expect("the wire is sound");
    let mut serializer = serde_json::Serializer::new(out);
    message
        .serialize_with_options(&mut serializer, &SerializeOptions::new())
        .expect("it has a JSON form");
}

fn their_wire(descriptor: &MessageDescriptor, json: &str, out: &mut Vec<u8>) {
    out.clear();
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let message = DynamicMessage::deserialize(descriptor.clone(), &mut deserializer)
        .expect("the JSON is sound");
    message.encode(out).expect("memory does not fail");
}

/// What is printed means the same to prost-reflect as the wire that it was printed from.
fn agree(theirs: &MessageDescriptor, printed: &[u8], wire: &[u8]) {
    let mut deserializer = serde_json::Deserializer::from_slice(printed);
    let read = DynamicMessage::deserialize(theirs.clone(), &mut deserializer);
    let meant = DynamicMessage::decode(theirs.clone(), wire);
    assert_eq!(read.ok(), meant.ok());
}

fn both_ways(title: &str, name: &str, json: &str, schema: &Schema, pool: &DescriptorPool) {
    let tables = &schema.tables;
    let message = tables.find_message(name).expect("codec.proto has the type");
    let theirs = pool
        .get_message_by_name(name)
        .expect("codec.proto has the type");
    let options = JsonOptions::default();
    let bound = Bound::default();
    let request = json_to_wire::Request {
        tables,
        message,
        target: &BodyTarget::Whole,
        bound: &bound,
        options: &options,
        limit: LIMIT,
    };
    let response = wire_to_json::Response {
        tables,
        message,
        selection: None,
        options: &options,
        limit: LIMIT,
    };
    let to_wire = |out: &mut Vec<u8>| {
        out.clear();
        json_to_wire::transcode(&request, json.as_bytes(), out).expect("the JSON is sound");
    };
    let (mut wire, mut printed) = (Vec::new(), Vec::new());
    to_wire(&mut wire);
    wire_to_json::transcode(&response, &wire, &mut printed).expect("it has a JSON form");
    agree(&theirs, &printed, &wire);

    let (mut quick, mut simple, mut reflected) = (Vec::new(), Vec::new(), Vec::new());
    let ways = vec![
        Way::new("sidegate", || {
            quick.clear();
            wire_to_json::transcode(&response, black_box(&wire), &mut quick)
                .expect("it has a JSON form");
        }),
        Way::new("simple pass", || {
            simple.clear();
            wire_to_json::transcode_simply(&response, black_box(&wire), &mut simple)
                .expect("it has a JSON form");
        }),
        Way::new("prost-reflect", || {
            their_json(&theirs, black_box(&wire), &mut reflected);
        }),
    ];
    measure(&format!("{title}, wire to JSON"), printed.len(), ways);

    let (mut ours, mut reflected) = (Vec::new(), Vec::new());
    let ways = vec![
        Way::new("sidegate", || to_wire(black_box(&mut ours))),
        Way::new("prost-reflect", || {
            their_wire(&theirs, black_box(json), &mut reflected);
        }),
    ];
    measure(&format!("{title}, JSON to wire"), json.len(), ways);
}

fn main() {
    let (schema, pool) = schemas();
    let items: Vec<String> = (0..1_000).map(item).collect();
    let list = format!(
        r#"{{"items":[{}],"nextPageToken":"page2"}}"#,
        items.join(",")
    );
    for (name, json) in [("Book", BOOK), ("Item", &item(7)), ("ItemList", &list)] {
        let title = format!("{name} of {} B", json.len());
        both_ways(&title, &format!("bench.{name}"), json, &schema, &pool);
    }
}
