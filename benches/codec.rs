//! How fast the codec is: `cargo bench --bench codec`, or `... -- items` for the samples that have
//! `items` in their title.
//!
//! MB of JSON a second, in both directions, beside the simple pass and prost-reflect, in one run.
//! `benches/yardstick` sets generated code beside it, in a crate of its own.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod corpus;
mod counting;
mod measure;
mod ours;

use std::hint::black_box;

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use sidegate::schema::Schema;
use sidegate::transcode::wire_to_json;

use corpus::Sample;
use measure::{Way, measure};
use ours::Codec;

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

fn both_ways(sample: &Sample, schema: &Schema, pool: &DescriptorPool) {
    let name = format!("bench.{}", sample.message);
    let codec = Codec::new(schema, &name);
    let theirs = pool.get_message_by_name(&name).expect("the type is there");
    let json = &*sample.json;
    let (mut wire, mut printed) = (Vec::new(), Vec::new());
    codec.to_wire(json, &mut wire);
    codec.to_json(&wire, &mut printed);
    agree(&theirs, &printed, &wire);

    let response = codec.response();
    let (mut quick, mut simple, mut reflected) = (Vec::new(), Vec::new(), Vec::new());
    let ways = vec![
        Way::new("sidegate", || codec.to_json(black_box(&wire), &mut quick)),
        Way::new("simple pass", || {
            simple.clear();
            wire_to_json::transcode_simply(&response, black_box(&wire), &mut simple)
                .expect("it has a JSON form");
        }),
        Way::new("prost-reflect", || {
            their_json(&theirs, black_box(&wire), &mut reflected);
        }),
    ];
    measure(
        &format!("wire to JSON, {}", sample.title),
        printed.len(),
        ways,
    );

    let (mut quick, mut reflected) = (Vec::new(), Vec::new());
    let ways = vec![
        Way::new("sidegate", || codec.to_wire(black_box(json), &mut quick)),
        Way::new("prost-reflect", || {
            their_wire(&theirs, black_box(json), &mut reflected);
        }),
    ];
    measure(&format!("JSON to wire, {}", sample.title), json.len(), ways);
}

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let set = ours::compiled(concat!(env!("CARGO_MANIFEST_DIR"), "/benches"));
    let schema = ours::schema(&set);
    let pool = DescriptorPool::from_file_descriptor_set(set).expect("the set is sound");
    for sample in corpus::samples() {
        if wanted.is_empty() || wanted.iter().any(|part| sample.title.contains(&**part)) {
            both_ways(&sample, &schema, &pool);
        }
    }
}
