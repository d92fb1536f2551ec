//! The console: one page at `/` that shows what the gateway does and tries its routes.
//!
//! The page is whole in itself: nothing in it comes from elsewhere, and its content security policy
//! lets nothing else in. It reads the other pages of this port, and asks the gateway by [`attempt`].

mod attempt;

pub(super) use attempt::Data;
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};

/// What the page is made of: path, content type, content.
const PARTS: [(&str, &str, &str); 8] = [
    ("/", HTML, include_str!("page.html")),
    ("/console/console.css", CSS, include_str!("console.css")),
    ("/console/console.js", JS, include_str!("console.js")),
    ("/console/charts.js", JS, include_str!("charts.js")),
    ("/console/views.js", JS, include_str!("views.js")),
    (
        "/console/docs.css",
        CSS,
        include_str!("../../protocol/rest/docs/docs.css"),
    ),
    // Those of `/docs`, which knows how to make a form of a route.
    (
        "/console/schema.js",
        JS,
        include_str!("../../protocol/rest/docs/schema.js"),
    ),
    (
        "/console/try.js",
        JS,
        include_str!("../../protocol/rest/docs/try.js"),
    ),
];

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// What the page may load, and from where.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; img-src data: blob:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The page and what it asks the gateway by; `data` is where that serves, if it can be asked.
pub(super) fn page(data: Data) -> Router {
    PARTS
        .iter()
        .fold(attempt::page(data), |pages, (path, kind, content)| {
            pages.route(path, get(async || part(kind, content)))
        })
}

fn part(kind: &'static str, content: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (headers, content).into_response()
}
