//! Headers and cookies that are bound to fields of the request (B14).

use std::borrow::Cow;

use http::HeaderMap;
use http::header::COOKIE;
use smallvec::SmallVec;

use crate::call::Fault;
use crate::schema::binding::{Binding, HeaderBinding};
use crate::schema::policy::HeaderSource;
use crate::transcode::Violation;

/// What the head of a request says of each bound field that it says something of.
pub(super) type Given<'a> = SmallVec<[(&'a HeaderBinding, Cow<'a, str>); 2]>;

/// Reads the headers that a binding asks for.
pub(super) fn given<'a>(binding: &'a Binding, headers: &'a HeaderMap) -> Result<Given<'a>, Fault> {
    let mut found = Given::new();
    for bound in &binding.headers {
        let value = match &bound.source {
            HeaderSource::Header(name) => header(headers, name),
            HeaderSource::Cookie(name) => cookie(headers, name),
        };
        let text = value.and_then(|value| {
            value
                .map(|value| std::str::from_utf8(value).map_err(|_not_text| "is not valid UTF-8"))
                .transpose()
        });
        match text {
            Ok(Some(text)) => found.push((bound, Cow::Borrowed(text))),
            Ok(None) => {}
            Err(complaint) => {
                return Err(Fault::violations(vec![Violation {
                    field: bound.path.text.to_string(),
                    description: format!("{complaint} ({})", bound.source),
                    offset: None,
                }]));
            }
        }
    }
    Ok(found)
}

/// The value of a header, which may be said twice in the same words.
fn header<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h [u8]>, &'static str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.any(|value| Some(value) != first) {
        return Err("is given twice");
    }
    Ok(first.map(|value| value.as_bytes().trim_ascii()))
}

/// The first cookie of a name, without the quotes that may be around it (RFC 6265).
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h [u8]>, &'static str> {
    let pairs = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let value = pairs.into_iter().find_map(|pair| {
        let pair = pair.trim_ascii().strip_prefix(name.as_bytes())?;
        pair.trim_ascii_start()
            .strip_prefix(b"=")
            .map(<[u8]>::trim_ascii)
    });
    Ok(value.map(|value| {
        let quoted = value.strip_prefix(b"\"");
        quoted
            .and_then(|inner| inner.strip_suffix(b"\""))
            .unwrap_or(value)
    }))
}
