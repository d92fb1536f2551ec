//! `sidegate run -- CMD`: one life for both, as their supervisor sees it. The command is a shell;
//! what answers on its port is scripted here.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::process::{Process, flags, folder, program, signal};
use super::support::client::{self, End, Version};
use super::support::patience;
use super::support::upstream::{FirstConnection, Script, Step, Upstream};
use super::{empty, request, run, text};

/// `sidegate run` with a shell script as the application.
fn run_beside(config: &str, upstream: SocketAddr, script: &str) -> Process {
    let folder = folder(config);
    let mut command = program(folder.path());
    command.arg("run").args(flags(upstream));
    command.args(["--", "sh", "-c", script]);
    Process::start(command, folder)
}

#[test]
fn what_the_application_prints_leaves_as_our_own_lines() {
    let app = Upstream::start();
    let script = r#"echo hello; echo '{"level":"info"}'; echo oops >&2; exec sleep 60"#;
    let mut gateway = run_beside("", app.address, script);
    // The first two may have come before the line that says that all is well.
    gateway.signal("TERM");
    let (status, took) = gateway.wait();
    assert_eq!(status.code(), Some(143), "{}", gateway.said());
    assert!(took < Duration::from_secs(6).min(patience()), "{took:?}");

    let script = r#"sleep 0.3; echo hello; echo '{"level":"info"}'; echo oops >&2; exec sleep 60"#;
    let gateway = run_beside("", app.address, script);
    let said = gateway.line("hello");
    assert_eq!(
        (&said["event"], &said["source"]),
        (&"app".into(), &"stdout".into())
    );
    assert_eq!(said["line"], "hello");
    assert_eq!(gateway.line("level")["line"], r#"{"level":"info"}"#);
}

/// No connection is answered before the application can be.
#[test]
fn the_gateway_waits_for_the_port() {
    run(async {
        let absent = Upstream::start_at("127.0.0.1:0", FirstConnection::Absent);
        let address = absent.address.to_string();
        let begun = Instant::now();
        let gateway =
            tokio::task::spawn_blocking(move || run_beside("", absent.address, "exec sleep 60"));
        tokio::time::sleep(Duration::from_millis(500)).await;
        let app = Upstream::start_at(&address, FirstConnection::Serve);
        let stage = app.stage("first", empty());
        let gateway = gateway.await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(500));
        let asked = request(Version::H1, "/get", "first", &stage);
        let answer = client::exchange(gateway.listen, &asked, &stage.client).await;
        assert_eq!(answer.unwrap().status, 200, "the first call is served");
    });
}

/// The last call still has its application; then that is told, and its exit code is ours.
#[test]
fn signals_are_handed_on_after_the_last_call() {
    run(async {
        let app = Upstream::start();
        let slow = Script {
            calls: vec![vec![
                Step::ReceiveEnd,
                Step::Send(bytes::Bytes::from_static(b"\x0a\x01a")),
                Step::ClientHas("go on".to_owned()),
            ]],
        };
        let stage = app.stage("slow", slow);
        let script = "trap 'echo told; exit 7' TERM; trap 'echo looked' HUP; \
                      while :; do sleep 0.05; done";
        let gateway = run_beside("", app.address, script);
        gateway.ready();
        gateway.signal("HUP");
        let gateway = tokio::task::spawn_blocking(move || {
            assert_eq!(gateway.line("looked")["line"], "looked");
            gateway
        });
        let gateway = gateway.await.unwrap();
        let mut asked = request(Version::H2, "/list", "slow", &stage);
        asked
            .headers
            .push(("accept".to_owned(), "application/x-ndjson".to_owned()));
        let listing = client::exchange(gateway.listen, &asked, &stage.client);
        let stopping = async {
            let has_one = |body: &Vec<u8>| !body.is_empty();
            stage.client.subscribe().wait_for(has_one).await.unwrap();
            gateway.signal("TERM");
            let (ended, told_early) = tokio::join!(gateway.ended(), async {
                tokio::time::sleep(Duration::from_millis(700)).await;
                stage.client.send_modify(|body| body.extend(b"go on"));
            });
            let () = told_early;
            ended
        };
        let (answer, (status, _, gateway)) = tokio::join!(listing, stopping);
        let answer = answer.unwrap();
        assert_eq!(
            (text(&answer).as_str(), &answer.end),
            ("{\"name\":\"a\"}\n", &End::Clean)
        );
        assert_eq!(status.code(), Some(7), "{}", gateway.said());
        let lines: Vec<String> = gateway.lines.try_iter().collect();
        let call = lines.iter().position(|line| line.contains("t.S/List"));
        let told = lines.iter().position(|line| line.contains("told"));
        assert!(call.is_some() && call < told, "{lines:#?}");
    });
}

#[test]
fn an_application_that_ends_takes_the_gateway_along() {
    let app = Upstream::start();
    for (script, code) in [("sleep 0.5; exit 3", 3), ("sleep 0.5; kill -KILL $$", 137)] {
        let mut gateway = run_beside("", app.address, script);
        let (status, took) = gateway.wait();
        assert_eq!(status.code(), Some(code), "{}", gateway.said());
        assert!(took < Duration::from_secs(5).min(patience()), "{took:?}");
    }
    // It may never have listened at all.
    let absent = Upstream::start_at("127.0.0.1:0", FirstConnection::Absent);
    let folder = folder("");
    for (words, code) in [
        ("sh -c", 5),
        ("/no/such/program", 127),
        ("./case.proto", 126),
    ] {
        let mut command = program(folder.path());
        command.arg("run").args(flags(absent.address)).arg("--");
        command.args(words.split(' '));
        if code == 5 {
            command.arg("exit 5");
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{words}: {said}");
    }
}

/// An application that does not listen to signals is killed when its time is over.
#[test]
fn an_application_that_stays_is_killed() {
    let app = Upstream::start();
    let script = "trap '' TERM; while :; do sleep 0.05; done";
    let mut gateway = run_beside("lifecycle: {drain_timeout: 0s}", app.address, script);
    gateway.ready();
    gateway.signal("TERM");
    let (status, took) = gateway.wait();
    assert_eq!(status.code(), Some(137), "{}", gateway.said());
    assert!(took >= Duration::from_secs(3), "{took:?}");
}

/// As the first process of a container it takes leave of everybody, and hands signals on. Where
/// this environment lets nobody have a container of processes, there is nothing to see.
#[test]
fn the_first_process_reaps() {
    let possible = std::process::Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc", "true"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !possible {
        let said = b"SKIPPED: no namespace of processes may be made here\n";
        std::io::stderr().write_all(said).unwrap();
        return;
    }
    let app = Upstream::start();
    let folder = folder("");
    let mut command = std::process::Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
    command.arg(env!("CARGO_BIN_EXE_sidegate")).arg("run");
    command.args(flags(app.address)).current_dir(folder.path());
    // Orphans come and end; then the processes that are left are counted.
    let script = "for i in 1 2 3 4 5; do sh -c 'sleep 0.1 &'; done; sleep 0.7; \
                  cat /proc/[0-9]*/stat | grep -c ' Z ' ; cat /proc/1/comm; echo counted; \
                  trap 'exit 9' TERM; while :; do sleep 0.05; done";
    command.args(["--", "sh", "-c", script]);
    command.stdin(Stdio::null());
    let mut gateway = Process::start(command, folder);
    let mut printed = Vec::new();
    while printed.last().is_none_or(|line| line != "counted") {
        let line = gateway.line("\"event\":\"app\"")["line"].clone();
        printed.push(line.as_str().unwrap().to_owned());
    }
    let expected = ["0", "sidegate", "counted"];
    assert_eq!(
        printed, expected,
        "no zombie is left, and we are the first process"
    );
    // The first process of the new namespace is the only child of `unshare`.
    let children = format!("/proc/{0}/task/{0}/children", gateway.child.id());
    let mut first = String::new();
    std::fs::File::open(children)
        .unwrap()
        .read_to_string(&mut first)
        .unwrap();
    signal(first.trim().parse().unwrap(), "TERM");
    let (status, _) = gateway.wait();
    assert_eq!(status.code(), Some(9), "{}", gateway.said());
}
