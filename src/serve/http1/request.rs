//! One request of HTTP/1 and its answer.

use std::rc::Rc;

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;

use super::super::connection::Context;
use super::super::host;
use super::super::shield::shield;
use super::body::{RequestBody, ResponseBody};
use super::exchange::Exchange;
use crate::call::{Body, SharedPeer};

/// Answers a request whose head is sound.
pub(super) async fn answer(
    (context, exchange, peer): (Rc<Context>, Rc<Exchange>, SharedPeer),
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let version = request.version();
    let (head, incoming) = request.into_parts();
    let refused = refuse(
        &head.method,
        &head.uri,
        &head.headers,
        context.params.uri_bytes,
    );
    let too_long = is_longer_than(&head.headers, context.params.unwanted_body);
    let expects = head.headers.contains_key(EXPECT);
    let mut response = if let Some(status) = refused {
        drop(incoming);
        close(status)
    } else {
        let body = if incoming.is_end_stream() {
            Body::empty()
        } else {
            Body::raw(RequestBody::new(incoming, Rc::clone(&exchange), expects))
        };
        let request = Request::from_parts(head, body);
        shield(Rc::clone(&context.handler), &context.stats, peer, request)
            .await
            .unwrap_or_else(|| close(StatusCode::INTERNAL_SERVER_ERROR))
    };
    // The rest of a long body is not read, so the client has to know that this is the end.
    if too_long && exchange.has_leftover() {
        let value = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, value);
    }
    let streaming = response.body().size_hint().exact().is_none();
    exchange.answer(streaming && version == Version::HTTP_10);
    response.map(|body| ResponseBody::new(body, exchange))
}

fn close(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let value = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, value);
    response
}

/// What never reaches a handler.
fn refuse(method: &Method, uri: &Uri, headers: &HeaderMap, uri_bytes: usize) -> Option<StatusCode> {
    if method == Method::CONNECT {
        return Some(StatusCode::METHOD_NOT_ALLOWED);
    }
    let length = uri.path_and_query().map_or(0, |path| path.as_str().len());
    if length > uri_bytes {
        return Some(StatusCode::URI_TOO_LONG);
    }
    // Whom a request is for must not depend on which of two names is read.
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    if let (Some(authority), Some(host)) = (uri.authority(), host)
        && !authority.as_str().as_bytes().eq_ignore_ascii_case(host)
    {
        return Some(StatusCode::BAD_REQUEST);
    }
    if host.is_some_and(|host| !host::is_sound(host)) {
        return Some(StatusCode::BAD_REQUEST);
    }
    None
}

fn is_longer_than(headers: &HeaderMap, most: usize) -> bool {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    length
        .and_then(|length| length.parse::<u64>().ok())
        .is_some_and(|length| length > most as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_are_refused() {
        let rows = [
            ("GET", "/", "a", None),
            ("GET", "http://a/", "a", None),
            ("GET", "http://A:80/", "a:80", None),
            ("GET", "http://a/", "b", Some(400)),
            ("GET", "http://u@a/", "u@a", Some(400)),
            ("GET", "/", "a b", Some(400)),
            ("GET", "/", "", None),
            ("GET", "/12345678901", "a", Some(414)),
            ("CONNECT", "a:443", "a:443", Some(405)),
        ];
        for (method, uri, host, expected) in rows {
            let request = Request::builder()
                .method(method)
                .uri(uri)
                .header("host", host)
                .body(())
                .unwrap();
            let refused = refuse(request.method(), request.uri(), request.headers(), 10);
            assert_eq!(
                refused.map(|status| status.as_u16()),
                expected,
                "{method} {uri}"
            );
        }
    }
}
