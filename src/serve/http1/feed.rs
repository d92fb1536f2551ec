//! Any bytes as what a client sends: for tests and fuzzers.

use bytes::BytesMut;

use super::decode::{Decoder, Item};
use super::head::{self, Limits, Stop};

const LIMITS: Limits = Limits {
    bytes: 1 << 10,
    fields: 20,
};

/// Plays a client that sends `data`; an odd first byte has it sent in pieces of that size too. It
/// panics when it then means something else.
pub fn feed(data: &[u8]) {
    let Some((size, data)) = data.split_first() else {
        return;
    };
    let whole = understand(data, data.len().max(1));
    if size % 2 == 1 {
        let pieces = understand(data, usize::from(*size));
        assert_eq!(whole, pieces, "in pieces of {size}");
    }
}

/// What some bytes mean: heads and bodies, and the word that they end with.
fn understand(data: &[u8], size: usize) -> Vec<String> {
    let mut said = Vec::new();
    let mut buffer = BytesMut::new();
    let mut body = Decoder::done();
    let mut content = Vec::new();
    for piece in data.chunks(size) {
        buffer.extend_from_slice(piece);
        loop {
            let step = if body.is_done() {
                head(&mut buffer, &mut body)
            } else {
                rest(&mut buffer, &mut body, &mut content)
            };
            match step {
                Ok(Some(word)) => said.push(word),
                Ok(None) => break,
                Err(word) => {
                    said.push(word);
                    return said;
                }
            }
        }
    }
    said.push(String::from_utf8_lossy(&content).into_owned());
    said
}

fn head(buffer: &mut BytesMut, body: &mut Decoder) -> Result<Option<String>, String> {
    match head::parse(buffer, LIMITS) {
        Ok(head) => {
            *body = Decoder::new(head.framing);
            Ok(Some(format!("{head:?}")))
        }
        Err(Stop::More) => Ok(None),
        Err(stop) => Err(format!("{stop:?}")),
    }
}

fn rest(
    buffer: &mut BytesMut,
    body: &mut Decoder,
    content: &mut Vec<u8>,
) -> Result<Option<String>, String> {
    loop {
        match body.next(buffer, LIMITS) {
            Ok(Item::Data(data)) => {
                assert!(!data.is_empty(), "nothing is no data");
                content.extend_from_slice(&data);
                if body.is_done() {
                    return Ok(Some(format!("{:?}", std::mem::take(content))));
                }
            }
            Ok(Item::Trailers(trailers)) => {
                return Ok(Some(format!("{:?} {trailers:?}", std::mem::take(content))));
            }
            Ok(Item::End) => return Ok(Some(format!("{:?}", std::mem::take(content)))),
            Ok(Item::More) => {
                assert!(
                    buffer.is_empty() || matches!(body, Decoder::Chunked(..)),
                    "what is there is taken"
                );
                return Ok(None);
            }
            Err(wrong) => return Err(format!("{content:?} {wrong:?}")),
        }
    }
}
