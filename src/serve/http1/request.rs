//! One request of HTTP/1 and its answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll, ready};

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;

use super::super::connection::Context;
use super::super::host;
use super::super::shield::{Shielded, shield};
use super::body::{RequestBody, ResponseBody};
use super::exchange::Exchange;
use super::upgrade::{self, Offer};
use crate::call::{Body, SharedPeer};

/// What the answer to a request is made with.
pub(super) struct Shared {
    pub(super) context: Rc<Context>,
    pub(super) exchange: Rc<Exchange>,
    pub(super) peer: SharedPeer,
}

/// An answer that is being made.
pub(super) struct Answering {
    shared: Shared,
    /// `Err` when the request is refused.
    asked: Result<Shielded, StatusCode>,
    too_long: bool,
    version: Version,
    offer: Option<Offer>,
}

/// Answers a request whose head is sound.
pub(super) fn answer(shared: Shared, request: Request<Incoming>) -> Answering {
    let version = request.version();
    let params = &shared.context.params;
    let (head, incoming) = request.into_parts();
    let refused = refuse(&head.method, &head.uri, &head.headers, params.uri_bytes);
    let too_long = is_longer_than(&head.headers, params.unwanted_body);
    let mut offer = None;
    let asked = match refused {
        Some(status) => Err(status),
        None => {
            let body = if incoming.is_end_stream() {
                if upgrade::is_offered(&head) {
                    offer = shared.exchange.offer();
                }
                offer.as_ref().map_or_else(Body::empty, Offer::body)
            } else {
                let expects = head.headers.contains_key(EXPECT);
                Body::raw(RequestBody::new(
                    incoming,
                    Rc::clone(&shared.exchange),
                    expects,
                ))
            };
            let request = Request::from_parts(head, body);
            let peer = Rc::clone(&shared.peer);
            Ok(shield(&shared.context.handler, peer, request))
        }
    };
    Answering {
        shared,
        asked,
        too_long,
        version,
        offer,
    }
}

impl Future for Answering {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Self::Output> {
        let response = match &mut self.asked {
            Err(status) => close(*status),
            Ok(asked) => match ready!(Pin::new(asked).poll(context)) {
                Some(response) => response,
                None => {
                    self.shared.context.stats.count_panic();
                    close(StatusCode::INTERNAL_SERVER_ERROR)
                }
            },
        };
        let exchange = Rc::clone(&self.shared.exchange);
        let response = match self.offer.take() {
            Some(offer) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                let (head, body) = response.into_parts();
                exchange.take_over(offer, body);
                Response::from_parts(head, Body::empty())
            }
            offer => {
                if let Some(offer) = offer {
                    offer.decline();
                }
                response
            }
        };
        let mut response = response;
        // The rest of a long body is not read, so the client has to know that this is the end.
        if self.too_long && exchange.has_leftover() {
            let value = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, value);
        }
        let streaming = response.body().size_hint().exact().is_none();
        exchange.answer(streaming && self.version == Version::HTTP_10);
        Poll::Ready(Ok(response.map(|body| ResponseBody::new(body, exchange))))
    }
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
