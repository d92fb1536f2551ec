//! S2: a client that does not read is felt by the application: at most about one window is
//! buffered on each hop of the way, and nothing is lost when the client reads on.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a client of its own runtime; a failing test may panic"
)]

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use sidegate::life::task::{self, Task};
use support::schema::TestSchema;
use support::target::{self, Setup};
use support::upstream::{Script, Step, Upstream};

const PROTO: &str = r#"
service S { rpc List(M) returns (stream M) { option (google.api.http) = { get: "/list" }; } }
message M { string name = 1; }
"#;

/// What the client's window, the gateway's buffer and the application's window hold together,
/// with as much again to spare.
const MOST: usize = 6 * 64 * 1024;

#[test]
fn a_client_that_does_not_read_holds_the_application_up() {
    let schema = TestSchema::compile(PROTO).expect("a sound schema");
    let upstream = Upstream::start();
    let stage = upstream.stage(
        "slow",
        Script {
            calls: vec![flood()],
        },
    );
    let gateway = target::start(&Setup {
        proto: &schema.text,
        config: "",
        files: &BTreeMap::new(),
        upstream: upstream.address,
    })
    .expect("the gateway starts");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (mut body, _connection) = open(gateway.address).await;
        assert!(
            stage
                .wait_for(|seen| seen.iter().any(|call| call.flooded > 0))
                .await
        );
        let flooded = stage.seen()[0].flooded;
        assert!(
            flooded <= MOST,
            "{flooded} bytes went out before the application was held up"
        );
        let mut received = 0;
        let reading = async {
            while let Some(data) = body.data().await {
                let data = data.expect("the stream goes on");
                body.flow_control()
                    .release_capacity(data.len())
                    .expect("capacity");
                received += data.iter().filter(|byte| **byte == b'\n').count();
            }
        };
        tokio::time::timeout(support::patience(), reading)
            .await
            .expect("the stream ends");
        assert_eq!(received, flooded / frame().len(), "every message arrives");
    });
}

fn message() -> Bytes {
    let mut message = vec![0x0a, 0x80, 0x08];
    message.extend(std::iter::repeat_n(b'a', 1024));
    message.into()
}

fn frame() -> Vec<u8> {
    [&[0, 0, 0, 4, 3], &message()[..]].concat()
}

fn flood() -> Vec<Step> {
    vec![Step::ReceiveEnd, Step::Flood(message())]
}

/// Asks for the stream and gives its body back unread, with the connection.
async fn open(gateway: SocketAddr) -> (h2::RecvStream, Task<()>) {
    let stream = tokio::net::TcpStream::connect(gateway)
        .await
        .expect("a connection");
    let (mut sender, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    let connection = task::spawn("connection", async {
        // How it ends is no matter of this test.
        drop(connection.await);
    });
    let request = http::Request::builder()
        .uri(format!("http://{gateway}/list"))
        .header("x-case", "slow")
        .header("accept", "application/x-ndjson")
        .body(())
        .expect("a request");
    let (answer, _) = sender.send_request(request, true).expect("it is taken");
    let body = answer.await.expect("an answer").into_body();
    (body, connection)
}
