//! [`Decoder`]: takes the body of a request out of a buffer, chunk by chunk.
//!
//! ```text
//! chunked = *( 1*HEXDIG [ chunk-ext ] CRLF data CRLF ) 1*"0" [ chunk-ext ] CRLF trailers CRLF
//! ```

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use super::head::{Framing, Limits, Stop, parse_trailers, take};

/// Where in a body the next byte stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decoder {
    /// As many bytes are to come.
    Length(u64),
    /// So many bytes of extensions have been skipped.
    Chunked(At, usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    Size { size: u64, digits: u8 },
    Extension(u64),
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    Trailers,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Item {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
    /// More bytes are needed.
    More,
}

/// The bytes are no body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong;

impl Decoder {
    pub(super) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(At::Size { size: 0, digits: 0 }, 0),
        }
    }

    /// Between two messages.
    pub(super) const fn done() -> Self {
        Self::Length(0)
    }

    pub(super) fn is_done(self) -> bool {
        matches!(self, Self::Length(0))
    }

    /// How many bytes are to come, where that is known.
    pub(super) fn left(self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(left),
            Self::Chunked(..) => None,
        }
    }

    /// Takes what comes next out of the buffer.
    pub(super) fn next(&mut self, buffer: &mut BytesMut, limits: Limits) -> Result<Item, Wrong> {
        loop {
            match self {
                Self::Length(0) => return Ok(Item::End),
                Self::Length(left) => {
                    let data = take_some(buffer, left);
                    return Ok(data.map_or(Item::More, Item::Data));
                }
                Self::Chunked(At::Data(left), _) => {
                    let data = take_some(buffer, left);
                    if *left == 0
                        && let Self::Chunked(at, _) = self
                    {
                        *at = At::DataCr;
                    }
                    return Ok(data.map_or(Item::More, Item::Data));
                }
                Self::Chunked(At::Trailers, _) => return self.trailers(buffer, limits),
                Self::Chunked(at, skipped) => {
                    let Some(byte) = buffer.first().copied() else {
                        *buffer = BytesMut::new();
                        return Ok(Item::More);
                    };
                    *at = at.step(byte)?;
                    if matches!(at, At::Extension(_)) {
                        *skipped += 1;
                        if *skipped > limits.bytes {
                            return Err(Wrong);
                        }
                    }
                    buffer.advance(1);
                }
            }
        }
    }

    fn trailers(&mut self, buffer: &mut BytesMut, limits: Limits) -> Result<Item, Wrong> {
        match parse_trailers(buffer, limits) {
            Ok(trailers) => {
                *self = Self::done();
                if trailers.is_empty() {
                    return Ok(Item::End);
                }
                Ok(Item::Trailers(trailers))
            }
            Err(Stop::More) => Ok(Item::More),
            Err(Stop::Bad | Stop::TooLarge) => Err(Wrong),
        }
    }
}

fn take_some(buffer: &mut BytesMut, left: &mut u64) -> Option<Bytes> {
    if buffer.is_empty() {
        return None;
    }
    let count = usize::try_from(*left).map_or(buffer.len(), |left| left.min(buffer.len()));
    *left -= count as u64;
    Some(take(buffer, count))
}

// === impl At ===

impl At {
    /// What a byte that is no data leads to.
    fn step(self, byte: u8) -> Result<Self, Wrong> {
        Ok(match (self, byte) {
            (Self::Size { size, digits }, _) => chunk_size(size, digits, byte)?,
            (Self::Extension(size), b'\r') => Self::SizeLf(size),
            (Self::Extension(size), b'\t' | b' '..=b'~' | 0x80..) => Self::Extension(size),
            (Self::SizeLf(0), b'\n') => Self::Trailers,
            (Self::SizeLf(size), b'\n') => Self::Data(size),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::Size { size: 0, digits: 0 },
            _ => return Err(Wrong),
        })
    }
}

fn chunk_size(size: u64, digits: u8, byte: u8) -> Result<At, Wrong> {
    const MOST_DIGITS: u8 = 15;
    let digit = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        b'\r' if digits > 0 => return Ok(At::SizeLf(size)),
        b';' if digits > 0 => return Ok(At::Extension(size)),
        _ => return Err(Wrong),
    };
    if digits == MOST_DIGITS {
        return Err(Wrong);
    }
    Ok(At::Size {
        size: size * 16 + u64::from(digit),
        digits: digits + 1,
    })
}
