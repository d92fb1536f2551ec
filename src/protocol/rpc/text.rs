//! Bodies of gRPC-Web text: base64 of whatever was flushed together, so that padding may stand at
//! the end of any piece.
//!
//! Source: grpc/grpc `doc/PROTOCOL-WEB.md`.

use std::fmt;

use bytes::Bytes;
use data_encoding::BASE64;

/// Four letters are three bytes.
const QUAD: usize = 4;

/// A text is no base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) struct BadText;

impl fmt::Display for BadText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body is not base64")
    }
}

/// Decodes a text piece by piece; where it is cut does not matter.
#[derive(Debug, Default)]
pub(in crate::protocol) struct Decoder {
    /// The beginning of four letters.
    begun: Vec<u8>,
}

impl Decoder {
    /// The bytes that the next piece completes.
    pub(in crate::protocol) fn decode(&mut self, piece: &[u8]) -> Result<Bytes, BadText> {
        let mut out = Vec::with_capacity(piece.len() / QUAD * 3 + 3);
        let missing = match self.begun.len() {
            0 => 0,
            begun => (QUAD - begun).min(piece.len()),
        };
        let (first, rest) = piece.split_at(missing);
        self.begun.extend_from_slice(first);
        if self.begun.len() == QUAD {
            append(&self.begun, &mut out)?;
            self.begun.clear();
        }
        let (whole, left) = rest.split_at(rest.len() / QUAD * QUAD);
        append(whole, &mut out)?;
        self.begun.extend_from_slice(left);
        Ok(out.into())
    }

    /// No piece will follow.
    pub(in crate::protocol) fn finish(&self) -> Result<(), BadText> {
        if self.begun.is_empty() {
            Ok(())
        } else {
            Err(BadText)
        }
    }
}

/// Decodes whole fours, any of which may be padded.
fn append(text: &[u8], out: &mut Vec<u8>) -> Result<(), BadText> {
    if !text.is_empty() {
        out.extend(BASE64.decode(text).map_err(|_position| BadText)?);
    }
    Ok(())
}

/// One piece of text.
pub(in crate::protocol) fn encode(bytes: &[u8]) -> Bytes {
    BASE64.encode(bytes).into()
}

/// A size of pieces, then a body in text, as a fuzzer makes it up. It panics when pieces change what
/// the text means, or bytes do not survive.
pub fn feed(data: &[u8]) {
    let Some((size, text)) = data.split_first() else {
        return;
    };
    let read = |size: usize| {
        let mut decoder = Decoder::default();
        let pieces = text.chunks(size.max(1)).map(|piece| decoder.decode(piece));
        let bytes: Result<Vec<Bytes>, BadText> = pieces.collect();
        bytes.and_then(|bytes| decoder.finish().map(|()| bytes.concat()))
    };
    assert_eq!(read(text.len()), read(usize::from(*size)), "in pieces");
    let mut decoder = Decoder::default();
    let back = decoder.decode(&encode(text));
    assert_eq!(back.as_deref(), Ok(text), "there and back");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<Vec<u8>, BadText> {
        let mut decoder = Decoder::default();
        let mut out = Vec::new();
        for piece in pieces {
            out.extend_from_slice(&decoder.decode(piece)?);
        }
        decoder.finish()?;
        Ok(out)
    }

    #[test]
    fn padding_may_stand_anywhere_between_pieces() {
        assert_eq!(decode(&[b"YQ==YmM=ZGVm"]), Ok(b"abcdef".to_vec()));
        assert_eq!(decode(&[b"YQ=", b"=Y", b"mM=ZGVm"]), Ok(b"abcdef".to_vec()));
        assert_eq!(decode(&[b""]), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in [
            "YQ", "Y===", "====", "YQ==Y", "!!!!", "YW Jj", "YWJj\n", "Y=Q=", "YW-_",
        ] {
            assert_eq!(decode(&[text.as_bytes()]), Err(BadText), "{text}");
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(chunks: Vec<Vec<u8>>, cuts: Vec<prop::sample::Index>) {
            let text: Vec<u8> = chunks.iter().flat_map(|chunk| encode(chunk).to_vec()).collect();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            at.sort_unstable();
            at.push(text.len());
            let mut pieces = Vec::new();
            let mut from = 0;
            for to in at {
                pieces.push(&text[from..to]);
                from = to;
            }
            prop_assert_eq!(decode(&pieces), Ok(chunks.concat()));
        }

        #[test]
        fn nothing_panics_and_cuts_change_nothing(junk: Vec<u8>, cut: prop::sample::Index) {
            let whole = decode(&[&junk]);
            let (first, second) = junk.split_at(cut.index(junk.len() + 1));
            prop_assert_eq!(decode(&[first, second]), whole);
        }
    }
}
