//! What the app may believe about who called: `x-forwarded-*` and its relatives (M3, fault 16).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;

use crate::call::{Metadata, Peer};

/// The addresses of those who sent the request on, the nearest one last.
const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Says whose forwarding headers are believed; nobody's by default.
#[derive(Clone)]
pub struct TrustedProxies(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl TrustedProxies {
    /// Trusts the addresses for which `trusts` says so.
    pub fn new(trusts: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(trusts))
    }
}

impl Default for TrustedProxies {
    fn default() -> Self {
        Self::new(|_| false)
    }
}

impl fmt::Debug for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedProxies").finish_non_exhaustive()
    }
}

/// Headers that only a trusted peer may set; everybody else's are dropped.
fn claims_identity(name: &str) -> bool {
    name.starts_with("x-forwarded-")
        || name == "forwarded"
        || name == "x-original-path"
        || name == "x-original-method"
}

/// Whether a request header named `name` is kept for a peer that is trusted or not.
pub fn passes(name: &str, trusted: bool) -> bool {
    !claims_identity(name)
        || (trusted
            && !matches!(
                name,
                "x-forwarded-for"
                    | "x-forwarded-host"
                    | "x-forwarded-proto"
                    | "x-original-path"
                    | "x-original-method"
            ))
}

/// Whether the peer's forwarding headers are believed.
pub fn trusted(proxies: &TrustedProxies, peer: &Peer) -> bool {
    (proxies.0)(peer.address.ip().to_canonical())
}

/// Writes what is known of the caller into `metadata`.
pub fn write(head: &Parts, peer: &Peer, trusted: bool, metadata: &mut Metadata) {
    const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
    const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
    const CLIENT: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

    let chain = if trusted && head.headers.contains_key(&FOR) {
        longer_chain(&head.headers, peer)
    } else {
        peer.forwarded_for().cloned()
    };
    if let Some(value) = chain {
        metadata.insert(FOR, value);
    }

    let believed = |name: &HeaderName| head.headers.get(name).filter(|_| trusted).cloned();
    let asked = || match head.uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => head.headers.get(http::header::HOST).cloned(),
    };
    if let Some(host) = believed(&HOST).or_else(asked) {
        metadata.insert(HOST, host);
    }
    let scheme = HeaderValue::from_static(if peer.tls { "https" } else { "http" });
    metadata.insert(PROTO, believed(&PROTO).unwrap_or(scheme));
    if let Some(client) = peer.client.as_ref().and_then(|client| client.forwarded()) {
        // After what a trusted proxy has said of those before it.
        metadata.append(CLIENT, client.clone());
    }
}

/// What a trusted proxy says of those before it, and then the proxy itself.
fn longer_chain(headers: &HeaderMap, peer: &Peer) -> Option<HeaderValue> {
    let own = peer.forwarded_for()?.to_str().ok()?;
    let mut chain = String::new();
    for value in headers.get_all(FOR) {
        let Ok(value) = value.to_str() else { continue };
        chain.push_str(value);
        chain.push_str(", ");
    }
    chain.push_str(own);
    HeaderValue::try_from(chain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m3_only_the_trusted_may_claim() {
        for name in [
            "x-forwarded-for",
            "x-forwarded-client-cert",
            "forwarded",
            "x-original-path",
        ] {
            assert!(!passes(name, false), "{name}");
        }
        assert!(passes("x-forwarded-port", true));
        assert!(!passes("x-forwarded-for", true), "it is written anew");
        assert!(passes("x-request-id", false));
    }
}
