//! Connections and streams that go on in another protocol, seen from the socket.

use std::sync::Arc;

use bytes::Bytes;
use h2::ext::Protocol;
use http::{Request, Response, StatusCode};
use sidegate::call::{Body, Fault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{Seen, Server, channel, read_to_end, read_until};

const ASK: &str = "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

/// `/echo` sends back what comes after the head; `/break` breaks off in the middle; the rest
/// takes no offer.
async fn handler(_seen: Arc<Seen>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    let offered = body.is_offer();
    let body = match &*path {
        "/echo" => body.take_offer(),
        "/break" => {
            let (feed, fed) = channel();
            feed.send(Ok(Bytes::from_static(b"half"))).await.unwrap();
            feed.send(Err(Fault::client_gone())).await.unwrap();
            Some(fed.holding(feed))
        }
        _ => None,
    };
    let Some(body) = body else {
        let text = if offered { "offered" } else { "plain" };
        return Response::new(Body::whole(text.into(), None));
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert("connection", "upgrade".parse().unwrap());
    headers.insert("upgrade", "echo".parse().unwrap());
    response
}

#[tokio::test]
async fn a_connection_goes_on_in_another_protocol() {
    let server = Server::start(handler);
    let mut stream = server.connect().await;
    stream.write_all(ASK.as_bytes()).await.unwrap();
    let head = read_until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("upgrade: echo\r\n"), "{head}");
    assert!(!head.contains("content-length"), "{head}");
    // Bytes of any kind, which HTTP would not stand, and more than any buffer holds.
    let sent: Vec<u8> = (0..2_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let (mut read, mut write) = stream.split();
    let mut got = vec![0; sent.len()];
    let (wrote, back) = tokio::join!(write.write_all(&sent), read.read_exact(&mut got));
    wrote.unwrap();
    back.unwrap();
    assert!(got == sent, "not the same bytes");
    write.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
    assert_eq!(server.stats.upgraded(), 1);
}

/// Fault 12: what nobody takes is answered as if it had not been offered, and the connection
/// is kept.
#[tokio::test]
async fn an_offer_that_nobody_takes() {
    let server = Server::start(handler);
    let ask = ASK.replace("/echo", "/no");
    let said = server
        .exchange(format!("{ask}{}", ask.replace("Upgrade\r\n", "close\r\n")).as_bytes())
        .await;
    assert_eq!(said.matches("HTTP/1.1 200 ").count(), 2, "{said}");
    assert!(
        said.contains("offered") && said.ends_with("plain"),
        "{said}"
    );
    assert_eq!(server.stats.upgraded(), 0);
}

/// Fault 12: bytes before the 101 are in neither protocol, whatever they look like.
#[tokio::test]
async fn bytes_that_come_too_early() {
    let server = Server::start(handler);
    for early in [
        &b"\x81\x05hello"[..],
        b"\0",
        b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut stream = server.connect().await;
        let bytes = [ASK.as_bytes(), early].concat();
        stream.write_all(&bytes).await.unwrap();
        let said = read_to_end(&mut stream).await;
        assert!(!said.contains("hello"), "{said}");
        let body = said.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        assert!(!body.contains("GET"), "{said}");
    }
    assert_eq!(server.stats.upgraded(), 0);
}

#[tokio::test]
async fn an_upgraded_connection_that_breaks_off_looks_like_it() {
    let server = Server::start(handler);
    let mut stream = server.connect().await;
    let ask = ASK.replace("/echo", "/break");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    // It is reset, which may take what was on its way along.
    let end = stream.read_to_end(&mut all).await;
    assert!(end.is_err(), "{:?}", String::from_utf8_lossy(&all));
}

fn connect(path: &str, protocol: &'static str) -> Request<()> {
    let uri = format!("http://a{path}");
    let mut request = Request::builder()
        .method("CONNECT")
        .uri(uri)
        .body(())
        .unwrap();
    let protocol = Protocol::from_static(protocol);
    request.extensions_mut().insert(protocol);
    request
}

/// RFC 8441.
#[tokio::test]
async fn a_stream_goes_on_in_another_protocol() {
    let server = Server::start(handler);
    let (mut send, _driving) = server.h2().await;
    // The client may ask when the server has said that it can.
    send = send.ready().await.unwrap();
    while !send.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await;
    }
    let (response, mut body) = send
        .send_request(connect("/echo", "websocket"), false)
        .unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("upgrade"));
    body.send_data(Bytes::from_static(b"one"), false).unwrap();
    let mut back = response.into_body();
    assert_eq!(back.data().await.unwrap().unwrap(), "one");
    body.send_data(Bytes::from_static(b"two"), true).unwrap();
    assert_eq!(back.data().await.unwrap().unwrap(), "two");
    assert!(back.data().await.is_none());
    assert_eq!(server.stats.upgraded(), 1);

    for (path, protocol, expected) in [("/no", "websocket", 501), ("/echo", "connect-udp", 501)] {
        let (response, _body) = send.send_request(connect(path, protocol), false).unwrap();
        assert_eq!(
            response.await.unwrap().status(),
            expected,
            "{path} {protocol}"
        );
    }
}
