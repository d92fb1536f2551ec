//! Plain HTTP for paths that no rule knows (`rest.fallback`): the request goes on as it is, but for
//! what concerns one connection and what is said of who asks; and so does the answer.
//!
//! A path that a rule knows is never sent on, whatever its method.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT, HOST, HeaderName, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode, Uri, Version};
use http_body::{Body as _, Frame, SizeHint};

use super::metadata::{hop_by_hop_by_name, is_hop_by_hop};
use super::reader::IdleBody;
use super::websocket::handshake::check_origin;
use super::{Incoming, Params, forwarded, rest, timeout};
use crate::call::metadata::tell;
use crate::call::{Body, Code, Fallback, Fault, LocalFuture, Record};
use crate::route::path;
use crate::route::trie::{Lookup, LookupOptions};
use crate::schema::{Reflection, Schema};

/// What only a WebSocket over HTTP/1.1 has.
const KEY: HeaderName = HeaderName::from_static("sec-websocket-key");
const ACCEPT: HeaderName = HeaderName::from_static("sec-websocket-accept");

/// Whether a path is the plain port's: no rule knows it, and nobody is still to be asked.
pub(super) fn is_for(schema: &Schema, own: &Schema, uri: &Uri) -> bool {
    let options = LookupOptions {
        ignore_trailing_slash: schema.default_policy.rest.ignore_trailing_slash,
    };
    let at = uri.path();
    schema.reflection != Reflection::Pending
        && path::check(at).is_ok()
        && matches!(schema.routes.find("GET", at, options), Lookup::NotFound)
        && schema.find(at).is_none()
        && own.find(at).is_none()
        && !rest::is_own(at, schema)
}

/// Sends a request on and hands the answer back.
pub(super) fn pass(
    params: &Params,
    fallback: &Fallback,
    incoming: Incoming,
) -> LocalFuture<Response<Body>> {
    let refusal = rest::Refusal::new(&incoming, params.reason_header);
    let policy = &incoming.schema.default_policy;
    let asked = match timeout::asked(&incoming.head.headers) {
        Ok(asked) => asked,
        Err(fault) => return Box::pin(std::future::ready(refusal.answer(&fault))),
    };
    if policy.access.is_some()
        && incoming.body.is_offer()
        && let Err(fault) = check_origin(&incoming.head, params.cors.as_deref())
    {
        // A cookie may say who calls, and a page of anybody's brings it along.
        return Box::pin(std::future::ready(refusal.answer(&fault)));
    }
    let times = policy.timeouts;
    let own = asked.or(times.unary_default);
    let patience = times
        .max
        .map_or(own, |max| Some(own.map_or(max, |own| own.min(max))));
    let version = incoming.head.version;
    let record = incoming.record.clone();
    let gate = policy.access.as_ref().map(|_| params.gate.clone());
    let fallback = Rc::clone(fallback);
    let mut request = request(params, incoming, times.body_idle);
    let asking: LocalFuture<_> = match gate {
        None => fallback(request),
        Some(gate) => {
            let passing = gate.pass(std::mem::take(request.headers_mut()), record.clone());
            Box::pin(async move {
                *request.headers_mut() = passing.await?;
                fallback(request).await
            })
        }
    };
    Box::pin(async move {
        match within(patience, asking).await {
            Ok(response) => answer(response, version, &record),
            Err(fault) => refusal.answer(&fault),
        }
    })
}

async fn within(
    patience: Option<Duration>,
    asking: LocalFuture<Result<Response<Body>, Fault>>,
) -> Result<Response<Body>, Fault> {
    match patience {
        None => asking.await,
        Some(patience) => match tokio::time::timeout(patience, asking).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(Fault::deadline()),
        },
    }
}

/// Whether a name with `_` is, to servers that read it as `-` (CGI and its kin), one that nobody
/// outside may say.
fn stands_for_another(name: &str, denied: &[Box<str>]) -> bool {
    let read = name.replace('_', "-");
    read.starts_with("x-sidegate-")
        || !forwarded::passes(&read, false)
        || denied.iter().any(|denied| **denied == *read)
}

/// The request as the plain port gets it.
fn request(params: &Params, incoming: Incoming, idle: Duration) -> Request<Body> {
    let Incoming {
        schema,
        peer,
        head,
        body,
        record,
        ..
    } = incoming;
    let trusted = forwarded::trusted(&params.trusted_proxies, &peer);
    let upgrade = upgrade(&head, &body);
    let denied = &schema.default_policy.rest.denied_headers;
    let mut headers = HeaderMap::with_capacity(head.headers.len() + 8);
    let named = hop_by_hop_by_name(&head.headers);
    for (name, value) in &head.headers {
        let text = name.as_str();
        let passes = !is_hop_by_hop(text)
            && *name != EXPECT
            && !text.starts_with("x-sidegate-")
            && forwarded::passes(text, trusted)
            && !named.iter().any(|other| other == text)
            && !denied.iter().any(|denied| **denied == *text)
            && !(text.contains('_') && stands_for_another(text, denied));
        if passes {
            headers.append(name, value.clone());
        }
    }
    forwarded::write(&head, &peer, trusted, &mut headers);
    if let Some(told) = record.told() {
        tell(&mut headers, &told);
    }
    if let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        headers.insert(HOST, host);
    }
    let body = if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
        if head.version == Version::HTTP_2 {
            // There is none over HTTP/2, and nobody looks at what is made of it.
            headers.insert(KEY, HeaderValue::from_static("c2lkZWdhdGUtdHVubmVsIQ=="));
        }
        body
    } else if body.is_end_stream() {
        Body::empty()
    } else {
        Body::raw(Counted {
            body: IdleBody::new(body, idle),
            record,
        })
    };
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = Uri::try_from(target).unwrap_or_default();
    *request.headers_mut() = headers;
    request
}

/// The protocol that the client offers to speak; HTTP/2 in clear text is none (fault 12).
fn upgrade(head: &Parts, body: &Body) -> Option<HeaderValue> {
    let protocol = head.headers.get(UPGRADE).filter(|_| body.is_offer())?;
    let mut names = protocol.as_bytes().split(|byte| *byte == b',');
    let h2c = names.any(|name| name.trim_ascii().eq_ignore_ascii_case(b"h2c"));
    (!h2c).then(|| protocol.clone())
}

/// The answer as the client gets it.
fn answer(response: Response<Body>, version: Version, record: &Record) -> Response<Body> {
    let mut response = response;
    let status = response.status();
    record.note().code = Some(if status.as_u16() < 400 {
        Code::Ok
    } else {
        Code::from_http(status)
    });
    let headers = response.headers_mut();
    let protocol = headers.remove(UPGRADE);
    let named = hop_by_hop_by_name(headers);
    let leaving: Vec<_> = headers
        .keys()
        .filter(|name| {
            is_hop_by_hop(name.as_str()) || named.iter().any(|named| named == name.as_str())
        })
        .cloned()
        .collect();
    for name in leaving {
        headers.remove(name);
    }
    if status == StatusCode::SWITCHING_PROTOCOLS {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some(protocol) = protocol {
            headers.insert(UPGRADE, protocol);
        }
        if version == Version::HTTP_2 {
            headers.remove(ACCEPT);
        }
    }
    response
}

/// A body that is counted as it is read.
struct Counted {
    body: IdleBody,
    record: Record,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, Bytes::len);
            self.record.note().bytes_in += length as u64;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
