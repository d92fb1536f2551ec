//! From a request that asks for a WebSocket to the 101 that makes it one.

use http::header::{
    AUTHORIZATION, CONNECTION, HOST, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, Version};

use crate::call::{Blame, Body, Code, Fault};
use crate::protocol::cors::Cors;
use crate::wire::websocket::{accept_key, is_key};

/// The version that there is.
const CURRENT: &str = "13";

/// What a client wants to speak within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) enum Subprotocol {
    /// Messages as they are (S7).
    Plain,
    /// gRPC-Web, by the bridge of that name.
    GrpcWebsockets,
}

/// A handshake that is in order.
#[derive(Debug)]
pub(in crate::protocol) struct Handshake {
    pub(in crate::protocol) subprotocol: Subprotocol,
    /// HTTP/2 needs no proof that it was understood.
    accept: Option<HeaderValue>,
    /// The subprotocol that was chosen of those that were offered.
    chosen: Option<HeaderValue>,
}

/// Whether a request asks for a WebSocket, well or badly.
pub(in crate::protocol) fn is_asked(head: &Parts, body: &Body) -> bool {
    body.is_offer()
        && head.method == Method::GET
        && tokens(&head.headers, &UPGRADE).any(|name| name.eq_ignore_ascii_case("websocket"))
}

/// The members of a comma-separated header.
fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Looks at a handshake. What only it has is taken out of the head, a token that came as a
/// subprotocol is put where tokens belong, and what is left is an ordinary request.
pub(in crate::protocol) fn shake(
    head: &mut Parts,
    cors: Option<&Cors>,
) -> Result<Handshake, Fault> {
    let headers = &head.headers;
    let version = headers.get(SEC_WEBSOCKET_VERSION);
    if version.is_none_or(|version| version != CURRENT) {
        return Err(
            refused("the version of WebSocket is 13").with_http(StatusCode::UPGRADE_REQUIRED)
        );
    }
    let accept = match (headers.get(SEC_WEBSOCKET_KEY), head.version) {
        (_, Version::HTTP_2) => None,
        (Some(key), _) if is_key(key.as_bytes()) => {
            HeaderValue::try_from(accept_key(key.as_bytes())).ok()
        }
        _ => return Err(refused("sec-websocket-key is not 16 bytes in base64")),
    };
    check_origin(head, cors)?;
    let (subprotocol, chosen, token) = choose(headers);
    if let Some(token) = token
        && !headers.contains_key(AUTHORIZATION)
    {
        head.headers.insert(AUTHORIZATION, token);
    }
    for name in [
        SEC_WEBSOCKET_VERSION,
        SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_EXTENSIONS,
    ] {
        head.headers.remove(name);
    }
    Ok(Handshake {
        subprotocol,
        accept,
        chosen,
    })
}

/// Whether the page that asks, if it is one, may open a WebSocket here: browsers ask nobody else.
pub(in crate::protocol) fn check_origin(head: &Parts, cors: Option<&Cors>) -> Result<(), Fault> {
    if let Some(origin) = head.headers.get(ORIGIN)
        && !is_same(origin, host(head))
        && !cors.is_some_and(|cors| cors.origins().allows(origin))
    {
        return Err(Fault::new(
            Blame::Client,
            Code::PermissionDenied,
            "ORIGIN_NOT_ALLOWED",
            "pages of this origin may not open a WebSocket here; name it in `rest.cors.origins`",
        ));
    }
    Ok(())
}

fn refused(message: &'static str) -> Fault {
    Fault::invalid("BAD_HANDSHAKE", message)
}

fn host(head: &Parts) -> Option<&str> {
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    authority.or_else(|| head.headers.get(HOST)?.to_str().ok())
}

/// Whether a page comes from the very host it connects to. Whether it came over TLS is not
/// compared: only whoever ends it knows.
fn is_same(origin: &HeaderValue, host: Option<&str>) -> bool {
    let origin = origin.to_str().ok().and_then(|origin| {
        let (scheme, rest) = origin.split_once("://")?;
        let default = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return None,
        };
        Some((rest, default))
    });
    let (Some((origin, default)), Some(host)) = (origin, host) else {
        return false;
    };
    let host = host.strip_suffix(default).unwrap_or(host);
    origin.eq_ignore_ascii_case(host)
}

/// The subprotocol to speak, what to say of it, and a token that came as one. Browsers give
/// scripts no other header: `new WebSocket(url, ["bearer", token])`.
fn choose(headers: &HeaderMap) -> (Subprotocol, Option<HeaderValue>, Option<HeaderValue>) {
    const BRIDGE: &str = "grpc-websockets";
    const BEARER: &str = "bearer";
    let offered: Vec<&str> = tokens(headers, &SEC_WEBSOCKET_PROTOCOL).collect();
    if offered.contains(&BRIDGE) {
        let chosen = HeaderValue::from_static(BRIDGE);
        return (Subprotocol::GrpcWebsockets, Some(chosen), None);
    }
    if let [first, token, ..] = &*offered
        && first.eq_ignore_ascii_case(BEARER)
    {
        // As it was written: browsers compare letter by letter.
        let chosen = HeaderValue::from_str(first).ok();
        let token = HeaderValue::try_from(format!("Bearer {token}")).ok();
        return (Subprotocol::Plain, chosen, token);
    }
    (Subprotocol::Plain, None, None)
}

impl Handshake {
    /// The 101, after which the client gets `body`.
    pub(in crate::protocol) fn answer(self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        if let Some(accept) = self.accept {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        if let Some(chosen) = self.chosen {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, chosen);
        }
        response
    }
}

/// What goes with the refusal of a handshake of another version.
pub(in crate::protocol) fn tell_version(response: &mut Response<Body>) {
    if response.status() == StatusCode::UPGRADE_REQUIRED {
        let headers = response.headers_mut();
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(CURRENT));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri("/chat").header("host", "a:8081");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    const GOOD: [(&str, &str); 2] = [
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    #[test]
    fn s7_handshakes() {
        for (headers, expected) in [
            (&GOOD[..], None),
            (&GOOD[..1], Some(400)),
            (&GOOD[1..], Some(426)),
            (&[GOOD[0], ("sec-websocket-key", "short")], Some(400)),
            (&[GOOD[0], GOOD[1], ("origin", "http://a:8081")], None),
            (&[GOOD[0], GOOD[1], ("origin", "https://A:8081")], None),
            (&[GOOD[0], GOOD[1], ("origin", "http://b:8081")], Some(403)),
            (&[GOOD[0], GOOD[1], ("origin", "http://a")], Some(403)),
            (&[GOOD[0], GOOD[1], ("origin", "null")], Some(403)),
        ] {
            let refused = shake(&mut head(headers), None).err();
            assert_eq!(
                refused.map(|fault| fault.http().as_u16()),
                expected,
                "{headers:?}"
            );
        }
    }

    #[test]
    fn s7_origins() {
        for (origin, host, same) in [
            ("http://a", "a", true),
            ("http://a", "a:80", true),
            ("https://a", "a:443", true),
            ("https://a", "a:80", false),
            ("http://[::1]:1", "[::1]:1", true),
            ("file://", "", false),
        ] {
            let value = HeaderValue::from_static(origin);
            assert_eq!(is_same(&value, Some(host)), same, "{origin} {host}");
        }
    }

    #[test]
    fn s7_a_token_may_come_as_a_subprotocol() {
        let mut with = head(&[
            GOOD[0],
            GOOD[1],
            ("sec-websocket-protocol", "bearer, abc.def"),
        ]);
        let handshake = shake(&mut with, None).unwrap();
        assert_eq!(with.headers["authorization"], "Bearer abc.def");
        assert!(!with.headers.contains_key("sec-websocket-protocol"));
        let response = handshake.answer(Body::empty());
        assert_eq!(response.headers()["sec-websocket-protocol"], "bearer");
        assert_eq!(
            response.headers()["sec-websocket-accept"],
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );

        let own = ("authorization", "Basic x");
        let mut with = head(&[
            GOOD[0],
            GOOD[1],
            own,
            ("sec-websocket-protocol", "bearer, abc"),
        ]);
        shake(&mut with, None).unwrap();
        assert_eq!(with.headers["authorization"], "Basic x");

        let mut with = head(&[GOOD[0], GOOD[1], ("sec-websocket-protocol", "chat")]);
        let response = shake(&mut with, None).unwrap().answer(Body::empty());
        assert!(!response.headers().contains_key("sec-websocket-protocol"));
    }
}
