//! Who may see the admin pages, and who may change things: this host, by a name of this host
//! (fault 47).
//!
//! A web page from anywhere can make a browser on this host ask for anything, and a name whose
//! address changes to 127.0.0.1 makes it believe that the answer is its own. So a request must
//! come from this host *and* name it. What changes something (every method but GET and HEAD) must
//! also not come from a page of another origin, and needs the token unless both ends of its
//! connection are on loopback. Who has the token may come from elsewhere.

use std::net::{IpAddr, SocketAddr};

use axum::Json;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;

use super::listen::Guarded;
use crate::life::secret::Secret;

/// The two ends of an admin connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    remote: SocketAddr,
    local: Option<SocketAddr>,
}

impl Connected<IncomingStream<'_, Guarded>> for Ends {
    fn connect_info(stream: IncomingStream<'_, Guarded>) -> Self {
        Self {
            remote: *stream.remote_addr(),
            local: stream.io().local_address().ok(),
        }
    }
}

impl Ends {
    fn is_this_host(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let own = self.local.map(|local| local.ip().to_canonical());
        address.is_loopback() || own == Some(address)
    }

    /// Whether nobody but this host can be at the other end, and nothing lies between.
    fn is_loopback(self) -> bool {
        let loopback = |end: SocketAddr| end.ip().to_canonical().is_loopback();
        loopback(self.remote) && self.local.is_some_and(loopback)
    }

    /// Whether a `Host` value names this host by an address of its own or as `localhost`.
    fn is_named(self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        host.eq_ignore_ascii_case("localhost")
            || bare.parse().is_ok_and(|address| self.is_this_host(address))
    }
}

/// Lets through what may be seen, or done.
pub(super) async fn check(
    State(token): State<Option<Secret>>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    request: Request,
    next: Next,
) -> Response {
    match refusal(token.as_ref(), ends, &request) {
        Some(message) => refuse(StatusCode::FORBIDDEN, "PERMISSION_DENIED", message),
        None => next.run(request).await,
    }
}

/// Why a request may not be answered, if it may not.
fn refusal(token: Option<&Secret>, ends: Ends, request: &Request) -> Option<&'static str> {
    let trusted = token.is_some_and(|token| brings(request.headers(), token));
    if !ends.is_this_host(ends.remote.ip()) && !trusted {
        return Some(
            "the admin pages are for this host, and elsewhere for who has the admin token; --ops \
             serves /livez, /readyz and /metrics to anybody",
        );
    }
    let hosts = hosts(request);
    let named = |host: &Authority| ends.is_named(host.host());
    if !hosts.as_ref().is_some_and(|hosts| hosts.iter().all(named)) {
        return Some(
            "the admin pages answer to localhost and to this host's addresses, not to the Host of \
             this request",
        );
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    if !is_of_own_page(request.headers(), &hosts.unwrap_or_default()) {
        return Some("pages of other origins may change nothing here");
    }
    if !ends.is_loopback() && !trusted {
        return Some(
            "changes need the admin token unless they come over a loopback address: send it as \
             `authorization: Bearer TOKEN`; `admin_token_file` or SIDEGATE_ADMIN_TOKEN says what \
             it is",
        );
    }
    None
}

/// Whether a request brings the token, as `authorization: Bearer TOKEN`.
fn brings(headers: &HeaderMap, token: &Secret) -> bool {
    const SCHEME: &[u8] = b"bearer ";
    let value = headers.get(header::AUTHORIZATION);
    let parts = value.and_then(|value| value.as_bytes().split_at_checked(SCHEME.len()));
    parts.is_some_and(|(scheme, given)| scheme.eq_ignore_ascii_case(SCHEME) && token.is(given))
}

/// Whether a request comes from no page at all or from one of our own.
fn is_of_own_page(headers: &HeaderMap, hosts: &[Authority]) -> bool {
    let origins = headers.get_all(header::ORIGIN);
    let own_origin = origins.iter().all(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority.is_some_and(|origin| hosts.iter().any(|host| host.as_str() == origin))
    });
    let sites = headers.get_all("sec-fetch-site");
    own_origin
        && sites
            .iter()
            .all(|site| site == "same-origin" || site == "none")
}

/// Everything by which a request names its host; `None` when one is missing or makes no sense.
fn hosts(request: &Request) -> Option<Vec<Authority>> {
    let mut hosts = Vec::new();
    for value in request.headers().get_all(header::HOST) {
        let host = Authority::try_from(value.as_bytes()).ok()?;
        // No client that means well sends a user here.
        if host.as_str().contains('@') {
            return None;
        }
        hosts.push(host);
    }
    hosts.extend(request.uri().authority().cloned());
    (!hosts.is_empty()).then_some(hosts)
}

/// Marks every page as one of the moment, and as nothing that a browser should guess about.
pub(super) async fn mark(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("same-origin"),
    );
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'; sandbox",
        ));
    response
}

/// An error in the shape that the data port has by default (E3).
pub(super) fn refuse(status: StatusCode, name: &str, message: &str) -> Response {
    let code = status.as_u16();
    let body = json!({"error": {"code": code, "message": message, "status": name}});
    (status, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_host_are_taken() {
        let ends = |local: &str| Ends {
            remote: "127.0.0.1:1".parse().unwrap(),
            local: Some(local.parse().unwrap()),
        };
        let loopback = ends("127.0.0.1:9901");
        for host in [
            "localhost",
            "LOCALHOST.",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(loopback.is_named(host), "{host}");
        }
        for host in [
            "",
            ".",
            "evil.example",
            "localhost.evil.example",
            "10.0.0.5",
            "[fe80::1]",
            "0.0.0.0",
            "127.0.0.1.nip.io",
            "2130706433",
        ] {
            assert!(!loopback.is_named(host), "{host}");
        }
        assert!(ends("10.0.0.5:9901").is_named("10.0.0.5"));
        assert!(ends("[::ffff:10.0.0.5]:9901").is_named("10.0.0.5"));
    }

    /// A request as it comes in, and whether it is refused.
    fn is_refused(remote: &str, local: &str, method: &str, headers: &[(&str, &str)]) -> bool {
        let token = Secret::new("s3cret-s3cret-s3cret").unwrap();
        let ends = Ends {
            remote: remote.parse().unwrap(),
            local: Some(local.parse().unwrap()),
        };
        let mut request = Request::builder().method(method).uri("/loglevel");
        request = request.header("host", local);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(axum::body::Body::empty()).unwrap();
        refusal(Some(&token), ends, &request).is_some()
    }

    #[test]
    fn changes_need_loopback_or_the_token() {
        const TOKEN: (&str, &str) = ("authorization", "Bearer s3cret-s3cret-s3cret");
        const WRONG: (&str, &str) = ("authorization", "Bearer s3cret-s3cret-s3creT");
        let (near, own, far) = ("127.0.0.1:1", "10.0.0.5:1", "10.0.0.9:1");
        let (loopback, open) = ("127.0.0.1:9901", "10.0.0.5:9901");
        for (remote, local, headers, read, write) in [
            (near, loopback, &[][..], true, true),
            (own, open, &[], true, false),
            (own, open, &[TOKEN], true, true),
            (own, open, &[WRONG], true, false),
            (far, open, &[], false, false),
            (far, open, &[WRONG], false, false),
            (far, open, &[TOKEN], true, true),
        ] {
            let case = format!("{remote} {local} {headers:?}");
            assert_eq!(!is_refused(remote, local, "GET", headers), read, "{case}");
            assert_eq!(!is_refused(remote, local, "PUT", headers), write, "{case}");
        }
    }

    #[test]
    fn pages_of_other_origins_change_nothing() {
        let refused =
            |method, headers: &[_]| is_refused("127.0.0.1:1", "127.0.0.1:9901", method, headers);
        for headers in [
            &[][..],
            &[("origin", "http://127.0.0.1:9901")],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
        ] {
            assert!(!refused("POST", headers), "{headers:?}");
        }
        for headers in [
            &[("origin", "http://evil.example")][..],
            &[("origin", "http://127.0.0.1:8081")],
            &[("origin", "null")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[
                ("origin", "http://127.0.0.1:9901"),
                ("sec-fetch-site", "same-site"),
            ],
        ] {
            assert!(refused("POST", headers), "{headers:?}");
            assert!(
                !refused("GET", headers),
                "reading it is the browser's to forbid"
            );
        }
    }
}
