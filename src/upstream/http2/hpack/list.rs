//! [`List`]: a header list as it comes out of a block, held to its rules (RFC 9113, section 8).

use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::decode::Text;

/// One field, read and judged once; the tables keep it like this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// `:status`.
    Status(StatusCode),
    /// Any other field that begins with a colon; none belongs into an answer.
    Pseudo,
    Header(HeaderName, HeaderValue),
    /// A name or value that HTTP does not have.
    Bad,
}

/// What a block held.
#[derive(Debug)]
pub(in crate::upstream::http2) struct List {
    pub(in crate::upstream::http2) status: Option<StatusCode>,
    pub(in crate::upstream::http2) headers: HeaderMap,
    /// Bytes that it may still take.
    room: usize,
    wrong: Option<&'static str>,
}

const TOO_LARGE: &str = "a header list over the limit";

impl List {
    /// An empty list that takes so many bytes as HPACK counts them.
    pub(in crate::upstream::http2) fn new(limit: usize) -> Self {
        Self {
            status: None,
            headers: HeaderMap::new(),
            room: limit,
            wrong: None,
        }
    }

    /// What makes the answer malformed, if anything does.
    pub(in crate::upstream::http2) fn wrong(&self) -> Option<&'static str> {
        self.wrong
    }

    /// Whether a field of this size still fits; once one does not, none does.
    pub(super) fn admits(&mut self, size: usize) -> bool {
        match self.room.checked_sub(size) {
            Some(room) => {
                self.room = room;
                true
            }
            None => {
                self.room = 0;
                self.wrong = Some(TOO_LARGE);
                false
            }
        }
    }

    pub(super) fn add(&mut self, field: Field) {
        let wrong = match field {
            Field::Header(name, value) => {
                if belongs_to_connection(&name) {
                    Some("a header field of HTTP/1.1")
                } else {
                    let added = self.headers.try_append(name, value);
                    added.err().map(|_too_many| TOO_LARGE)
                }
            }
            Field::Status(_) if self.status.is_some() => Some("two statuses"),
            Field::Status(_) if !self.headers.is_empty() => Some("a status after header fields"),
            Field::Status(status) => {
                self.status = Some(status);
                None
            }
            Field::Pseudo => Some("a pseudo-header field of requests"),
            Field::Bad => Some("a header field that HTTP does not have"),
        };
        self.wrong = self.wrong.or(wrong);
    }
}

impl Field {
    pub(super) fn new(name: &[u8], value: Text<'_>) -> Self {
        match name {
            b":status" => Self::status(value.bytes()),
            [b':', ..] => Self::Pseudo,
            _ => match (HeaderName::from_lowercase(name), value.into_value()) {
                (Ok(name), Some(value)) => Self::Header(name, value),
                _ => Self::Bad,
            },
        }
    }

    /// A field with the name of this one.
    pub(super) fn with_value(&self, value: Text<'_>) -> Self {
        match self {
            Self::Status(_) => Self::status(value.bytes()),
            Self::Pseudo => Self::Pseudo,
            Self::Header(name, _) => match value.into_value() {
                Some(value) => Self::Header(name.clone(), value),
                None => Self::Bad,
            },
            Self::Bad => Self::Bad,
        }
    }

    fn status(value: &[u8]) -> Self {
        StatusCode::from_bytes(value).map_or(Self::Bad, Self::Status)
    }
}

/// Whether HTTP/2 forbids the field (RFC 9113, section 8.2.2).
pub(super) fn belongs_to_connection(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade"
    )
}
