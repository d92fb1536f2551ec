//! [`Encoder`]: the header blocks of gRPC requests.
//!
//! What is the same in every call of a method (path, authority, content type, `te`, user agent)
//! goes into the dynamic table once, and is one byte from then on. Metadata is written as it is:
//! it may be secret, and would drive the rest out of a table of 4 KiB.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};
use rustc_hash::{FxHashMap, FxHasher};

use super::list::belongs_to_connection;
use super::table::STATIC_FIELDS;
use super::{DEFAULT_TABLE_BYTES, FIELD_OVERHEAD};
use crate::wire::trace::Told;

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) struct Request<'a> {
    pub(in crate::upstream) path: &'a str,
    pub(in crate::upstream) authority: &'a str,
    /// Without anything of one hop. Its `te` and, if there is a timeout, its `grpc-timeout` are
    /// replaced.
    pub(in crate::upstream) metadata: &'a HeaderMap,
    /// The value of `grpc-timeout`.
    pub(in crate::upstream) timeout: Option<&'a str>,
    /// What is told of the trace; the metadata says nothing of it.
    pub(in crate::upstream) told: Option<&'a Told>,
}

/// Writes the blocks of one connection, in their order.
#[derive(Debug)]
pub(in crate::upstream::http2) struct Encoder {
    /// The far side's table as it is after what was written, the oldest field first.
    entries: VecDeque<Entry>,
    /// Which insertion a field was, by its hash.
    places: FxHashMap<u64, u64>,
    /// How many fields were ever inserted.
    inserted: u64,
    size: usize,
    max: usize,
    /// The smallest size that was set since the last block, if it has to be said.
    unsaid: Option<usize>,
    scheme: u8,
}

/// `:scheme` by its place in the static table.
const SCHEME_HTTP: u8 = 0x86;
const SCHEME_HTTPS: u8 = 0x87;

#[derive(Debug)]
struct Entry {
    known: Known,
    hash: u64,
    value: Box<[u8]>,
}

/// Fields that are worth a place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Known {
    Authority,
    Path,
    ContentType,
    UserAgent,
    Te,
}

/// The name of a field that HTTP/2 does not let a request have.
pub(in crate::upstream::http2) fn find_forbidden(metadata: &HeaderMap) -> Option<&HeaderName> {
    metadata.keys().find(|name| belongs_to_connection(name))
}

impl Encoder {
    pub(in crate::upstream::http2) fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            places: FxHashMap::default(),
            inserted: 0,
            size: 0,
            max: DEFAULT_TABLE_BYTES,
            unsaid: None,
            scheme: SCHEME_HTTP,
        }
    }

    /// Requests say `https` from now on.
    pub(in crate::upstream::http2) fn say_https(&mut self) {
        self.scheme = SCHEME_HTTPS;
    }

    /// The far side allows a table of this size; more than the usual one is not made use of.
    pub(in crate::upstream::http2) fn set_table_size(&mut self, size: usize) {
        let max = size.min(DEFAULT_TABLE_BYTES);
        if max == self.max && self.unsaid.is_none() {
            return;
        }
        self.unsaid = Some(self.unsaid.map_or(max, |smallest| smallest.min(max)));
        self.max = max;
        self.evict(max);
    }

    /// Appends the block of a request.
    pub(in crate::upstream::http2) fn encode(&mut self, request: &Request<'_>, out: &mut Vec<u8>) {
        const METHOD_POST: u8 = 0x83;
        if let Some(smallest) = self.unsaid.take() {
            if smallest < self.max {
                integer(out, 0x20, 5, smallest);
            }
            integer(out, 0x20, 5, self.max);
        }
        out.extend_from_slice(&[METHOD_POST, self.scheme]);
        self.known(out, Known::Path, request.path.as_bytes());
        self.known(out, Known::Authority, request.authority.as_bytes());
        let metadata = request.metadata;
        let content_type = metadata.get(header::CONTENT_TYPE);
        let content_type = content_type.map_or(&b"application/grpc"[..], HeaderValue::as_bytes);
        self.known(out, Known::ContentType, content_type);
        self.known(out, Known::Te, b"trailers");
        if let Some(timeout) = request.timeout {
            literal(out, 0, b"grpc-timeout", timeout.as_bytes());
        }
        if let Some(told) = request.told {
            told.each(|name, value| literal(out, 0, name.as_bytes(), value));
        }
        for (name, value) in metadata {
            if *name == header::USER_AGENT {
                self.known(out, Known::UserAgent, value.as_bytes());
            } else if !is_ours(name, request) {
                literal(
                    out,
                    indexing(name, value),
                    name.as_str().as_bytes(),
                    value.as_bytes(),
                );
            }
        }
    }

    /// Writes a field as its index, or in full and remembered.
    fn known(&mut self, out: &mut Vec<u8>, known: Known, value: &[u8]) {
        let hash = hash(known, value);
        if let Some(index) = self.find(known, value, hash) {
            integer(out, 0x80, 7, index);
            return;
        }
        let size = known.name().len() + value.len() + FIELD_OVERHEAD;
        // A field that drives out most others is not worth it.
        let remember = size <= self.max / 4;
        if remember {
            integer(out, 0x40, 6, known.static_index());
        } else {
            integer(out, 0, 4, known.static_index());
        }
        if known.static_index() == 0 {
            text(out, known.name());
        }
        text(out, value);
        if remember {
            self.evict(self.max - size);
            self.size += size;
            self.places.insert(hash, self.inserted);
            self.inserted += 1;
            let value = value.into();
            self.entries.push_back(Entry { known, hash, value });
        }
    }

    fn find(&self, known: Known, value: &[u8], hash: u64) -> Option<usize> {
        let place = *self.places.get(&hash)?;
        // The newest field has the lowest index.
        let age = usize::try_from(self.inserted - place).ok()?;
        let entry = self.entries.get(self.entries.len().checked_sub(age)?)?;
        let same = entry.known == known && *entry.value == *value;
        same.then_some(STATIC_FIELDS + age)
    }

    fn evict(&mut self, most: usize) {
        while self.size > most
            && let Some(oldest) = self.entries.pop_front()
        {
            self.size -= oldest.known.name().len() + oldest.value.len() + FIELD_OVERHEAD;
            let place = self.inserted - self.entries.len() as u64 - 1;
            // Another field of this hash may have come after it.
            if self.places.get(&oldest.hash) == Some(&place) {
                self.places.remove(&oldest.hash);
            }
        }
    }
}

impl Known {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Authority => b":authority",
            Self::Path => b":path",
            Self::ContentType => b"content-type",
            Self::UserAgent => b"user-agent",
            Self::Te => b"te",
        }
    }

    /// Where the static table has the name; nowhere is 0.
    fn static_index(self) -> usize {
        match self {
            Self::Authority => 1,
            Self::Path => 4,
            Self::ContentType => 31,
            Self::UserAgent => 58,
            Self::Te => 0,
        }
    }
}

fn hash(known: Known, value: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    known.hash(&mut hasher);
    value.hash(&mut hasher);
    hasher.finish()
}

/// Whether the field is written from somewhere else than the metadata.
fn is_ours(name: &HeaderName, request: &Request<'_>) -> bool {
    *name == header::CONTENT_TYPE
        || *name == header::TE
        || (request.timeout.is_some() && *name == "grpc-timeout")
}

/// Secrets are marked, so that nobody on the way puts them into a table.
fn indexing(name: &HeaderName, value: &HeaderValue) -> u8 {
    const NEVER: u8 = 0x10;
    let secret = *name == header::AUTHORIZATION
        || *name == header::COOKIE
        || *name == header::PROXY_AUTHORIZATION
        || value.is_sensitive();
    if secret { NEVER } else { 0 }
}

/// A field that stands in the block with its name and is not remembered.
fn literal(out: &mut Vec<u8>, first: u8, name: &[u8], value: &[u8]) {
    out.push(first);
    text(out, name);
    text(out, value);
}

/// A string without Huffman coding, which would cost more time than the bytes are worth.
fn text(out: &mut Vec<u8>, text: &[u8]) {
    integer(out, 0, 7, text.len());
    out.extend_from_slice(text);
}

/// An integer whose first byte has flags above `prefix` bits (RFC 7541, section 5.1).
#[inline]
fn integer(out: &mut Vec<u8>, flags: u8, prefix: u32, value: usize) {
    let most = (1_usize << prefix) - 1;
    if value < most {
        out.push(flags | low(value));
    } else {
        out.push(flags | low(most));
        large_integer(out, value - most);
    }
}

fn large_integer(out: &mut Vec<u8>, rest: usize) {
    let mut rest = rest;
    while rest >= 0x80 {
        out.push(low(rest) | 0x80);
        rest >>= 7;
    }
    out.push(low(rest));
}

fn low(value: usize) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low
}
