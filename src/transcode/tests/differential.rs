//! The codec against prost-reflect, on random JSON and random wire.
//!
//! Where prost-reflect is known to be wrong the generators keep away or [`same`] forgives it:
//! it prints NaN and infinities in wrappers as null and an `Empty` in an `Any` with a value,
//! refuses quoted exponents, normalises times that are out of range, fails on unknown types in an
//! `Any`, leaves minus zero out, prints unknown numbers of closed enums, knows no message sets, and
//! fails on wrong wire types, but for those of map entries, which it reads as if they were right.

use std::sync::LazyLock;

use proptest::prelude::*;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use serde_json::Value;

use super::generate::{Entropy, json, wire};
use super::{SCHEMA, message, to_json, to_wire};
use crate::schema::plan::{Cardinality, MessageId};
use crate::transcode::proto::{Raw, Reader, WireType};

struct Texts;

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let text = match name {
            "new.proto" => include_str!("new.proto"),
            "old.proto" => include_str!("old.proto"),
            _ => return Err(protox::Error::file_not_found(name)),
        };
        File::from_source(name, text)
    }
}

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let mut chain = ChainFileResolver::new();
    chain.add(Texts);
    chain.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(chain);
    compiler.include_imports(true);
    for name in ["new.proto", "old.proto"] {
        compiler.open_file(name).unwrap();
    }
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
});

const TYPES: [&str; 8] = [
    "Scalars",
    "Optionals",
    "Lists",
    "Maps",
    "Tree",
    "Choice",
    "Known",
    "Old",
];
/// All but the one with closed enums.
const NEW_TYPES: usize = 7;

fn decode(name: &str, wire: &[u8]) -> Option<DynamicMessage> {
    let descriptor = POOL.get_message_by_name(&format!("t.{name}")).unwrap();
    DynamicMessage::decode(descriptor, wire).ok()
}

fn their_json(message: &DynamicMessage) -> Option<Value> {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut out);
    let options = SerializeOptions::new();
    message
        .serialize_with_options(&mut serializer, &options)
        .ok()?;
    serde_json::from_slice(&out).ok()
}

/// Whether two JSON values mean the same, but for what prost-reflect is known to print otherwise.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => ours.as_f64() == theirs.as_f64(),
        (Value::String(ours), Value::Null) => {
            matches!(&**ours, "NaN" | "Infinity" | "-Infinity")
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(one, other)| same(one, other))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            let empty = ours
                .get("@type")
                .and_then(Value::as_str)
                .is_some_and(|url| url.ends_with("google.protobuf.Empty"));
            ours.iter().all(|(key, value)| match theirs.get(key) {
                Some(other) => same(value, other),
                None => value
                    .as_f64()
                    .is_some_and(|value| value.to_bits() == (-0.0_f64).to_bits()),
            }) && theirs
                .keys()
                .all(|key| ours.contains_key(key) || (empty && key == "value"))
        }
        (ours, theirs) => ours == theirs,
    }
}

/// Whether an entry of a map has another wire type than a message.
fn has_odd_entry(id: MessageId, bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    while let Ok((number, wire_type)) = reader.tag() {
        let field = SCHEMA.tables.message(id).by_number(number);
        if field.is_some_and(|field| field.cardinality == Cardinality::Map)
            && wire_type != WireType::Len
        {
            return true;
        }
        let Ok(raw) = reader.value(number, wire_type) else {
            return false;
        };
        if let (Some(inner), Raw::Len(bytes)) = (field.and_then(|field| field.kind.message()), raw)
            && has_odd_entry(inner, bytes)
        {
            return true;
        }
    }
    false
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn json_is_read_alike(which in 0..TYPES.len(), seed in prop::collection::vec(any::<u8>(), 0..300)) {
        let name = TYPES[which];
        let text = json(&SCHEMA.tables, message(name), &mut Entropy::new(&seed));
        let ours = to_wire(name, &text);
        prop_assert!(ours.is_ok(), "{text} {ours:?}");
        let ours = decode(name, &ours.unwrap());
        let descriptor = POOL.get_message_by_name(&format!("t.{name}")).unwrap();
        let mut deserializer = serde_json::Deserializer::from_str(&text);
        let theirs = DynamicMessage::deserialize(descriptor, &mut deserializer);
        prop_assert!(theirs.is_ok(), "{text} {theirs:?}");
        let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
        // NaN differs from itself, its bytes do not.
        prop_assert!(
            ours == theirs || their_json(&ours) == their_json(&theirs),
            "{text}\n{ours}\n{theirs}"
        );
    }

    #[test]
    fn wire_is_printed_alike(which in 0..TYPES.len(), seed in prop::collection::vec(any::<u8>(), 0..300)) {
        let name = TYPES[which];
        let bytes = wire(&SCHEMA.tables, message(name), &mut Entropy::new(&seed));
        let theirs = decode(name, &bytes).and_then(|message| their_json(&message));
        prop_assert!(theirs.is_some(), "{bytes:?}");
        let ours = to_json(name, &bytes);
        prop_assert!(ours.is_ok(), "{bytes:?} {ours:?}");
        let (ours, theirs) = (parsed(&ours.unwrap()), theirs.unwrap());
        prop_assert!(same(&ours, &theirs), "{bytes:?}\n{ours}\n{theirs}");
    }

    #[test]
    fn broken_wire_is_printed_alike(
        which in 0..NEW_TYPES,
        seed in prop::collection::vec(any::<u8>(), 0..300),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let name = TYPES[which];
        let mut bytes = wire(&SCHEMA.tables, message(name), &mut Entropy::new(&seed));
        for (place, byte, edit) in edits {
            let at = place.index(bytes.len() + 1);
            match edit {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                _ => if let Some(place) = bytes.get_mut(at) { *place = byte },
            }
        }
        if has_odd_entry(message(name), &bytes) {
            return Ok(());
        }
        let ours = to_json(name, &bytes);
        if let Some(theirs) = decode(name, &bytes).and_then(|message| their_json(&message)) {
            match ours {
                Ok(ours) => {
                    let ours = parsed(&ours);
                    prop_assert!(same(&ours, &theirs), "{bytes:?}\n{ours}\n{theirs}");
                }
                Err(error) => {
                    let forgiven = ["timestamp", "duration", "field mask", "NaN"];
                    prop_assert!(forgiven.iter().any(|word| error.contains(word)), "{bytes:?} {error}");
                }
            }
        }
    }
}
