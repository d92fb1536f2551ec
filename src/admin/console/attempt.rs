//! `POST /try`: asks the gateway itself, for the console, whose page may not ask another port.
//!
//! What is asked for stands in one header, which makes a browser ask for permission before a page of
//! another origin could send it; nobody answers that. It goes to the data port and nowhere else,
//! without cookies, and what comes back can neither set any nor run as a page.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::{
    CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue,
    SET_COOKIE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Method, StatusCode, Uri};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::admin::guard::refuse;
use crate::life::task::{self, Task};

/// What is asked for, as JSON.
const ASKED: HeaderName = HeaderName::from_static("x-sidegate-try");

/// So many may be under way.
const MOST: usize = 16;

/// Where the gateway serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin) enum Data {
    /// At this address, without TLS.
    Plain(SocketAddr),
    /// Over TLS, which this port does not speak.
    Tls,
}

#[derive(Debug, Deserialize)]
struct Asked {
    method: String,
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

struct Tries {
    data: Data,
    room: Arc<Semaphore>,
}

/// The page.
pub(super) fn page(data: Data) -> Router {
    let tries = Tries {
        data: match data {
            Data::Plain(address) => Data::Plain(reachable(address)),
            Data::Tls => Data::Tls,
        },
        room: Arc::new(Semaphore::new(MOST)),
    };
    Router::new()
        .route("/try", post(attempt))
        .with_state(Arc::new(tries))
}

/// An address to connect to where a listener takes any.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

async fn attempt(State(tries): State<Arc<Tries>>, request: Request) -> Response {
    let Data::Plain(address) = tries.data else {
        let message = "the data port speaks TLS; its own page `/docs` tries routes there";
        return refuse(StatusCode::NOT_IMPLEMENTED, "UNIMPLEMENTED", message);
    };
    let Ok(place) = Arc::clone(&tries.room).try_acquire_owned() else {
        let message = "too many requests are tried at the moment";
        return refuse(StatusCode::TOO_MANY_REQUESTS, "RESOURCE_EXHAUSTED", message);
    };
    let request = match asked(request, address) {
        Ok(request) => request,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", &why),
    };
    match send(request, address, place).await {
        Ok(response) => response,
        Err(why) => refuse(StatusCode::BAD_GATEWAY, "UNAVAILABLE", &why),
    }
}

/// The request that is asked for, with the body of the one that asks.
fn asked(request: Request, address: SocketAddr) -> Result<Request, String> {
    let (head, body) = request.into_parts();
    let asked = head
        .headers
        .get(ASKED)
        .ok_or("`x-sidegate-try` says what to try")?;
    let asked: Asked = serde_json::from_slice(asked.as_bytes())
        .map_err(|error| format!("x-sidegate-try: {error}"))?;
    let method = Method::from_bytes(asked.method.as_bytes())
        .ok()
        .filter(|method| method != Method::CONNECT);
    let method = method.ok_or_else(|| format!("`{}` cannot be tried", asked.method))?;
    let uri: Option<Uri> = asked.path.parse().ok();
    let uri = uri.filter(|uri| uri.authority().is_none() && uri.path().starts_with('/'));
    let uri = uri.ok_or_else(|| format!("`{}` is no path", asked.path))?;
    let bodiless = method == Method::GET || method == Method::HEAD;
    let body = if bodiless { Body::empty() } else { body };
    let mut made = Request::new(body);
    *made.method_mut() = method;
    *made.uri_mut() = uri;
    for (name, value) in &asked.headers {
        let header = HeaderName::try_from(name.as_str()).ok();
        let header = header.zip(HeaderValue::try_from(value.as_str()).ok());
        let (header, value) = header.ok_or_else(|| format!("`{name}` is no header"))?;
        if !is_of_a_connection(&header) && header != COOKIE {
            made.headers_mut().append(header, value);
        }
    }
    let host = HeaderValue::try_from(address.to_string());
    made.headers_mut()
        .insert(HOST, host.map_err(|error| error.to_string())?);
    Ok(made)
}

fn is_of_a_connection(name: &HeaderName) -> bool {
    let length = name == http::header::CONTENT_LENGTH;
    length || [CONNECTION, HOST, TRANSFER_ENCODING, UPGRADE].contains(name) || name == "keep-alive"
}

async fn send(
    request: Request,
    address: SocketAddr,
    place: OwnedSemaphorePermit,
) -> Result<Response, String> {
    let failed = |error: &dyn std::fmt::Display| format!("the data port does not answer: {error}");
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| failed(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(&error))?;
    let driving = task::spawn("try a route", async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a request of the console ended early");
        }
    });
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| failed(&error))?;
    let (head, body) = response.into_parts();
    let mut made = Body::new(Tried {
        body,
        _driving: driving,
        _place: place,
    })
    .into_response();
    *made.status_mut() = head.status;
    // What is made out of a body has a type of its own.
    made.headers_mut().remove(CONTENT_TYPE);
    shown(&head.headers, made.headers_mut());
    Ok(made)
}

/// The headers of an answer, but for those that would mean something to this port's own pages.
fn shown(headers: &HeaderMap, out: &mut HeaderMap) {
    for (name, value) in headers {
        if !is_of_a_connection(name) && name != SET_COOKIE {
            out.append(name, value.clone());
        }
    }
    out.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
}

/// An answer on its way, with the connection it comes on.
struct Tried {
    body: Incoming,
    _driving: Task<()>,
    _place: OwnedSemaphorePermit,
}

impl http_body::Body for Tried {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(asked: &str) -> Result<Request, String> {
        let request = Request::builder().header("x-sidegate-try", asked.replace('\n', " "));
        let request = request.body(Body::from("body")).unwrap();
        asked_of(request)
    }

    fn asked_of(request: Request) -> Result<Request, String> {
        asked(request, ([127, 0, 0, 1], 8081).into())
    }

    #[test]
    fn only_the_data_port_is_asked_and_without_cookies() {
        let made = ask(
            r#"{"method":"POST","path":"/v1/a?b=c","headers":[["X-One","1"],["Host","evil.example"],
                ["Cookie","a=b"],["Content-Length","9"],["Connection","x-one"]]}"#,
        )
        .unwrap();
        assert_eq!(
            (made.method(), made.uri()),
            (&Method::POST, &Uri::from_static("/v1/a?b=c"))
        );
        let headers: Vec<String> = made
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        assert_eq!(headers, ["x-one: 1", "host: 127.0.0.1:8081"]);
        for wrong in [
            "",
            "{}",
            r#"{"method":"GET","path":"http://evil.example/"}"#,
            r#"{"method":"GET","path":"evil.example:80"}"#,
            r#"{"method":"GET","path":"*"}"#,
            r#"{"method":"G T","path":"/"}"#,
            r#"{"method":"CONNECT","path":"/"}"#,
            r#"{"method":"GET","path":"/","headers":[["a b","c"]]}"#,
        ] {
            assert!(ask(wrong).is_err(), "{wrong}");
        }
        assert!(
            asked_of(Request::new(Body::empty())).is_err(),
            "a page elsewhere can send this"
        );
    }

    #[test]
    fn a_listener_on_any_address_is_reached() {
        for (given, expected) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("10.0.0.5:1", "10.0.0.5:1"),
        ] {
            let reached = reachable(given.parse().unwrap());
            assert_eq!(reached, expected.parse().unwrap());
        }
    }

    #[test]
    fn an_answer_sets_no_cookies_and_runs_nothing() {
        let given = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("text/html")),
            (SET_COOKIE, HeaderValue::from_static("a=b")),
            (
                CONTENT_SECURITY_POLICY,
                HeaderValue::from_static("default-src *"),
            ),
        ]);
        let mut out = HeaderMap::new();
        shown(&given, &mut out);
        assert_eq!(out.len(), 2);
        assert_eq!(out[CONTENT_SECURITY_POLICY], "default-src 'none'; sandbox");
    }
}
