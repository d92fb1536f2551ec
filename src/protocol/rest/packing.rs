//! Which answers are compressed, and how (M5).
//!
//! What is small, compressed already, or a part of something stays as it is. A stream is flushed
//! with every message, so that compression holds none back (S2).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, HeaderMap, HeaderValue, VARY,
};
use http::{Response, StatusCode};
use http_body::{Body as _, Frame};

use crate::call::{Body, Fault};
use crate::protocol::rpc::encoding::weight;
use crate::schema::policy::RestOptions;
use crate::wire::compress::{Compressor, Encoding, compress};

/// What was settled about the compression of one answer when its request came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packing {
    /// What the client likes best of what is offered; `None` when nothing is offered.
    encoding: Option<Encoding>,
    /// Answers below this are sent as they are.
    from: usize,
}

impl Packing {
    /// Nothing is compressed.
    pub(super) const OFF: Self = Self {
        encoding: None,
        from: usize::MAX,
    };

    /// What the headers of a request ask for and the configuration offers.
    pub(super) fn of(request: &HeaderMap, options: &RestOptions) -> Self {
        if options.compression.is_empty() {
            return Self::OFF;
        }
        Self {
            encoding: Some(negotiate(request, &options.compression)),
            from: options.compression_from,
        }
    }

    /// Compresses a complete answer, or one whose body is still to come, where that is of use.
    pub(super) fn apply(self, mut response: Response<Body>) -> Response<Body> {
        let Some(encoding) = self.encoding else {
            return response;
        };
        let length = length(&response);
        if length.is_some_and(|length| length < self.from) || !may_be_packed(&response) {
            return response;
        }
        let headers = response.headers_mut();
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
        if encoding == Encoding::Identity {
            return response;
        }
        let name = HeaderValue::from_static(encoding.name());
        headers.insert(CONTENT_ENCODING, name);
        headers.remove(CONTENT_LENGTH);
        weaken(headers);
        let body = std::mem::replace(response.body_mut(), Body::empty());
        *response.body_mut() = pack(encoding, body);
        response
    }
}

fn pack(encoding: Encoding, mut body: Body) -> Body {
    if body.is_end_stream() {
        // The answer to HEAD.
        return body;
    }
    match body.take_whole() {
        Some(bytes) => Body::whole(compress(encoding, &bytes), None),
        None => Body::raw(Packed {
            body,
            compressor: Some(Compressor::new(encoding)),
            trailers: None,
        }),
    }
}

/// The length of a body, where it is known.
fn length(response: &Response<Body>) -> Option<usize> {
    if let Some(data) = response.body().whole_data().filter(|data| !data.is_empty()) {
        return Some(data.len());
    }
    let stated = response.headers().get(CONTENT_LENGTH);
    match stated.and_then(|length| length.to_str().ok()?.parse().ok()) {
        Some(length) => Some(length),
        None => response.body().is_end_stream().then_some(0),
    }
}

/// Whether compression may change an answer and is likely to make it smaller.
fn may_be_packed(response: &Response<Body>) -> bool {
    let headers = response.headers();
    let whole = response.status() != StatusCode::PARTIAL_CONTENT
        && !headers.contains_key(CONTENT_RANGE)
        && !headers.get_all(CACHE_CONTROL).iter().any(|value| {
            let directives = value.as_bytes().split(|byte| *byte == b',');
            let mut directives = directives.map(<[u8]>::trim_ascii);
            directives.any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
        });
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    whole && kind.is_some_and(is_compressible)
}

/// Whether content of this type is not compressed by itself: text in all its forms.
fn is_compressible(content_type: &str) -> bool {
    const KINDS: [&str; 12] = [
        "application/json",
        "application/problem+json",
        "application/x-ndjson",
        "application/jsonl",
        "application/x-protobuf",
        "application/xml",
        "application/javascript",
        "application/yaml",
        "application/wasm",
        "application/sql",
        "application/x-www-form-urlencoded",
        "image/bmp",
    ];
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || essence.ends_with("+yaml")
        || KINDS.contains(&essence.as_str())
}

/// What is compressed is no longer the same byte by byte, which a strong tag would say.
fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers
        .get(ETAG)
        .filter(|tag| tag.as_bytes().starts_with(b"\""))
    else {
        return;
    };
    if let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
        headers.insert(ETAG, weak);
    }
}

/// The encoding that an `Accept-Encoding` gives the most weight, the order of `offered` deciding
/// between equals. What is not named is not used, but by `*`.
fn negotiate(headers: &HeaderMap, offered: &[Encoding]) -> Encoding {
    let mut given = headers.get_all(ACCEPT_ENCODING).iter().peekable();
    if given.peek().is_none() {
        return Encoding::Identity;
    }
    // Of each that is offered, of identity, and of `*`.
    let mut weights = [None; 8];
    let mut others = 0;
    let mut identity = 0;
    for part in given.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
        let mut fields = part.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = fields.next().unwrap_or_default();
        let weight = fields.find_map(weight).unwrap_or(1000);
        let name = if name.eq_ignore_ascii_case(b"x-gzip") {
            b"gzip"
        } else {
            name
        };
        match Encoding::parse(name) {
            _ if name == b"*" => others = weight,
            Some(Encoding::Identity) => identity = weight,
            Some(encoding) => {
                let at = offered.iter().position(|offered| *offered == encoding);
                if let Some(place) = at.and_then(|at| weights.get_mut(at)) {
                    *place = Some(weight);
                }
            }
            None => {}
        }
    }
    let mut best = (Encoding::Identity, identity);
    for (encoding, weight) in offered.iter().zip(weights) {
        let weight = weight.unwrap_or(others);
        let better = weight > best.1 || (weight == best.1 && best.0 == Encoding::Identity);
        if weight > 0 && better {
            best = (*encoding, weight);
        }
    }
    best.0
}

/// A body that is compressed as it goes out.
struct Packed {
    body: Body,
    /// Until the end.
    compressor: Option<Compressor>,
    /// What follows the end.
    trailers: Option<Frame<Bytes>>,
}

impl http_body::Body for Packed {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = self.get_mut();
        loop {
            let Some(compressor) = &mut this.compressor else {
                return Poll::Ready(this.trailers.take().map(Ok));
            };
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => continue,
                    Ok(data) => Some(compressor.write(&data)),
                    Err(frame) => {
                        this.trailers = Some(frame);
                        None
                    }
                },
                // Cut short, it must not look whole (S4).
                Some(Err(fault)) => return Poll::Ready(Some(Err(fault))),
                None => None,
            };
            let data = match frame {
                Some(data) => data,
                None => this
                    .compressor
                    .take()
                    .map(Compressor::finish)
                    .unwrap_or_default(),
            };
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.compressor.is_none() && self.trailers.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m5_the_weights_of_the_client_decide_and_then_the_order_of_the_offer() {
        let offered = [Encoding::Zstd, Encoding::Brotli, Encoding::Gzip];
        for (accept, expected) in [
            ("gzip", "gzip"),
            ("gzip, deflate, br, zstd", "zstd"),
            ("gzip;q=1.0, br;q=0.9, zstd;q=0.8", "gzip"),
            ("gzip;q=0.5, br;q=0.5", "br"),
            ("gzip;q=0", "identity"),
            ("gzip;q=0, *", "zstd"),
            ("*;q=0.1", "zstd"),
            ("*;q=0", "identity"),
            ("zstd;q=0, br;q=0, *", "gzip"),
            ("x-gzip", "gzip"),
            ("GZIP;Q=0.3", "gzip"),
            ("identity", "identity"),
            ("identity;q=0.5, gzip;q=0.2", "identity"),
            ("identity, gzip", "gzip"),
            ("deflate, snappy", "identity"),
            ("gzip;q=x", "identity"),
            ("", "identity"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(negotiate(&headers, &offered).name(), expected, "{accept}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(negotiate(&headers, &offered), Encoding::Identity);
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("br;q=0.1"));
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        assert_eq!(negotiate(&headers, &offered), Encoding::Gzip);
    }

    #[test]
    fn m5_what_is_compressed_by_itself() {
        for (kind, expected) in [
            ("text/event-stream", true),
            ("TEXT/html; charset=utf-8", true),
            ("application/vnd.a+json", true),
            ("image/svg+xml", true),
            ("image/png", false),
            ("video/mp4", false),
            ("application/zip", false),
            ("application/pdf", false),
            ("application/octet-stream", false),
            ("", false),
        ] {
            assert_eq!(is_compressible(kind), expected, "{kind}");
        }
    }
}
