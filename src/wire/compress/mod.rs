//! Compression, of single messages by `grpc-encoding` and of bodies by `content-encoding`.
//!
//! Decompression works under a limit that is held while it goes on, so that a small message
//! cannot become a large allocation. What comes in pieces goes through a [`Compressor`] or a
//! [`Decompressor`].
//!
//! Sources: grpc/grpc `doc/compression.md`; there, as in HTTP, `deflate` is the zlib format. RFC
//! 7932 (br), RFC 8878 and RFC 9659 (zstd, and the window of 8 MiB that is enough for it).

mod stream;
#[cfg(test)]
mod tests;

pub use stream::{Compressor, Decompressor};

use std::fmt;
use std::io::Read;

use bytes::Bytes;
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

/// How the compressed messages of a stream are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 1950.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

/// Why a message cannot be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressError {
    /// It becomes larger than the limit.
    TooLarge {
        /// What is allowed.
        limit: usize,
    },
    /// It is broken, cut short, or has something after its end.
    Malformed(Encoding),
}

impl std::error::Error for CompressError {}

impl fmt::Display for CompressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => {
                write!(
                    f,
                    "a message is over the limit of {limit} bytes once decompressed"
                )
            }
            Self::Malformed(encoding) => write!(f, "a message is not valid {encoding}"),
        }
    }
}

impl Encoding {
    /// What [`decompress`] understands, as a `grpc-accept-encoding`.
    pub const ACCEPTED: &str = "identity,deflate,gzip,br,zstd";

    const ALL: [Self; 5] = [
        Self::Identity,
        Self::Gzip,
        Self::Deflate,
        Self::Brotli,
        Self::Zstd,
    ];

    /// Reads a `grpc-encoding` or a `content-encoding`; `None` when it is not known here.
    pub fn parse(value: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|encoding| encoding.name().as_bytes().eq_ignore_ascii_case(value))
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// Whether a `grpc-accept-encoding` lists it; identity need not be listed.
    pub fn is_listed(self, accept: &[u8]) -> bool {
        self == Self::Identity
            || accept
                .split(|byte| *byte == b',')
                .any(|name| Self::parse(name.trim_ascii()) == Some(self))
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Undoes `encoding`; the result has at most `limit` bytes.
pub fn decompress(
    encoding: Encoding,
    message: &Bytes,
    limit: usize,
) -> Result<Bytes, CompressError> {
    match encoding {
        Encoding::Identity if message.len() > limit => Err(CompressError::TooLarge { limit }),
        Encoding::Identity => Ok(message.clone()),
        Encoding::Gzip => {
            // Takes all members there are, so nothing can be left over.
            let (out, _) = read(MultiGzDecoder::new(message.as_ref()), limit)
                .map_err(|refusal| refusal.of(encoding, limit))?;
            Ok(out)
        }
        Encoding::Deflate => {
            let (out, decoder) = read(ZlibDecoder::new(message.as_ref()), limit)
                .map_err(|refusal| refusal.of(encoding, limit))?;
            match decoder.into_inner() {
                [] => Ok(out),
                _ => Err(CompressError::Malformed(encoding)),
            }
        }
        Encoding::Brotli | Encoding::Zstd => {
            let mut decompressor = Decompressor::new(encoding, limit);
            let out = decompressor.write(message)?;
            let rest = decompressor.finish()?;
            Ok(if rest.is_empty() {
                out
            } else {
                [out, rest].concat().into()
            })
        }
    }
}

/// Why [`read`] stopped.
enum Refusal {
    TooLarge,
    Malformed,
}

impl Refusal {
    fn of(self, encoding: Encoding, limit: usize) -> CompressError {
        match self {
            Self::TooLarge => CompressError::TooLarge { limit },
            Self::Malformed => CompressError::Malformed(encoding),
        }
    }
}

/// Reads all of `decoder`, but no more than one byte beyond the limit, and gives it back.
fn read<R: Read>(decoder: R, limit: usize) -> Result<(Bytes, R), Refusal> {
    let most = u64::try_from(limit).map_or(u64::MAX, |limit| limit.saturating_add(1));
    let mut limited = decoder.take(most);
    let mut out = Vec::new();
    if limited.read_to_end(&mut out).is_err() {
        return Err(Refusal::Malformed);
    }
    if out.len() > limit {
        return Err(Refusal::TooLarge);
    }
    Ok((Bytes::from(out), limited.into_inner()))
}

/// Applies `encoding`, favouring speed over size.
pub fn compress(encoding: Encoding, message: &Bytes) -> Bytes {
    if encoding == Encoding::Identity {
        return message.clone();
    }
    Compressor::whole(encoding, message)
}
