//! Length-prefixed messages: one flag byte, four bytes of length (big endian), the message.
//!
//! gRPC, gRPC-Web and Connect streams share the form and differ in the flags they allow. Chunk
//! boundaries mean nothing: [`Deframer`] takes messages out of chunks, [`Follower`] only keeps
//! count while the chunks pass by. Both know a message's size from its prefix, and refuse it
//! before a byte of it is stored.
//!
//! Source: grpc/grpc `doc/PROTOCOL-HTTP2.md`, "Length-Prefixed-Message"; `doc/PROTOCOL-WEB.md`;
//! the Connect protocol's "Enveloped-Message".
//!
//! ```
//! use sidegate::wire::frame::{self, Deframer, Rules};
//!
//! let mut deframer = Deframer::new(Rules::grpc(1024));
//! deframer.push(frame::frame(0, b"hello").unwrap());
//! assert_eq!(deframer.next().unwrap().unwrap().payload, "hello");
//! assert_eq!(deframer.next(), Ok(None));
//! assert_eq!(deframer.finish(), Ok(()));
//! ```

mod deframer;
mod follower;
#[cfg(test)]
mod tests;

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

pub use deframer::{Deframer, Message};
pub use follower::Follower;

/// Bytes before every message.
pub const HEADER_BYTES: usize = 5;

/// Flag: the message is compressed by the encoding of the stream.
pub const COMPRESSED: u8 = 0x01;

/// Flag of Connect streams: the message is the end of the stream.
pub const END_STREAM: u8 = 0x02;

/// Flag of gRPC-Web: the message is the trailers.
pub const TRAILERS: u8 = 0x80;

/// What frames a stream may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The most bytes of one message, as it stands on the wire.
    pub limit: usize,
    /// The flags that may be set.
    pub flags: u8,
}

/// Why a stream of frames is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A message is announced that is larger than the limit.
    TooLarge {
        /// Its size.
        len: usize,
        /// What is allowed.
        limit: usize,
    },
    /// A flag is set that the stream may not have.
    BadFlag {
        /// The whole flag byte.
        flag: u8,
    },
    /// The stream ended within a message.
    Truncated,
}

impl Rules {
    /// Of a gRPC stream.
    pub fn grpc(limit: usize) -> Self {
        Self {
            limit,
            flags: COMPRESSED,
        }
    }

    /// Of a gRPC-Web body.
    pub fn grpc_web(limit: usize) -> Self {
        Self {
            limit,
            flags: COMPRESSED | TRAILERS,
        }
    }

    /// Of a Connect stream.
    pub fn connect(limit: usize) -> Self {
        Self {
            limit,
            flags: COMPRESSED | END_STREAM,
        }
    }
}

impl std::error::Error for FrameError {}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { len, limit } => {
                write!(f, "a message of {len} bytes is over the limit of {limit}")
            }
            Self::BadFlag { flag } => write!(f, "the frame flag 0x{flag:02x} is not known"),
            Self::Truncated => f.write_str("the stream ends within a message"),
        }
    }
}

/// The prefix of a message of `len` bytes.
pub fn encode_header(flag: u8, len: u32) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = len.to_be_bytes();
    [flag, a, b, c, d]
}

/// A message with its prefix, copied into one piece.
///
/// Only a message beyond what four bytes can count is an error.
pub fn frame(flag: u8, message: &[u8]) -> Result<Bytes, FrameError> {
    let Ok(len) = u32::try_from(message.len()) else {
        return Err(FrameError::TooLarge {
            len: message.len(),
            limit: u32::MAX as usize,
        });
    };
    let mut out = BytesMut::with_capacity(HEADER_BYTES + message.len());
    out.put_slice(&encode_header(flag, len));
    out.put_slice(message);
    Ok(out.freeze())
}

/// A prefix that is read bit by bit.
#[derive(Clone, Copy, Debug, Default)]
struct Prefix {
    bytes: [u8; HEADER_BYTES],
    filled: usize,
}

/// A prefix that was read and allowed.
#[derive(Clone, Copy, Debug)]
struct Announced {
    flag: u8,
    len: usize,
}

impl Prefix {
    /// Whether nothing of a prefix was read yet.
    fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Reads from the front of `data`; returns how much it took and, once complete, what was
    /// announced, being empty again then. The flag is judged as soon as it is there, so that the
    /// outcome does not depend on how the bytes were cut.
    #[inline]
    fn read(
        &mut self,
        rules: Rules,
        data: &[u8],
    ) -> Result<(usize, Option<Announced>), FrameError> {
        // Nearly every prefix is there in one piece.
        if self.filled == 0
            && let Some(whole) = data.first_chunk()
        {
            return Ok((HEADER_BYTES, Some(Announced::judge(*whole, rules)?)));
        }
        let mut taken = 0;
        for (place, byte) in self.bytes.iter_mut().skip(self.filled).zip(data) {
            *place = *byte;
            taken += 1;
        }
        self.filled += taken;
        let [flag, ..] = self.bytes;
        if self.filled > 0 && flag & !rules.flags != 0 {
            return Err(FrameError::BadFlag { flag });
        }
        if self.filled < HEADER_BYTES {
            return Ok((taken, None));
        }
        let announced = Announced::judge(self.bytes, rules)?;
        *self = Self::default();
        Ok((taken, Some(announced)))
    }
}

impl Announced {
    /// What a whole prefix says, if it is allowed.
    fn judge(prefix: [u8; HEADER_BYTES], rules: Rules) -> Result<Self, FrameError> {
        let [flag, length @ ..] = prefix;
        if flag & !rules.flags != 0 {
            return Err(FrameError::BadFlag { flag });
        }
        let len = u32::from_be_bytes(length) as usize;
        if len > rules.limit {
            let limit = rules.limit;
            return Err(FrameError::TooLarge { len, limit });
        }
        Ok(Self { flag, len })
    }
}
