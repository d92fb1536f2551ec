//! Wire bytes from a readable text.
//!
//! ```text
//! records = { number ":" value | "`" hex "`" }
//! value   = int                  varint
//!         | int "i32" | int "i64"  fixed, int may be a float with a point
//!         | '"' text '"'         bytes
//!         | "{" records "}"      a message
//!         | "!{" records "}"     a group
//!         | "[" { int } "]"      packed varints
//! ```

use crate::transcode::proto::{WireType, put_len_field, put_tag, put_varint};

/// Assembles; panics on a text that is not of this form.
pub(super) fn assemble(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let rest = records(text.trim_start(), &mut out);
    assert_eq!(rest, "", "left over of {text}");
    out
}

fn records<'a>(mut text: &'a str, out: &mut Vec<u8>) -> &'a str {
    loop {
        text = text.trim_start();
        if text.is_empty() || text.starts_with('}') {
            return text;
        }
        if let Some(hex) = text.strip_prefix('`') {
            let (hex, after) = hex.split_once('`').expect("a closing backtick");
            let hex: String = hex.split_whitespace().collect();
            out.extend(data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("hex"));
            text = after;
            continue;
        }
        let (number, after) = text.split_once(':').expect("number: value");
        text = value(number.parse().expect("a number"), after.trim_start(), out);
    }
}

fn value<'a>(number: u32, text: &'a str, out: &mut Vec<u8>) -> &'a str {
    if let Some(text) = text.strip_prefix('"') {
        let (content, after) = text.split_once('"').expect("a closing quote");
        put_len_field(out, number, content.as_bytes());
        return after;
    }
    if let Some(inner) = text.strip_prefix("!{") {
        put_tag(out, number, WireType::StartGroup);
        let after = records(inner, out);
        put_tag(out, number, WireType::EndGroup);
        return after.strip_prefix('}').expect("a closing brace");
    }
    if let Some(inner) = text.strip_prefix('{') {
        let mut content = Vec::new();
        let after = records(inner, &mut content);
        put_len_field(out, number, &content);
        return after.strip_prefix('}').expect("a closing brace");
    }
    if let Some(inner) = text.strip_prefix('[') {
        let (list, after) = inner.split_once(']').expect("a closing bracket");
        let mut content = Vec::new();
        for item in list.split_whitespace() {
            put_varint(&mut content, integer(item));
        }
        put_len_field(out, number, &content);
        return after;
    }
    let end = text.find([' ', '}']).unwrap_or(text.len());
    let (token, after) = text.split_at(end);
    if let Some(value) = token.strip_suffix("i32") {
        put_tag(out, number, WireType::Fixed32);
        let bits = if value.contains('.') {
            value.parse::<f32>().expect("a float").to_bits()
        } else {
            integer(value) as u32
        };
        out.extend(bits.to_le_bytes());
    } else if let Some(value) = token.strip_suffix("i64") {
        put_tag(out, number, WireType::Fixed64);
        let bits = if value.contains('.') {
            value.parse::<f64>().expect("a double").to_bits()
        } else {
            integer(value)
        };
        out.extend(bits.to_le_bytes());
    } else {
        put_tag(out, number, WireType::Varint);
        put_varint(out, integer(token));
    }
    after
}

fn integer(text: &str) -> u64 {
    text.parse::<i64>()
        .map(|value| value as u64)
        .or_else(|_error| text.parse::<u64>())
        .expect("an integer")
}
