//! `grpc-websockets`, and every kind of method over both kinds of WebSocket.

use crate::support::upstream::{Script, Step};
use crate::support::websocket::{Heard, WebSocket};
use crate::{N1, N2, normal, play_with, run, send, text};

/// improbable-eng's bridge: a block of headers, marked pieces, an envelope of headers back.
#[test]
fn grpc_websockets() {
    run(async {
        let play = play_with("");
        let steps = vec![Step::Receive, send(N1), Step::ReceiveEnd, send(N2)];
        let case = "bridge";
        let stage = play.upstream.stage(case, Script { calls: vec![steps] });
        let headers = [("sec-websocket-protocol", "grpc-websockets")];
        let mut socket = WebSocket::open(play.gateway.address, "/t.S/Chat", &headers).await;
        assert_eq!(socket.status, 101, "{}", socket.head);
        assert!(
            socket
                .head
                .contains("sec-websocket-protocol: grpc-websockets")
        );
        socket
            .binary(
                b"content-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\nx-case: bridge\r\n",
            )
            .await;
        socket.binary(b"\0\0\0\0\0\x02\x10\x07").await;
        let Heard::Binary(head) = socket.hear().await else {
            panic!()
        };
        let said = String::from_utf8_lossy(&head).into_owned();
        assert!(head[0] == 0x80 && said.contains("content-type: application/grpc-web+proto\r\n"));
        assert_eq!(
            socket.hear().await,
            Heard::Binary(b"\0\0\0\0\x02\x10\x01".to_vec())
        );
        socket.binary(b"\x01").await;
        assert_eq!(
            socket.hear().await,
            Heard::Binary(b"\0\0\0\0\x02\x10\x02".to_vec())
        );
        let Heard::Binary(end) = socket.hear().await else {
            panic!()
        };
        assert!(end[0] == 0x80 && String::from_utf8_lossy(&end).contains("grpc-status:"));
        assert_eq!(socket.hear().await, normal());
        assert_eq!(stage.seen()[0].messages, [&b"\x10\x07"[..]]);
    });
}

/// Who opens one and says nothing keeps its place no longer than a request that stays away.
#[test]
fn grpc_websockets_wait_for_the_headers_of_a_call_so_long() {
    run(async {
        let play = play_with("limits: {body_idle: 200ms}");
        let headers = [("sec-websocket-protocol", "grpc-websockets")];
        let mut socket = WebSocket::open(play.gateway.address, "/t.S/Chat", &headers).await;
        assert_eq!(socket.status, 101, "{}", socket.head);
        let Heard::Close(4003, why) = socket.hear().await else {
            panic!()
        };
        assert!(why.contains("did not come in time"), "{why}");
    });
}

/// PROTOCOLS: both kinds of WebSocket carry every kind of method.
#[test]
fn every_kind_of_method() {
    run(async {
        let play = play_with("");
        for (target, path, asked, answered) in [
            ("/get/a?n=7", "/t.S/Get", 0, 1),
            ("/two?method=POST", "/t.S/One", 2, 1),
            ("/list/a?n=7", "/t.S/List", 0, 2),
            ("/chat/a?method=POST", "/t.S/Chat", 2, 2),
        ] {
            let steps = || [Step::ReceiveEnd, send(N1), send(N2)][..=answered].to_vec();
            let (mut socket, stage) = play.open(target, steps()).await;
            for _ in 0..asked {
                socket.text(r#"{"n": 7}"#).await;
            }
            socket.text("").await;
            for answer in &[r#"{"n":1}"#, r#"{"n":2}"#][..answered] {
                assert_eq!(socket.hear().await, text(answer), "{target}");
            }
            assert_eq!(socket.hear().await, normal(), "{target}");
            assert_eq!(stage.seen()[0].path, path);

            let stage = play.upstream.stage(
                path,
                Script {
                    calls: vec![steps()],
                },
            );
            let headers = [("sec-websocket-protocol", "grpc-websockets")];
            let mut socket = WebSocket::open(play.gateway.address, path, &headers).await;
            socket
                .binary(format!("x-case: {path}\r\n").as_bytes())
                .await;
            for _ in 0..asked.max(1) {
                socket.binary(b"\0\0\0\0\0\x02\x10\x07").await;
            }
            socket.binary(b"\x01").await;
            let mut heard = Vec::new();
            while let Heard::Binary(bytes) = socket.hear().await {
                heard.push(bytes);
            }
            let (messages, ends) = (&heard[1..=answered], &heard[answered + 1..]);
            for (message, expected) in messages.iter().zip([N1, N2]) {
                assert_eq!(message, &[b"\0\0\0\0\x02", expected].concat(), "{path}");
            }
            assert_eq!(ends.len(), 1, "{path}");
            assert!(ends[0].ends_with(b"grpc-status: 0\r\n"), "{path}");
            assert_eq!(stage.seen()[0].messages.len(), asked.max(1), "{path}");
        }
    });
}
