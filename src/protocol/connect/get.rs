//! Unary calls by GET: the message is in the query, so that caches and browsers can help.

use bytes::Bytes;
use http::Uri;

use crate::call::Fault;
use crate::call::metadata::{decode_binary, encode_binary};
use crate::protocol::rpc::{Codec, encoding};
use crate::wire::compress::{self, Encoding};
use crate::wire::percent::hex;

/// What the query of a call says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// The message, still compressed.
    pub(super) message: Bytes,
    pub(super) encoding: Encoding,
}

impl Query {
    /// The codec of the message, which also decides how errors are told.
    pub(super) fn codec(uri: &Uri) -> Option<Codec> {
        match parameter(uri, "encoding").ok()??.as_slice() {
            b"proto" => Some(Codec::Proto),
            b"json" => Some(Codec::Json),
            _ => None,
        }
    }

    /// Reads the rest.
    pub(super) fn parse(uri: &Uri) -> Result<Self, Fault> {
        let message = parameter(uri, "message")?
            .ok_or_else(|| Fault::invalid("BAD_QUERY", "the query has no message"))?;
        let base64 = match parameter(uri, "base64")?.as_deref() {
            None => false,
            Some(b"1") => true,
            Some(_) => return Err(Fault::invalid("BAD_QUERY", "base64 is not 1")),
        };
        let message = if base64 {
            base64url(&message)
                .ok_or_else(|| Fault::invalid("BAD_QUERY", "the message is not base64url"))?
        } else {
            message
        };
        let encoding = match parameter(uri, "compression")? {
            None => Encoding::Identity,
            Some(name) => encoding::parse(&name)?,
        };
        Ok(Self {
            message: message.into(),
            encoding,
        })
    }
}

/// The first value of a parameter, decoded; it may be any bytes.
fn parameter(uri: &Uri, name: &str) -> Result<Option<Vec<u8>>, Fault> {
    let query = uri.query().unwrap_or_default();
    let value = query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    });
    value.map(decode).transpose()
}

fn decode(value: &str) -> Result<Vec<u8>, Fault> {
    let bad = || Fault::invalid("BAD_QUERY", "the query holds an escape that is none");
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let [high, low, after @ ..] = tail else {
                    return Err(bad());
                };
                let high = hex(*high).ok_or_else(bad)?;
                let low = hex(*low).ok_or_else(bad)?;
                out.push(high << 4 | low);
                rest = after;
            }
            byte => out.push(byte),
        }
    }
    Ok(out)
}

/// Both alphabets, padded or not.
fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    let standard: Vec<u8> = text
        .iter()
        .map(|letter| match letter {
            b'-' => b'+',
            b'_' => b'/',
            letter => *letter,
        })
        .collect();
    decode_binary(&standard)
}

/// A query, as a fuzzer makes it up: a message that is found in it is found again in base64.
pub fn feed(data: &[u8]) {
    let target = [b"/a.B/C?", data].concat();
    let Ok(uri) = Uri::try_from(target) else {
        return;
    };
    let _codec = Query::codec(&uri);
    if let Ok(query) = Query::parse(&uri) {
        let packed = compress::decompress(query.encoding, &query.message, 1 << 10);
        assert!(packed.is_err() || packed.is_ok_and(|message| message.len() <= 1 << 10));
        let encoded = encode_binary(&query.message)
            .replace('+', "-")
            .replace('/', "_");
        let name = query.encoding.name();
        let again = format!("/a.B/C?base64=1&message={encoded}&compression={name}");
        let again = Uri::try_from(again).ok().map(|uri| Query::parse(&uri));
        assert!(
            matches!(&again, Some(Ok(same)) if *same == query),
            "{again:?}"
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn query(query: &str) -> Result<Query, &'static str> {
        let uri = Uri::try_from(format!("/a.B/C?{query}")).expect("a target");
        Query::parse(&uri).map_err(|fault| fault.reason())
    }

    #[test]
    fn messages_are_read() {
        for (text, expected) in [
            ("message=%7B%7D&encoding=json", Ok(&b"{}"[..])),
            ("encoding=json&message=a+b&connect=v1", Ok(b"a b")),
            ("base64=1&message=-_8", Ok(b"\xfb\xff")),
            ("base64=1&message=-_8%3D", Ok(b"\xfb\xff")),
            ("message=%ff", Ok(b"\xff")),
            ("message=&message=x", Ok(b"")),
            ("message", Ok(b"")),
            ("encoding=json", Err("BAD_QUERY")),
            ("message=%f", Err("BAD_QUERY")),
            ("message=%zz", Err("BAD_QUERY")),
            ("base64=1&message=!!", Err("BAD_QUERY")),
            ("base64=yes&message=AQ", Err("BAD_QUERY")),
            ("message=AQ&compression=snappy", Err("UNKNOWN_ENCODING")),
        ] {
            let found = query(text).map(|query| query.message);
            assert_eq!(
                found.as_deref().map_err(|reason| *reason),
                expected,
                "{text}"
            );
        }
        let packed = query("message=AQ&compression=gzip").expect("fine");
        assert_eq!(packed.encoding, Encoding::Gzip);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[ -~]{0,40}") {
            if let Ok(uri) = Uri::try_from(format!("/a.B/C?message={text}")) {
                drop(Query::parse(&uri));
                let _ = Query::codec(&uri);
            }
        }
    }
}
