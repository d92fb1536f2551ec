//! Calls that go well, and what the wire looks like on both sides of them.

use sidegate::call::Body;

use crate::app::{App, frame, grpc};
use crate::call::Client;

#[tokio::test(flavor = "local")]
async fn a_unary_call_comes_back_with_its_trailers() {
    let app = App::start(async |mut call| {
        let body = call.read().await.unwrap();
        assert_eq!(call.head.method, "POST");
        assert_eq!(call.head.uri.path(), "/test.Echo/Unary");
        assert_eq!(call.head.headers["te"], "trailers");
        assert_eq!(call.head.headers["content-type"], "application/grpc");
        call.answer(&[&body]);
    })
    .await;
    let client = Client::new(app.address);
    let (bytes, trailers) = client.echo(b"hello").await.unwrap();
    assert_eq!(bytes, frame(&frame(b"hello")));
    assert_eq!(trailers["grpc-status"], "0");
    assert_eq!(app.shared.connections.get(), 1);
    let name: std::sync::Arc<str> = app.address.to_string().into();
    assert_eq!(client.sink.0.lock().unwrap().as_slice(), [(1, Some(name))]);
}

#[tokio::test(flavor = "local")]
async fn many_calls_that_wait_make_one_connection() {
    let app = App::start(async |mut call| {
        let body = call.read().await.unwrap();
        call.answer(&[&body]);
    })
    .await;
    let client = Client::new(app.address);
    let calls = (0..100).map(|_| client.echo(b"x"));
    for result in futures_util::future::join_all(calls).await {
        result.unwrap();
    }
    assert_eq!(app.shared.connections.get(), 1);
    let call = client.bidi(Body::whole(frame(b"x"), None));
    client.send(call).await.unwrap();
    assert_eq!(app.shared.connections.get(), 2, "streams have their own");
}

/// A message of the largest size goes both ways, through windows of 64 KiB.
#[tokio::test(flavor = "local")]
async fn a_large_message() {
    let app = App::start(async |mut call| {
        let body = call.read().await.unwrap();
        call.answer(&[&body[5..]]);
    })
    .await;
    let client = Client::new(app.address);
    let message: Vec<u8> = (0..4 << 20).map(|at: u32| at.to_le_bytes()[1]).collect();
    let (bytes, _) = client.echo(&message).await.unwrap();
    assert!(bytes == frame(&message), "the message came back changed");
}

#[tokio::test(flavor = "local")]
async fn an_application_behind_a_socket_in_the_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let serving = sidegate::life::task::spawn_local("app", async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(socket).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            assert_eq!(request.uri().authority().unwrap(), "localhost");
            let mut head = grpc();
            head.headers_mut().insert("grpc-status", 0.into());
            respond.send_response(head, true).unwrap();
        }
    });
    let client = Client::at(&format!("unix:{}", path.display()), |_| {});
    let (_, trailers) = client.echo(b"x").await.unwrap();
    assert_eq!(trailers["x-initial"], "yes");
    drop(serving);
}

/// What the caller says goes before what the upstream would say itself.
#[tokio::test(flavor = "local")]
async fn authority_and_metadata_of_the_caller() {
    let app = App::start(async |mut call| {
        assert_eq!(call.head.uri.authority().unwrap(), "library.example");
        assert_eq!(call.head.headers["content-type"], "application/grpc+proto");
        let many: Vec<_> = call.head.headers.get_all("x-many").iter().collect();
        assert_eq!(many, ["1", "2"]);
        assert!(!call.head.headers.contains_key("grpc-timeout"));
        call.answer(&[]);
    })
    .await;
    let client = Client::new(app.address);
    let mut call = client.unary(Body::whole(frame(b"x"), None));
    call.authority = Some(http::uri::Authority::from_static("library.example"));
    for (name, value) in [
        ("content-type", "application/grpc+proto"),
        ("x-many", "1"),
        ("x-many", "2"),
    ] {
        call.metadata
            .append(name, http::HeaderValue::from_static(value));
    }
    let reply = client.send(call).await.unwrap();
    assert_eq!(reply.metadata["x-initial"], "yes");
}

/// What cannot be sent is told, and harms nobody.
#[tokio::test(flavor = "local")]
async fn metadata_that_http2_cannot_hold() {
    let app = App::start(async |mut call| call.answer(&[])).await;
    let client = Client::new(app.address);
    client.echo(b"x").await.unwrap();
    let mut call = client.unary(Body::whole(frame(b"x"), None));
    let value = http::HeaderValue::from_static("close");
    call.metadata.insert("connection", value);
    let fault = client.send(call).await.unwrap_err();
    assert_eq!(fault.reason(), "BAD_REQUEST_HEAD");
    client.echo(b"x").await.unwrap();
    assert_eq!(app.shared.connections.get(), 1);
}
