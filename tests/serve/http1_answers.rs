//! HTTP/1: how answers are told, and what the client may count on after them.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};
use sidegate::call::{Body, Fault};
use sidegate::serve::Params;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{Server, channel, read_body, read_to_end, read_until};

const CLOSE: &str = "connection: close\r\n";

/// Frames that are ready, and what they claim to be.
struct Frames(std::vec::IntoIter<Frame<Bytes>>, Option<u64>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Fault>>> {
        std::task::Poll::Ready(self.0.next().map(Ok))
    }

    fn size_hint(&self) -> SizeHint {
        self.1.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn frames(pieces: &[&'static str], claimed: Option<u64>) -> Body {
    let frames: Vec<_> = pieces
        .iter()
        .map(|piece| Frame::data(Bytes::from_static(piece.as_bytes())))
        .collect();
    Body::raw(Frames(frames.into_iter(), claimed))
}

fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers.insert("x-not-announced", HeaderValue::from_static("1"));
    trailers.append("x-not-announced", HeaderValue::from_static("2"));
    // These would say something about the message.
    trailers.insert(CONTENT_LENGTH, HeaderValue::from_static("7"));
    trailers.insert(TRANSFER_ENCODING, HeaderValue::from_static("gzip"));
    trailers
}

/// Answers by path.
fn server() -> Server {
    Server::start(async |_seen, request| {
        let mut response = Response::new(match request.uri().path() {
            "/whole" => Body::whole("whole".into(), None),
            "/exact" => frames(&["on", "e"], Some(3)),
            "/short" => frames(&["on"], Some(3)),
            "/long" => frames(&["on", "es"], Some(3)),
            "/stream" => frames(&["on", "e"], None),
            "/trailers" => Body::whole("whole".into(), Some(trailers())),
            "/streamed-trailers" => {
                let frames = vec![Frame::data("one".into()), Frame::trailers(trailers())];
                Body::raw(Frames(frames.into_iter(), None))
            }
            _ => Body::empty(),
        });
        let headers = response.headers_mut();
        match request.uri().path() {
            "/204" => *response.status_mut() = StatusCode::NO_CONTENT,
            "/408" => *response.status_mut() = StatusCode::REQUEST_TIMEOUT,
            "/304" => *response.status_mut() = StatusCode::NOT_MODIFIED,
            "/close" => drop(headers.insert(CONNECTION, HeaderValue::from_static("close"))),
            "/own" => {
                headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("gzip"));
                headers.insert(DATE, HeaderValue::from_static("then"));
            }
            "/said" => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("77"));
            }
            _ => {}
        }
        response
    })
}

/// What the server says to a request, without its date; it is asked for the end in another one.
async fn said(server: &Server, line: &str, fields: &str) -> String {
    let version = line.rsplit(' ').next().unwrap();
    let more = "GET /close HTTP/1.1\r\nHost: a\r\n\r\n";
    let bytes = format!("{line}\r\nHost: a\r\n{fields}\r\n{more}");
    let all = server.exchange(bytes.as_bytes()).await;
    let all: String = all
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("date: ") || *line == "date: then\r\n")
        .collect();
    let end = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{CLOSE}\r\n");
    match all.strip_suffix(&end) {
        Some(said) => said.to_owned(),
        None => format!("{all}[closed, {version}]"),
    }
}

/// Requests and what is said to them.
const TOLD: &[(&str, &str, &str)] = &[
    (
        "GET /whole HTTP/1.1",
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole",
    ),
    (
        "GET / HTTP/1.1",
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ),
    (
        "GET /exact HTTP/1.1",
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none",
    ),
    (
        "GET /stream HTTP/1.1",
        "",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\non\r\n1\r\ne\r\n0\r\n\r\n",
    ),
    (
        "HEAD /whole HTTP/1.1",
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
    ),
    (
        "HEAD /said HTTP/1.1",
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n",
    ),
    ("HEAD /stream HTTP/1.1", "", "HTTP/1.1 200 OK\r\n\r\n"),
    ("GET /204 HTTP/1.1", "", "HTTP/1.1 204 No Content\r\n\r\n"),
    ("GET /304 HTTP/1.1", "", "HTTP/1.1 304 Not Modified\r\n\r\n"),
    (
        "GET /own HTTP/1.1",
        "",
        "HTTP/1.1 200 OK\r\ndate: then\r\ncontent-length: 0\r\n\r\n",
    ),
    (
        "GET /whole HTTP/1.1",
        "Connection: Close\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nwhole[closed, HTTP/1.1]",
    ),
    (
        "GET /whole HTTP/1.0",
        "Connection: keep-alive\r\n",
        "HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n\r\nwhole",
    ),
    (
        "GET /whole HTTP/1.0",
        "",
        "HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nwhole[closed, HTTP/1.0]",
    ),
    (
        "GET /stream HTTP/1.0",
        "Connection: keep-alive\r\n",
        "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\none[closed, HTTP/1.0]",
    ),
    // A body that is not what its head says breaks off.
    (
        "GET /short HTTP/1.1",
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\non[closed, HTTP/1.1]",
    ),
    (
        "GET /long HTTP/1.1",
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\non[closed, HTTP/1.1]",
    ),
];

#[tokio::test]
async fn how_a_body_is_told() {
    let server = server();
    for (line, fields, expected) in TOLD {
        assert_eq!(
            said(&server, line, fields).await,
            *expected,
            "{line} {fields}"
        );
    }
    let all = server
        .exchange(b"GET /close HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    let date = all.lines().find_map(|line| line.strip_prefix("date: "));
    assert!(date.is_some_and(|date| date.ends_with(" GMT")), "{all}");
}

/// Trailers need no announcement, only a client that takes them.
#[tokio::test]
async fn trailers_of_any_name() {
    let server = server();
    let whole = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let last = "0\r\ngrpc-status: 0\r\nx-not-announced: 1\r\nx-not-announced: 2\r\n\r\n";
    let rows = [
        ("GET /trailers HTTP/1.1", "", whole.to_owned()),
        (
            "GET /trailers HTTP/1.1",
            "TE: gzip, trailers\r\n",
            format!("{chunked}5\r\nwhole\r\n{last}"),
        ),
        (
            "GET /streamed-trailers HTTP/1.1",
            "",
            format!("{chunked}3\r\none\r\n0\r\n\r\n"),
        ),
        (
            "GET /streamed-trailers HTTP/1.1",
            "TE: trailers\r\n",
            format!("{chunked}3\r\none\r\n{last}"),
        ),
    ];
    for (line, fields, expected) in rows {
        assert_eq!(
            said(&server, line, fields).await,
            expected,
            "{line} {fields}"
        );
    }
}

/// Fault 13: a client is never left to believe that a connection is kept which is closed.
#[tokio::test]
async fn an_early_answer_says_whether_the_connection_is_kept() {
    let server = server();
    let rows = [
        ("Content-Length: 3\r\n", "", false),
        ("Content-Length: 70000\r\n", "", true),
        ("Content-Length: 70000\r\n", "abc", true),
        ("Transfer-Encoding: chunked\r\n", "", true),
        ("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n", true),
        (
            "Transfer-Encoding: chunked\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
            false,
        ),
        ("Transfer-Encoding: chunked\r\n", "nonsense", true),
        ("Content-Length: 3\r\nExpect: 100-continue\r\n", "", true),
        (
            "Content-Length: 3\r\nExpect: 100-continue\r\n",
            "abc",
            false,
        ),
    ];
    for (fields, body, closes) in rows {
        let mut stream = server.connect().await;
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}");
        stream.write_all(head.as_bytes()).await.unwrap();
        let said = read_until(&mut stream, "\r\n\r\n").await;
        assert_eq!(said.contains(CLOSE), closes, "{fields} {body}: {said}");
        if closes {
            assert_eq!(read_to_end(&mut stream).await, "");
            continue;
        }
        if body.is_empty() {
            stream.write_all(b"abc").await.unwrap();
        }
        let next = b"GET /whole HTTP/1.1\r\nHost: a\r\n\r\n";
        stream.write_all(next).await.unwrap();
        read_until(&mut stream, "whole").await;
    }
}

/// Bodies of every size go through whole in both directions, however they are cut.
#[tokio::test]
async fn bodies_of_every_size() {
    let server = Server::start(async |_seen, request| {
        let body = read_body(request.into_body()).await.unwrap();
        let (sender, fed) = channel();
        let echo = async move {
            for piece in body.chunks(100_000) {
                drop(sender.send(Ok(Bytes::copy_from_slice(piece))).await);
            }
        };
        // At most sixteen pieces wait for their reader.
        echo.await;
        Response::new(fed.holding(()))
    });
    for size in [0, 1, 4095, 4096, 8191, 8192, 8193, 70_000, 1_000_000] {
        let body: Vec<u8> = (0..=250).cycle().take(size).collect();
        for chunked in [false, true] {
            let mut stream = server.connect().await;
            let mut bytes = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n".to_vec();
            if chunked {
                bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                for piece in body.chunks(5000) {
                    bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                    bytes.extend_from_slice(piece);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\nX: y\r\n\r\n");
            } else {
                bytes.extend_from_slice(format!("Content-Length: {size}\r\n\r\n").as_bytes());
                bytes.extend_from_slice(&body);
            }
            stream.write_all(&bytes).await.unwrap();
            read_until(&mut stream, "\r\n\r\n").await;
            let mut said = Vec::new();
            stream.read_to_end(&mut said).await.unwrap();
            assert!(unchunk(&said) == body, "{size} {chunked}");
        }
    }
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n").unwrap();
        let size = str::from_utf8(&bytes[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        all.extend_from_slice(&bytes[end + 2..end + 2 + size]);
        assert_eq!(&bytes[end + 2 + size..end + 4 + size], b"\r\n");
        bytes = &bytes[end + 4 + size..];
        if size == 0 {
            assert_eq!(bytes, b"");
            return all;
        }
    }
}

/// The next request is begun when the answer before is out, not before.
#[tokio::test]
async fn requests_in_a_row_wait_for_each_other() {
    let server = Server::start(async |_seen, request| {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Response::new(Body::whole(request.uri().path().to_owned().into(), None))
    });
    let mut stream = server.connect().await;
    let mut all = String::new();
    for at in 0..5 {
        all.push_str(&format!("GET /{at} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    stream.write_all(all.as_bytes()).await.unwrap();
    for at in 0..5_usize {
        read_until(&mut stream, &format!("\r\n\r\n/{at}")).await;
        assert!(server.requests() <= at + 2, "after {at}");
    }
}

/// A body that is read slowly holds its client up: what is buffered is bounded.
#[tokio::test]
async fn a_body_that_is_not_read_holds_its_client_up() {
    /// What both kernels take unread is not ours to bound.
    const MOST: usize = 8 << 20;
    let server = Server::with(&Params::new(), async |seen, request| {
        let _watch = seen.watch();
        let _body = request.into_body();
        std::future::pending().await
    });
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
        .await
        .unwrap();
    let mut sent = 0;
    let chunk = [b'x'; 1 << 16];
    while let Ok(written) =
        tokio::time::timeout(Duration::from_millis(300), stream.write(&chunk)).await
    {
        sent += written.unwrap();
        assert!(sent < MOST, "{sent} bytes were taken");
    }
}

thread_local! {
    /// A body that outlives its answer.
    static KEPT: std::cell::RefCell<Option<Body>> = const { std::cell::RefCell::new(None) };
}

/// Fault 13: who keeps a body beyond its answer never sees what belongs to another request, nor a
/// body that looks complete.
#[tokio::test]
async fn a_body_that_outlives_its_answer() {
    let server = Server::start(async |_seen, request| {
        let body = request.into_body();
        let Some(kept) = KEPT.take() else {
            KEPT.set(Some(body));
            return Response::new(Body::whole("kept".into(), None));
        };
        let kept = read_body(kept).await;
        let own = read_body(body).await;
        let text = format!("{kept:?} {own:?}");
        Response::new(Body::whole(text.into(), None))
    });
    let mut stream = server.connect().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let said = read_until(&mut stream, "kept").await;
    assert!(!said.contains(CLOSE), "{said}");
    stream.write_all(b"abc").await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    stream.write_all(b"def").await.unwrap();
    read_until(&mut stream, "None Some([100, 101, 102])").await;
}

/// Fault 13: when the rest of such a body may be more than is read of it, the answer says that the
/// connection ends, or a client would send its next request into the close.
#[tokio::test]
async fn a_long_body_that_outlives_its_answer() {
    const LONG: usize = 200_000;
    let server = Server::start(async |_seen, request| {
        let answer = match request.uri().path() {
            "/whole" => Body::whole("kept".into(), None),
            _ => frames(&["kept"], None),
        };
        KEPT.set(Some(request.into_body()));
        Response::new(answer)
    });
    for path in ["/whole", "/pieces"] {
        for framing in ["Transfer-Encoding: chunked", "Content-Length: 200009"] {
            let mut stream = server.connect().await;
            let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n30d40\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let said = read_until(&mut stream, "kept").await;
            assert!(said.contains(CLOSE), "{path} {framing}: {said}");
            // The server may have closed its side meanwhile.
            drop(stream.write_all(&[b'x'; LONG]).await);
            let ended = tokio::time::timeout(Duration::from_secs(5), read_to_end(&mut stream));
            assert!(ended.await.is_ok(), "{path} {framing}");
        }
    }
}

/// Fault 18: who let its body wait too long is not waited for once more.
#[tokio::test]
async fn a_request_that_took_too_long_ends_its_connection() {
    let server = server();
    let mut stream = server.connect().await;
    let head = b"POST /408 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf";
    stream.write_all(head).await.unwrap();
    let said = read_to_end(&mut stream).await;
    assert!(
        said.starts_with("HTTP/1.1 408 ") && said.contains(CLOSE),
        "{said}"
    );
}
