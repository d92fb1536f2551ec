//! One schema as our tables and as prost-reflect's pool, and what has to be alike in both.
//!
//! Where prost-reflect is known to be wrong [`same`] and [`Pair::is_excused`] forgive it: it
//! prints NaN and infinities in wrappers as null and an `Empty` in an `Any` with a value, leaves
//! minus zero out, prints unknown numbers of closed enums, and fails on wrong wire types, but for
//! those of map entries, which it reads as if they were right.

use std::fmt::Debug;

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;

use super::LIMIT;
use crate::schema::binding::BodyTarget;
use crate::schema::plan::{Cardinality, EnumId, Field, Kind, MessageId, Tables};
use crate::schema::policy::JsonOptions;
use crate::transcode::bind::Bound;
use crate::transcode::json_to_wire::{self, Rejection, Request};
use crate::transcode::proto::{Raw, Reader, WireType};
use crate::transcode::wire_to_json::{self, Response};

/// Both views of one schema.
pub(super) struct Pair<'t> {
    pub(super) tables: &'t Tables,
    pub(super) pool: &'t DescriptorPool,
}

/// What wire to JSON may refuse although prost-reflect prints something.
const NO_JSON_FORM: [&str; 4] = ["timestamp", "duration", "field mask", "NaN"];

impl Pair<'_> {
    /// A message by its full name.
    pub(super) fn message(&self, name: &str) -> MessageId {
        self.tables.find_message(name).expect("a known type")
    }

    fn to_wire(&self, name: &str, json: &str) -> Result<Vec<u8>, Rejection> {
        let request = Request {
            tables: self.tables,
            message: self.message(name),
            target: &BodyTarget::Whole,
            bound: &Bound::default(),
            options: &JsonOptions::default(),
            limit: LIMIT,
        };
        let (mut out, mut simple) = (Vec::new(), Vec::new());
        let result = json_to_wire::transcode(&request, json.as_bytes(), &mut out);
        let simply = json_to_wire::transcode_simply(&request, json.as_bytes(), &mut simple);
        // The quick pass changes nothing but the time.
        assert_eq!((&result, &out), (&simply, &simple), "{json}");
        result.map(|()| out)
    }

    fn to_json(&self, name: &str, wire: &[u8]) -> Result<Value, String> {
        let response = Response {
            tables: self.tables,
            message: self.message(name),
            selection: None,
            options: &JsonOptions::default(),
            limit: LIMIT,
        };
        let mut out = Vec::new();
        wire_to_json::transcode(&response, wire, &mut out).map_err(|error| error.to_string())?;
        serde_json::from_slice(&out).map_err(|error| format!("no JSON: {error}"))
    }

    fn decode(&self, name: &str, wire: &[u8]) -> Result<DynamicMessage, String> {
        let descriptor = self.pool.get_message_by_name(name).expect("a known type");
        DynamicMessage::decode(descriptor, wire).map_err(|error| error.to_string())
    }

    fn parse(&self, name: &str, json: &str) -> Result<DynamicMessage, String> {
        let descriptor = self.pool.get_message_by_name(name).expect("a known type");
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let message = DynamicMessage::deserialize(descriptor, &mut deserializer)
            .map_err(|error| error.to_string())?;
        deserializer.end().map_err(|error| error.to_string())?;
        Ok(message)
    }

    /// JSON that every reader accepts becomes the same message.
    pub(super) fn reads_alike(&self, name: &str, json: &str) -> Result<(), String> {
        let ours = self.to_wire(name, json);
        let theirs = self.parse(name, json);
        let tell = |why: &dyn Debug| format!("{name} {json}\n{why:?}");
        let wire = ours.map_err(|error| tell(&error))?;
        let theirs = theirs.map_err(|error| tell(&error))?;
        let ours = self.decode(name, &wire).map_err(|error| tell(&error))?;
        // NaN differs from itself, its bytes do not.
        if ours == theirs || their_json(&ours) == their_json(&theirs) {
            return Ok(());
        }
        Err(format!("{name} {json}\n{ours}\n{theirs}"))
    }

    /// Sound wire is printed alike.
    pub(super) fn prints_alike(&self, name: &str, wire: &[u8]) -> Result<(), String> {
        let theirs = self
            .decode(name, wire)
            .and_then(|message| their_json(&message))
            .map_err(|error| format!("{name} {wire:?} is not printed by prost-reflect: {error}"))?;
        let ours = self
            .to_json(name, wire)
            .map_err(|error| format!("{name} {wire:?} {error}"))?;
        if same(&ours, &theirs) {
            return Ok(());
        }
        Err(format!("{name} {wire:?}\n{ours}\n{theirs}"))
    }

    /// Whatever the wire, what prost-reflect prints we print alike, or say why it has no JSON.
    pub(super) fn survives(&self, name: &str, wire: &[u8]) -> Result<(), String> {
        let ours = self.to_json(name, wire);
        if let Err(error) = &ours
            && error.starts_with("no JSON")
        {
            return Err(format!("{name} {wire:?} {error}"));
        }
        if self.is_excused(self.message(name), wire) {
            return Ok(());
        }
        let theirs = self.decode(name, wire);
        let Ok(theirs) = theirs.and_then(|message| their_json(&message)) else {
            return Ok(());
        };
        match ours {
            Ok(ours) if same(&ours, &theirs) => Ok(()),
            Ok(ours) => Err(format!("{name} {wire:?}\n{ours}\n{theirs}")),
            Err(error) if NO_JSON_FORM.iter().any(|word| error.contains(word)) => Ok(()),
            Err(error) => Err(format!("{name} {wire:?} {error}\n{theirs}")),
        }
    }

    /// Whether the wire holds what prost-reflect is known to read otherwise: an entry of a map with
    /// another wire type than a message's, an unknown number of a closed enum.
    fn is_excused(&self, id: MessageId, bytes: &[u8]) -> bool {
        let message = self.tables.message(id);
        let mut reader = Reader::new(bytes);
        while let Ok((number, wire_type)) = reader.tag() {
            let field = message.by_number(number);
            let map = field.is_some_and(|field| field.cardinality == Cardinality::Map);
            if map && wire_type != WireType::Len {
                return true;
            }
            let Ok(raw) = reader.value(number, wire_type) else {
                return false;
            };
            if field.is_some_and(|field| self.is_odd(field, raw)) {
                return true;
            }
        }
        false
    }

    fn is_odd(&self, field: &Field, raw: Raw<'_>) -> bool {
        match (field.kind, raw) {
            (Kind::Enum(id), Raw::Varint(number)) => self.is_unknown(id, number),
            (Kind::Enum(id), Raw::Len(packed)) => {
                let mut packed = Reader::new(packed);
                std::iter::from_fn(|| packed.varint().ok())
                    .any(|number| self.is_unknown(id, number))
            }
            (Kind::Message(id) | Kind::Group(id), Raw::Len(bytes) | Raw::Group(bytes)) => {
                self.is_excused(id, bytes)
            }
            _ => false,
        }
    }

    fn is_unknown(&self, id: EnumId, number: u64) -> bool {
        let table = self.tables.enumeration(id);
        table.closed && !table.by_number.contains_key(&(number as i32))
    }
}

fn their_json(message: &DynamicMessage) -> Result<Value, String> {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut out);
    let options = SerializeOptions::new();
    message
        .serialize_with_options(&mut serializer, &options)
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&out).map_err(|error| error.to_string())
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
