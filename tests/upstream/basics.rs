//! Calls that go well, and what the wire looks like on both sides of them.

use sidegate::call::Body;

use crate::app::{App, frame};
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
