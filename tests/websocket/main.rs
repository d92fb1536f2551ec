//! S7: streaming methods over WebSocket, frame by frame, against the scripted application.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod bridge;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use support::schema::TestSchema;
use support::target::{self, Gateway, Setup};
use support::upstream::{Script, Stage, Step, Upstream, play};
use support::websocket::{Heard, WebSocket, frame};

const PROTO: &str = r#"
service S {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/get/{name}" }; }
  rpc List(M) returns (stream M) { option (google.api.http) = { get: "/list/{name}" }; }
  rpc Search(M) returns (stream M) { option (google.api.http) = { post: "/search" body: "*" }; }
  rpc Room(stream M) returns (stream M) { option (google.api.http) = { get: "/rooms/{name}" }; }
  rpc Chat(stream M) returns (stream M) { option (google.api.http) = { post: "/chat/{name}" body: "*" }; }
  rpc One(stream M) returns (M) { option (google.api.http) = { post: "/two" body: "*" }; }
  rpc Two(stream M) returns (M) { option (google.api.http) = { put: "/two" body: "sub" }; }
}
message M { string name = 1; int32 n = 2; M sub = 3; }
"#;

const N1: &[u8] = b"\x10\x01";
const N2: &[u8] = b"\x10\x02";

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

struct Play {
    upstream: Upstream,
    gateway: Gateway,
}

fn play_with(config: &str) -> Play {
    let upstream = Upstream::start();
    let schema = TestSchema::compile(PROTO).expect("a sound schema");
    let setup = Setup {
        proto: &schema.text,
        config,
        files: &BTreeMap::new(),
        upstream: upstream.address,
    };
    let gateway = target::start(&setup).expect("the gateway starts");
    Play { upstream, gateway }
}

impl Play {
    async fn open(&self, target: &str, steps: Vec<Step>) -> (WebSocket, Arc<Stage>) {
        let stage = self.upstream.stage(target, Script { calls: vec![steps] });
        let headers = [("x-case", target)];
        let socket = WebSocket::open(self.gateway.address, target, &headers).await;
        (socket, stage)
    }
}

fn send(message: &'static [u8]) -> Step {
    Step::Send(Bytes::from_static(message))
}

fn text(text: &str) -> Heard {
    Heard::Text(text.to_owned())
}

fn normal() -> Heard {
    Heard::Close(1000, String::new())
}

#[test]
fn s7_a_server_stream_needs_no_message() {
    run(async {
        let play = play_with("");
        let steps = vec![Step::ReceiveEnd, send(N1), send(N2)];
        let (mut socket, stage) = play.open("/list/a?n=7", steps).await;
        assert_eq!(socket.status, 101, "{}", socket.head);
        assert!(socket.head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(socket.hear().await, text(r#"{"n":1}"#));
        assert_eq!(socket.hear().await, text(r#"{"n":2}"#));
        assert_eq!(socket.hear().await, normal());
        socket.raw(&frame(0x88, b"\x03\xe8")).await;
        assert_eq!(socket.hear().await, Heard::End);
        let seen = stage.seen();
        assert_eq!(seen[0].path, "/t.S/List");
        assert_eq!(seen[0].messages, [&b"\x0a\x01a\x10\x07"[..]]);
        assert!(!seen[0].metadata.contains_key("sec-websocket-key"));
    });
}

#[test]
fn s7_alt_proto_makes_frames_of_bytes() {
    run(async {
        let play = play_with("");
        let steps = vec![Step::ReceiveEnd, send(N1)];
        let (mut socket, _) = play.open("/list/a?alt=proto", steps).await;
        assert_eq!(socket.hear().await, Heard::Binary(N1.to_vec()));
        assert_eq!(socket.hear().await, normal());
    });
}

#[test]
fn s7_a_conversation_and_its_half_close() {
    run(async {
        let play = play_with("");
        let steps = vec![
            Step::Receive,
            send(N1),
            Step::Receive,
            send(N2),
            Step::ReceiveEnd,
            send(b""),
        ];
        // The only streaming rule on the path is not a GET; the path binds into the first message.
        let (mut socket, stage) = play.open("/chat/a?method=POST", steps).await;
        socket.text(r#"{"n": 1}"#).await;
        assert_eq!(socket.hear().await, text(r#"{"n":1}"#));
        socket.text(r#"{"n": 2}"#).await;
        assert_eq!(socket.hear().await, text(r#"{"n":2}"#));
        socket.text("").await;
        assert_eq!(socket.hear().await, text("{}"));
        assert_eq!(socket.hear().await, normal());
        let seen = stage.seen();
        assert_eq!(seen[0].messages, [&b"\x10\x01\x0a\x01a"[..], N2]);
        assert!(seen[0].ended);
    });
}

#[test]
fn s7_over_http2() {
    run(async {
        let play = play_with("");
        let steps = vec![Step::Receive, send(N1), Step::ReceiveEnd, send(N2)];
        let case = "/rooms/a?n=3";
        let stage = play.upstream.stage(case, Script { calls: vec![steps] });
        let headers = [
            ("x-case", case),
            ("sec-websocket-protocol", "bearer, tok.en"),
        ];
        let mut socket = WebSocket::open_h2(play.gateway.address, case, &headers).await;
        assert_eq!(socket.status, 200, "{}", socket.head);
        assert!(socket.head.contains("bearer") && !socket.head.contains("accept"));
        // A rule without a body: the message is the whole message.
        socket.text(r#"{"sub": {"n": 1}}"#).await;
        assert_eq!(socket.hear().await, text(r#"{"n":1}"#));
        socket.text("").await;
        assert_eq!(socket.hear().await, text(r#"{"n":2}"#));
        assert_eq!(socket.hear().await, normal());
        socket.raw(&frame(0x88, b"\x03\xe8")).await;
        assert_eq!(socket.hear().await, Heard::End);
        let seen = stage.seen();
        assert_eq!(
            seen[0].messages,
            [&b"\x1a\x02\x10\x01\x0a\x01a\x10\x03"[..]]
        );
        assert_eq!(seen[0].metadata["authorization"], "Bearer tok.en");

        let socket = WebSocket::open_h2(play.gateway.address, "/none", &[]).await;
        assert_eq!(socket.status, 404);
    });
}

#[test]
fn s7_bytes_in_bytes_out() {
    run(async {
        let play = play_with("");
        let steps = vec![Step::Receive, send(N1), Step::ReceiveEnd];
        let (mut socket, stage) = play.open("/chat/b", steps).await;
        // In pieces, with a ping between them.
        socket.raw(&frame(0x02, b"\x10")).await;
        socket.raw(&frame(0x89, b"hey")).await;
        assert_eq!(socket.hear().await, Heard::Pong(b"hey".to_vec()));
        socket.raw(&frame(0x80, b"\x02")).await;
        assert_eq!(socket.hear().await, Heard::Binary(N1.to_vec()));
        socket.text("").await;
        assert_eq!(socket.hear().await, normal());
        assert_eq!(stage.seen()[0].messages, [&b"\x10\x02\x0a\x01b"[..]]);
    });
}

#[test]
fn s7_unary_methods_take_one_message_and_give_one() {
    run(async {
        let play = play_with("");
        let (mut socket, _) = play.open("/get/a", vec![send(N1)]).await;
        assert_eq!(socket.hear().await, text(r#"{"n":1}"#));
        assert_eq!(socket.hear().await, normal());
        let (mut socket, stage) = play
            .open("/two?method=PUT", vec![Step::ReceiveEnd, send(N1)])
            .await;
        socket.text(r#"{"n": 5}"#).await;
        socket.text("").await;
        assert_eq!(socket.hear().await, text(r#"{"n":1}"#));
        assert_eq!(socket.hear().await, normal());
        assert_eq!(stage.seen()[0].messages, [&b"\x1a\x02\x10\x05"[..]]);
    });
}

/// The error comes as a frame, and its code with the goodbye, early and late.
#[test]
fn s7_failures_have_their_close_code() {
    run(async {
        let play = play_with("");
        let long = "\u{e9}".repeat(100);
        let error = Step::Trailers(play::status_trailers(5, &long));
        let (mut socket, stage) = play.open("/list/f", vec![send(N1), error]).await;
        assert_eq!(socket.hear().await, text(r#"{"n":1}"#));
        let told = format!(r#"{{"error":{{"code":404,"message":"{long}","status":"NOT_FOUND"}}}}"#);
        assert_eq!(socket.hear().await, Heard::Text(told));
        assert_eq!(socket.hear().await, Heard::Close(4005, "\u{e9}".repeat(61)));
        socket.raw(&frame(0x88, b"\x0f\xa5")).await;
        assert_eq!(socket.hear().await, Heard::End);
        drop(stage);
        for (target, steps, code) in [
            ("/list/1", vec![Step::Reset(h2::Reason::CANCEL)], 4001),
            ("/list/2", vec![send(N1), Step::NoTrailers], 4013),
            (
                "/get/3",
                vec![Step::Trailers(play::status_trailers(0, ""))],
                4012,
            ),
        ] {
            let (mut socket, _stage) = play.open(target, steps).await;
            let last = loop {
                match socket.hear().await {
                    Heard::Text(said) => assert!(said.contains("error") || said == r#"{"n":1}"#),
                    other => break other,
                }
            };
            assert!(
                matches!(last, Heard::Close(said, _) if said == code),
                "{target} {last:?}"
            );
        }
    });
}

/// What the client does wrong ends its call, and says why.
#[test]
fn s7_mistakes_of_the_client() {
    run(async {
        let play = play_with("limits: {message: 1KiB}");
        let large = frame(0x81, &[b' '; 2000]);
        let rows: &[(&str, Vec<u8>, u16, &str)] = &[
            (
                "bad JSON",
                frame(0x81, b"{\"m\": 1}"),
                4003,
                "INVALID_ARGUMENT",
            ),
            ("too large", large, 4008, "RESOURCE_EXHAUSTED"),
            ("no mask", vec![0x81, 0x01, b'1'], 1002, ""),
            ("no UTF-8", frame(0x81, b"\xff"), 1007, ""),
            ("a reserved bit", frame(0xc1, b"{}"), 1002, ""),
        ];
        for (index, (name, bytes, code, status)) in rows.iter().enumerate() {
            let target = format!("/chat/m{index}");
            let steps = vec![Step::ReceiveEnd];
            let (mut socket, stage) = play.open(&target, steps).await;
            socket.raw(bytes).await;
            if !status.is_empty() {
                let said = socket.hear().await;
                assert!(
                    matches!(&said, Heard::Text(error) if error.contains(status)),
                    "{name}: {said:?}"
                );
            }
            let last = socket.hear().await;
            assert!(
                matches!(last, Heard::Close(said, _) if said == *code),
                "{name} {last:?}"
            );
            assert!(
                stage.seen().iter().all(|seen| seen.messages.is_empty()),
                "{name}"
            );
        }
        // One message more than the method takes.
        let (mut socket, _stage) = play
            .open("/search", vec![Step::ReceiveEnd, Step::Stall])
            .await;
        socket.text("{}").await;
        socket.text("{}").await;
        assert!(matches!(socket.hear().await, Heard::Text(said) if said.contains("SURPLUS")));
        assert!(matches!(socket.hear().await, Heard::Close(4003, _)));
    });
}

#[test]
fn s7_a_client_that_leaves_ends_its_call() {
    run(async {
        let play = play_with("");
        let steps = || vec![Step::Receive, send(N1), Step::Stall];
        let (mut socket, stage) = play.open("/list/bye", steps()).await;
        assert_eq!(socket.hear().await, text(r#"{"n":1}"#));
        socket.raw(&frame(0x88, b"\x03\xe9")).await;
        assert_eq!(socket.hear().await, Heard::Close(1001, String::new()));
        assert_eq!(socket.hear().await, Heard::End);
        assert!(stage.wait_for(|seen| seen[0].cancelled).await);

        let (mut socket, stage) = play.open("/list/gone", steps()).await;
        assert_eq!(socket.hear().await, text(r#"{"n":1}"#));
        drop(socket);
        assert!(stage.wait_for(|seen| seen[0].cancelled).await);
    });
}

#[test]
fn s7_what_becomes_no_websocket() {
    run(async {
        let play = play_with("");
        let address = play.gateway.address;
        for (target, headers, status) in [
            ("/none", &[][..], 404),
            ("/two", &[], 400),
            ("/two?method=PATCH", &[], 405),
            ("/list/a?b=1", &[], 400),
            ("/list/a", &[("origin", "http://elsewhere")], 403),
            ("/list/a", &[("sec-websocket-version", "12")], 426),
        ] {
            let mut socket = WebSocket::open(address, target, headers).await;
            assert_eq!(socket.status, status, "{target} {}", socket.head);
            assert!(socket.rest().await.contains("error"), "{target}");
        }
    });
}

/// Pages of other origins are those that CORS allows.
#[test]
fn s7_pages_of_other_origins() {
    run(async {
        let play = play_with("rest: {cors: {origins: ['https://*.example.com']}}");
        for (origin, status) in [
            ("https://app.example.com", 101),
            ("https://example.org", 403),
        ] {
            let headers = [("origin", origin)];
            let socket = WebSocket::open(play.gateway.address, "/list/a", &headers).await;
            assert_eq!(socket.status, status, "{origin} {}", socket.head);
        }
    });
}

/// Keep-alive: whoever is silent is asked whether it lives.
#[test]
fn s7_pings() {
    run(async {
        let play = play_with("rest: {sse_keep_alive: 100ms}");
        let (mut socket, stage) = play.open("/list/p", vec![Step::Receive, Step::Stall]).await;
        assert_eq!(socket.hear().await, Heard::Ping(Vec::new()));
        socket.raw(&frame(0x8a, b"")).await;
        assert_eq!(socket.hear().await, Heard::Ping(Vec::new()));
        // Nothing comes any more: it is given up.
        while socket.hear().await != Heard::End {}
        assert!(stage.wait_for(|seen| seen[0].cancelled).await);
    });
}
