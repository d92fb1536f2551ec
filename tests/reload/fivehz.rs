//! Faults 28 and 40: reloads five times a second under load, a method coming and going; nobody
//! else notices, and nothing grows. `SIDEGATE_RELOAD_SECONDS` makes it last.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::load::{fresh, http2, keep_alive};
use super::process::Process;
use super::scene::proto;
use super::support::client::{self, Version};
use super::support::upstream::Upstream;
use super::{MORE, PROTO, empty, request, run};

/// How long it goes on when nobody says it.
const SHORT: u64 = 8;

fn seconds() -> u64 {
    std::env::var("SIDEGATE_RELOAD_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(SHORT)
}

/// Resident memory in bytes, and open descriptors.
fn used(process: u32) -> (u64, usize) {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    (kibibytes << 10, descriptors)
}

#[test]
fn five_reloads_a_second_cost_nobody_a_call() {
    run(async {
        let app = Upstream::start();
        let stage = app.stage("load", empty());
        let gateway = Process::serve("", app.address);
        gateway.ready();
        let (over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        let at = gateway.listen;
        let load = async {
            tokio::join!(
                keep_alive(at, &over, &count),
                fresh(at, &stage, &over, &count),
                http2(at, &over, &count)
            );
        };
        let changing = async {
            let end = Instant::now() + Duration::from_secs(seconds());
            let warm = Instant::now() + Duration::from_secs(seconds() / 2);
            let (mut before, mut rounds) = (None, 0_u64);
            let proto_file = gateway.folder.path().join("case.proto");
            let config_file = gateway.folder.path().join("sidegate.yaml");
            let asked = request(Version::H1, "/more", "load", &stage);
            while Instant::now() < end {
                rounds += 1;
                let odd = rounds % 2 == 1;
                fs::write(&proto_file, proto(if odd { MORE } else { PROTO })).unwrap();
                let timeout = rounds % 50 + 5;
                let config = format!("limits: {{ timeout: {timeout}s, uri: {timeout}KiB }}\n");
                fs::write(&config_file, config).unwrap();
                gateway.signal("HUP");
                tokio::time::sleep(Duration::from_millis(200)).await;
                // The method that comes and goes is served or not found, never broken.
                let answer = client::exchange(at, &asked, &stage.client).await.unwrap();
                assert!([200, 404].contains(&answer.status), "{}", answer.status);
                if before.is_none() && Instant::now() > warm {
                    before = Some(used(gateway.child.id()));
                }
            }
            let after = used(gateway.child.id());
            over.store(true, Ordering::SeqCst);
            (before.unwrap(), after, rounds)
        };
        let ((), (before, after, rounds)) = tokio::join!(load, changing);
        let calls = count.load(Ordering::SeqCst);
        println!("{calls} calls, {rounds} reloads; bytes and descriptors {before:?} -> {after:?}");
        let said = gateway.said();
        assert!(!said.contains("\"ERROR\""), "{said}");
        let applied = said.matches("what has changed is in effect").count();
        assert!(
            applied as u64 > rounds / 2,
            "{applied} of {rounds}:\n{said}"
        );
        assert!(calls > 100, "{calls} calls");
        assert!(after.0 < before.0 + (6 << 20), "{before:?} -> {after:?}");
        assert!(after.1 <= before.1 + 4, "{before:?} -> {after:?}");
    });
}
