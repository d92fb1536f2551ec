//! `google.api.HttpBody`: bytes of any kind, taken out of a message and put into one (S8).
//!
//! Nothing is copied on the way out: the content is a part of the message's own bytes.

use super::proto::{Malformed, Raw, Reader, put_len_field};

const CONTENT_TYPE: u32 = 1;
const DATA: u32 = 2;

/// What an `HttpBody` holds, besides extensions, which have no place in HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HttpBody<'w> {
    /// The media type; empty when none is set.
    pub content_type: &'w [u8],
    /// The content.
    pub data: &'w [u8],
}

/// The message is none; the application sent it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMessage(Malformed);

impl std::fmt::Display for NoMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.describe())
    }
}

impl<'w> HttpBody<'w> {
    /// Reads an encoded `HttpBody`, or the one in the field `within` of an encoded message. What
    /// stands there several times counts as protobuf has it: the last one wins.
    pub fn read(wire: &'w [u8], within: Option<u32>) -> Result<Self, NoMessage> {
        let mut body = Self::default();
        match within {
            None => body.merge(wire),
            Some(field) => each(wire, |number, value| match value {
                Raw::Len(content) if number == field => body.merge(content),
                _ => Ok(()),
            }),
        }
        .map_err(NoMessage)?;
        Ok(body)
    }

    fn merge(&mut self, wire: &'w [u8]) -> Result<(), Malformed> {
        each(wire, |number, value| {
            match (number, value) {
                (CONTENT_TYPE, Raw::Len(content)) => self.content_type = content,
                (DATA, Raw::Len(content)) => self.data = content,
                _ => {}
            }
            Ok(())
        })
    }

    /// Appends its encoded form to `out`, as the field `within` of a message if there is one.
    pub fn write(&self, within: Option<u32>, out: &mut Vec<u8>) {
        const MOST_OVERHEAD: usize = 16;
        let Some(field) = within else {
            self.put(out);
            return;
        };
        let length = self.content_type.len() + self.data.len() + MOST_OVERHEAD;
        let mut message = Vec::with_capacity(length);
        self.put(&mut message);
        put_len_field(out, field, &message);
    }

    fn put(&self, out: &mut Vec<u8>) {
        for (number, content) in [(CONTENT_TYPE, self.content_type), (DATA, self.data)] {
            if !content.is_empty() {
                put_len_field(out, number, content);
            }
        }
    }
}

fn each<'w>(
    wire: &'w [u8],
    mut take: impl FnMut(u32, Raw<'w>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut reader = Reader::new(wire);
    while !reader.is_empty() {
        let (number, wire_type) = reader.tag()?;
        let value = reader.value(number, wire_type)?;
        take(number, value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: HttpBody<'_> = HttpBody {
        content_type: b"text/css",
        data: b"a { }",
    };

    #[test]
    fn s8_what_is_written_is_read_back() {
        for within in [None, Some(1), Some(3_000)] {
            for body in [
                BODY,
                HttpBody::default(),
                HttpBody {
                    content_type: b"",
                    ..BODY
                },
            ] {
                let mut wire = Vec::new();
                body.write(within, &mut wire);
                assert_eq!(HttpBody::read(&wire, within), Ok(body), "{within:?}");
            }
        }
    }

    #[test]
    fn s8_the_last_of_several_wins_and_the_rest_is_passed_over() {
        let mut wire = b"\x0a\x01x\x18\x05\x12\x01y".to_vec();
        BODY.write(None, &mut wire);
        assert_eq!(HttpBody::read(&wire, None), Ok(BODY));
        // In pieces: the type in one, the data in the other, as a merged message has them.
        let pieces = b"\x22\x04\x0a\x02ab\x08\x01\x22\x03\x12\x01c";
        let merged = HttpBody {
            content_type: b"ab",
            data: b"c",
        };
        assert_eq!(HttpBody::read(pieces, Some(4)), Ok(merged));
        assert_eq!(HttpBody::read(pieces, Some(1)), Ok(HttpBody::default()));
    }

    #[test]
    fn s8_what_is_no_message_is_refused() {
        for wire in [&b"\x0a"[..], b"\x0a\x05a", b"\x00", b"\x22\x02\x0a\x05"] {
            let within = (wire[0] == 0x22).then_some(4);
            assert!(HttpBody::read(wire, within).is_err(), "{wire:?}");
        }
    }
}
