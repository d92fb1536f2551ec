//! Encodings one by one: what survives them, where they stop, and what they refuse.

use proptest::prelude::*;

use super::*;

const COMPRESSING: [Encoding; 4] = [
    Encoding::Gzip,
    Encoding::Deflate,
    Encoding::Brotli,
    Encoding::Zstd,
];

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
        assert!(!encoding.is_listed(b"identity, snappy"));
        assert!(!encoding.is_listed(b""));
    }
    assert!(Encoding::Gzip.is_listed(b"zstd , gzip"));
    assert!(Encoding::Identity.is_listed(b""));
}

#[test]
fn limits_are_exact() {
    let message = Bytes::from(vec![7; 1000]);
    for encoding in Encoding::ALL {
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
        if matches!(encoding, Encoding::Brotli | Encoding::Zstd) {
            continue;
        }
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

/// What comes out of a decompressor that gets `packed` in pieces of `size`.
fn in_pieces(
    encoding: Encoding,
    packed: &[u8],
    size: usize,
    limit: usize,
) -> Result<Vec<u8>, CompressError> {
    let mut decompressor = Decompressor::new(encoding, limit);
    let mut out = Vec::new();
    for piece in packed.chunks(size) {
        out.extend_from_slice(&decompressor.write(piece)?);
    }
    out.extend_from_slice(&decompressor.finish()?);
    Ok(out)
}

#[test]
fn m5_every_piece_can_be_read_when_it_has_come() {
    for encoding in Encoding::ALL {
        let mut compressor = Compressor::new(encoding);
        let mut decompressor = Decompressor::new(encoding, usize::MAX);
        let pieces = [&b"a"[..], b"", b"bcd", &[7; 300_000], b"z"];
        for piece in pieces {
            let out = decompressor.write(&compressor.write(piece)).unwrap();
            assert!(out == piece, "{encoding}: {} bytes", piece.len());
        }
        let last = compressor.finish();
        assert_eq!(decompressor.write(&last), Ok(Bytes::new()), "{encoding}");
        assert_eq!(decompressor.finish(), Ok(Bytes::new()), "{encoding}");
    }
}

#[test]
fn pieces_have_one_limit_together() {
    let message = Bytes::from(vec![7; 100_000]);
    for encoding in Encoding::ALL {
        let packed = compress(encoding, &message);
        for size in [1, 7, packed.len()] {
            let out = in_pieces(encoding, &packed, size, message.len());
            assert!(out.is_ok_and(|out| out == message), "{encoding} by {size}");
            let limit = message.len() - 1;
            let refused = Err(CompressError::TooLarge { limit });
            assert_eq!(in_pieces(encoding, &packed, size, limit), refused);
        }
    }
}

#[test]
fn pieces_that_are_broken_are_refused() {
    for encoding in COMPRESSING {
        let malformed = Err(CompressError::Malformed(encoding));
        let packed = compress(encoding, &Bytes::from_static(b"hello hello"));
        for end in 0..packed.len() {
            let found = in_pieces(encoding, &packed[..end], 3, 100);
            assert_eq!(found, malformed, "{encoding} {end}");
        }
        let longer = [&packed, b"?".as_slice()].concat();
        assert_eq!(
            in_pieces(encoding, &longer, 2, 100),
            malformed,
            "{encoding}"
        );
    }
}

#[test]
fn windows_of_zstd_are_bounded() {
    // A frame that asks for a window of 128 MiB (RFC 8878, section 3.1.1.1.2).
    let frame = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 17 << 3, 0x01, 0x00, 0x00];
    let found = decompress(Encoding::Zstd, &Bytes::copy_from_slice(&frame), 100);
    assert_eq!(found, Err(CompressError::Malformed(Encoding::Zstd)));
    let smaller = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 13 << 3, 0x01, 0x00, 0x00];
    let found = decompress(Encoding::Zstd, &Bytes::copy_from_slice(&smaller), 100);
    assert_eq!(found, Ok(Bytes::new()));
}
