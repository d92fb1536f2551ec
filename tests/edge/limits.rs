//! How many calls there may be: of everybody, of each client, at one time, and what those are told
//! who are too many.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::scene::{Scene, run};
use super::support::client::{self, BodyStep, Request, Version};
use super::support::upstream::{Script, Stage, Step};

/// A client in front of which a proxy stands that is believed.
fn from(address: &str) -> String {
    format!("x-forwarded-for: {address}\r\n")
}

fn retry_after(answer: &str) -> Option<u64> {
    let line = answer
        .lines()
        .find_map(|line| line.strip_prefix("retry-after: "));
    line.and_then(|seconds| seconds.parse().ok())
}

#[test]
fn a_rate_is_for_all_methods_of_its_selector_together() {
    run(async {
        let more = "routes: {t.S: {limits: {rate: 2/h, burst: 2}}, t.S.Put: {limits: {rate: 1/h, burst: 1}}}\n";
        let scene = Scene::new("{}", more, &[]);
        for _ in 0..2 {
            let answer = scene.get("/get", "").await;
            assert!(answer.starts_with("http/1.1 501"), "{answer}");
        }
        for target in ["/get", "/watch"] {
            let answer = scene.get(target, "").await;
            assert!(answer.starts_with("http/1.1 429"), "{answer}");
            assert!(answer.contains("x-sidegate-reason: rate\r\n"), "{answer}");
            assert!(
                answer.contains("\"status\":\"resource_exhausted\""),
                "{answer}"
            );
            let seconds = retry_after(&answer).unwrap();
            assert!((1..=1800).contains(&seconds), "{answer}");
        }
        // The other one counts by itself.
        assert!(scene.get("/put", "").await.starts_with("http/1.1 501"));
        assert!(scene.get("/put", "").await.starts_with("http/1.1 429"));
    });
}

#[test]
fn what_holds_for_everybody_holds_besides() {
    run(async {
        let more =
            "limits: {rate: 2/h, burst: 2}\nroutes: {t.S: {limits: {rate: 9/h, burst: 9}}}\n";
        let scene = Scene::new("{}", more, &[]);
        for status in ["501", "501", "429"] {
            let answer = scene.get("/get", "").await;
            assert!(
                answer.starts_with(&format!("http/1.1 {status}")),
                "{answer}"
            );
        }
    });
}

#[test]
fn one_client_takes_nothing_from_another() {
    run(async {
        let more = "rest: {headers: {trusted_proxies: [127.0.0.1]}}\n\
                    limits: {client_rate: 1/h, client_burst: 2}\n";
        let scene = Scene::new("{}", more, &[]);
        let status = async |headers: &str| {
            let answer = scene.get("/get", headers).await;
            answer.get(9..12).map(str::to_owned).unwrap()
        };
        for (client, expected) in [
            ("10.0.0.1", "501"),
            ("10.0.0.1", "501"),
            ("10.0.0.1", "429"),
            ("10.0.0.2", "501"),
            // Who makes up addresses before his own is still himself.
            ("9.9.9.9, 10.0.0.1", "429"),
            ("fd00::1:1", "501"),
            ("fd00::1:2", "501"),
            ("fd00::1:3", "429"),
            ("fd00:0:0:1::1", "501"),
        ] {
            assert_eq!(status(&from(client)).await, expected, "{client}");
        }
    });
}

/// A call that the application answers when its client has gone: what it was asked is on stage.
async fn hold(scene: &Scene, name: &'static str) -> (TcpStream, Arc<Stage>) {
    let steps = vec![
        Step::ReceiveEnd,
        Step::Headers(HeaderMap::new()),
        Step::Stall,
    ];
    let stage = scene.app.stage(name, Script { calls: vec![steps] });
    let mut stream = TcpStream::connect(scene.address()).await.unwrap();
    let head = format!("GET /watch HTTP/1.1\r\nhost: a\r\nx-case: {name}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let asked = stage.wait_for(|seen| seen.len() == 1).await;
    assert!(asked, "the application is never asked");
    (stream, stage)
}

#[test]
fn a_call_has_its_place_until_its_answer_has_ended() {
    run(async {
        let scene = Scene::new("{}", "limits: {concurrency: 1}\n", &[]);
        let (held, _stage) = hold(&scene, "held").await;
        let answer = scene.get("/get", "").await;
        assert!(answer.starts_with("http/1.1 503"), "{answer}");
        assert!(
            answer.contains("x-sidegate-reason: too_many_calls\r\n"),
            "{answer}"
        );
        assert_eq!(retry_after(&answer), Some(1), "{answer}");
        let metrics = scene.metrics().await;
        for line in [
            "sidegate_limit_running{limit=\"limits\"} 1",
            "sidegate_limited_total 1",
        ] {
            assert!(metrics.contains(line), "{line} is not in {metrics}");
        }
        drop(held);
        scene.until("/get", "501").await;
    });
}

#[test]
fn who_waits_gets_a_place_when_there_is_one() {
    run(async {
        let more = "limits: {concurrency: 1, queue: 1, queue_time: 1m}\n";
        let scene = Scene::new("{}", more, &[]);
        let (held, _stage) = hold(&scene, "held").await;
        let waiting = scene.get("/get", "");
        let refused = async {
            // The one place to wait in is taken.
            scene
                .until_metric("sidegate_limit_waiting{limit=\"limits\"} 1")
                .await;
            let answer = scene.get("/get", "").await;
            assert!(answer.starts_with("http/1.1 503"), "{answer}");
            drop(held);
        };
        let (answer, ()) = tokio::join!(waiting, refused);
        assert!(answer.starts_with("http/1.1 501"), "{answer}");
    });
}

#[test]
fn a_client_has_so_many_calls_at_one_time() {
    run(async {
        let more = "rest: {headers: {trusted_proxies: [127.0.0.1]}}\n\
                    limits: {client_concurrency: 1}\n";
        let scene = Scene::new("{}", more, &[]);
        let (held, _stage) = hold(&scene, "held").await;
        let answer = scene.get("/get", &from("127.0.0.1")).await;
        assert!(answer.starts_with("http/1.1 429"), "{answer}");
        assert!(
            answer.contains("x-sidegate-reason: client_calls\r\n"),
            "{answer}"
        );
        let answer = scene.get("/get", &from("10.0.0.1")).await;
        assert!(answer.starts_with("http/1.1 501"), "{answer}");
        drop(held);
        scene.until("/get", "501").await;
    });
}

#[test]
fn grpc_is_told_in_its_own_words() {
    run(async {
        let scene = Scene::new("{}", "limits: {rate: 1/h}\n", &[]);
        let request = Request {
            version: Version::H2,
            method: "POST".to_owned(),
            target: "/t.S/Get".to_owned(),
            headers: vec![
                ("content-type".to_owned(), "application/grpc".to_owned()),
                ("te".to_owned(), "trailers".to_owned()),
            ],
            body: vec![BodyStep::Send(Bytes::from_static(&[0; 5])), BodyStep::End],
            stage: scene.app.stage("grpc", Script { calls: Vec::new() }),
        };
        for status in ["12", "8"] {
            let progress = &request.stage.client;
            let answer = client::exchange(scene.address(), &request, progress)
                .await
                .unwrap();
            assert_eq!(answer.headers["grpc-status"], status);
        }
    });
}
