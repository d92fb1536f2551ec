//! Headers and cookies of answers that say what fields of the message say (B14).

use http::header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE};

use super::answer::Answer;
use crate::schema::policy::HeaderSource;
use crate::transcode::wire_to_json;

/// Writes what the route wants of a message, in the place of what the application said by metadata
/// of those names. A value that no header can hold is left out and counted.
pub(super) fn write(answer: &Answer, message: &[u8], headers: &mut HeaderMap) {
    let Some(fields) = &answer.sent_headers else {
        return;
    };
    let mut dropped = 0;
    for field in fields.iter() {
        let tables = &answer.schema.tables;
        let texts = wire_to_json::texts(tables, &answer.json, &field.path, message);
        let before = texts.len();
        let values: Vec<HeaderValue> = match &field.target {
            HeaderSource::Header(_) => texts.into_iter().filter_map(value).collect(),
            HeaderSource::Cookie(name) => {
                let cookies = texts.iter().filter(|text| is_cookie_value(text));
                let cookies = cookies.map(|text| {
                    let pair = [name.as_bytes(), b"=", text].concat();
                    [&*pair, field.attributes.as_bytes()].concat()
                });
                cookies.filter_map(value).collect()
            }
        };
        dropped += before - values.len();
        let name = match &field.target {
            HeaderSource::Header(name) => HeaderName::try_from(&**name).ok(),
            HeaderSource::Cookie(_) => Some(SET_COOKIE),
        };
        let Some(name) = name else { continue };
        if !values.is_empty() && matches!(field.target, HeaderSource::Header(_)) {
            headers.remove(&name);
        }
        for value in values {
            headers.append(&name, value);
        }
    }
    answer.record.note().metadata_dropped += u32::try_from(dropped).unwrap_or(u32::MAX);
}

/// A value of a header; `None` for what would be another header, or none.
fn value(text: Vec<u8>) -> Option<HeaderValue> {
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok()
}

/// Whether a text can be a cookie's value as it is (RFC 6265): nothing that ends it early.
fn is_cookie_value(text: &[u8]) -> bool {
    text.iter()
        .all(|byte| matches!(byte, 0x21 | 0x23..=0x2B | 0x2D..=0x3A | 0x3C..=0x5B | 0x5D..=0x7E))
}
