//! HTTP/1: what is served, what is refused, and that no connection is ever out of step.

use http::Response;
use sidegate::call::Body;

use crate::server::{Server, read_body};

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
