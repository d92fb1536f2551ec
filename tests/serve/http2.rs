//! HTTP/2: what is served, what is refused, and what a client can do to others.

use bytes::Bytes;
use http::{Request, Response};
use sidegate::call::Body;

use crate::server::{Server, read_body};

fn request(path: &str) -> Request<()> {
    Request::builder()
        .method("POST")
        .uri(format!("http://a{path}"))
        .body(())
        .unwrap()
}

#[tokio::test]
async fn a_request_is_answered_and_both_bodies_go_through() {
    let server = Server::start(async |_seen, request| {
        let body = read_body(request.into_body()).await.unwrap();
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-trailer", http::HeaderValue::from_static("yes"));
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
