//! [`parse`]: the head of an HTTP/1 request, read once and strictly (RFC 9112).
//!
//! Nothing is taken that two readers could understand differently: no bare LF, no folded field, no
//! blank before a colon, no two lengths, no second host. Values are slices of the bytes that came.
//!
//! ```text
//! head         = request-line CRLF *( field CRLF ) CRLF
//! request-line = 1*tchar SP 1*<neither blank nor control> SP "HTTP/1." ( "0" / "1" )
//! field        = 1*tchar ":" *( HTAB / %x20-7E / %x80-FF )
//! ```

use bytes::{Bytes, BytesMut};
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING,
};
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use smallvec::SmallVec;

use super::scan::{text_run, token_run};

/// The most that a head may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) fields: usize,
}

/// Why there is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Its end has not come.
    More,
    Bad,
    TooLarge,
}

impl Stop {
    /// What a client is told that sent no sound head.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::More | Self::Bad => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        }
    }
}

/// A head and what it says about its message and the connection.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether another request may follow.
    pub(super) keep_alive: bool,
    /// The client waits for `100 Continue`.
    pub(super) expects: bool,
    /// The client takes trailers.
    pub(super) trailers: bool,
}

/// Where the body of a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

/// Where a field lies: its name, and its value without the blanks around it.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: (usize, usize),
    value: (usize, usize),
}

type Fields = SmallVec<[Field; 16]>;

/// Takes a head from the beginning of `buffer`, where no empty line may stand.
pub(super) fn parse(buffer: &mut BytesMut, limits: Limits) -> Result<Head, Stop> {
    let within = buffer.len().min(limits.bytes);
    let scanned = scan(buffer.get(..within).unwrap_or_default(), limits.fields);
    let scanned = match scanned {
        Err(Stop::More) if within < buffer.len() => return Err(Stop::TooLarge),
        scanned => scanned?,
    };
    let bytes = take(buffer, scanned.end);
    build(&bytes, &scanned)
}

/// Takes the trailers of a message from the beginning of `buffer`, with the empty line after them.
pub(super) fn parse_trailers(buffer: &mut BytesMut, limits: Limits) -> Result<HeaderMap, Stop> {
    let within = buffer.len().min(limits.bytes);
    let mut fields = Fields::new();
    let scanned = scan_fields(
        buffer.get(..within).unwrap_or_default(),
        0,
        limits.fields,
        &mut fields,
    );
    let end = match scanned {
        Err(Stop::More) if within < buffer.len() => return Err(Stop::TooLarge),
        scanned => scanned?,
    };
    let bytes = take(buffer, end);
    let mut trailers = HeaderMap::with_capacity(fields.len());
    for field in &fields {
        let (name, value) = field.read(&bytes)?;
        trailers.append(name, value);
    }
    Ok(trailers)
}

/// Takes bytes from a buffer, which keeps no memory when that is all it had.
pub(super) fn take(buffer: &mut BytesMut, count: usize) -> Bytes {
    if count == buffer.len() {
        std::mem::take(buffer).freeze()
    } else {
        buffer.split_to(count).freeze()
    }
}

/// What lies where in a head that is complete.
#[derive(Debug)]
struct Scanned {
    method: usize,
    target: (usize, usize),
    version: Version,
    fields: Fields,
    end: usize,
}

fn scan(bytes: &[u8], most: usize) -> Result<Scanned, Stop> {
    const VERSION: usize = " HTTP/1.1".len();
    let line_end = text_run(bytes);
    let after = end_of_line(bytes, line_end)?;
    let line = bytes.get(..line_end).unwrap_or_default();
    let method = token_run(line);
    if method == 0 || line.get(method) != Some(&b' ') || line_end < method + 1 + 1 + VERSION {
        return Err(Stop::Bad);
    }
    let target = (method + 1, line_end - VERSION);
    let version = match line.get(target.1..) {
        Some(b" HTTP/1.1") => Version::HTTP_11,
        Some(b" HTTP/1.0") => Version::HTTP_10,
        _ => return Err(Stop::Bad),
    };
    let mut fields = Fields::new();
    let end = scan_fields(bytes, after, most, &mut fields)?;
    Ok(Scanned {
        method,
        target,
        version,
        fields,
        end,
    })
}

/// Looks through fields up to and with the empty line after them; where that ends.
fn scan_fields(bytes: &[u8], from: usize, most: usize, fields: &mut Fields) -> Result<usize, Stop> {
    let mut at = from;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.first() == Some(&b'\r') {
            return end_of_line(bytes, at);
        }
        let colon = at + token_run(rest);
        match bytes.get(colon) {
            Some(b':') if colon > at => {}
            None => return Err(Stop::More),
            Some(_) => return Err(Stop::Bad),
        }
        let line_end = value_end(bytes, colon + 1);
        let after = end_of_line(bytes, line_end)?;
        if fields.len() == most {
            return Err(Stop::TooLarge);
        }
        fields.push(Field {
            name: (at, colon),
            value: trim(bytes, colon + 1, line_end),
        });
        at = after;
    }
}

/// Where the value that begins at `from` stops being one.
fn value_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        at += text_run(bytes.get(at..).unwrap_or_default());
        if bytes.get(at) != Some(&b'\t') {
            return at;
        }
        at += 1;
    }
}

/// What stands after the CRLF at `at`.
fn end_of_line(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    match (bytes.get(at), bytes.get(at + 1)) {
        (Some(b'\r'), Some(b'\n')) => Ok(at + 2),
        (Some(b'\r') | None, None) => Err(Stop::More),
        _ => Err(Stop::Bad),
    }
}

fn trim(bytes: &[u8], from: usize, to: usize) -> (usize, usize) {
    let is_blank = |at: usize| matches!(bytes.get(at), Some(b' ' | b'\t'));
    let (mut from, mut to) = (from, to);
    while from < to && is_blank(from) {
        from += 1;
    }
    while to > from && is_blank(to - 1) {
        to -= 1;
    }
    (from, to)
}

/// What the fields say about where the message ends, and how many times.
#[derive(Default)]
struct Marks {
    hosts: usize,
    lengths: usize,
    length: u64,
    codings: usize,
    close: bool,
    keep_alive: bool,
    wishes: Wishes,
}

#[derive(Default)]
struct Wishes {
    expects: bool,
    trailers: bool,
}

fn build(bytes: &Bytes, scanned: &Scanned) -> Result<Head, Stop> {
    let method = bytes.get(..scanned.method).unwrap_or_default();
    let method = Method::from_bytes(method).map_err(|_bad| Stop::Bad)?;
    let target = bytes.slice(scanned.target.0..scanned.target.1);
    // A `Uri` looks at no fragment, and may drop one that is no text.
    str::from_utf8(&target).map_err(|_bad| Stop::Bad)?;
    let uri = Uri::from_maybe_shared(target).map_err(|_bad| Stop::Bad)?;
    let mut headers = HeaderMap::with_capacity(scanned.fields.len());
    let mut marks = Marks::default();
    for field in &scanned.fields {
        let (name, value) = field.read(bytes)?;
        marks.note(&name, value.as_bytes())?;
        headers.append(name, value);
    }
    let modern = scanned.version == Version::HTTP_11;
    let framing = marks.framing(modern)?;
    Ok(Head {
        method,
        uri,
        version: scanned.version,
        headers,
        framing,
        keep_alive: !marks.close && (modern || marks.keep_alive),
        expects: modern && marks.wishes.expects && framing != Framing::Length(0),
        trailers: modern && marks.wishes.trailers,
    })
}

// === impl Field ===

impl Field {
    fn read(&self, bytes: &Bytes) -> Result<(HeaderName, HeaderValue), Stop> {
        let name = bytes.get(self.name.0..self.name.1).unwrap_or_default();
        let name = HeaderName::from_bytes(name).map_err(|_bad| Stop::Bad)?;
        let value = bytes.slice(self.value.0..self.value.1);
        let value = HeaderValue::from_maybe_shared(value).map_err(|_bad| Stop::Bad)?;
        Ok((name, value))
    }
}

// === impl Marks ===

impl Marks {
    fn note(&mut self, name: &HeaderName, value: &[u8]) -> Result<(), Stop> {
        if *name == HOST {
            self.hosts += 1;
        } else if *name == CONTENT_LENGTH {
            self.lengths += 1;
            self.length = length(value)?;
        } else if *name == TRANSFER_ENCODING {
            self.codings += 1;
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Stop::Bad);
            }
        } else if *name == CONNECTION {
            self.close |= mentions(value, b"close");
            self.keep_alive |= mentions(value, b"keep-alive");
        } else if *name == EXPECT {
            self.wishes.expects |= value.eq_ignore_ascii_case(b"100-continue");
        } else if *name == TE {
            self.wishes.trailers |= mentions(value, b"trailers");
        }
        Ok(())
    }

    fn framing(&self, modern: bool) -> Result<Framing, Stop> {
        let hosts = if modern { 1..=1 } else { 0..=1 };
        if !hosts.contains(&self.hosts) {
            return Err(Stop::Bad);
        }
        match (self.codings, self.lengths) {
            (0, 0) => Ok(Framing::Length(0)),
            (0, 1) => Ok(Framing::Length(self.length)),
            (1, 0) if modern => Ok(Framing::Chunked),
            _ => Err(Stop::Bad),
        }
    }
}

/// Whether a list of words has one, in any case.
pub(super) fn mentions(list: &[u8], word: &[u8]) -> bool {
    list.split(|byte| *byte == b',')
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(word))
}

/// A number of bytes, as `Content-Length` has it.
pub(super) fn length(value: &[u8]) -> Result<u64, Stop> {
    // Longer than any number that a body has.
    const MOST_DIGITS: usize = 18;
    if value.is_empty() || value.len() > MOST_DIGITS || !value.iter().all(u8::is_ascii_digit) {
        return Err(Stop::Bad);
    }
    let digits = value.iter().map(|digit| u64::from(digit - b'0'));
    Ok(digits.fold(0, |sum, digit| sum * 10 + digit))
}
