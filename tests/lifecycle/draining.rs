//! Fault 41: a preStop hook drains, the world hears of it, the application goes, SIGTERM comes; and
//! nobody notices.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::load::{GET, answer, fresh, http2, keep_alive};
use super::process::Process;
use super::support::client::{self, End, Version};
use super::support::patience;
use super::support::upstream::Upstream;
use super::{empty, request, run, text};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

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
