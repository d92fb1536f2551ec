//! [`Strict`]: follows the bytes of an HTTP/1 connection and stops at the first that two readers
//! could understand differently (RFC 9112).
//!
//! Many read leniently: they take a bare LF for the end of a line or prefer `Transfer-Encoding` over
//! `Content-Length`. Whoever stands before or behind us may not, and the difference is a second
//! request that only one of them sees. What is served is read by `head` and `decode`; this one, which
//! looks at every byte by itself, is what their tests measure them by. It holds no bytes, knows no
//! I/O, and does the same however the bytes are cut.
//!
//! ```text
//! message      = *CRLF request-line CRLF *( field CRLF ) CRLF [ body ]
//! request-line = method SP target SP "HTTP/1." ( "0" / "1" )
//! field        = 1*tchar ":" *( HTAB / %x20-7E / %x80-FF )
//! body         = <as many bytes as Content-Length says> / chunked
//! chunked      = *( 1*HEXDIG [ chunk-ext ] CRLF data CRLF ) 1*"0" [ chunk-ext ] CRLF *( field CRLF ) CRLF
//! ```

#[cfg(test)]
mod tests;

/// Where in a connection the next byte stands.
#[derive(Debug)]
pub(super) struct Strict {
    at: At,
    head: Head,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Between messages, before anything but empty lines.
    Start,
    /// After the CR of an empty line before a request.
    StartLf,
    RequestLine,
    RequestLineLf,
    FieldStart,
    FieldName,
    FieldValue,
    FieldLf,
    /// After the CR of the empty line that ends a head or trailers.
    EndLf,
    Body(u64),
    ChunkSize {
        size: u64,
        digits: u8,
    },
    ChunkExtension(u64),
    ChunkSizeLf(u64),
    ChunkData(u64),
    ChunkDataCr,
    ChunkDataLf,
}

/// What matters of a head for where its message ends.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    /// The last bytes of the request line.
    version: [u8; 8],
    /// The name of the field that is being read, in lower case, as far as it fits.
    name: [u8; 20],
    name_bytes: usize,
    /// The value of a field that matters, as far as it fits.
    value: [u8; 24],
    value_bytes: usize,
    hosts: u8,
    lengths: u8,
    length: u64,
    codings: u8,
    in_trailers: bool,
}

/// Something is wrong with a byte.
#[derive(Debug, PartialEq, Eq)]
struct Wrong;

impl Strict {
    /// At the beginning of a connection.
    pub(super) fn new() -> Self {
        Self {
            at: At::Start,
            head: Head::default(),
        }
    }

    /// Follows some bytes; an error is the index of the first that must not be passed on.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<(), usize> {
        let mut index = 0;
        while let Some(rest) = bytes.get(index..).filter(|rest| !rest.is_empty()) {
            let run = match self.at {
                At::Body(left) | At::ChunkData(left) => {
                    let taken =
                        usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                    self.skip(left - taken as u64);
                    taken
                }
                At::RequestLine => self.head.request_line_run(rest),
                At::FieldName => self.head.name_run(rest),
                At::FieldValue => self.head.value_run(rest),
                _ => 0,
            };
            index += run;
            // What ends a run, or is no part of one, changes where the next byte stands.
            if let (0, Some(byte)) = (run, rest.first()) {
                self.step(*byte).map_err(|Wrong| index)?;
                index += 1;
            }
        }
        Ok(())
    }

    /// Some bytes of a body went by; `left` are to come.
    fn skip(&mut self, left: u64) {
        self.at = match (self.at, left) {
            (At::Body(_), 0) => At::Start,
            (At::Body(_), left) => At::Body(left),
            (_, 0) => At::ChunkDataCr,
            (_, left) => At::ChunkData(left),
        };
    }

    fn step(&mut self, byte: u8) -> Result<(), Wrong> {
        self.at = match (self.at, byte) {
            (At::Start, b'\r') => At::StartLf,
            (At::StartLf, b'\n') => At::Start,
            (At::Start, _) => {
                self.head = Head::default();
                self.request_line(byte)?
            }
            (At::RequestLine, b'\r') => At::RequestLineLf,
            (At::RequestLine, _) => self.request_line(byte)?,
            (At::RequestLineLf | At::FieldLf, b'\n') => At::FieldStart,
            (At::FieldStart, b'\r') => At::EndLf,
            (At::FieldStart, _) => {
                self.head.name_bytes = 0;
                self.head.value_bytes = 0;
                self.field_name(byte)?
            }
            (At::FieldName, b':') if self.head.name_bytes > 0 => At::FieldValue,
            (At::FieldName, _) => self.field_name(byte)?,
            (At::FieldValue, b'\r') => {
                self.end_of_field()?;
                At::FieldLf
            }
            (At::FieldValue, _) => self.field_value(byte)?,
            (At::EndLf, b'\n') => self.end_of_head()?,
            (At::ChunkSize { size, digits }, _) => chunk_size(size, digits, byte)?,
            (At::ChunkExtension(size), b'\r') => At::ChunkSizeLf(size),
            (At::ChunkExtension(size), b'\t' | b' '..=b'~' | 0x80..) => At::ChunkExtension(size),
            (At::ChunkSizeLf(0), b'\n') => {
                self.head.in_trailers = true;
                At::FieldStart
            }
            (At::ChunkSizeLf(size), b'\n') => At::ChunkData(size),
            (At::ChunkDataCr, b'\r') => At::ChunkDataLf,
            (At::ChunkDataLf, b'\n') => At::ChunkSize { size: 0, digits: 0 },
            _ => return Err(Wrong),
        };
        Ok(())
    }

    fn request_line(&mut self, byte: u8) -> Result<At, Wrong> {
        if byte < b' ' || byte == 0x7f {
            return Err(Wrong);
        }
        self.head.version.rotate_left(1);
        if let Some(last) = self.head.version.last_mut() {
            *last = byte;
        }
        Ok(At::RequestLine)
    }

    fn field_name(&mut self, byte: u8) -> Result<At, Wrong> {
        if !is_token(byte) {
            return Err(Wrong);
        }
        let head = &mut self.head;
        if let Some(place) = head.name.get_mut(head.name_bytes) {
            *place = byte.to_ascii_lowercase();
        }
        head.name_bytes = head.name_bytes.saturating_add(1);
        Ok(At::FieldName)
    }

    fn field_value(&mut self, byte: u8) -> Result<At, Wrong> {
        if (byte < b' ' && byte != b'\t') || byte == 0x7f {
            return Err(Wrong);
        }
        let head = &mut self.head;
        let leading = head.value_bytes == 0 && (byte == b' ' || byte == b'\t');
        if !leading {
            if let Some(place) = head.value.get_mut(head.value_bytes) {
                *place = byte;
            }
            head.value_bytes = head.value_bytes.saturating_add(1);
        }
        Ok(At::FieldValue)
    }

    fn end_of_field(&mut self) -> Result<(), Wrong> {
        let head = &mut self.head;
        if head.in_trailers {
            return Ok(());
        }
        let name = head.name.get(..head.name_bytes).unwrap_or_default();
        let value = head.value.get(..head.value_bytes);
        match name {
            b"host" => head.hosts = head.hosts.saturating_add(1),
            b"content-length" => {
                let value = value.ok_or(Wrong)?.trim_ascii_end();
                head.length = length(value)?;
                head.lengths = head.lengths.saturating_add(1);
            }
            b"transfer-encoding" => {
                let value = value.ok_or(Wrong)?.trim_ascii_end();
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Wrong);
                }
                head.codings = head.codings.saturating_add(1);
            }
            _ => {}
        }
        Ok(())
    }

    /// The LF that would make the head count: the last chance to hold it back.
    fn end_of_head(&mut self) -> Result<At, Wrong> {
        let head = &self.head;
        if head.in_trailers {
            return Ok(At::Start);
        }
        let modern = match &head.version {
            b"HTTP/1.1" => true,
            b"HTTP/1.0" => false,
            _ => return Err(Wrong),
        };
        let hosts = if modern { 1..=1 } else { 0..=1 };
        if !hosts.contains(&head.hosts) {
            return Err(Wrong);
        }
        match (head.codings, head.lengths) {
            (0, 0) => Ok(At::Start),
            (0, 1) if head.length == 0 => Ok(At::Start),
            (0, 1) => Ok(At::Body(head.length)),
            (1, 0) if modern => Ok(At::ChunkSize { size: 0, digits: 0 }),
            _ => Err(Wrong),
        }
    }
}

// === impl Head ===

impl Head {
    /// Takes the bytes of a request line that need no look of their own; how many they are.
    fn request_line_run(&mut self, bytes: &[u8]) -> usize {
        let run = bytes.get(..text_run(bytes)).unwrap_or_default();
        let kept = self.version.len();
        if let Some(last) = run.last_chunk() {
            self.version = *last;
        } else {
            self.version.rotate_left(run.len());
            if let Some(end) = self.version.get_mut(kept - run.len()..) {
                end.copy_from_slice(run);
            }
        }
        run.len()
    }

    /// The same for the name of a field, which is kept in lower case.
    fn name_run(&mut self, bytes: &[u8]) -> usize {
        let mut run = 0;
        for byte in bytes {
            let lower = TOKEN.get(usize::from(*byte)).copied().unwrap_or_default();
            if lower == 0 {
                break;
            }
            if let Some(place) = self.name.get_mut(self.name_bytes + run) {
                *place = lower;
            }
            run += 1;
        }
        self.name_bytes = self.name_bytes.saturating_add(run);
        run
    }

    /// The same for the value of a field, without the blanks before it.
    fn value_run(&mut self, bytes: &[u8]) -> usize {
        let run = bytes.get(..text_run(bytes)).unwrap_or_default();
        let mut value = run;
        if self.value_bytes == 0 {
            while let [b' ', rest @ ..] = value {
                value = rest;
            }
        }
        let room = self.value.get_mut(self.value_bytes..).unwrap_or_default();
        for (place, byte) in room.iter_mut().zip(value) {
            *place = *byte;
        }
        self.value_bytes = self.value_bytes.saturating_add(value.len());
        run.len()
    }
}

/// How many bytes from the beginning are neither control characters nor DEL; eight at a time.
fn text_run(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let mut run = 0;
    let (eights, rest) = bytes.as_chunks::<8>();
    for eight in eights {
        let word = u64::from_le_bytes(*eight);
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let del = word ^ (ONES * 0x7f);
        let del = del.wrapping_sub(ONES) & !del;
        // Above the first hit a borrow may make more, but the first one is right.
        let hits = (control | del) & HIGHS;
        if hits != 0 {
            return run + (hits.trailing_zeros() / 8) as usize;
        }
        run += eight.len();
    }
    run + rest
        .iter()
        .take_while(|byte| **byte >= b' ' && **byte != 0x7f)
        .count()
}

/// Every byte that a token may have, in lower case; 0 for the others.
static TOKEN: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::indexing_slicing,
            reason = "the index is below 256"
        )]
        if is_token(byte as u8) {
            table[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

fn length(value: &[u8]) -> Result<u64, Wrong> {
    // Longer than any number that a body has.
    const MOST_DIGITS: usize = 18;
    if value.is_empty() || value.len() > MOST_DIGITS || !value.iter().all(u8::is_ascii_digit) {
        return Err(Wrong);
    }
    let digits = value.iter().map(|digit| u64::from(digit - b'0'));
    Ok(digits.fold(0, |sum, digit| sum * 10 + digit))
}

fn chunk_size(size: u64, digits: u8, byte: u8) -> Result<At, Wrong> {
    const MOST_DIGITS: u8 = 15;
    let digit = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        b'\r' if digits > 0 => return Ok(At::ChunkSizeLf(size)),
        b';' if digits > 0 => return Ok(At::ChunkExtension(size)),
        _ => return Err(Wrong),
    };
    if digits == MOST_DIGITS {
        return Err(Wrong);
    }
    Ok(At::ChunkSize {
        size: size * 16 + u64::from(digit),
        digits: digits + 1,
    })
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
