//! HTTP/2 frames: the head, and what lies around the content (RFC 9113, sections 4 and 6).
//!
//! Nothing here does I/O or keeps state.
//!
//! ```text
//! frame   = length(24) kind(8) flags(8) stream(32) payload
//! payload = [ pad-length(8) ] [ priority(40) ] content padding
//! ```

use std::fmt;

use h2::Reason;

/// Bytes of a head.
pub(super) const HEAD_BYTES: usize = 9;

/// The longest payload that both sides take without having said so; we never say otherwise.
pub(super) const MAX_PAYLOAD: usize = 16_384;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

/// Flag of DATA and HEADERS.
pub(super) const END_STREAM: u8 = 0x01;
/// Flag of SETTINGS and PING.
pub(super) const ACK: u8 = 0x01;
/// Flag of HEADERS and CONTINUATION.
pub(super) const END_HEADERS: u8 = 0x04;
/// Flag of DATA and HEADERS.
pub(super) const PADDED: u8 = 0x08;
/// Flag of HEADERS.
pub(super) const WITH_PRIORITY: u8 = 0x20;

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of the payload; 24 bits.
    pub(super) len: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// 31 bits; 0 is the connection.
    pub(super) stream: u32,
}

/// The far side broke the protocol in a way that ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) reason: Reason,
    /// For the log.
    pub(super) what: &'static str,
}

impl Head {
    /// Reads a head; `None` when not all of it is there.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<HEAD_BYTES>()?;
        Some(Self {
            len: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes(stream) & !(1 << 31),
        })
    }

    /// Writes the head. A length beyond 24 bits is cut, so nobody may ask for one.
    pub(super) fn encode(self) -> [u8; HEAD_BYTES] {
        let [.., a, b, c] = self.len.to_be_bytes();
        let [d, e, f, g] = self.stream.to_be_bytes();
        [a, b, c, self.kind, self.flags, d, e, f, g]
    }

    pub(super) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The content of a DATA or HEADERS frame: its payload without padding and priority.
pub(super) fn content(head: Head, payload: &[u8]) -> Result<&[u8], Broken> {
    let mut rest = payload;
    let mut padding = 0;
    if head.has(PADDED) {
        let (length, after) = rest.split_first().ok_or(TOO_SHORT)?;
        (padding, rest) = (usize::from(*length), after);
    }
    if head.kind == HEADERS && head.has(WITH_PRIORITY) {
        const PRIORITY_BYTES: usize = 5;
        rest = rest.get(PRIORITY_BYTES..).ok_or(TOO_SHORT)?;
    }
    let end = rest.len().checked_sub(padding);
    end.and_then(|end| rest.get(..end)).ok_or(Broken {
        reason: Reason::PROTOCOL_ERROR,
        what: "a frame has more padding than payload",
    })
}

/// The payload of a frame that has one number of 31 or 32 bits and nothing else.
pub(super) fn number(payload: &[u8]) -> Result<u32, Broken> {
    <[u8; 4]>::try_from(payload)
        .map(u32::from_be_bytes)
        .map_err(|_other_length| WRONG_LENGTH)
}

/// The settings of a SETTINGS frame: identifiers and values.
pub(super) fn settings(payload: &[u8]) -> Result<impl Iterator<Item = (u16, u32)>, Broken> {
    let (settings, rest) = payload.as_chunks::<6>();
    if !rest.is_empty() {
        return Err(WRONG_LENGTH);
    }
    Ok(settings.iter().map(|[a, b, c, d, e, f]| {
        (
            u16::from_be_bytes([*a, *b]),
            u32::from_be_bytes([*c, *d, *e, *f]),
        )
    }))
}

/// The last stream and the reason of a GOAWAY frame.
pub(super) fn go_away(payload: &[u8]) -> Result<(u32, Reason), Broken> {
    let [a, b, c, d, e, f, g, h] = *payload.first_chunk::<8>().ok_or(WRONG_LENGTH)?;
    let last = u32::from_be_bytes([a, b, c, d]) & !(1 << 31);
    Ok((last, Reason::from(u32::from_be_bytes([e, f, g, h]))))
}

/// The payload of a frame has another length than its kind has.
pub(super) const WRONG_LENGTH: Broken = Broken {
    reason: Reason::FRAME_SIZE_ERROR,
    what: "the payload of a frame has the wrong length",
};

const TOO_SHORT: Broken = Broken {
    reason: Reason::FRAME_SIZE_ERROR,
    what: "a frame is too short for its flags",
};

impl Broken {
    pub(super) fn protocol(what: &'static str) -> Self {
        Self {
            reason: Reason::PROTOCOL_ERROR,
            what,
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.what, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(kind: u8, flags: u8) -> Head {
        Head {
            len: 0,
            kind,
            flags,
            stream: 1,
        }
    }

    #[test]
    fn contents() {
        let check = |kind, flags, payload: &[u8], expected: Option<&[u8]>| {
            assert_eq!(content(head(kind, flags), payload).ok(), expected);
        };
        check(DATA, 0, b"abc", Some(b"abc"));
        check(DATA, WITH_PRIORITY, b"abc", Some(b"abc"));
        check(DATA, PADDED, b"\x02a\0\0", Some(b"a"));
        check(DATA, PADDED, b"\x03a\0\0", Some(b""));
        check(DATA, PADDED, b"\x04a\0\0", None);
        check(DATA, PADDED, b"", None);
        check(HEADERS, WITH_PRIORITY, b"\0\0\0\0\x10abc", Some(b"abc"));
        check(HEADERS, WITH_PRIORITY, b"\0\0\0\0", None);
        let both = PADDED | WITH_PRIORITY;
        check(HEADERS, both, b"\x01\0\0\0\0\x10abc\0", Some(b"abc"));
        check(HEADERS, both, b"\x05\0\0\0\0\x10abc\0", None);
    }

    #[test]
    fn lengths_are_checked() {
        assert_eq!(number(b"\0\0\0\x05"), Ok(5));
        assert_eq!(number(b"\0\0\0"), Err(WRONG_LENGTH));
        assert!(settings(b"\0\x01\0\0\0\x05\0").is_err());
        let pairs: Vec<_> = settings(b"\0\x01\0\0\0\x05\0\x03\0\0\x01\0")
            .unwrap()
            .collect();
        assert_eq!(pairs, [(1, 5), (3, 256)]);
        assert_eq!(
            go_away(b"\x80\0\0\x01\0\0\0\x02text"),
            Ok((1, Reason::INTERNAL_ERROR))
        );
        assert_eq!(go_away(b"\0\0\0\x01\0\0\0"), Err(WRONG_LENGTH));
    }

    proptest! {
        #[test]
        fn heads_come_back(len in 0_usize..1 << 24, kind: u8, flags: u8, stream in 0_u32..1 << 31) {
            let head = Head { len, kind, flags, stream };
            let bytes = head.encode();
            prop_assert_eq!(Head::parse(&bytes), Some(head));
            prop_assert_eq!(Head::parse(&bytes[..8]), None);
        }

        #[test]
        fn no_payload_is_too_odd(kind: u8, flags: u8, payload: Vec<u8>) {
            if let Ok(content) = content(head(kind, flags), &payload) {
                prop_assert!(content.len() <= payload.len());
            }
        }
    }
}
