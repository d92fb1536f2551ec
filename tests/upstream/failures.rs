//! What the application can do wrong, and what its callers are told (E2, E6).

use bytes::Bytes;
use h2::Reason;
use http::{Response, StatusCode};
use sidegate::call::{Body, Code, Retry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::app::{App, Incoming, Order, frame, grpc, status};
use crate::call::{Client, next, read};

/// Fault 27: RST 0 to 13, before and after the head.
#[tokio::test(flavor = "local")]
async fn every_reset_has_its_code() {
    let codes = [
        Code::Internal,
        Code::Internal,
        Code::Internal,
        Code::Internal,
        Code::Internal,
        Code::Internal,
        Code::Internal,
        Code::Unavailable,
        Code::Cancelled,
        Code::Internal,
        Code::Internal,
        Code::ResourceExhausted,
        Code::PermissionDenied,
        Code::Internal,
    ];
    let app = App::start(async |mut call: Incoming| {
        let body = call.read().await.unwrap();
        let reason = Reason::from(u32::from(body[5]));
        if body[6] == 0 {
            call.respond.send_reset(reason);
        } else {
            let mut send = call.respond.send_response(grpc(), false).unwrap();
            send.send_reset(reason);
        }
    })
    .await;
    let client = Client::new(app.address);
    for (number, code) in (0_u8..).zip(codes) {
        for answered in [0, 1] {
            let fault = client.echo(&[number, answered]).await.unwrap_err();
            assert_eq!(fault.code(), code, "RST {number}, answered: {answered}");
        }
    }
    // All the same, the connection is as good as new.
    assert_eq!(app.shared.connections.get(), 1);
}

/// Answers as no gRPC server does, by the first byte of the message.
async fn answer_oddly(mut call: Incoming) {
    let body = call.read().await.unwrap();
    let head = |status: u16, kind: &str| {
        Response::builder()
            .status(StatusCode::from_u16(status).unwrap())
            .header("content-type", kind)
            .body(())
            .unwrap()
    };
    match body[5] {
        b'h' => {
            let mut send = call
                .respond
                .send_response(head(502, "text/html"), false)
                .unwrap();
            let page = Bytes::from_static(b"<html>Bad Gateway</html>");
            send.send_data(page, true).unwrap();
        }
        b'j' => drop(
            call.respond
                .send_response(head(200, "application/json"), true),
        ),
        b'u' => drop(call.respond.send_response(head(401, "text/plain"), true)),
        b'n' => {
            let mut send = call.respond.send_response(grpc(), false).unwrap();
            send.send_data(frame(b"x"), true).unwrap();
        }
        b'e' => drop(call.respond.send_response(grpc(), true)),
        b't' => {
            let mut send = call.respond.send_response(grpc(), false).unwrap();
            send.send_trailers(http::HeaderMap::new()).unwrap();
        }
        b'o' => {
            let mut head = grpc();
            head.headers_mut().insert("grpc-status", 5.into());
            drop(call.respond.send_response(head, true));
        }
        b's' => {
            let mut head = grpc();
            head.headers_mut().insert("grpc-status", 5.into());
            let mut send = call.respond.send_response(head, false).unwrap();
            send.send_data(Bytes::new(), true).unwrap();
        }
        b'm' | b'd' => {
            let mut head = grpc();
            head.headers_mut().insert("grpc-status", 9.into());
            let mut send = call.respond.send_response(head, false).unwrap();
            send.send_data(frame(b"x"), body[5] == b'm').unwrap();
            if body[5] == b'd' {
                send.send_data(Bytes::new(), true).unwrap();
            }
        }
        other => panic!("{other}"),
    }
}

/// Fault 27: E2's table, and what the log is told.
#[tokio::test(flavor = "local")]
async fn answers_that_are_not_grpc() {
    let app = App::start(answer_oddly).await;
    let client = Client::new(app.address);
    let rows = [
        (
            b"h",
            Code::Unavailable,
            "APP_NOT_GRPC",
            "<html>Bad Gateway</html>",
        ),
        (b"j", Code::Unknown, "APP_NOT_GRPC", "application/json"),
        (b"u", Code::Unauthenticated, "APP_NOT_GRPC", "text/plain"),
        (b"n", Code::Internal, "APP_NO_STATUS", ""),
        (b"e", Code::Unknown, "APP_NO_STATUS", ""),
        (b"t", Code::Internal, "APP_NO_STATUS", ""),
        // A status in the head counts for nothing when messages follow it.
        (b"m", Code::Internal, "APP_NO_STATUS", ""),
        (b"d", Code::Internal, "APP_NO_STATUS", ""),
    ];
    for (case, code, reason, cause) in rows {
        let fault = client.echo(case).await.unwrap_err();
        assert_eq!((fault.code(), fault.reason()), (code, reason), "{fault}");
        assert!(fault.cause().unwrap_or_default().contains(cause), "{fault}");
        assert_eq!(fault.retry(), Retry::Unsafe);
    }
    for case in [b"o", b"s"] {
        let (bytes, trailers) = client.echo(case).await.unwrap();
        assert_eq!((bytes.len(), &trailers["grpc-status"]), (0, &5.into()));
    }
}

/// Fault 25: the client can tell, and has what came before.
#[tokio::test(flavor = "local")]
async fn an_application_that_dies_in_the_middle_of_a_stream() {
    let app = App::start(async |mut call: Incoming| {
        let mut send = call.respond.send_response(grpc(), false).unwrap();
        for message in [b"1", b"2", b"3"] {
            send.send_data(frame(message), false).unwrap();
        }
        call.given_up(&mut send).await;
    })
    .await;
    let client = Client::new(app.address);
    let call = client.bidi(Body::whole(frame(b"x"), None));
    let mut reply = client.send(call).await.unwrap();
    let mut got = Vec::new();
    while got.len() < 3 * frame(b"1").len() {
        let frame = next(&mut reply.body).await.unwrap().unwrap();
        got.extend_from_slice(&frame.into_data().unwrap());
    }
    app.order(Order::Die);
    let fault = next(&mut reply.body).await.unwrap().unwrap_err();
    assert_eq!(fault.code(), Code::Unavailable, "{fault}");
    assert_eq!(fault.retry(), Retry::Unsafe);
    assert!(next(&mut reply.body).await.is_none());
}

/// Fault 29: refused at once while the app is away, served as soon as it is back.
#[tokio::test(flavor = "local")]
async fn an_application_that_is_away_and_comes_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::new(address);
    for _ in 0..50 {
        let fault = client.echo(b"x").await.unwrap_err();
        assert_eq!(fault.reason(), "APP_UNREACHABLE", "{fault}");
        assert_eq!(
            (fault.code(), fault.http().as_u16()),
            (Code::Unavailable, 503)
        );
        assert_eq!(fault.retry(), Retry::NeverProcessed);
    }
    let listener = TcpListener::bind(address).await.unwrap();
    let limits = crate::app::Limits { streams: 100 };
    let app = App::on(listener, limits, async |mut call| {
        call.read().await.unwrap();
        call.answer(&[b"y"]);
    });
    let began = tokio::time::Instant::now();
    while client.echo(b"x").await.is_err() {
        assert!(
            began.elapsed().as_millis() < 1000,
            "not back within a second"
        );
        tokio::task::yield_now().await;
    }
    // Killed and started anew, with a connection open.
    app.order(Order::Die);
    let began = tokio::time::Instant::now();
    while client.echo(b"x").await.is_err() {
        assert!(
            began.elapsed().as_millis() < 1000,
            "not back within a second"
        );
        tokio::task::yield_now().await;
    }
}

/// Something else listens there.
#[tokio::test(flavor = "local")]
async fn an_application_that_does_not_speak_http2() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(listener.local_addr().unwrap());
    let other = sidegate::life::task::spawn_local("other", async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut some = [0; 24];
        socket.read_exact(&mut some).await.unwrap();
        socket
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    });
    let fault = client.echo(b"x").await.unwrap_err();
    assert_eq!(fault.reason(), "APP_UNREACHABLE");
    assert!(
        fault.cause().unwrap().contains("does not speak HTTP/2"),
        "{fault}"
    );
    drop(other);
}

/// A client that breaks off its own request is told its own fault.
#[tokio::test(flavor = "local")]
async fn a_request_body_that_breaks_off() {
    let app = App::start(async |mut call: Incoming| {
        while let Some(Ok(data)) = call.next().await {
            if data.ends_with(b"answer") {
                let mut send = call.respond.send_response(grpc(), false).unwrap();
                call.given_up(&mut send).await;
                return;
            }
        }
        call.given_up_unanswered().await;
    })
    .await;
    let client = Client::new(app.address);
    for answered in [false, true] {
        let (sender, body) = crate::call::channel();
        let message: &[u8] = if answered { b"answer" } else { b"x" };
        sender.send(Ok(frame(message))).await.unwrap();
        let bad = || sidegate::call::Fault::invalid("BAD_JSON", "not JSON");
        let result = if answered {
            let mut reply = client.send(client.bidi(body)).await.unwrap();
            sender.send(Err(bad())).await.unwrap();
            read(&mut reply).await
        } else {
            sender.send(Err(bad())).await.unwrap();
            client
                .send(client.bidi(body))
                .await
                .map(|_| panic!("answered"))
        };
        assert_eq!(result.unwrap_err().reason(), "BAD_JSON");
    }
    app.until(|shared| shared.given_up.get() == 2).await;
}

/// `status` is used by other tests of this program as well.
#[tokio::test(flavor = "local")]
async fn the_status_of_the_application_is_not_a_fault() {
    let app = App::start(async |mut call: Incoming| {
        let mut send = call.respond.send_response(grpc(), false).unwrap();
        send.send_trailers(status(7)).unwrap();
    })
    .await;
    let (_, trailers) = Client::new(app.address).echo(b"x").await.unwrap();
    assert_eq!(trailers["grpc-status"], "7");
}
