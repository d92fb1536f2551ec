//! The codec beside generated code: prost's types with pbjson's readers and printers.
//!
//! `cargo run --release [TITLE...]` from here; with `--check`, no measuring: both must agree on
//! every sample. With `--read` or `--print` one way of ours alone runs a few times, for a profiler.

#[path = "../../corpus.rs"]
mod corpus;
#[path = "../../counting.rs"]
mod counting;
#[path = "../../measure.rs"]
mod measure;
#[path = "../../ours.rs"]
mod ours;

use std::hint::black_box;

use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sidegate::schema::Schema;

use corpus::Sample;
use measure::{Way, measure};
use ours::Codec;

#[allow(clippy::all, reason = "generated")]
mod pb {
    include!(concat!(env!("OUT_DIR"), "/bench.rs"));
    include!(concat!(env!("OUT_DIR"), "/bench.serde.rs"));
}

/// Measures one sample beside the generated type `M`, or only compares.
fn both_ways<M>(sample: &Sample, schema: &Schema, only_compare: bool)
where
    M: Message + Default + Serialize + DeserializeOwned + PartialEq,
{
    let codec = Codec::new(schema, &format!("bench.{}", sample.message));
    let json = &*sample.json;
    let (mut wire, mut printed) = (Vec::new(), Vec::new());
    codec.to_wire(json, &mut wire);
    codec.to_json(&wire, &mut printed);
    let ours = M::decode(&*wire).expect("the wire is sound");
    let theirs: M = serde_json::from_str(json).expect("the JSON is sound");
    assert!(ours == theirs, "{}: what JSON means", sample.title);
    let again: M = serde_json::from_slice(&printed).expect("what is printed is sound");
    assert!(again == theirs, "{}: what is printed", sample.title);
    if only_compare {
        return println!("{}: alike", sample.title);
    }

    let (mut quick, mut generated) = (Vec::new(), Vec::new());
    let ways = vec![
        Way::new("sidegate", || codec.to_json(black_box(&wire), &mut quick)),
        Way::new("prost + pbjson", || {
            generated.clear();
            let message = M::decode(black_box(&*wire)).expect("the wire is sound");
            serde_json::to_writer(&mut generated, &message).expect("it has a JSON form");
        }),
    ];
    measure(
        &format!("wire to JSON, {}", sample.title),
        printed.len(),
        ways,
    );

    let (mut quick, mut generated) = (Vec::new(), Vec::new());
    let ways = vec![
        Way::new("sidegate", || codec.to_wire(black_box(json), &mut quick)),
        Way::new("prost + pbjson", || {
            generated.clear();
            let message: M = serde_json::from_str(black_box(json)).expect("the JSON is sound");
            message
                .encode(&mut generated)
                .expect("memory does not fail");
        }),
    ];
    measure(&format!("JSON to wire, {}", sample.title), json.len(), ways);
}

/// Runs one way of the codec alone.
fn alone(sample: &Sample, schema: &Schema, print: bool) {
    let codec = Codec::new(schema, &format!("bench.{}", sample.message));
    let (mut wire, mut printed) = (Vec::new(), Vec::new());
    codec.to_wire(&sample.json, &mut wire);
    for _ in 0..20 {
        if print {
            codec.to_json(black_box(&wire), &mut printed);
        } else {
            codec.to_wire(black_box(&sample.json), &mut wire);
        }
    }
}

fn main() {
    let (flags, wanted): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|argument| argument.starts_with('-'));
    let has = |name: &str| flags.iter().any(|flag| flag == name);
    let set = ours::compiled(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let schema = ours::schema(&set);
    for sample in corpus::samples() {
        if !wanted.is_empty() && !wanted.iter().any(|part| sample.title.contains(&**part)) {
            continue;
        }
        if has("--read") || has("--print") {
            alone(&sample, &schema, has("--print"));
            continue;
        }
        let run = match sample.message {
            "Book" => both_ways::<pb::Book>,
            "Item" => both_ways::<pb::Item>,
            "ItemList" => both_ways::<pb::ItemList>,
            "Texts" => both_ways::<pb::Texts>,
            "Packed" => both_ways::<pb::Packed>,
            "Forest" => both_ways::<pb::Forest>,
            "Free" => both_ways::<pb::Free>,
            "Maps" => both_ways::<pb::Maps>,
            "KnownList" => both_ways::<pb::KnownList>,
            // pbjson has no JSON form for `Any` and `FieldMask`.
            _ => continue,
        };
        run(&sample, &schema, has("--check"));
    }
}
