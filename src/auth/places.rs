//! Where a call brings its API key, and where its token: `authorization`, and for callers who cannot set it, browsers with
//! a WebSocket or an EventSource, a cookie or a parameter of the query.

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, Method};

use super::token::Wrong;
use crate::call::record::CallRecord;

/// Where tokens are found besides `authorization`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// A cookie.
    pub cookie: Option<Box<str>>,
    /// A parameter of the query.
    pub query: Option<Box<str>>,
    /// A header with an API key.
    pub key_header: Option<http::HeaderName>,
    /// A parameter of the query with one.
    pub key_query: Option<Box<str>>,
}

impl Places {
    /// The token of a call. Browsers send cookies with whatever any page asks them to, so that they
    /// and queries count only where nothing is changed by asking, and for WebSockets.
    pub(super) fn token<'c>(
        &self,
        headers: &'c HeaderMap,
        record: &'c CallRecord,
    ) -> Result<Option<&'c str>, Wrong> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        if let Some(value) = given.next() {
            // Two of them are read by somebody else in another order.
            if given.next().is_some() {
                return Err(Wrong::Form);
            }
            let text = value.to_str().map_err(|_binary| Wrong::Form)?;
            let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
            if scheme.eq_ignore_ascii_case("bearer") {
                return Ok(Some(token.trim()));
            }
        }
        // A WebSocket over HTTP/2 begins with CONNECT.
        let harmless = matches!(
            record.http_method,
            Method::GET | Method::HEAD | Method::CONNECT
        );
        if !harmless {
            return Ok(None);
        }
        let cookie = self.cookie.as_deref();
        let found = cookie.and_then(|name| self::cookie(headers, name));
        Ok(found.or_else(|| {
            let name = self.query.as_deref()?;
            query(record, name)
        }))
    }

    /// The API key of a call: no browser sends one by itself.
    pub(super) fn api_key<'c>(
        &self,
        headers: &'c HeaderMap,
        record: &'c CallRecord,
    ) -> Option<&'c [u8]> {
        let header = self.key_header.as_ref().and_then(|name| headers.get(name));
        header.map(http::HeaderValue::as_bytes).or_else(|| {
            let name = self.key_query.as_deref()?;
            query(record, name).map(str::as_bytes)
        })
    }
}

/// The first parameter of a name, as it stands in the query.
fn query<'c>(record: &'c CallRecord, name: &str) -> Option<&'c str> {
    let mut pairs = record.uri.query()?.split('&');
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The first cookie of a name.
fn cookie<'c>(headers: &'c HeaderMap, name: &str) -> Option<&'c str> {
    let values = headers.get_all(COOKIE).iter();
    let mut pairs = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    pairs.find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then(|| value.trim_matches('"'))
    })
}
