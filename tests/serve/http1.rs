//! HTTP/1: what is served, what is refused, and that no connection is ever out of step.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Response, StatusCode};
use sidegate::call::{Body, Fault};
use sidegate::serve::Params;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::server::{Server, channel, read_body, read_to_end, read_until};

/// Answers with what was asked and sent.
fn echo() -> Server {
    Server::start(async |_seen, request| {
        let said = format!("{} {} ", request.method(), request.uri());
        let body = read_body(request.into_body()).await;
        let mut all = said.into_bytes();
        all.extend(body.unwrap_or_else(|| b"broken".to_vec()));
        Response::new(Body::whole(all.into(), None))
    })
}

/// Answers at once and looks at no body.
fn hasty() -> Server {
    Server::start(async |_seen, _request| {
        let mut response = Response::new(Body::whole("no".into(), None));
        *response.status_mut() = StatusCode::FORBIDDEN;
        response
    })
}

#[tokio::test]
async fn requests_follow_each_other_on_a_connection() {
    let server = echo();
    let said = server
        .exchange(
            b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
              POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
              2\r\nde\r\n1\r\nf\r\n0\r\n\r\n\
              GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        )
        .await;
    let bodies = ["POST /1 abc", "POST /2 def", "GET /3 "];
    for body in bodies {
        assert!(said.contains(body), "{said}");
    }
    assert_eq!(server.requests(), 3);
}

/// Faults 11 and 12: 400 and close; what stands behind never runs.
#[tokio::test]
async fn requests_in_doubt_are_refused() {
    let server = echo();
    let second = "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";
    let rows = [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n0",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n00",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b?c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "nonsense\r\n\r\n",
    ];
    for row in rows {
        let said = server.exchange(format!("{row}{second}").as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{row:?}: {said}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{row:?}: {said}");
    }
    assert_eq!(server.requests(), 0);
    // The same behind a sound request, which is answered.
    for row in rows {
        let sound = "POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1";
        let said = server
            .exchange(format!("{sound}{row}{second}").as_bytes())
            .await;
        assert!(said.starts_with("HTTP/1.1 200 "), "{row:?}: {said}");
        assert!(said.contains("HTTP/1.1 400 "), "{row:?}: {said}");
        assert!(!said.contains("/second"), "{row:?}: {said}");
    }
}

/// A chunked body in doubt breaks off for its reader, and the connection with it.
#[tokio::test]
async fn bodies_in_doubt_break_off() {
    let server = echo();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in [
        "1\na\r\n0\r\n\r\n",
        "1\r\nab\r\n",
        "g\r\n",
        "1 \r\na\r\n",
        "ffffffffffffffff1\r\n",
    ] {
        let bytes = format!("{head}{body}GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
        let said = server.exchange(bytes.as_bytes()).await;
        assert!(said.ends_with("POST / broken"), "{body:?}: {said}");
    }
}

/// Fault 12: none of these reaches a handler as what it wants to be.
#[tokio::test]
async fn other_protocols() {
    let server = echo();
    let said = server
        .exchange(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nearly")
        .await;
    assert!(said.starts_with("HTTP/1.1 405 "), "{said}");
    assert_eq!(server.requests(), 0);

    // Java's client asks for h2c with its first request: it is ignored, twice if need be.
    let said = server
        .exchange(
            b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n\
              Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n\
              GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        )
        .await;
    assert!(
        said.contains("GET /1 ") && said.contains("GET /2 "),
        "{said}"
    );

    // Bytes that come with a wish to change the protocol are a request, and a bad one.
    let said = server
        .exchange(
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n\r\n\x81\x05hello",
        )
        .await;
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    assert!(said.contains("HTTP/1.1 400 "), "{said}");
}

/// Fault 14: 101 fields, 17 KiB of head, 9 KiB of target.
#[tokio::test]
async fn heads_that_are_too_large() {
    let server = echo();
    let fields = |count: usize| "X: y\r\n".repeat(count);
    let rows = [
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", fields(99)),
            200,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", fields(100)),
            431,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
                "y".repeat(15 << 10)
            ),
            200,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
                "y".repeat(17 << 10)
            ),
            431,
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "y".repeat(8000)),
            200,
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "y".repeat(9 << 10)),
            414,
        ),
    ];
    for (head, status) in rows {
        let mut stream = server.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let said = read_until(&mut stream, "\r\n").await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
    }
}

/// Fault 13: what is left of a body is read up to a limit, or the connection is closed.
#[tokio::test]
async fn answers_that_come_before_the_body() {
    let server = hasty();
    let second = "GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let post =
        |length: usize| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    // Short enough: the next request is served, and is not taken for a part of the body.
    let mut stream = server.connect().await;
    stream.write_all(post(60 << 10).as_bytes()).await.unwrap();
    read_until(&mut stream, "403").await;
    let body = vec![b'G'; 60 << 10];
    stream.write_all(&body).await.unwrap();
    stream.write_all(second.as_bytes()).await.unwrap();
    let said = read_to_end(&mut stream).await;
    assert!(said.contains("HTTP/1.1 403 "), "{said}");
    assert_eq!(server.requests(), 2);

    // Too long: the client is told, gets its answer, and nothing else of its is run.
    let mut stream = server.connect().await;
    stream.write_all(post(70 << 10).as_bytes()).await.unwrap();
    let said = read_until(&mut stream, "\r\n\r\nno").await;
    assert!(said.to_lowercase().contains("connection: close"), "{said}");
    drop(stream.write_all(&vec![b'G'; 70 << 10]).await);
    drop(stream.write_all(second.as_bytes()).await);
    assert_eq!(read_to_end(&mut stream).await, "");
    assert_eq!(server.requests(), 3);

    // Of unknown length: read until the limit, then closed.
    let mut stream = server.connect().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    read_until(&mut stream, "\r\n\r\nno").await;
    let chunk = format!("1000\r\n{}\r\n", "G".repeat(0x1000));
    for _ in 0..20 {
        drop(stream.write_all(chunk.as_bytes()).await);
    }
    drop(stream.write_all(b"0\r\n\r\n").await);
    drop(stream.write_all(second.as_bytes()).await);
    assert_eq!(read_to_end(&mut stream).await, "");
    assert_eq!(server.requests(), 4);
}

/// A client that waits for `100 Continue` is not asked for a body that nobody wants.
#[tokio::test]
async fn expectations() {
    let post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    let server = hasty();
    let mut stream = server.connect().await;
    stream.write_all(post).await.unwrap();
    let said = read_to_end(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 403 "), "{said}");
    let server = echo();
    let mut stream = server.connect().await;
    stream.write_all(post).await.unwrap();
    read_until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
    stream.write_all(b"abc").await.unwrap();
    read_until(&mut stream, "POST / abc").await;
}

/// A client that closes its side looks like one that left, and the handler hears of it at once.
#[tokio::test]
async fn a_client_that_closes_its_side() {
    let server = Server::start(async |seen, _request| {
        let _watch = seen.watch();
        std::future::pending().await
    });
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    server.cancelled(1).await;
    assert_eq!(read_to_end(&mut stream).await, "");
}

/// Fault 10: the stream is dropped, and with it everything behind it.
#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_stream() {
    let server = Server::start(async |seen, _request| {
        let (sender, body) = channel();
        let watch = seen.watch();
        sender.send(Ok("first".into())).await.unwrap();
        Response::new(body.holding((sender, watch)))
    });
    for gone in 1..=10 {
        let mut stream = server.connect().await;
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        read_until(&mut stream, "first").await;
        let began = Instant::now();
        drop(stream);
        server.cancelled(gone).await;
        assert!(
            began.elapsed() < Duration::from_millis(500),
            "{:?}",
            began.elapsed()
        );
    }
}

/// S2: a message is a chunk of its own, and none is held back.
#[tokio::test]
async fn messages_of_a_stream_are_chunks() {
    let server = Server::start(async |_seen, _request| {
        let (sender, body) = channel();
        for word in ["one", "two"] {
            sender.send(Ok(word.into())).await.unwrap();
        }
        Response::new(body.holding(sender))
    });
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut stream, "3\r\none\r\n3\r\ntwo\r\n").await;
}

/// S4: a body that breaks off never looks complete.
#[tokio::test]
async fn a_stream_that_breaks_off() {
    let server = Server::start(async |_seen, _request| {
        let (sender, body) = channel();
        sender.send(Ok("part".into())).await.unwrap();
        let broken = Fault::unavailable("TEST", "broken");
        sender.send(Err(broken)).await.unwrap();
        Response::new(body.holding(()))
    });
    let said = server.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(said.ends_with("4\r\npart\r\n"), "{said}");
    // HTTP/1.0 knows the end of a body by the end of the connection only.
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut all = Vec::new();
    let end = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut all).await;
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_handler_that_panics() {
    let server = Server::start(async |_seen, request| {
        assert!(request.uri() != "/bad", "on purpose");
        Response::new(Body::whole("good".into(), None))
    });
    let said = server
        .exchange(b"GET /bad HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    assert!(said.starts_with("HTTP/1.1 500 "), "{said}");
    let said = server
        .exchange(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    assert!(said.ends_with("good"), "{said}");
    assert_eq!(server.stats.panics(), 1);
}

/// Faults 17 and 18, with limits that a test can wait for.
#[tokio::test]
async fn clients_that_are_slow() {
    let mut params = Params::new();
    params.opening = Duration::from_millis(50);
    params.head = Duration::from_millis(50);
    params.idle = Duration::from_millis(50);
    let server = Server::with(&params, async |_seen, _request| {
        Response::new(Body::whole("x".into(), None))
    });
    let rows: [(&[u8], &str); 5] = [
        (b"", ""),
        (b"PRI * HTTP/2.0\r\n", ""),
        (b"G", ""),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", ""),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\nx"),
    ];
    for (bytes, end) in rows {
        let said = server.exchange(bytes).await;
        assert!(said.ends_with(end), "{said}");
    }
    assert_eq!(server.stats.timed_out(), 5);
    // A head that drips is not saved by its drops.
    let mut stream = server.connect().await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(500) {
        if stream.write_all(b"G").await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(
        began.elapsed() < Duration::from_millis(400),
        "{:?}",
        began.elapsed()
    );
}

/// Fault 5: an answer that is not read does not stay for ever, and neither the gateway nor the
/// kernel takes much of it.
#[tokio::test]
async fn a_client_that_does_not_read() {
    /// What the client's kernel takes unread is not ours to bound; it is much less than this.
    const MOST: usize = 512 << 10;
    let mut params = Params::new();
    params.response_stall = Duration::from_millis(50);
    let server = Server::with(&params, async |seen, _request| {
        let watch = seen.watch();
        Response::new(crate::server::endless(watch))
    });
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    server.cancelled(1).await;
    assert_eq!(server.stats.timed_out(), 1);
    let sent = server.seen.sent.load(Ordering::SeqCst);
    assert!(sent <= MOST, "{sent} bytes were taken from the handler");
}
