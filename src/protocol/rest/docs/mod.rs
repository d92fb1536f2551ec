//! `/openapi.json` and `/docs` (D1): what the gateway serves, described by itself.
//!
//! They are looked for where no route leads, so that the application's own rules win and no call
//! ever waits for them. The page is whole in itself: nothing in it comes from elsewhere, and its
//! content security policy lets nothing else in.

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    HeaderName, HeaderValue, IF_NONE_MATCH, VARY,
};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use crate::call::{Body, Fault};
use crate::schema::{Reflection, Schema};
use crate::wire::compress::Encoding;

/// Where the description is.
const DESCRIPTION: &str = "/openapi.json";

/// The page and what belongs to it: path, content type, content.
const PAGES: [(&str, &str, &str); 5] = [
    (
        "/docs",
        "text/html; charset=utf-8",
        include_str!("page.html"),
    ),
    (
        "/docs/docs.css",
        "text/css; charset=utf-8",
        include_str!("docs.css"),
    ),
    (
        "/docs/docs.js",
        "text/javascript; charset=utf-8",
        include_str!("docs.js"),
    ),
    (
        "/docs/schema.js",
        "text/javascript; charset=utf-8",
        include_str!("schema.js"),
    ),
    (
        "/docs/try.js",
        "text/javascript; charset=utf-8",
        include_str!("try.js"),
    ),
];

/// What the page may load, and from where.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; img-src data: blob:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The answer to a request that no route takes, if it is for one of these.
pub(super) fn answer(head: &Parts, schema: &Schema) -> Option<Result<Response<Body>, Fault>> {
    let path = head.uri.path();
    if !is_own(path, schema) {
        return None;
    }
    let is_read = matches!(head.method, Method::GET | Method::HEAD);
    let refused = || Err(super::not_allowed(head.method.as_str(), "GET, HEAD"));
    if path == DESCRIPTION {
        // Before the application was asked there is nothing to describe.
        let is_there = schema.reflection != Reflection::Pending;
        return is_there.then(|| {
            if is_read {
                Ok(description(head, schema))
            } else {
                refused()
            }
        });
    }
    let (_, content_type, content) = PAGES.iter().find(|(known, _, _)| *known == path)?;
    Some(if is_read {
        Ok(page(head, content_type, content))
    } else {
        refused()
    })
}

/// Whether a path is one of these, unless they are off.
pub(super) fn is_own(path: &str, schema: &Schema) -> bool {
    let known = || path == DESCRIPTION || PAGES.iter().any(|(known, _, _)| *known == path);
    schema.default_policy.rest.docs && known()
}

fn description(head: &Parts, schema: &Schema) -> Response<Body> {
    let described = schema.openapi();
    let asks = |name: HeaderName, fits: &dyn Fn(&str) -> bool| {
        let values = head.headers.get_all(name).into_iter();
        values.filter_map(|value| value.to_str().ok()).any(fits)
    };
    let known = |tags: &str| {
        let mut tags = tags.split(',').map(str::trim);
        tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == described.etag)
    };
    let unchanged = asks(IF_NONE_MATCH, &known);
    let packed = asks(ACCEPT_ENCODING, &|list| {
        Encoding::Gzip.is_listed(list.as_bytes()) && !list.contains("gzip;q=0")
    });
    let body = if packed {
        described.gzip.clone()
    } else {
        described.json.clone()
    };
    let mut response = whole(head, "application/json", body);
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&described.etag) {
        headers.insert(ETAG, tag);
    }
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LENGTH] {
            response.headers_mut().remove(name);
        }
    }
    response
}

fn page(head: &Parts, content_type: &'static str, content: &'static str) -> Response<Body> {
    let content = Bytes::from_static(content.as_bytes());
    let mut response = whole(head, content_type, content);
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("referrer-policy", "no-referrer"),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}

fn whole(head: &Parts, content_type: &'static str, content: Bytes) -> Response<Body> {
    const SNIFFING: HeaderName = HeaderName::from_static("x-content-type-options");
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(SNIFFING, HeaderValue::from_static("nosniff"));
    if head.method == Method::HEAD {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(content.len()));
    } else {
        *response.body_mut() = Body::whole(content, None);
    }
    response
}
