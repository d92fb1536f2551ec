//! Answers that are compressed: what they hold, chunk by chunk.

use http::header::CONTENT_ENCODING;
use sidegate::wire::compress::{Decompressor, Encoding};

use crate::support::client::{Answer, End};

/// The answer with its body as it was before it was compressed by the encoding named.
pub(super) fn undone(mut answer: Answer, expected: Option<&str>) -> Result<Answer, String> {
    let Some(expected) = expected else {
        return Ok(answer);
    };
    let encoding = Encoding::parse(expected.as_bytes()).ok_or("`encoding` is not known")?;
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
