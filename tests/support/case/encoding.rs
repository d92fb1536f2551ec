//! What is compressed: envelopes that are sent, and what answers hold, chunk by chunk or envelope
//! by envelope.

use bytes::Bytes;
use data_encoding::BASE64;
use http::header::CONTENT_ENCODING;
use serde_json::Value;
use sidegate::wire::compress::{Decompressor, Encoding, compress, decompress};
use sidegate::wire::frame;

use super::Gets;
use crate::support::client::{Answer, End};
use crate::support::schema;

/// Before a message stand a flag and four bytes of its length.
const PREFIX: usize = 5;

/// `{envelope: message, packed: gzip, text: true}`: a message, a text or `{hex: bytes}`, in its
/// envelope; compressed, and in base64, where that is said.
pub(super) fn envelope(step: &Value) -> Result<Bytes, String> {
    let (message, packed) = compressed(step, "envelope")?;
    let flag = u8::from(packed != Encoding::Identity);
    let whole = frame::frame(flag, &message);
    let whole = whole.map_err(|error| error.to_string())?;
    Ok(match step["text"] {
        Value::Bool(true) => BASE64.encode(&whole).into(),
        _ => whole,
    })
}

/// `{bare: message, packed: gzip}`: the same without an envelope.
pub(super) fn bare(step: &Value) -> Result<Bytes, String> {
    compressed(step, "bare").map(|(message, _)| message)
}

fn compressed(step: &Value, key: &str) -> Result<(Bytes, Encoding), String> {
    let message = match (&step[key], &step[key]["hex"]) {
        (Value::String(text), _) => Bytes::from(text.clone()),
        (_, Value::String(hex)) => schema::from_hex(hex)?.into(),
        (other, _) => return Err(format!("{other} is no message")),
    };
    let packed = match &step["packed"] {
        Value::Null => Encoding::Identity,
        name => named(name.as_str().unwrap_or_default())?,
    };
    Ok((compress(packed, &message), packed))
}

fn named(name: &str) -> Result<Encoding, String> {
    Encoding::parse(name.as_bytes()).ok_or_else(|| format!("the encoding {name:?} is not known"))
}

/// The answer as it was before anything was compressed: the body by `encoding`, the messages in its
/// envelopes by `packed`.
pub(super) fn undone(answer: Answer, gets: &Gets) -> Result<Answer, String> {
    let answer = whole(answer, gets.encoding.as_deref())?;
    match &gets.packed {
        Some(expected) => opened(answer, expected),
        None => Ok(answer),
    }
}

/// Every envelope whose message is compressed, at least one, becomes one whose is not.
fn opened(mut answer: Answer, expected: &str) -> Result<Answer, String> {
    let encoding = named(expected)?;
    let said = ["grpc-encoding", "connect-content-encoding"].map(|name| answer.headers.get(name));
    if !said.into_iter().flatten().any(|said| said == expected) {
        return Err(format!("expected messages in {expected}, got {said:?}"));
    }
    let body = answer.body();
    let text = body.iter().all(|byte| (b'+'..=b'z').contains(byte));
    let body = if text { unquoted(&body)? } else { body };
    let (mut rest, mut plain, mut count) = (body.as_slice(), Vec::new(), 0);
    while let Some((prefix, after)) = rest.split_at_checked(PREFIX) {
        let [flag, length @ ..] = prefix.try_into().unwrap_or([0; PREFIX]);
        let length = u32::from_be_bytes(length) as usize;
        let cut = after.split_at_checked(length);
        let (message, after) = cut.ok_or("an envelope is cut short")?;
        let mut message = Bytes::copy_from_slice(message);
        if flag & 1 == 1 {
            count += 1;
            message =
                decompress(encoding, &message, 64 << 20).map_err(|error| error.to_string())?;
        }
        let envelope = frame::frame(flag & !1, &message).map_err(|error| error.to_string())?;
        plain.extend_from_slice(&envelope);
        rest = after;
    }
    if count == 0 {
        return Err("no message is compressed".to_owned());
    }
    answer.chunks = vec![plain.into()];
    Ok(answer)
}

/// Base64 that may be padded after any four letters.
fn unquoted(text: &[u8]) -> Result<Vec<u8>, String> {
    BASE64.decode(text).map_err(|error| error.to_string())
}

/// The answer with its body as it was before it was compressed by the encoding named.
fn whole(mut answer: Answer, expected: Option<&str>) -> Result<Answer, String> {
    let Some(expected) = expected else {
        return Ok(answer);
    };
    let encoding = named(expected)?;
    let said = answer.headers.get(CONTENT_ENCODING);
    if said.is_none_or(|said| said != expected) {
        return Err(format!("expected the encoding {expected}, got {said:?}"));
    }
    let wrong = |error| format!("the body is not {expected}: {error}");
    let mut decompressor = Decompressor::new(encoding, 64 << 20);
    let mut plain = Vec::new();
    for chunk in &answer.chunks {
        let chunk = decompressor.write(chunk).map_err(wrong)?;
        if !chunk.is_empty() {
            plain.push(chunk);
        }
    }
    match (&answer.end, decompressor.finish()) {
        (End::Clean, rest) => {
            let rest = rest.map_err(wrong)?;
            plain.extend((!rest.is_empty()).then_some(rest));
        }
        (_, Ok(_)) => return Err("a body that was cut off ends as if it were whole".to_owned()),
        (_, Err(_)) => {}
    }
    answer.chunks = plain;
    Ok(answer)
}
