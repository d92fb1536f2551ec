//! The messages of the forward protocol as MessagePack.
//!
//! Source: msgpack/msgpack `spec.md`; EventTime is extension 0 of eight bytes, seconds and
//! nanoseconds.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

use crate::telemetry::clock::{Clock, parse_moment};

/// Appends a message of lines.
pub(super) fn message(tag: &str, lines: &[&[u8]], chunk: &str, out: &mut Vec<u8>) {
    array(3, out);
    text(tag, out);
    array(lines.len(), out);
    for line in lines {
        entry(line, out);
    }
    map(2, out);
    text("chunk", out);
    text(chunk, out);
    text("size", out);
    unsigned(lines.len() as u64, out);
}

fn entry(line: &[u8], out: &mut Vec<u8>) {
    array(2, out);
    match serde_json::from_slice(line) {
        Ok(Value::Object(members)) => {
            let told = members.get("time").and_then(Value::as_str);
            event_time(told.and_then(parse_moment), out);
            value(&Value::Object(members), out);
        }
        // What an application prints may be anything.
        _ => {
            event_time(None, out);
            map(1, out);
            text("log", out);
            text(&String::from_utf8_lossy(line), out);
        }
    }
}

/// The time of a record; now when it tells none.
fn event_time(since: Option<Duration>, out: &mut Vec<u8>) {
    let since = since.unwrap_or_else(|| {
        let now = (Clock::system().wall)();
        now.duration_since(UNIX_EPOCH).unwrap_or_default()
    });
    out.extend_from_slice(&[0xd7, 0]);
    let seconds = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
    out.extend_from_slice(&seconds.to_be_bytes());
    out.extend_from_slice(&since.subsec_nanos().to_be_bytes());
}

/// JSON that was parsed, whose depth its parser bounds.
fn value(of: &Value, out: &mut Vec<u8>) {
    match of {
        Value::Null => out.push(0xc0),
        Value::Bool(false) => out.push(0xc2),
        Value::Bool(true) => out.push(0xc3),
        Value::Number(number) => {
            if let Some(number) = number.as_u64() {
                unsigned(number, out);
            } else if let Some(number) = number.as_i64() {
                out.push(0xd3);
                out.extend_from_slice(&number.to_be_bytes());
            } else {
                out.push(0xcb);
                out.extend_from_slice(&number.as_f64().unwrap_or_default().to_be_bytes());
            }
        }
        Value::String(string) => text(string, out),
        Value::Array(items) => {
            array(items.len(), out);
            items.iter().for_each(|item| value(item, out));
        }
        Value::Object(members) => {
            map(members.len(), out);
            for (name, member) in members {
                text(name, out);
                value(member, out);
            }
        }
    }
}

fn unsigned(number: u64, out: &mut Vec<u8>) {
    match u8::try_from(number) {
        Ok(small @ 0..0x80) => out.push(small),
        _ => {
            out.push(0xcf);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

fn text(string: &str, out: &mut Vec<u8>) {
    match (u8::try_from(string.len()), u16::try_from(string.len())) {
        (Ok(length @ 0..32), _) => out.push(0xa0 | length),
        (Ok(length), _) => out.extend_from_slice(&[0xd9, length]),
        (_, Ok(length)) => {
            out.push(0xda);
            out.extend_from_slice(&length.to_be_bytes());
        }
        // Lines are bounded far below this.
        _ => long(0xdb, string.len(), out),
    }
    out.extend_from_slice(string.as_bytes());
}

fn array(length: usize, out: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(length @ 0..16) => out.push(0x90 | length),
        _ => long(0xdd, length, out),
    }
}

fn map(length: usize, out: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(length @ 0..16) => out.push(0x80 | length),
        _ => long(0xdf, length, out),
    }
}

fn long(kind: u8, length: usize, out: &mut Vec<u8>) {
    out.push(kind);
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
}
