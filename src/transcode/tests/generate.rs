//! Random messages of the test schema, as wire in every legal disorder and as JSON.

use std::fmt::Write as _;

use crate::schema::plan::{Cardinality, Field, Kind, Message, MessageId, Tables, WellKnown};
use crate::transcode::json_to_wire::wire_type;
use crate::transcode::proto::{WireType, put_bytes, put_len_field, put_tag, put_varint, zigzag};

const STRINGS: [&str; 6] = [
    "",
    "a",
    "ü\u{1F600}",
    "\"\\\n\u{1}",
    "a.b]c",
    "long enough for two",
];
const PATHS: [&str; 3] = ["a", "foo_bar.b", "x.y_z"];
const SECONDS: [i64; 5] = [0, 1, -1, 951_827_696, -62_135_596_800];
const NANOS: [i64; 5] = [0, 1, 1_000, 10_000_000, 999_999_999];
const DOUBLES: [f64; 8] = [0.0, -0.0, 1.5, -2.0, 1e300, 5e-324, 123_456_789.125, 0.1];
const INTEGERS: [i64; 9] = [
    0,
    1,
    -1,
    7,
    128,
    i32::MAX as i64,
    i32::MIN as i64,
    i64::MAX,
    i64::MIN,
];

/// Choices read off random bytes; zeros when they are used up, so everything ends.
pub(super) struct Entropy<'a>(std::slice::Iter<'a, u8>);

impl<'a> Entropy<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.iter())
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % limit.max(1)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn is_empty(&self) -> bool {
        self.0.len() == 0
    }
}

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
            let name = entropy.pick(&["t.Tree", "google.protobuf.Int32Value"]);
            let content = tables.find_message(name).unwrap();
            put_len_field(&mut out, 1, format!("a/{name}").as_bytes());
            let content = wire(tables, content, entropy);
            put_len_field(&mut out, 2, &content);
        }
        _ => {
            let most = if message.fields.is_empty() { 1 } else { 6 };
            for _ in 0..entropy.below(most) {
                let field = &message.fields[entropy.below(message.fields.len())];
                record(tables, field, entropy, &mut out);
                if entropy.below(20) == 1 {
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
    if message.map_entry
        && message
            .by_number(2)
            .is_some_and(|field| is_value(tables, field))
    {
        put_len_field(&mut out, 2, &[0x20, 0x01]);
    }
    out
}

fn is_value(tables: &Tables, field: &Field) -> bool {
    let message = field.kind.message().map(|id| tables.message(id));
    message.is_some_and(|message| message.well_known == Some(WellKnown::Value))
}

fn record(tables: &Tables, field: &Field, entropy: &mut Entropy<'_>, out: &mut Vec<u8>) {
    let set = field
        .kind
        .message()
        .is_some_and(|id| tables.message(id).message_set);
    if set || field.number == 5_000 {
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
        Kind::Double => out.extend(entropy.pick(&DOUBLES).to_le_bytes()),
        Kind::Float => out.extend((entropy.pick(&DOUBLES[..4]) as f32).to_le_bytes()),
        Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 => {
            put_varint(out, entropy.pick(&INTEGERS) as u64);
        }
        Kind::Sint32 => put_varint(out, zigzag(entropy.pick(&INTEGERS[..7]))),
        Kind::Sint64 => put_varint(out, zigzag(entropy.pick(&INTEGERS))),
        Kind::Fixed32 | Kind::Sfixed32 => {
            out.extend((entropy.pick(&INTEGERS) as u32).to_le_bytes());
        }
        Kind::Fixed64 | Kind::Sfixed64 => out.extend(entropy.pick(&INTEGERS).to_le_bytes()),
        Kind::Bool => put_varint(out, entropy.below(3) as u64),
        Kind::String => put_bytes(out, entropy.pick(&STRINGS).as_bytes()),
        Kind::Bytes => put_bytes(out, entropy.pick(&[&b""[..], b"\xff\x00", b"abc"])),
        Kind::Enum(id) => {
            let enumeration = tables.enumeration(id);
            let known = entropy.pick(&[0, 1, 2]);
            let number = enumeration
                .values
                .get(known)
                .map_or(if enumeration.closed { 1 } else { 99 }, |(_, number)| {
                    *number
                });
            let number = if enumeration.null_value { 0 } else { number };
            put_varint(out, i64::from(number) as u64);
        }
        Kind::Message(id) => put_bytes(out, &wire(tables, id, entropy)),
        Kind::Group(id) => {
            out.extend(wire(tables, id, entropy));
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
        if entropy.is_empty() || entropy.below(3) != 0 || set || taken {
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
            let inner = json(tables, tables.find_message("t.Tree").unwrap(), entropy);
            match inner.strip_suffix('}') {
                Some(members) if members.len() > 1 => format!("{members},\"@type\":\"a/t.Tree\"}}"),
                _ => String::from("{\"@type\":\"a/t.Tree\",\"name\":\"x\"}"),
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
            let key = match tables.message(entry).fields[0].kind {
                Kind::String => entropy.pick(&["\"\"", "\"k\"", "\"ü\""]),
                Kind::Bool => entropy.pick(&["\"true\"", "\"false\""]),
                _ => entropy.pick(&["\"0\"", "\"7\""]),
            };
            format!(
                "{{{key}:{}}}",
                element(tables, tables.message(entry).fields[1].kind, entropy)
            )
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
        Some(id) => json(tables, id, entropy),
        None => scalar(tables, kind, entropy),
    }
}

fn scalar(tables: &Tables, kind: Kind, entropy: &mut Entropy<'_>) -> String {
    let text = match kind {
        Kind::Double | Kind::Float => entropy.pick(&["0", "-0.0", "1.5", "\"2\"", "1e3", "-7"]),
        Kind::Uint32 | Kind::Fixed32 => entropy.pick(&["0", "\"4294967295\"", "7"]),
        Kind::Uint64 | Kind::Fixed64 => entropy.pick(&["0", "\"18446744073709551615\"", "7"]),
        Kind::Bool => entropy.pick(&["true", "false"]),
        Kind::String => entropy.pick(&["\"\"", "\"a\"", "\"\\u00fc\\ud83d\\ude00\\n\"", "\"ü\""]),
        Kind::Bytes => entropy.pick(&["\"\"", "\"AQI=\"", "\"_-8\"", "\"AQ\""]),
        Kind::Enum(id) => {
            let enumeration = tables.enumeration(id);
            let (name, number) = &enumeration.values[entropy.below(enumeration.values.len())];
            return match (enumeration.null_value, entropy.below(2)) {
                (true, _) => String::from("null"),
                (false, 0) => format!("\"{name}\""),
                (false, _) => number.to_string(),
            };
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            entropy.pick(&["0", "-1", "\"9223372036854775807\"", "-9223372036854775808"])
        }
        _ => entropy.pick(&["0", "-1", "\"2147483647\"", "-2147483648", "1.0"]),
    };
    text.to_owned()
}

fn free(entropy: &mut Entropy<'_>) -> String {
    match entropy.below(8) {
        7 => format!("[{},{}]", free(entropy), free(entropy)),
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
        false => format!("{{\"a\":{},\"\":null}}", free(entropy)),
    }
}
