//! Fault 42: what does not end is ended at the deadline, with a status that its protocol can tell.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;

use super::process::Process;
use super::support::client::{self, Answer, BodyStep, End, Request, Version};
use super::support::upstream::{Stage, Upstream};
use super::support::websocket::{Heard, WebSocket};
use super::{request, run, silent, stuck, text};

const DEADLINE: Duration = Duration::from_secs(1);

/// A request of a protocol whose messages are posted.
fn posted(case: &str, path: &str, kind: &str, body: &'static [u8], stage: &Arc<Stage>) -> Request {
    let mut asked = request(Version::H2, path, case, stage);
    asked.method = "POST".to_owned();
    for (name, value) in [
        ("content-type", kind),
        ("te", "trailers"),
        ("connect-protocol-version", "1"),
    ] {
        // A unary call of Connect and a REST call are told apart by this field.
        if name != "connect-protocol-version" || kind.contains("json") {
            asked.headers.push((name.to_owned(), value.to_owned()));
        }
    }
    asked.body = vec![BodyStep::Send(Bytes::from_static(body))];
    asked
}

fn error_of(text: &str) -> Value {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|_| panic!("{text:?}"));
    value["error"].clone()
}

const MESSAGE: &[u8] = &[0, 0, 0, 0, 0];

/// A stuck call in every protocol but WebSocket.
fn asked(stream: &Arc<Stage>, unary: &Arc<Stage>) -> [Request; 7] {
    let rest = |target, case, stage| request(Version::H1, target, case, stage);
    let mut lines = rest("/list", "stuck", stream);
    lines
        .headers
        .push(("accept".to_owned(), "application/x-ndjson".to_owned()));
    let array = rest("/list", "stuck", stream);
    let one = rest("/get", "silent", unary);
    let grpc = posted("stuck", "/t.S/List", "application/grpc", MESSAGE, stream);
    let web = posted(
        "stuck",
        "/t.S/List",
        "application/grpc-web+proto",
        MESSAGE,
        stream,
    );
    let connect = b"\0\0\0\0\x02{}";
    let connect = posted(
        "stuck",
        "/t.S/List",
        "application/connect+json",
        connect,
        stream,
    );
    let alone = posted("silent", "/t.S/Get", "application/json", b"{}", unary);
    [lines, array, one, grpc, web, connect, alone]
}

#[test]
fn every_protocol_tells_how_a_call_was_ended() {
    run(async {
        let app = Upstream::start();
        let (stream, unary) = (app.stage("stuck", stuck()), app.stage("silent", silent()));
        let config = format!("lifecycle: {{drain_timeout: {}s}}", DEADLINE.as_secs());
        let gateway = Process::serve(&config, app.address);
        gateway.ready();
        let at = gateway.listen;
        let asked = asked(&stream, &unary);
        let asking = async {
            let asking = asked
                .iter()
                .map(|one| client::exchange(at, one, &one.stage.client));
            futures_util::future::join_all(asking).await
        };
        let talking = async {
            let mut talk = WebSocket::open(at, "/list", &[("x-case", "stuck")]).await;
            let mut heard = Vec::new();
            while !matches!(heard.last(), Some(Heard::Close(..) | Heard::End)) {
                heard.push(talk.hear().await);
            }
            heard
        };
        let stopping = async {
            assert!(stream.wait_for(|seen| seen.len() == 6).await);
            assert!(unary.wait_for(|seen| seen.len() == 2).await);
            gateway.signal("TERM");
            let begun = Instant::now();
            let ended = gateway.ended().await;
            (ended, begun.elapsed())
        };
        let (answers, heard, ((status, _, gateway), took)) =
            tokio::join!(asking, talking, stopping);
        assert_eq!(status.code(), Some(0), "{}", gateway.said());
        assert!(took >= DEADLINE, "it ended after {took:?}");
        assert!(
            took < DEADLINE + Duration::from_secs(4),
            "it ended after {took:?}"
        );
        let answers: Vec<Answer> = answers.into_iter().map(Result::unwrap).collect();
        judge(&answers);
        judge_websocket(&heard);
    });
}

fn judge(answers: &[Answer]) {
    let [lines, array, one, grpc, web, connect, alone] = answers else {
        panic!("seven answers");
    };
    let told = text(lines);
    let (first, second) = told.trim().split_once('\n').unwrap();
    assert_eq!(first, r#"{"name":"a"}"#);
    assert_eq!(error_of(second)["status"], "UNAVAILABLE");
    // An array has no place for an error, so it visibly has no end.
    assert_eq!(text(array), r#"[{"name":"a"}"#);
    assert!(matches!(array.end, End::Broken(_)), "{:?}", array.end);
    assert_eq!(one.status, 503);
    assert_eq!(error_of(&text(one))["message"], "the gateway is going away");
    assert_eq!(one.headers["x-sidegate-reason"], "DRAINING");
    assert_eq!(grpc.trailers["grpc-status"], "14");
    assert_eq!(grpc.trailers["grpc-message"], "the gateway is going away");
    assert!(
        text(web).contains("grpc-status:14\r\n") || text(web).contains("grpc-status: 14\r\n"),
        "{}",
        text(web)
    );
    let told = text(connect);
    let end = told.find("{\"error\"").expect("the end of the stream");
    assert_eq!(error_of(&told[end..])["code"], "unavailable");
    assert_eq!(alone.status, 503);
    let told: Value = serde_json::from_slice(&alone.body()).unwrap();
    assert_eq!(told["code"], "unavailable");
}

fn judge_websocket(heard: &[Heard]) {
    let [
        Heard::Text(first),
        Heard::Text(error),
        Heard::Close(code, _),
    ] = heard
    else {
        panic!("{heard:?}");
    };
    assert_eq!(first, r#"{"name":"a"}"#);
    assert_eq!(error_of(error)["status"], "UNAVAILABLE");
    assert_eq!(*code, 4014);
}
