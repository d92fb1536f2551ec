//! Fault 41: a preStop hook drains, the world hears of it, the application goes, SIGTERM comes; and
//! nobody notices.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::process::Process;
use super::support::client::{self, End, Version};
use super::support::patience;
use super::support::upstream::{Stage, Upstream};
use super::{empty, request, run, text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const GET: &[u8] = b"GET /get HTTP/1.1\r\nhost: a\r\nx-case: load\r\n\r\n";

/// Reads one answer; whether the connection ends with it.
async fn answer(stream: &mut TcpStream) -> std::io::Result<bool> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n{}") {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            let said = String::from_utf8_lossy(&head).into_owned();
            return Err(std::io::Error::other(format!("closed after {said:?}")));
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(std::io::Error::other(head));
    }
    Ok(head.contains("\r\nconnection: close\r\n"))
}

/// Calls in a row, on one connection for as long as the gateway keeps it.
async fn keep_alive(gateway: SocketAddr, over: &AtomicBool, count: &AtomicUsize) {
    let mut kept: Option<TcpStream> = None;
    while !over.load(Ordering::SeqCst) {
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => TcpStream::connect(gateway).await.expect("a connection"),
        };
        stream.write_all(GET).await.expect("a request");
        let last = answer(&mut stream).await.expect("an answer");
        count.fetch_add(1, Ordering::SeqCst);
        kept = (!last).then_some(stream);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Calls in a row, each on a connection of its own.
async fn fresh(gateway: SocketAddr, stage: &Arc<Stage>, over: &AtomicBool, count: &AtomicUsize) {
    while !over.load(Ordering::SeqCst) {
        for version in [Version::H1, Version::H2] {
            let asked = request(version, "/get", "load", stage);
            let answer = client::exchange(gateway, &asked, &stage.client).await;
            let answer = answer.expect("an answer");
            assert_eq!(
                (answer.status, &answer.end),
                (200, &End::Clean),
                "{}",
                text(&answer)
            );
            count.fetch_add(1, Ordering::SeqCst);
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Calls in a row on one connection of HTTP/2, and on another when it is told to leave.
async fn http2(gateway: SocketAddr, over: &AtomicBool, count: &AtomicUsize) -> usize {
    let mut connections = 0;
    while !over.load(Ordering::SeqCst) {
        connections += 1;
        let stream = TcpStream::connect(gateway).await.expect("a connection");
        let (send, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        let driving = tokio::spawn(connection);
        while !over.load(Ordering::SeqCst) {
            let Ok(mut send) = send.clone().ready().await else {
                break;
            };
            let asked = http::Request::get("http://a/get").header("x-case", "load");
            let Ok((response, _)) = send.send_request(asked.body(()).unwrap(), true) else {
                break;
            };
            let response = response.await.expect("an answer");
            assert_eq!(response.status(), 200);
            count.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        drop(send);
        drop(driving.await);
    }
    connections
}

#[test]
fn nobody_notices_a_drain() {
    run(async {
        let app = Upstream::start();
        let stage = app.stage("load", empty());
        let gateway = Process::serve("", app.address);
        gateway.ready();
        let (over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        let at = gateway.listen;
        let load = async {
            let (.., connections) = tokio::join!(
                keep_alive(at, &over, &count),
                keep_alive(at, &over, &count),
                fresh(at, &stage, &over, &count),
                http2(at, &over, &count)
            );
            connections
        };
        let draining = async {
            while count.load(Ordering::SeqCst) < 50 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let gateway = tokio::task::spawn_blocking(move || {
                let begun = Instant::now();
                assert_eq!(gateway.code("drain --wait 2s"), 0);
                assert!(begun.elapsed() >= Duration::from_secs(2));
                // It is out of service, and lives.
                let probed = gateway.ask("probe");
                assert_eq!(probed.status.code(), Some(1));
                assert_eq!(probed.stderr, b"not ready: draining\n");
                assert_eq!(gateway.code("probe live"), 0);
                gateway
            });
            let gateway = gateway.await.unwrap();
            let served = count.load(Ordering::SeqCst);
            over.store(true, Ordering::SeqCst);
            (gateway, served)
        };
        let (connections, (gateway, served)) = tokio::join!(load, draining);
        assert!(served > 200, "{served} calls");
        assert!(connections > 2, "clients of HTTP/2 were told to leave");
        // The application goes first, as it does in a pod.
        drop(app);
        gateway.signal("TERM");
        let (status, took, gateway) = gateway.ended().await;
        assert_eq!(status.code(), Some(0), "{}", gateway.said());
        // Two seconds are promised; a busy machine gets some more.
        assert!(took < Duration::from_secs(4), "it took {took:?}");
    });
}

/// A stop waits for the last call, and a drain that went before does not change that.
#[test]
fn the_last_call_is_waited_for() {
    run(async {
        let app = Upstream::start();
        let slow = super::Script {
            calls: vec![vec![
                super::Step::ReceiveEnd,
                super::Step::Send(bytes::Bytes::from_static(b"\x0a\x01a")),
                super::Step::ClientHas("go on".to_owned()),
                super::Step::Send(bytes::Bytes::from_static(b"\x0a\x01b")),
            ]],
        };
        let stage = app.stage("slow", slow);
        let gateway = Process::serve("", app.address);
        gateway.ready();
        let mut asked = request(Version::H2, "/list", "slow", &stage);
        asked
            .headers
            .push(("accept".to_owned(), "application/x-ndjson".to_owned()));
        let listing = client::exchange(gateway.listen, &asked, &stage.client);
        let stopping = async {
            let has_one = |body: &Vec<u8>| !body.is_empty();
            stage.client.subscribe().wait_for(has_one).await.unwrap();
            gateway.signal("TERM");
            let (ended, ()) = tokio::join!(gateway.ended(), async {
                tokio::time::sleep(Duration::from_millis(1500)).await;
                stage.client.send_modify(|body| body.extend(b"go on"));
            });
            ended
        };
        let (answer, (status, ..)) = tokio::join!(listing, stopping);
        let answer = answer.unwrap();
        assert_eq!(text(&answer), "{\"name\":\"a\"}\n{\"name\":\"b\"}\n");
        assert_eq!(answer.end, End::Clean);
        assert_eq!(status.code(), Some(0));
    });
}

/// Half a head of a request is no call.
#[test]
fn half_a_request_holds_nothing_up() {
    run(async {
        let app = Upstream::start();
        let gateway = Process::serve("", app.address);
        gateway.ready();
        let mut half = TcpStream::connect(gateway.listen).await.unwrap();
        half.write_all(b"GET / HTTP/1.1\r\nhost: a").await.unwrap();
        let mut second = TcpStream::connect(gateway.listen).await.unwrap();
        app.stage("load", empty());
        second.write_all(GET).await.unwrap();
        assert!(!answer(&mut second).await.unwrap());
        second.write_all(b"GET / HT").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        gateway.signal("TERM");
        let (status, took, gateway) = gateway.ended().await;
        assert_eq!(status.code(), Some(0), "{}", gateway.said());
        assert!(
            took < Duration::from_secs(5).min(patience()),
            "it took {took:?}"
        );
    });
}
