//! Bodies that come in pieces: [`Compressor`] and [`Decompressor`].

use std::fmt;
use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::{GzEncoder, MultiGzDecoder, ZlibEncoder};
use flate2::{Compression, Decompress, FlushDecompress, Status};
use zstd::stream::raw::{CParameter, DParameter};
use zstd::stream::{raw, write};

use super::{CompressError, Encoding};

/// Answers are compressed as they are made: more effort would cost more time than it saves.
const BROTLI_QUALITY: u32 = 3;
const ZSTD_LEVEL: i32 = 1;

/// The window of a stream, in bits: what a stream holds is a small multiple of it.
const WINDOW: u32 = 17;

/// The largest window that is needed to read zstd, in bits (RFC 9659).
const ZSTD_WINDOW: u32 = 23;

/// The output buffer of the brotli codec.
const BUFFER: usize = 4096;

/// Compresses a body piece by piece; every piece can be read as soon as it has come.
///
/// ```
/// use sidegate::wire::compress::{Compressor, Decompressor, Encoding};
///
/// let mut compressor = Compressor::new(Encoding::Zstd);
/// let mut decompressor = Decompressor::new(Encoding::Zstd, 100);
/// let piece = compressor.write(b"first");
/// assert_eq!(decompressor.write(&piece).unwrap(), "first");
/// let last = compressor.finish();
/// assert_eq!(decompressor.write(&last).unwrap(), "");
/// assert_eq!(decompressor.finish().unwrap(), "");
/// ```
pub struct Compressor(Packer);

enum Packer {
    Identity(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(write::Encoder<'static, Vec<u8>>),
}

/// What writing to memory cannot do.
const CANNOT_FAIL: &str = "writing to memory cannot fail";

impl Compressor {
    /// Compresses a body by `encoding`.
    pub fn new(encoding: Encoding) -> Self {
        Self::with_window(encoding, WINDOW)
    }

    /// Compresses a body that is there whole.
    pub(super) fn whole(encoding: Encoding, body: &[u8]) -> Bytes {
        // As much window as there are bytes, up to a megabyte.
        let bits = usize::BITS - body.len().leading_zeros();
        let mut this = Self::with_window(encoding, bits.clamp(10, 20));
        this.0.writer().write_all(body).expect(CANNOT_FAIL);
        this.finish()
    }

    fn with_window(encoding: Encoding, window: u32) -> Self {
        let out = Vec::new();
        Self(match encoding {
            Encoding::Identity => Packer::Identity(out),
            Encoding::Gzip => Packer::Gzip(GzEncoder::new(out, Compression::fast())),
            Encoding::Deflate => Packer::Deflate(ZlibEncoder::new(out, Compression::fast())),
            Encoding::Brotli => {
                let writer = brotli::CompressorWriter::new(out, BUFFER, BROTLI_QUALITY, window);
                Packer::Brotli(Box::new(writer))
            }
            Encoding::Zstd => {
                let mut encoder = raw::Encoder::new(ZSTD_LEVEL).expect("the level is known");
                encoder
                    .set_parameter(CParameter::WindowLog(window))
                    .expect("the window is within bounds");
                Packer::Zstd(write::Encoder::with_encoder(out, encoder))
            }
        })
    }

    /// Adds a piece of the body; all of it can be read from what this and earlier calls gave.
    pub fn write(&mut self, piece: &[u8]) -> Bytes {
        let writer = self.0.writer();
        writer.write_all(piece).expect(CANNOT_FAIL);
        writer.flush().expect(CANNOT_FAIL);
        std::mem::take(self.0.out()).into()
    }

    /// Ends the body.
    pub fn finish(self) -> Bytes {
        Bytes::from(match self.0 {
            Packer::Identity(out) => out,
            Packer::Gzip(writer) => writer.finish().expect(CANNOT_FAIL),
            Packer::Deflate(writer) => writer.finish().expect(CANNOT_FAIL),
            Packer::Brotli(writer) => writer.into_inner(),
            Packer::Zstd(writer) => writer.finish().expect(CANNOT_FAIL),
        })
    }
}

impl Packer {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Identity(out) => out,
            Self::Gzip(writer) => writer,
            Self::Deflate(writer) => writer,
            Self::Brotli(writer) => writer,
            Self::Zstd(writer) => writer,
        }
    }

    fn out(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Identity(out) => out,
            Self::Gzip(writer) => writer.get_mut(),
            Self::Deflate(writer) => writer.get_mut(),
            Self::Brotli(writer) => writer.get_mut(),
            Self::Zstd(writer) => writer.get_mut(),
        }
    }
}

/// Undoes the compression of a body piece by piece. All that comes out together has at most so
/// many bytes; it stops as soon as there are more.
pub struct Decompressor {
    encoding: Encoding,
    limit: usize,
    unpacker: Unpacker,
}

enum Unpacker {
    Identity(Limited),
    Gzip(MultiGzDecoder<Limited>),
    Deflate(Inflate),
    Brotli(Box<brotli::DecompressorWriter<Limited>>),
    Zstd(write::Decoder<'static, Limited>),
}

impl Decompressor {
    /// Undoes `encoding`; at most `limit` bytes come out.
    pub fn new(encoding: Encoding, limit: usize) -> Self {
        let out = Limited {
            out: Vec::new(),
            left: limit,
            over: false,
        };
        let unpacker = match encoding {
            Encoding::Identity => Unpacker::Identity(out),
            Encoding::Gzip => Unpacker::Gzip(MultiGzDecoder::new(out)),
            Encoding::Deflate => Unpacker::Deflate(Inflate::new(out)),
            Encoding::Brotli => {
                Unpacker::Brotli(Box::new(brotli::DecompressorWriter::new(out, BUFFER)))
            }
            Encoding::Zstd => {
                let mut decoder = raw::Decoder::new().expect("no dictionary is needed");
                decoder
                    .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW))
                    .expect("the window is within bounds");
                Unpacker::Zstd(write::Decoder::with_decoder(out, decoder))
            }
        };
        Self {
            encoding,
            limit,
            unpacker,
        }
    }

    /// What a piece of the body becomes, as far as it can be told yet.
    pub fn write(&mut self, piece: &[u8]) -> Result<Bytes, CompressError> {
        let done = match &mut self.unpacker {
            Unpacker::Identity(out) => out.write_all(piece),
            Unpacker::Gzip(decoder) => decoder.write_all(piece).and_then(|()| decoder.flush()),
            Unpacker::Deflate(decoder) => decoder.write_all(piece),
            Unpacker::Brotli(decoder) => decoder.write_all(piece).and_then(|()| drain(decoder)),
            Unpacker::Zstd(decoder) => decoder.write_all(piece).and_then(|()| decoder.flush()),
        };
        self.taken(&done)
    }

    /// What comes out from here on counts anew: the limit is that of a piece, not of all of them.
    pub fn renew(&mut self) {
        self.unpacker.sink().left = self.limit;
    }

    /// The body is over, and must be complete.
    pub fn finish(mut self) -> Result<Bytes, CompressError> {
        let done = match &mut self.unpacker {
            Unpacker::Identity(_) => Ok(()),
            Unpacker::Gzip(decoder) => decoder.try_finish(),
            Unpacker::Deflate(decoder) => decoder.finish(),
            Unpacker::Brotli(decoder) => decoder.close(),
            Unpacker::Zstd(decoder) => decoder.do_finish(),
        };
        self.taken(&done)
    }

    fn taken(&mut self, done: &io::Result<()>) -> Result<Bytes, CompressError> {
        let (encoding, limit) = (self.encoding, self.limit);
        let sink = self.unpacker.sink();
        match done {
            _ if sink.over => Err(CompressError::TooLarge { limit }),
            Ok(()) => Ok(std::mem::take(&mut sink.out).into()),
            Err(_) => Err(CompressError::Malformed(encoding)),
        }
    }
}

impl Unpacker {
    fn sink(&mut self) -> &mut Limited {
        match self {
            Self::Identity(out) => out,
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Deflate(decoder) => &mut decoder.out,
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }
}

/// Takes out what the decoder holds back when its buffer is full and its input is not.
fn drain(decoder: &mut brotli::DecompressorWriter<Limited>) -> io::Result<()> {
    loop {
        let before = decoder.get_ref().out.len();
        let taken = decoder.write(&[])?;
        if taken == 0 && decoder.get_ref().out.len() == before {
            return Ok(());
        }
    }
}

/// Takes so many bytes and no more.
struct Limited {
    out: Vec<u8>,
    left: usize,
    over: bool,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.left.checked_sub(bytes.len()) {
            Some(left) if !self.over => {
                self.left = left;
                self.out.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            _ => {
                self.over = true;
                Err(io::ErrorKind::FileTooLarge.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the zlib format: the crate's own writer does not tell a whole body from one cut short.
struct Inflate {
    state: Decompress,
    out: Limited,
    buffer: Vec<u8>,
    ended: bool,
}

impl Inflate {
    fn new(out: Limited) -> Self {
        Self {
            state: Decompress::new(true),
            out,
            buffer: Vec::with_capacity(BUFFER),
            ended: false,
        }
    }

    fn write_all(&mut self, mut piece: &[u8]) -> io::Result<()> {
        loop {
            if self.ended && !piece.is_empty() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if self.ended {
                return Ok(());
            }
            self.buffer.clear();
            let before = self.state.total_in();
            let status =
                self.state
                    .decompress_vec(piece, &mut self.buffer, FlushDecompress::None)?;
            let read = usize::try_from(self.state.total_in() - before).unwrap_or(usize::MAX);
            piece = piece.get(read..).unwrap_or_default();
            self.out.write_all(&self.buffer)?;
            self.ended = status == Status::StreamEnd;
            let stuck = read == 0 && self.buffer.is_empty();
            if !self.ended && piece.is_empty() && self.buffer.len() < self.buffer.capacity() {
                return Ok(());
            }
            if stuck && !self.ended {
                return if piece.is_empty() {
                    Ok(())
                } else {
                    Err(io::ErrorKind::InvalidData.into())
                };
            }
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.ended {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor")
            .field("encoding", &self.encoding)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
