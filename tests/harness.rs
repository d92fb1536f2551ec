//! The harness itself can tell right from wrong: the scripted application does what its script
//! says, and the clients see where an answer ends and where it is cut.

#![allow(
    clippy::indexing_slicing,
    clippy::type_complexity,
    reason = "a failing test may panic, and a table is read as a table"
)]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use support::client::{self, Answer, BodyStep, End, Request, Version};
use support::upstream::{FirstConnection, Script, Stage, Step, Upstream, contains, play};
use tokio::sync::watch;

const MESSAGE: &[u8] = b"\0\0\0\0\x02\x08\x01";

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn request(version: Version, body: Vec<BodyStep>, stage: Arc<Stage>) -> Request {
    Request {
        version,
        method: "POST".to_owned(),
        target: "/t.S/Get".to_owned(),
        headers: vec![
            ("x-case".to_owned(), "one".to_owned()),
            ("te".to_owned(), "trailers".to_owned()),
        ],
        body,
        stage,
    }
}

/// Calls the scripted application itself.
async fn call(steps: Vec<Step>, body: Vec<BodyStep>) -> (Answer, Arc<Stage>) {
    let upstream = Upstream::start();
    let stage = upstream.stage("one", Script { calls: vec![steps] });
    let request = request(Version::H2, body, Arc::clone(&stage));
    let answer = client::exchange(upstream.address, &request, &stage.client).await;
    (answer.expect("an answer"), stage)
}

fn sent() -> Vec<BodyStep> {
    vec![BodyStep::Send(Bytes::from_static(MESSAGE))]
}

#[test]
fn a_script_is_played_and_what_it_saw_is_kept() {
    run(async {
        let (answer, stage) = call(vec![Step::Send(Bytes::from_static(b"hi"))], sent()).await;
        assert_eq!((answer.status, answer.end), (200, End::Clean));
        assert_eq!(answer.chunks, [&b"\0\0\0\0\x02hi"[..]]);
        assert_eq!(
            answer
                .trailers
                .get("grpc-status")
                .map(|value| value.as_bytes()),
            Some(&b"0"[..])
        );
        let seen = stage.seen();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].path, "/t.S/Get");
        assert_eq!(seen[0].messages, [&b"\x08\x01"[..]]);
        assert!(seen[0].ended && !seen[0].cancelled && seen[0].complaints.is_empty());
    });
}

#[test]
fn an_application_can_misbehave() {
    run(async {
        let half = vec![Step::Raw(Bytes::from_static(b"\0\0")), Step::NoTrailers];
        let (answer, _) = call(half, sent()).await;
        assert_eq!((answer.end, answer.trailers.len()), (End::Clean, 0));
        let (answer, _) = call(vec![Step::Reset(h2::Reason::REFUSED_STREAM)], sent()).await;
        assert!(matches!(answer.end, End::Broken(why) if why.contains("refused")));
        let mut only = HeaderMap::new();
        only.insert("grpc-status", http::HeaderValue::from(5));
        let (answer, _) = call(vec![Step::TrailersOnly(only)], sent()).await;
        assert_eq!(
            (
                answer.headers["grpc-status"].as_bytes(),
                answer.chunks.len()
            ),
            (&b"5"[..], 0)
        );
        let late = vec![
            Step::Send(Bytes::from_static(b"hi")),
            Step::Trailers(play::status_trailers(10, "enough")),
        ];
        let (answer, _) = call(late, sent()).await;
        assert_eq!(answer.trailers["grpc-message"].as_bytes(), b"enough");
    });
}

#[test]
fn a_client_that_leaves_is_seen() {
    run(async {
        let body = vec![
            BodyStep::Send(Bytes::from_static(MESSAGE)),
            BodyStep::AppHas(1),
            BodyStep::Leave,
        ];
        let (answer, stage) = call(vec![Step::Receive, Step::Stall], body).await;
        assert_eq!(answer.end, End::Left);
        assert!(stage.wait_for(|seen| seen[0].cancelled).await);
    });
}

#[test]
fn both_ends_wait_for_each_other() {
    run(async {
        let body = vec![
            BodyStep::Send(Bytes::from_static(MESSAGE)),
            BodyStep::Read("first".to_owned()),
            BodyStep::Send(Bytes::from_static(MESSAGE)),
        ];
        let script = vec![
            Step::Receive,
            Step::Send(Bytes::from_static(b"first")),
            Step::ClientHas("first".to_owned()),
            Step::Receive,
            Step::Send(Bytes::from_static(b"second")),
            Step::ReceiveEnd,
        ];
        let (answer, stage) = call(script, body).await;
        assert_eq!(answer.chunks.len(), 2);
        assert_eq!(stage.seen()[0].messages.len(), 2);
    });
}

#[test]
fn a_goaway_that_processed_nothing_is_followed_by_a_served_connection() {
    run(async {
        let upstream = Upstream::start_at("127.0.0.1:0", FirstConnection::GoAwayUnprocessed);
        let stage = upstream.stage("one", Script::default());
        let request = request(Version::H2, sent(), Arc::clone(&stage));
        let first = client::exchange(upstream.address, &request, &stage.client).await;
        assert!(matches!(first.expect("an answer").end, End::Broken(_)));
        assert!(stage.seen().is_empty());
        let second = client::exchange(upstream.address, &request, &stage.client).await;
        assert_eq!(second.expect("an answer").end, End::Clean);
        assert_eq!(stage.seen().len(), 1);
    });
}

/// A server that answers any HTTP/1.1 request with these bytes and closes.
fn canned(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = Vec::new();
        while !contains(&request, b"\r\n\r\n") {
            let mut piece = [0; 512];
            let count = stream.read(&mut piece).expect("a request");
            request.extend(piece.iter().take(count));
        }
        stream.write_all(answer).expect("an answer is taken");
    });
    address
}

#[test]
fn the_end_of_an_http1_answer_is_told_from_a_cut() {
    const ROWS: &[(&[u8], bool, &[&[u8]])] = &[
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
            true,
            &[b"hi"],
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi",
            false,
            &[],
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
            true,
            &[b"a", b"bc"],
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
            false,
            &[b"a"],
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
            false,
            &[b"a"],
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
            false,
            &[],
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nhi", false, &[b"hi"]),
        (b"HTTP/1.1 204 No Content\r\n\r\n", true, &[]),
        (b"HTTP/1.1 200 OK\r\ncont", false, &[]),
        (b"", false, &[]),
    ];
    run(async {
        for (bytes, clean, chunks) in ROWS {
            let request = request(
                Version::H1,
                Vec::new(),
                Arc::new(Stage::new(Script::default())),
            );
            let progress = watch::Sender::new(Vec::new());
            let answer = client::exchange(canned(bytes), &request, &progress).await;
            let answer = answer.expect("an answer");
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(
                answer.end == End::Clean,
                *clean,
                "{shown:?}: {:?}",
                answer.end
            );
            assert_eq!(answer.chunks, *chunks, "{shown:?}");
        }
    });
}
