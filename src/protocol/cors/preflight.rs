//! The question that a browser asks before a request of another origin: what is allowed at a path.

use std::sync::Arc;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue, VARY,
};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use super::{Cors, Grant};
use crate::call::Body;
use crate::route::path;
use crate::route::trie::{Lookup, LookupOptions};
use crate::schema::{Idempotency, Reflection, Schema};

/// Where a path is looked up.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// What the application serves.
    pub schema: &'a Schema,
    /// What the gateway serves itself.
    pub own: &'a Schema,
}

impl Cors {
    /// The answer to a preflight. `None` for everything else, and for what is answered without
    /// leave: an origin that is not allowed, a path where nothing is.
    pub fn preflight(self: &Arc<Self>, head: &Parts, served: Served<'_>) -> Option<Response<Body>> {
        const ASKS_PRIVATE: &str = "access-control-request-private-network";
        const ALLOW_PRIVATE: HeaderName =
            HeaderName::from_static("access-control-allow-private-network");
        if head.method != Method::OPTIONS {
            return None;
        }
        let requested = head.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        let requested = Method::from_bytes(requested.as_bytes()).ok()?;
        let methods = served.methods(head.uri.path(), requested.as_str());
        let grant: Grant = self.grant(&head.headers);
        if methods.is_empty() {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        if !grant.write_origin(headers) {
            return None;
        }
        let methods = HeaderValue::try_from(methods.join(", ")).ok()?;
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        let asked = head.headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
        if let Some(names) = asked.map(|asked| self.headers.as_ref().unwrap_or(asked)) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
        headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        if self.private_network
            && head
                .headers
                .get(ASKS_PRIVATE)
                .is_some_and(|it| it == "true")
        {
            headers.insert(ALLOW_PRIVATE, HeaderValue::from_static("true"));
        }
        let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
        headers.insert(VARY, HeaderValue::from_static(vary));
        Some(response)
    }
}

impl<'a> Served<'a> {
    /// The HTTP methods at a path, over all fronts.
    fn methods(&self, at: &str, requested: &'a str) -> Vec<&'a str> {
        if path::check(at).is_err() {
            return Vec::new();
        }
        let options = LookupOptions {
            ignore_trailing_slash: self.schema.default_policy.rest.ignore_trailing_slash,
        };
        let routes = &self.schema.routes;
        let mut methods = match routes.find("OPTIONS", at, options) {
            Lookup::MethodNotAllowed { allow } => allow,
            Lookup::NotFound => Vec::new(),
            // A rule for OPTIONS, or for every method.
            Lookup::Match(_) => match routes.find(requested, at, options) {
                Lookup::Match(_) => vec![requested],
                Lookup::MethodNotAllowed { allow } => allow,
                Lookup::NotFound => Vec::new(),
            },
        };
        let known = self.schema.find(at).map(|id| self.schema.method(id));
        let known = known.or_else(|| self.own.find(at).map(|id| self.own.method(id)));
        let unknown = || {
            // An RPC that only the application knows has a path that no rule has.
            self.schema.allow_unknown_methods && methods.is_empty() && is_rpc_path(at)
        };
        if known.is_some() || unknown() {
            methods.push("POST");
        }
        if known.is_some_and(|method| method.idempotency == Idempotency::NoSideEffects) {
            methods.push("GET");
        }
        if methods.is_empty() && self.schema.reflection == Reflection::Pending {
            // Nobody knows yet; the request itself will be told so.
            methods.push(requested);
        }
        methods.sort_unstable();
        methods.dedup();
        methods
    }
}

/// Whether a path has the form of an RPC's.
fn is_rpc_path(path: &str) -> bool {
    let mut parts = path.strip_prefix('/').unwrap_or_default().split('/');
    let named = |part: Option<&str>| part.is_some_and(|part| !part.is_empty());
    named(parts.next()) && named(parts.next()) && parts.next().is_none()
}
