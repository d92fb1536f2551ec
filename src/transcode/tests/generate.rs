//! Random messages of the test schema, as wire in every legal disorder and as JSON.

use std::fmt::Write as _;

use super::values::{self, Entropy};
use crate::schema::plan::{Cardinality, Field, Kind, Message, MessageId, Tables, WellKnown};
use crate::transcode::json_to_wire::wire_type;
use crate::transcode::proto::{WireType, put_bytes, put_len_field, put_tag, put_varint, zigzag};

const PATHS: [&str; 3] = ["a", "foo_bar.b", "x.y_z"];
const SECONDS: [i64; 5] = [0, 1, -1, 951_827_696, -62_135_596_800];
const NANOS: [i64; 5] = [0, 1, 1_000, 10_000_000, 999_999_999];
/// Records of a message, in any order, fields given several times, in both forms of lists.
pub(super) fn wire(tables: &Tables, id: MessageId, entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let message = tables.message(id);
    match message.well_known {
        Some(WellKnown::Timestamp | WellKnown::Duration) => {
            // Pieces of a duration merge, so their signs must agree.
            let from = match message.well_known {
                Some(WellKnown::Timestamp) => &SECONDS[..],
                _ => &SECONDS[..2],
            };
            put_tag(&mut out, 1, WireType::Varint);
            put_varint(&mut out, entropy.pick(from) as u64);
            put_tag(&mut out, 2, WireType::Varint);
            put_varint(&mut out, entropy.pick(&NANOS) as u64);
        }
        Some(WellKnown::FieldMask) => {
            for _ in 0..entropy.below(3) {
                put_len_field(&mut out, 1, entropy.pick(&PATHS).as_bytes());
            }
        }
        Some(WellKnown::Any) => {
            let (name, content) = any_content(tables, entropy, false);
            put_len_field(&mut out, 1, format!("a/{name}").as_bytes());
            let content = entropy.nested(|entropy| wire(tables, content, entropy));
            put_len_field(&mut out, 2, &content);
        }
        _ => {
            let most = if message.fields.is_empty() { 1 } else { 6 };
            for _ in 0..entropy.below(most) {
                let field = &message.fields[entropy.below(message.fields.len())];
                record(tables, field, entropy, &mut out);
                if entropy.below(20) == 1 && message.by_number(5_000).is_none() {
                    put_tag(&mut out, 5_000, WireType::Varint);
                    put_varint(&mut out, 1);
                }
            }
        }
    }
    // prost-reflect prints a value without a kind otherwise than everybody.
    if message.well_known == Some(WellKnown::Value) && out.is_empty() {
        out.extend([0x20, 0x01]);
    }
    if message.map_entry {
        let value = message.by_number(2).and_then(|field| field.kind.message());
        match value.and_then(|id| tables.message(id).well_known) {
            Some(WellKnown::Value) => put_len_field(&mut out, 2, &[0x20, 0x01]),
            // It fails on an empty `Any`.
            Some(WellKnown::Any) if !out.contains(&0x12) => {
                put_len_field(&mut out, 2, b"\x0a\x1da/google.protobuf.StringValue");
            }
            _ => {}
        }
    }
    out
}

/// What an `Any` may hold, of the types that the schema has.
fn any_content(
    tables: &Tables,
    entropy: &mut Entropy<'_>,
    plain: bool,
) -> (&'static str, MessageId) {
    let mut names = vec!["t.Tree", "new.M0", "old.M0", "google.protobuf.Int32Value"];
    names.truncate(if plain { 3 } else { 4 });
    names.retain(|name| tables.find_message(name).is_some());
    let name = entropy.pick(&names);
    (name, tables.find_message(name).expect("it was just found"))
}

fn record(tables: &Tables, field: &Field, entropy: &mut Entropy<'_>, out: &mut Vec<u8>) {
    let set = field
        .kind
        .message()
        .is_some_and(|id| tables.message(id).message_set);
    if set {
        return;
    }
    let list = field.cardinality == Cardinality::Repeated && field.kind.packable();
    if list && entropy.below(2) == 0 {
        let mut content = Vec::new();
        for _ in 0..entropy.below(4) {
            value(tables, field, entropy, &mut content);
        }
        return put_len_field(out, field.number, &content);
    }
    put_tag(out, field.number, wire_type(field.kind));
    value(tables, field, entropy, out);
}

fn value(tables: &Tables, field: &Field, entropy: &mut Entropy<'_>, out: &mut Vec<u8>) {
    match field.kind {
        // The one double that has no JSON form when it is no number.
        Kind::Double if &*field.name == "number_value" => {
            out.extend(entropy.finite().to_le_bytes());
        }
        Kind::Double => out.extend(entropy.double().to_le_bytes()),
        Kind::Float => out.extend(entropy.float().to_le_bytes()),
        Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 => {
            put_varint(out, entropy.integer() as u64);
        }
        Kind::Sint32 => put_varint(out, zigzag(i64::from(entropy.integer() as i32))),
        Kind::Sint64 => put_varint(out, zigzag(entropy.integer())),
        Kind::Fixed32 | Kind::Sfixed32 => {
            out.extend((entropy.integer() as u32).to_le_bytes());
        }
        Kind::Fixed64 | Kind::Sfixed64 => out.extend(entropy.integer().to_le_bytes()),
        Kind::Bool => put_varint(out, entropy.below(3) as u64),
        Kind::String => put_bytes(out, entropy.text().as_bytes()),
        Kind::Bytes => put_bytes(out, &entropy.blob()),
        Kind::Enum(id) => {
            let enumeration = tables.enumeration(id);
            let index = entropy.below(enumeration.values.len() + usize::from(!enumeration.closed));
            let number = enumeration
                .values
                .get(index)
                .map_or(99, |(_, number)| *number);
            let number = if enumeration.null_value { 0 } else { number };
            put_varint(out, i64::from(number) as u64);
        }
        Kind::Message(id) => {
            put_bytes(out, &entropy.nested(|entropy| wire(tables, id, entropy)));
        }
        Kind::Group(id) => {
            out.extend(entropy.nested(|entropy| wire(tables, id, entropy)));
            put_tag(out, field.number, WireType::EndGroup);
        }
    }
}

/// JSON of a message that every reader accepts.
pub(super) fn json(tables: &Tables, id: MessageId, entropy: &mut Entropy<'_>) -> String {
    let message = tables.message(id);
    if let Some(text) = known_json(tables, message, entropy) {
        return text;
    }
    let mut out = String::from("{");
    let mut oneofs = vec![false; message.oneofs.len()];
    for field in &message.fields {
        let set = field
            .kind
            .message()
            .is_some_and(|id| tables.message(id).message_set);
        let taken = field
            .oneof
            .is_some_and(|oneof| std::mem::replace(&mut oneofs[usize::from(oneof)], true));
        let left_out = entropy.is_empty() || entropy.below(3) != 0;
        if set || taken || (left_out && !field.required) {
            continue;
        }
        if out.len() > 1 {
            out.push(',');
        }
        let name = if entropy.below(2) == 0 {
            &field.name
        } else {
            &field.json_name
        };
        let _infallible = write!(out, "{name:?}:");
        out.push_str(&field_json(tables, field, entropy));
    }
    out.push('}');
    out
}

fn known_json(tables: &Tables, message: &Message, entropy: &mut Entropy<'_>) -> Option<String> {
    let times = [
        "\"1970-01-01T00:00:00Z\"",
        "\"2024-02-29T23:59:59.5+01:30\"",
    ];
    Some(match message.well_known? {
        WellKnown::Timestamp => entropy.pick(&times).to_owned(),
        WellKnown::Duration => entropy
            .pick(&["\"0s\"", "\"-1.5s\"", "\"3.000000001s\""])
            .to_owned(),
        WellKnown::FieldMask => entropy
            .pick(&["\"\"", "\"a\"", "\"a.fooBar,b\""])
            .to_owned(),
        WellKnown::Any => {
            let (name, content) = any_content(tables, entropy, true);
            let inner = entropy.nested(|entropy| json(tables, content, entropy));
            let members = inner.trim_start_matches('{');
            let members = members.strip_suffix('}').unwrap_or(members);
            let comma = if members.is_empty() { "" } else { "," };
            if entropy.below(2) == 0 {
                format!("{{{members}{comma}\"@type\":\"a/{name}\"}}")
            } else {
                format!("{{\"@type\":\"b.c/d/{name}\"{comma}{members}}}")
            }
        }
        WellKnown::Struct => free_object(entropy),
        WellKnown::ListValue => format!("[{}]", free(entropy)),
        WellKnown::Value => free(entropy),
        WellKnown::Wrapper => scalar(tables, message.fields[0].kind, entropy),
        WellKnown::Empty => return None,
    })
}

fn field_json(tables: &Tables, field: &Field, entropy: &mut Entropy<'_>) -> String {
    match (field.cardinality, field.kind.message()) {
        (Cardinality::Map, Some(entry)) => {
            let entry = tables.message(entry);
            let mut keys: Vec<String> = (0..1 + entropy.below(3))
                .map(|_| values::key(entry.fields[0].kind, entropy))
                .collect();
            keys.sort_unstable();
            keys.dedup();
            let members: Vec<String> = keys
                .into_iter()
                .map(|key| {
                    let key = values::quoted(&key, entropy);
                    format!("{key}:{}", element(tables, entry.fields[1].kind, entropy))
                })
                .collect();
            format!("{{{}}}", members.join(","))
        }
        (Cardinality::Repeated, _) => {
            let elements: Vec<String> = (0..entropy.below(4))
                .map(|_| element(tables, field.kind, entropy))
                .collect();
            format!("[{}]", elements.join(","))
        }
        _ => element(tables, field.kind, entropy),
    }
}

fn element(tables: &Tables, kind: Kind, entropy: &mut Entropy<'_>) -> String {
    match kind.message() {
        Some(id) => entropy.nested(|entropy| json(tables, id, entropy)),
        None => scalar(tables, kind, entropy),
    }
}

fn scalar(tables: &Tables, kind: Kind, entropy: &mut Entropy<'_>) -> String {
    let Kind::Enum(id) = kind else {
        return values::json(kind, entropy);
    };
    let enumeration = tables.enumeration(id);
    let (name, number) = &enumeration.values[entropy.below(enumeration.values.len())];
    match (enumeration.null_value, entropy.below(2)) {
        (true, _) => String::from("null"),
        (false, 0) => format!("\"{name}\""),
        (false, _) => number.to_string(),
    }
}

fn free(entropy: &mut Entropy<'_>) -> String {
    match entropy.below(8) {
        7 => entropy.nested(|entropy| format!("[{},{}]", free(entropy), free(entropy))),
        1 => free_object(entropy),
        2 => String::from("null"),
        3 => String::from("1.5"),
        4 => String::from("\"\\u0041\""),
        5 => String::from("[]"),
        6 => String::from("-12"),
        _ => String::from("true"),
    }
}

fn free_object(entropy: &mut Entropy<'_>) -> String {
    match entropy.is_empty() {
        true => String::from("{}"),
        false => format!("{{\"a\":{},\"\":null}}", entropy.nested(free)),
    }
}
