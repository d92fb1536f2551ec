//! WebSocket's frames (RFC 6455): sans-IO, a server's side.
//!
//! ```text
//! frame   = fin:1 rsv:3 opcode:4 mask:1 length:7 [ length:16 / length:64 ] [ key:32 ] payload
//! message = a text or binary frame, then continuation frames, the last with fin
//! ```
//!
//! [`Decoder`] takes bytes as they come and yields whole messages and control frames. It holds no
//! more than one message of at most its limit, looked at before there is room for it. Extensions
//! are never agreed on, so that the three reserved bits are always wrong.
//!
//! ```
//! use sidegate::wire::websocket::{Decoder, Event, accept_key};
//!
//! assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
//! let mut decoder = Decoder::new(1024);
//! let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
//! let (event, used) = decoder.advance(&hello).unwrap();
//! assert_eq!((event, used), (Some(Event::Text("Hello".into())), hello.len()));
//! ```

mod decode;
mod sha1;

use std::fmt;

use bytes::Bytes;
use data_encoding::BASE64;

pub use decode::Decoder;

/// The longest payload of a control frame.
pub const CONTROL_BYTES: usize = 125;

/// The longest text that a close frame has room for besides its code.
pub const REASON_BYTES: usize = CONTROL_BYTES - 2;

/// What a client has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message of text, valid UTF-8.
    Text(Bytes),
    /// A message of bytes.
    Binary(Bytes),
    /// Wants a pong with the same payload.
    Ping(Bytes),
    /// Answers a ping, or says without being asked that it lives.
    Pong,
    /// Says goodbye, perhaps with a code; nothing follows.
    Close(Option<u16>),
}

/// What a client must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A frame is not as it has to be.
    Protocol(&'static str),
    /// Text that is no UTF-8.
    NotUtf8,
    /// A message is longer than the limit.
    TooLarge,
}

impl Violation {
    /// The close code that tells of it.
    pub fn close_code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::NotUtf8 => 1007,
            Self::TooLarge => 1009,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Protocol(what) => what,
            Self::NotUtf8 => "a text message is not valid UTF-8",
            Self::TooLarge => "a message is over the limit",
        })
    }
}

/// What is sent to a client in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A message of text, which has to be UTF-8.
    Text = 1,
    /// A message of bytes.
    Binary = 2,
    /// Goodbye.
    Close = 8,
    /// Wants a pong.
    Ping = 9,
    /// Answers a ping.
    Pong = 10,
}

/// The most bytes of a frame before its payload.
pub const HEAD_BYTES: usize = 10;

/// Writes a frame around what stands behind the first [`HEAD_BYTES`] bytes of `frame`, which
/// were left free for it; where the frame begins.
pub fn seal(opcode: Opcode, frame: &mut [u8]) -> usize {
    let length = frame.len().saturating_sub(HEAD_BYTES);
    let mut head = [0; HEAD_BYTES];
    let (short, long): (u8, &[u8]) = match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if usize::from(short) <= CONTROL_BYTES => (short, &[]),
        (_, Ok(long)) => (126, &long.to_be_bytes()),
        _ => (127, &(length as u64).to_be_bytes()),
    };
    let begins = HEAD_BYTES - 2 - long.len();
    let bytes = [0x80 | opcode as u8, short].into_iter();
    for (place, byte) in head
        .iter_mut()
        .skip(begins)
        .zip(bytes.chain(long.iter().copied()))
    {
        *place = byte;
    }
    for (place, byte) in frame.iter_mut().zip(head) {
        *place = byte;
    }
    begins
}

/// A frame with this payload.
pub fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(HEAD_BYTES + payload.len());
    frame.resize(HEAD_BYTES, 0);
    frame.extend_from_slice(payload);
    let begins = seal(opcode, &mut frame);
    Bytes::from(frame).slice(begins..)
}

/// A close frame; of the reason goes what there is room for.
pub fn close(code: u16, reason: &str) -> Bytes {
    let mut end = reason.len().min(REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.get(..end).unwrap_or_default().as_bytes());
    frame(Opcode::Close, &payload)
}

/// What `Sec-WebSocket-Accept` says to a key.
pub fn accept_key(key: &[u8]) -> String {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    BASE64.encode(&sha1::digest(&[key, GUID].concat()))
}

/// Whether a key is what RFC 6455 demands: sixteen bytes in base64.
pub fn is_key(key: &[u8]) -> bool {
    BASE64.decode(key).is_ok_and(|key| key.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_shortest_length() {
        for (length, head) in [
            (0, &[0x82, 0][..]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (65_535, &[0x82, 126, 255, 255]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = frame(Opcode::Binary, &vec![7; length]);
            assert!(frame.starts_with(head), "{length}");
            assert_eq!(frame.len(), head.len() + length);
        }
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        let frame = close(4005, &"\u{e9}".repeat(100));
        assert_eq!(frame.len(), 2 + 2 + 122);
        assert_eq!(frame.get(..4), Some(&[0x88, 124, 15, 165][..]));
        assert_eq!(close(1000, ""), &[0x88, 2, 3, 232][..]);
    }

    #[test]
    fn keys() {
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        for wrong in [
            &b""[..],
            b"AAAA",
            b"dGhlIHNhbXBsZSBub25jZQ",
            b"not base64 at all!!!",
        ] {
            assert!(!is_key(wrong));
        }
    }
}
