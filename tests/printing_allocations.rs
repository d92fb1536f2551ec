//! On the way from wire to JSON nothing is allocated once the buffers have grown: counted for every
//! message of the benchmarks, with every option.

#![allow(dead_code, reason = "the benchmarks' corpus is used in part, as it is")]

#[path = "../benches/corpus.rs"]
mod corpus;
#[path = "../benches/ours.rs"]
mod ours;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ours::Codec;
use sidegate::schema::policy::{Defaults, Enums, FieldNames, Int64, JsonOptions};
use sidegate::transcode::wire_to_json::{Response, Scratch, transcode, transcode_with};

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

fn options(which: u8) -> JsonOptions {
    let pick = |bit: u8| which >> bit & 1 == 1;
    JsonOptions {
        names: if pick(0) {
            FieldNames::Proto
        } else {
            FieldNames::Camel
        },
        int64: if pick(1) {
            Int64::Number
        } else {
            Int64::String
        },
        defaults: if pick(2) {
            Defaults::Emit
        } else {
            Defaults::Omit
        },
        enums: if pick(3) { Enums::Number } else { Enums::Name },
        indent: if pick(4) { 2 } else { 0 },
        ..JsonOptions::default()
    }
}

#[test]
fn nothing_is_allocated_for_messages_of_a_known_size() {
    let set = ours::compiled(concat!(env!("CARGO_MANIFEST_DIR"), "/benches"));
    let schema = ours::schema(&set);
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    for sample in corpus::samples() {
        let codec = Codec::new(&schema, &format!("bench.{}", sample.message));
        let mut wire = Vec::new();
        codec.to_wire(&sample.json, &mut wire);
        for which in 0..32 {
            let options = options(which);
            let response = Response {
                options: &options,
                ..codec.response()
            };
            // What is indented is kept up to a size only.
            if options.indent > 0 && sample.json.len() > 400_000 {
                continue;
            }
            let mut allocations = u64::MAX;
            for _ in 0..3 {
                out.clear();
                let before = ALLOCATIONS.get();
                transcode_with(&mut scratch, &response, &wire, &mut out)
                    .expect("it has a JSON form");
                allocations = ALLOCATIONS.get() - before;
            }
            assert_eq!(allocations, 0, "{} {which}", sample.title);
            let mut once = Vec::new();
            transcode(&response, &wire, &mut once).expect("it has a JSON form");
            assert!(once == out, "{} {which}", sample.title);
        }
    }
}
