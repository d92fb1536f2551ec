//! Who may see the admin pages: this host, by a name of this host (fault 47).
//!
//! A web page from anywhere can make a browser on this host ask for anything, and a name whose
//! address changes to 127.0.0.1 makes it believe that the answer is its own. So a request must
//! come from this host *and* name it.

use std::net::{IpAddr, SocketAddr};

use axum::Json;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use http::uri::Authority;
use http::{HeaderValue, StatusCode, Uri, header};
use serde_json::json;

use super::listen::Guarded;

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

/// Lets through what comes from this host and names it.
pub(super) async fn this_host_only(
    ConnectInfo(ends): ConnectInfo<Ends>,
    request: Request,
    next: Next,
) -> Response {
    if !ends.is_this_host(ends.remote.ip()) {
        return refuse(
            StatusCode::FORBIDDEN,
            "PERMISSION_DENIED",
            "the admin pages are for this host alone; --ops serves /livez, /readyz and /metrics elsewhere",
        );
    }
    let named = match hosts(&request) {
        Some(hosts) => hosts.iter().all(|host| ends.is_named(host.host())),
        None => false,
    };
    if !named {
        return refuse(
            StatusCode::FORBIDDEN,
            "PERMISSION_DENIED",
            "the admin pages answer to localhost and to this host's addresses, not to the Host of this request",
        );
    }
    if !request.method().is_safe() && is_of_a_page_elsewhere(&request, ends) {
        return refuse(
            StatusCode::FORBIDDEN,
            "PERMISSION_DENIED",
            "nothing is changed here for a page of another origin",
        );
    }
    next.run(request).await
}

/// Whether a browser says that a page of another host has made it ask.
fn is_of_a_page_elsewhere(request: &Request, ends: Ends) -> bool {
    let mut origins = request.headers().get_all(header::ORIGIN).iter();
    origins.any(|origin| {
        let origin = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.parse::<Uri>().ok());
        !origin.is_some_and(|origin| origin.host().is_some_and(|host| ends.is_named(host)))
    })
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
}
