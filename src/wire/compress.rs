//! Compression of single messages by `grpc-encoding`.
//!
//! Decompression works under a limit that is held while it goes on, so that a small message
//! cannot become a large allocation.
//!
//! Source: grpc/grpc `doc/compression.md`; there, as in HTTP, `deflate` is the zlib format.

use std::fmt;
use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};

/// How the compressed messages of a stream are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 1950.
    Deflate,
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
    pub const ACCEPTED: &str = "identity,deflate,gzip";

    /// Reads a `grpc-encoding`; `None` when it is not known here.
    pub fn parse(value: &[u8]) -> Option<Self> {
        [Self::Identity, Self::Gzip, Self::Deflate]
            .into_iter()
            .find(|encoding| encoding.name().as_bytes().eq_ignore_ascii_case(value))
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
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
    let done = match encoding {
        Encoding::Identity => return message.clone(),
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(message).and_then(|()| encoder.finish())
        }
        Encoding::Deflate => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(message).and_then(|()| encoder.finish())
        }
    };
    Bytes::from(done.expect("writing to memory cannot fail"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMPRESSING: [Encoding; 2] = [Encoding::Gzip, Encoding::Deflate];

    #[test]
    fn names() {
        for (value, expected) in [
            ("identity", Some(Encoding::Identity)),
            ("gzip", Some(Encoding::Gzip)),
            ("deflate", Some(Encoding::Deflate)),
            ("GZip", Some(Encoding::Gzip)),
            ("", None),
            ("snappy", None),
            ("gzip,deflate", None),
        ] {
            assert_eq!(Encoding::parse(value.as_bytes()), expected, "{value}");
        }
        for encoding in COMPRESSING {
            assert!(encoding.is_listed(Encoding::ACCEPTED.as_bytes()));
            assert!(!encoding.is_listed(b"identity, zstd"));
            assert!(!encoding.is_listed(b""));
        }
        assert!(Encoding::Gzip.is_listed(b"zstd , gzip"));
        assert!(Encoding::Identity.is_listed(b""));
    }

    #[test]
    fn limits_are_exact() {
        let message = Bytes::from(vec![7; 1000]);
        for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Deflate] {
            let packed = compress(encoding, &message);
            assert_eq!(decompress(encoding, &packed, 1000), Ok(message.clone()));
            let refused = Err(CompressError::TooLarge { limit: 999 });
            assert_eq!(decompress(encoding, &packed, 999), refused);
            assert_eq!(
                decompress(encoding, &packed, usize::MAX),
                Ok(message.clone())
            );
            let empty = compress(encoding, &Bytes::new());
            assert_eq!(decompress(encoding, &empty, 0), Ok(Bytes::new()));
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = compress(Encoding::Gzip, &Bytes::from(vec![0; 64 << 20]));
        assert!(bomb.len() < 1 << 20);
        let refused = Err(CompressError::TooLarge { limit: 4096 });
        assert_eq!(decompress(Encoding::Gzip, &bomb, 4096), refused);
        // What follows the limit is not even looked at.
        let cut = bomb.slice(..bomb.len() / 2);
        assert_eq!(decompress(Encoding::Gzip, &cut, 4096), refused);
    }

    #[test]
    fn broken_messages_are_refused() {
        for encoding in COMPRESSING {
            let malformed = Err(CompressError::Malformed(encoding));
            let packed = compress(encoding, &Bytes::from_static(b"hello hello"));
            for end in 0..packed.len() {
                let cut = packed.slice(..end);
                assert_eq!(
                    decompress(encoding, &cut, 100),
                    malformed,
                    "{encoding} {end}"
                );
            }
            let longer = Bytes::from([&packed, b"?".as_slice()].concat());
            assert_eq!(decompress(encoding, &longer, 100), malformed);
            // The last bytes are the checksum.
            let mut wrong = packed.to_vec();
            let at = wrong.len() - 5 * usize::from(encoding == Encoding::Gzip) - 1;
            wrong[at] ^= 1;
            assert_eq!(decompress(encoding, &wrong.into(), 100), malformed);
        }
    }

    #[test]
    fn gzip_may_have_several_members() {
        let packed = compress(Encoding::Gzip, &Bytes::from_static(b"ab"));
        let twice = Bytes::from([&*packed, &*packed].concat());
        let found = decompress(Encoding::Gzip, &twice, 4);
        assert_eq!(found, Ok(Bytes::from_static(b"abab")));
        let refused = Err(CompressError::TooLarge { limit: 3 });
        assert_eq!(decompress(Encoding::Gzip, &twice, 3), refused);
    }

    #[test]
    fn errors_are_readable() {
        assert_eq!(
            CompressError::TooLarge { limit: 9 }.to_string(),
            "a message is over the limit of 9 bytes once decompressed"
        );
        assert_eq!(
            CompressError::Malformed(Encoding::Gzip).to_string(),
            "a message is not valid gzip"
        );
    }

    proptest! {
        #[test]
        fn messages_survive(message: Vec<u8>) {
            let message = Bytes::from(message);
            for encoding in COMPRESSING {
                let packed = compress(encoding, &message);
                prop_assert_eq!(decompress(encoding, &packed, message.len()), Ok(message.clone()));
            }
        }

        #[test]
        fn nothing_panics(junk: Vec<u8>, at: prop::sample::Index, flip: u8) {
            for encoding in COMPRESSING {
                drop(decompress(encoding, &Bytes::from(junk.clone()), 64));
                let mut packed = compress(encoding, &Bytes::from(junk.clone())).to_vec();
                let at = at.index(packed.len());
                packed[at] ^= flip;
                drop(decompress(encoding, &packed.into(), 64));
            }
        }
    }
}
