//! The static table (RFC 7541, appendix A) and the dynamic one of a decoder.

use std::collections::VecDeque;
use std::sync::LazyLock;

use super::FIELD_OVERHEAD;
use super::decode::Text;
use super::list::Field;

/// A field and what it counts for.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) field: Field,
    /// The name's bytes.
    pub(super) name_len: usize,
    /// The whole size as HPACK counts it.
    pub(super) size: usize,
}

impl Entry {
    pub(super) fn new(field: Field, name_len: usize, value_len: usize) -> Self {
        Self {
            field,
            name_len,
            size: name_len + value_len + FIELD_OVERHEAD,
        }
    }
}

/// How many fields the static table has; the dynamic one is counted from there.
pub(super) const STATIC_FIELDS: usize = 61;

#[rustfmt::skip]
const FIELDS: [(&str, &str); STATIC_FIELDS] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"),
    (":path", "/index.html"), (":scheme", "http"), (":scheme", "https"), (":status", "200"),
    (":status", "204"), (":status", "206"), (":status", "304"), (":status", "400"),
    (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""),
    ("accept", ""), ("access-control-allow-origin", ""), ("age", ""), ("allow", ""),
    ("authorization", ""), ("cache-control", ""), ("content-disposition", ""),
    ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""),
    ("date", ""), ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""),
    ("if-match", ""), ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""),
    ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""), ("location", ""),
    ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""),
    ("vary", ""), ("via", ""), ("www-authenticate", ""),
];

static STATIC: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let entry = |(name, value): &(&str, &str)| {
        let text = Text::Borrowed(value.as_bytes());
        Entry::new(Field::new(name.as_bytes(), text), name.len(), value.len())
    };
    FIELDS.iter().map(entry).collect()
});

/// What a decoder remembers, the newest field first.
#[derive(Debug)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    size: usize,
    max: usize,
}

impl Table {
    pub(super) fn new(max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            size: 0,
            max,
        }
    }

    /// The field with this index, which counts from one through both tables.
    pub(super) fn get(&self, index: usize) -> Option<&Entry> {
        if index > STATIC_FIELDS {
            self.entries.get(index - STATIC_FIELDS - 1)
        } else {
            STATIC.get(index.checked_sub(1)?)
        }
    }

    /// Remembers a field; one that is larger than the table empties it.
    pub(super) fn insert(&mut self, entry: Entry) {
        self.evict(self.max.saturating_sub(entry.size));
        if entry.size <= self.max {
            self.size += entry.size;
            self.entries.push_front(entry);
        }
    }

    pub(super) fn resize(&mut self, max: usize) {
        self.max = max;
        self.evict(max);
    }

    /// Forgets the oldest fields until the rest is no larger than `most`.
    fn evict(&mut self, most: usize) {
        while self.size > most
            && let Some(oldest) = self.entries.pop_back()
        {
            self.size -= oldest.size;
        }
    }
}
