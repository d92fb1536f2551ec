//! HTTP/2: what is served, what is refused, and what a client can do to others.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{HeaderValue, Request, Response};
use sidegate::call::{Body, Fault};
use sidegate::serve::Params;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::frames::{
    CONTINUATION, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, frame, headers, id, raw,
    read_frame,
};
use crate::server::{Seen, Server, channel, endless, read_body};

fn request(path: &str) -> Request<()> {
    Request::builder()
        .method("POST")
        .uri(format!("http://a{path}"))
        .body(())
        .unwrap()
}

/// Answers with the body of the request.
async fn echo(_seen: Arc<Seen>, request: Request<Body>) -> Response<Body> {
    let body = read_body(request.into_body()).await.unwrap_or_default();
    Response::new(Body::whole(body.into(), None))
}

/// Never answers, and counts when it is dropped.
async fn never(seen: Arc<Seen>, _request: Request<Body>) -> Response<Body> {
    let _watch = seen.watch();
    std::future::pending().await
}

async fn read(mut body: h2::RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        all.extend_from_slice(&data);
    }
    Ok(all)
}

#[tokio::test]
async fn a_request_is_answered_and_both_bodies_go_through() {
    let server = Server::start(async |_seen, request| {
        let body = read_body(request.into_body()).await.unwrap();
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-trailer", HeaderValue::from_static("yes"));
        Response::new(Body::whole(body.into(), Some(trailers)))
    });
    let (mut send, _driving) = server.h2().await;
    let (response, mut body) = send.send_request(request("/"), false).unwrap();
    // More than a stream window each way.
    let sent = vec![7; 200_000];
    body.send_data(Bytes::from(sent.clone()), true).unwrap();
    let mut response = response.await.unwrap();
    let mut got = Vec::new();
    while let Some(data) = response.body_mut().data().await {
        let data = data.unwrap();
        let flow = response.body_mut().flow_control();
        flow.release_capacity(data.len()).unwrap();
        got.extend_from_slice(&data);
    }
    assert_eq!(got, sent);
    let trailers = response.body_mut().trailers().await.unwrap().unwrap();
    assert_eq!(trailers["x-trailer"], "yes");
}

#[tokio::test]
async fn heads_of_answers() {
    let server = Server::start(async |_seen, request| {
        let mut response = match request.uri().path() {
            "/empty" => Response::new(Body::empty()),
            _ => Response::new(Body::whole("12345".into(), None)),
        };
        let value = HeaderValue::from_static("keep-alive");
        response.headers_mut().insert("connection", value);
        response
    });
    let (mut send, _driving) = server.h2().await;
    for (method, path, length, body) in [
        ("GET", "/", Some("5"), "12345"),
        ("HEAD", "/", None, ""),
        ("GET", "/empty", None, ""),
    ] {
        let mut request = request(path);
        *request.method_mut() = method.parse().unwrap();
        let (response, _) = send.send_request(request, true).unwrap();
        let response = response.await.unwrap();
        let got = response.headers().get("content-length");
        assert_eq!(
            got.map(|value| value.to_str().unwrap()),
            length,
            "{method} {path}"
        );
        assert!(!response.headers().contains_key("connection"));
        assert_eq!(response.body().is_end_stream(), body.is_empty());
        assert_eq!(read(response.into_body()).await.unwrap(), body.as_bytes());
    }
}

/// S2: a frame of the body is a DATA frame of its own.
#[tokio::test]
async fn messages_of_a_stream_are_frames() {
    let server = Server::start(async |_seen, _request| {
        let (sender, body) = channel();
        for word in ["one", "two", "three"] {
            sender.send(Ok(word.into())).await.unwrap();
        }
        Response::new(body.holding(()))
    });
    let (mut send, _driving) = server.h2().await;
    let (response, _) = send.send_request(request("/"), true).unwrap();
    let mut body = response.await.unwrap().into_body();
    let mut frames = Vec::new();
    while let Some(data) = body.data().await {
        frames.push(data.unwrap());
    }
    frames.retain(|data| !data.is_empty());
    assert_eq!(frames, ["one", "two", "three"]);
}

/// Both directions at once (S6).
#[tokio::test]
async fn a_conversation() {
    let server = Server::start(async |_seen, request| Response::new(request.into_body()));
    let (mut send, _driving) = server.h2().await;
    let (response, mut body) = send.send_request(request("/"), false).unwrap();
    let mut answer = response.await.unwrap().into_body();
    for word in ["one", "two", "three"] {
        body.send_data(word.into(), false).unwrap();
        assert_eq!(answer.data().await.unwrap().unwrap(), word);
    }
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-trailer", HeaderValue::from_static("yes"));
    body.send_trailers(trailers).unwrap();
    assert!(answer.data().await.is_none());
    let trailers = answer.trailers().await.unwrap().unwrap();
    assert_eq!(trailers["x-trailer"], "yes");
}

/// Fault 7: the 101st stream is refused and reaches nobody.
#[tokio::test]
async fn one_stream_too_many() {
    let server = Server::start(never);
    let mut stream = raw(&server).await;
    for number in 0..101 {
        stream.write_all(&headers(number)).await.unwrap();
    }
    let (kind, id, payload) = read_frame(&mut stream, &[RST_STREAM]).await.unwrap();
    assert_eq!((kind, id, payload), (RST_STREAM, 201, vec![0, 0, 0, 7]));
    drop(stream);
    server.cancelled(100).await;
    assert_eq!(server.requests(), 100);
}

/// Fault 10: a reset or a lost connection drops the handler at once.
#[tokio::test]
async fn clients_that_leave() {
    let server = Server::start(never);
    let (mut send, driving) = server.h2().await;
    let (response, _body) = send.send_request(request("/"), true).unwrap();
    let mut other = send.clone();
    let (_kept, _) = other.send_request(request("/"), true).unwrap();
    while server.requests() < 2 {
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    drop((response, _body));
    server.cancelled(1).await;
    drop(driving);
    server.cancelled(2).await;
    assert!(
        began.elapsed() < Duration::from_millis(500),
        "{:?}",
        began.elapsed()
    );
}

/// Fault 1: streams that are opened and reset at once.
#[tokio::test]
async fn rapid_resets() {
    for pause_every in [1, 7, 1000] {
        let server = Server::start(never);
        let mut stream = raw(&server).await;
        let (mut reading, mut writing) = stream.split();
        let sending = async {
            for number in 0..10_000 {
                let reset = frame(RST_STREAM, 0, id(number), &[0, 0, 0, 8]);
                let bytes = [headers(number), reset].concat();
                if writing.write_all(&bytes).await.is_err() {
                    return;
                }
                if number % pause_every == 0 {
                    // The server sees these before the next come.
                    tokio::time::sleep(Duration::from_micros(100)).await;
                }
            }
        };
        let (_, (_, _, payload)) = tokio::join!(sending, async {
            read_frame(&mut reading, &[GOAWAY]).await.unwrap()
        });
        assert_eq!(payload[4..8], [0, 0, 0, 11], "ENHANCE_YOUR_CALM");
        let last = u32::from_be_bytes([payload[0], payload[1], payload[2], payload[3]]);
        assert!(last < id(1000), "{last}");
        assert!(server.requests() <= 200, "{}", server.requests());
    }
}

/// Fault 2: requests that are no requests.
#[tokio::test]
async fn malformed_requests() {
    let server = Server::start(echo);
    let mut stream = raw(&server).await;
    let mut sent = 0;
    // `:method` alone.
    while sent < 6000 {
        let bytes = frame(HEADERS, END_HEADERS | END_STREAM, id(sent), &[0x82]);
        if stream.write_all(&bytes).await.is_err() {
            break;
        }
        sent += 1;
        tokio::task::yield_now().await;
    }
    let mut resets = 0;
    while let Some((kind, _, _)) = read_frame(&mut stream, &[GOAWAY, RST_STREAM]).await {
        if kind == GOAWAY {
            break;
        }
        resets += 1;
    }
    assert!(resets <= 1100, "{resets}");
    assert_eq!(server.requests(), 0);
}

/// Fault 14: too many fields, too long a target, too large a head.
#[tokio::test]
async fn heads_that_are_too_large() {
    let server = Server::start(echo);
    let (mut send, _driving) = server.h2().await;
    let many = |count: usize| {
        let mut request = request("/");
        for number in 0..count {
            let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
            request
                .headers_mut()
                .insert(name, HeaderValue::from_static("y"));
        }
        request
    };
    let mut large = request("/");
    let value = HeaderValue::try_from("y".repeat(17 << 10)).unwrap();
    large.headers_mut().insert("x", value);
    let rows = [
        (many(100), 200),
        (many(101), 431),
        (large, 431),
        (request(&format!("/{}", "y".repeat(9 << 10))), 414),
        (
            Request::builder()
                .method("CONNECT")
                .uri("a:1")
                .body(())
                .unwrap(),
            405,
        ),
    ];
    for (request, status) in rows {
        let (response, _) = send.send_request(request, true).unwrap();
        assert_eq!(response.await.unwrap().status(), status);
    }
    let mut two = request("/");
    two.headers_mut()
        .insert("host", HeaderValue::from_static("b"));
    let (response, _) = send.send_request(two, true).unwrap();
    assert_eq!(response.await.unwrap().status(), 400);
    let mut user = request("/");
    *user.uri_mut() = "http://user@a/".parse().unwrap();
    let (response, _) = send.send_request(user, true).unwrap();
    assert_eq!(response.await.unwrap().status(), 400);
    assert_eq!(server.requests(), 1);
}

/// A request that is answered before its end is stopped without harm (RFC 9113, 8.1).
#[tokio::test]
async fn an_answer_that_comes_before_the_request_has_ended() {
    let server =
        Server::start(async |_seen, _request| Response::new(Body::whole("enough".into(), None)));
    let (mut send, _driving) = server.h2().await;
    let (response, mut body) = send.send_request(request("/"), false).unwrap();
    body.send_data("some".into(), false).unwrap();
    let response = response.await.unwrap();
    assert_eq!(read(response.into_body()).await.unwrap(), b"enough");
    let reason = std::future::poll_fn(|context| body.poll_reset(context)).await;
    assert_eq!(reason.unwrap(), Reason::NO_ERROR);
}

/// S4: a body that breaks off never looks complete; a handler that panics is told the same way.
#[tokio::test]
async fn answers_that_break_off() {
    let server = Server::start(async |_seen, request| {
        assert!(request.uri().path() != "/panic", "on purpose");
        let (sender, body) = channel();
        sender.send(Ok("part".into())).await.unwrap();
        let broken = Fault::unavailable("TEST", "broken");
        sender.send(Err(broken)).await.unwrap();
        Response::new(body.holding(()))
    });
    let (mut send, _driving) = server.h2().await;
    let (response, _) = send.send_request(request("/"), true).unwrap();
    let mut body = response.await.unwrap().into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "part");
    let error = body.data().await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
    let (response, _) = send.send_request(request("/panic"), true).unwrap();
    let error = response.await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
    assert_eq!(server.stats.panics(), 1);
    let (response, _) = send.send_request(request("/"), true).unwrap();
    assert_eq!(
        response.await.unwrap().status(),
        200,
        "the connection goes on"
    );
}

/// Many small messages to a handler that reads none of them for long.
#[tokio::test]
async fn small_messages_to_a_slow_reader() {
    let server = Server::start(async |_seen, request| {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let body = read_body(request.into_body()).await.unwrap();
        Response::new(Body::whole(body.len().to_string().into(), None))
    });
    let (mut send, _driving) = server.h2().await;
    let (response, mut body) = send.send_request(request("/"), false).unwrap();
    for _ in 0..12_000 {
        body.send_data(Bytes::from_static(b"12345"), false).unwrap();
    }
    body.send_data(Bytes::new(), true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(read(response.into_body()).await.unwrap(), b"60000");
}

/// Faults 4 and 5: a window that never opens, a stream that is not read.
#[tokio::test]
async fn clients_that_do_not_read() {
    let mut params = Params::new();
    params.response_stall = Duration::from_millis(100);
    let server = Server::with(&params, async |seen, _request| {
        Response::new(endless(seen.watch()))
    });
    let (mut send, _driving) = server.h2().await;
    let (response, _) = send.send_request(request("/"), true).unwrap();
    let mut body = response.await.unwrap().into_body();
    server.cancelled(1).await;
    let mut got = 0;
    let error = loop {
        match body.data().await.unwrap() {
            Ok(data) => got += data.len(),
            Err(error) => break error,
        }
    };
    assert_eq!(error.reason(), Some(Reason::CANCEL));
    assert!(got <= 65_535, "{got}");
    assert_eq!(server.seen.cancelled.load(Ordering::SeqCst), 1);
}

/// Fault 18: a header block that never ends, and a connection without streams.
#[tokio::test]
async fn clients_that_are_slow() {
    let mut params = Params::new();
    params.head = Duration::from_millis(50);
    let server = Server::with(&params, echo);
    let mut stream = raw(&server).await;
    let began = Instant::now();
    stream
        .write_all(&frame(HEADERS, 0, 1, &[0x82]))
        .await
        .unwrap();
    // Every drop is a frame of its own.
    for _ in 0..5 {
        if stream
            .write_all(&frame(CONTINUATION, 0, 1, &[]))
            .await
            .is_err()
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while read_frame(&mut stream, &[GOAWAY]).await.is_some() {}
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );

    let mut params = Params::new();
    params.idle = Duration::from_millis(50);
    let server = Server::with(&params, echo);
    let (_send, driving) = server.h2().await;
    assert_eq!(driving.await.unwrap(), "", "told to leave, and left");
}
