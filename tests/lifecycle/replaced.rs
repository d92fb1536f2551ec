//! `serve --takeover`: a second process replaces the first on its sockets. No client is refused and
//! no call is lost, on any of the ports; what fails leaves the first as it was.

use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::load::{GET, answer, fresh, http2};
use super::process::{Process, flags, folder, program};
use super::support::patience;
use super::support::upstream::Upstream;
use super::{empty, run};

/// What both processes are configured with: where the sockets are handed over, and all ports.
fn config(place: &TempDir) -> String {
    let path = place.path().join("takeover");
    format!(
        "ops: 127.0.0.1:0\nlifecycle: {{takeover: '{}'}}\n",
        path.display()
    )
}

/// A second gateway, or one that would be.
fn second(config: &str, upstream: SocketAddr) -> (std::process::Command, TempDir) {
    let folder = folder(config);
    let mut command = program(folder.path());
    command.args(["serve", "--takeover"]).args(flags(upstream));
    (command, folder)
}

fn failing(config: &str, more: &[&str], upstream: SocketAddr) -> Output {
    let (mut command, _folder) = second(config, upstream);
    command.args(more).output().unwrap()
}

/// Probes in a row, each on a connection of its own; every one must hear that all is well.
async fn probes(at: SocketAddr, over: &AtomicBool, count: &AtomicUsize) {
    while !over.load(Ordering::SeqCst) {
        let mut stream = TcpStream::connect(at).await.expect("a connection");
        let asked = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(asked).await.expect("a request");
        let mut said = String::new();
        stream.read_to_string(&mut said).await.expect("an answer");
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
        count.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Calls in a row on a connection that is kept, as clients do it: one that is closed before a byte
/// of an answer has come is made anew and the call with it (RFC 9112, 9.3.1), a new one is not.
async fn keep_alive(gateway: SocketAddr, over: &AtomicBool, count: &AtomicUsize) {
    let mut kept: Option<TcpStream> = None;
    while !over.load(Ordering::SeqCst) {
        let fresh = kept.is_none();
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => TcpStream::connect(gateway).await.expect("a connection"),
        };
        let sent = stream.write_all(GET).await;
        let answered = match sent {
            Ok(()) => answer(&mut stream).await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(last) => {
                count.fetch_add(1, Ordering::SeqCst);
                kept = (!last).then_some(stream);
            }
            Err(error) => assert!(!fresh, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Waits until so many more calls were served.
async fn more(count: &AtomicUsize, calls: usize) {
    let enough = count.load(Ordering::SeqCst) + calls;
    while count.load(Ordering::SeqCst) < enough {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn nobody_notices_a_takeover() {
    run(async {
        let app = Upstream::start();
        let stage = app.stage("load", empty());
        let place = TempDir::new().unwrap();
        let config = config(&place);
        let mut first = Process::serve(&config, app.address);
        first.ready();
        let (at, admin) = (first.listen, first.admin);
        let ops = first.ops.expect("a port for probes");
        let (over, count, probed) = (
            AtomicBool::new(false),
            AtomicUsize::new(0),
            AtomicUsize::new(0),
        );
        let load = async {
            tokio::join!(
                keep_alive(at, &over, &count),
                fresh(at, &stage, &over, &count),
                http2(at, &over, &count),
                probes(admin, &over, &probed),
                probes(ops, &over, &probed),
            );
        };
        let replacing = async {
            // The second is replaced as the first was.
            for _ in 0..2 {
                more(&count, 50).await;
                let (command, folder) = second(&config, app.address);
                let starting = tokio::task::spawn_blocking(|| Process::start(command, folder));
                let next = starting.await.unwrap();
                assert_eq!((next.listen, next.admin, next.ops), (at, admin, Some(ops)));
                let (status, _, first_one) = first.ended().await;
                assert_eq!(status.code(), Some(0), "{}", first_one.said());
                let said = first_one.said();
                assert!(said.contains("replaced; draining"), "{said}");
                assert!(!said.contains("was ended"), "{said}");
                first = next;
            }
            more(&count, 50).await;
            more(&probed, 10).await;
            over.store(true, Ordering::SeqCst);
            first
        };
        let ((), last) = tokio::join!(load, replacing);
        last.signal("TERM");
        let (status, _, last) = last.ended().await;
        assert_eq!(status.code(), Some(0), "{}", last.said());
        assert!(!place.path().join("takeover").exists());
        assert!(
            TcpStream::connect(at).await.is_err(),
            "nobody holds the port"
        );
    });
}

#[test]
fn a_second_that_fails_leaves_the_first() {
    run(async {
        let app = Upstream::start();
        app.stage("load", empty());
        let place = TempDir::new().unwrap();
        let config = config(&place);
        let mut first = Process::serve(&config, app.address);
        first.ready();

        let broken = ["--tls-cert", "none.pem", "--tls-key", "none.key"];
        let output = failing(&config, &broken, app.address);
        assert_eq!(output.status.code(), Some(78));
        // This one will not be ready, as its application is nowhere.
        let nowhere: SocketAddr = ([127, 0, 0, 1], 1).into();
        let (mut command, folder) = second(&config, nowhere);
        let errors = std::fs::File::create(folder.path().join("stderr")).unwrap();
        let mut waiting = command.stderr(errors).spawn().unwrap();
        let taking = || {
            let said = std::fs::read_to_string(folder.path().join("stderr")).unwrap();
            said.contains("starting; the worst case")
        };
        let until = std::time::Instant::now() + patience();
        while !taking() {
            assert!(std::time::Instant::now() < until, "it does not start");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for _ in 0..20 {
            let mut client = TcpStream::connect(first.listen).await.unwrap();
            client.write_all(GET).await.unwrap();
            assert!(!answer(&mut client).await.unwrap());
            assert_eq!(first.code("probe"), 0);
        }
        super::process::signal(waiting.id(), "TERM");
        assert_eq!(waiting.wait().unwrap().code(), Some(69));
        let said = std::fs::read_to_string(folder.path().join("stderr")).unwrap();
        assert!(said.contains("nothing was taken over: SIGTERM"), "{said}");
        first.ready();

        let mut client = TcpStream::connect(first.listen).await.unwrap();
        client.write_all(GET).await.unwrap();
        assert!(!answer(&mut client).await.unwrap());
        first.signal("TERM");
        assert_eq!(first.wait().0.code(), Some(0));
        let said = first.said();
        assert!(said.contains("a takeover has failed"), "{said}");
    });
}

#[test]
fn without_a_first_it_is_a_start() {
    let app = Upstream::start();
    let place = TempDir::new().unwrap();
    let (command, scene) = second(&config(&place), app.address);
    let mut gateway = Process::start(command, scene);
    gateway.ready();
    // Who comes without being told to replace it is told how to.
    let sketch = folder(&config(&place));
    let mut command = program(sketch.path());
    let output = command.args(flags(app.address)).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("`--takeover` replaces it"), "{said}");
    gateway.ready();
    gateway.signal("TERM");
    assert_eq!(gateway.wait().0.code(), Some(0));

    let output = failing("", &[], app.address);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    let expected = "error: `--takeover` needs `lifecycle.takeover`\n";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_supervisor_hears_who_serves_now() {
    let app = Upstream::start();
    let place = TempDir::new().unwrap();
    let config = config(&place);
    let sketch = folder(&config);
    let path = sketch.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(patience())).unwrap();
    let mut command = program(sketch.path());
    command.env("NOTIFY_SOCKET", &path).args(flags(app.address));
    let mut first = Process::start(command, sketch);
    first.ready();
    let (command, folder) = second(&config, app.address);
    let next = Process::start(command, folder);
    assert_eq!(first.wait().0.code(), Some(0));
    let mut heard = Vec::new();
    for _ in 0..2 {
        let mut text = [0; 256];
        let length = socket.recv(&mut text).unwrap();
        heard.push(String::from_utf8_lossy(&text[..length]).into_owned());
    }
    assert!(heard[0].starts_with("READY=1\n"), "{heard:?}");
    assert_eq!(heard[1], format!("MAINPID={}", next.child.id()));
}
