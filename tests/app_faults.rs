//! E2, E6: an application that is away, comes late, dies in the middle or treats its connections
//! badly. The client always gets an answer, and the next call works once the application does.

#![allow(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a failing test may panic, and what took how long is measured"
)]

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use support::client::{self, Answer, End, Request, Version};
use support::schema::TestSchema;
use support::target::{self, Gateway, Setup};
use support::upstream::{FirstConnection, Script, Stage, Step, Upstream};

const PROTO: &str = r#"
service S {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/get" }; }
  rpc List(M) returns (stream M) { option (google.api.http) = { get: "/list" }; }
}
message M { string name = 1; }
"#;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// Answers every call with an empty message.
fn empty() -> Script {
    Script {
        calls: vec![vec![Step::Send(bytes::Bytes::new())]],
    }
}

fn gateway(upstream: SocketAddr) -> Gateway {
    let schema = TestSchema::compile(PROTO).expect("a sound schema");
    let setup = Setup {
        proto: &schema.text,
        config: "",
        files: &BTreeMap::new(),
        upstream,
    };
    target::start(&setup).expect("the gateway starts")
}

async fn get(gateway: &Gateway, target: &str, case: &str, stage: &Arc<Stage>) -> Answer {
    let request = Request {
        version: Version::H1,
        method: "GET".to_owned(),
        target: target.to_owned(),
        headers: vec![
            ("x-case".to_owned(), case.to_owned()),
            ("accept".to_owned(), "application/x-ndjson".to_owned()),
        ],
        body: Vec::new(),
        stage: Arc::clone(stage),
    };
    let answer = client::exchange(gateway.address, &request, &stage.client).await;
    answer.expect("an answer")
}

/// Asks until the answer is 200; every other one has to be a well-formed 503. How long it took.
async fn until_served(gateway: &Gateway, case: &str, stage: &Arc<Stage>) -> Duration {
    let begun = Instant::now();
    loop {
        let answer = get(gateway, "/get", case, stage).await;
        assert_eq!(answer.end, End::Clean);
        if answer.status == 200 {
            return begun.elapsed();
        }
        let body = String::from_utf8_lossy(&answer.body()).into_owned();
        assert_eq!(answer.status, 503, "{body}");
        assert!(body.contains("\"UNAVAILABLE\""), "{body}");
        assert!(
            begun.elapsed() < support::patience(),
            "never served: {body}"
        );
        tokio::task::yield_now().await;
    }
}

#[test]
fn connections_that_come_to_nothing_are_followed_by_others() {
    for first in [
        FirstConnection::Close,
        FirstConnection::HalfPreface,
        FirstConnection::Http1,
        FirstConnection::GoAwayUnprocessed,
    ] {
        run(async {
            let upstream = Upstream::start_at("127.0.0.1:0", first);
            let stage = upstream.stage("first", empty());
            let took = until_served(&gateway(upstream.address), "first", &stage).await;
            assert!(
                took < Duration::from_secs(5),
                "{first:?}: served after {took:?}"
            );
        });
    }
}

#[test]
fn an_application_may_come_later() {
    run(async {
        let absent = Upstream::start_at("127.0.0.1:0", FirstConnection::Absent);
        let gateway = gateway(absent.address);
        let nobody = Arc::new(Stage::new(Script::default()));
        let begun = Instant::now();
        let answer = get(&gateway, "/get", "late", &nobody).await;
        assert_eq!(answer.status, 503, "before the application is there");
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "it is told at once"
        );
        let address = absent.address.to_string();
        let upstream = Upstream::start_at(&address, FirstConnection::Serve);
        let stage = upstream.stage("late", empty());
        let took = until_served(&gateway, "late", &stage).await;
        // A second is promised; a busy machine gets some more.
        assert!(took < Duration::from_secs(4), "served after {took:?}");
    });
}

#[test]
fn a_connection_that_dies_takes_its_stream_along_and_no_other() {
    run(async {
        let upstream = Upstream::start();
        let dying = vec![
            Step::ReceiveEnd,
            Step::Send(bytes::Bytes::from_static(b"\x0a\x01a")),
            Step::ClientHas("\"a\"".to_owned()),
            Step::GoAway(h2::Reason::INTERNAL_ERROR),
        ];
        let dies = upstream.stage("dies", Script { calls: vec![dying] });
        let lives = upstream.stage("lives", empty());
        let gateway = gateway(upstream.address);
        let answer = get(&gateway, "/list", "dies", &dies).await;
        let body = String::from_utf8_lossy(&answer.body()).into_owned();
        assert_eq!(answer.status, 200);
        assert!(body.starts_with("{\"name\":\"a\"}\n{\"error\":{"), "{body}");
        until_served(&gateway, "lives", &lives).await;
    });
}
