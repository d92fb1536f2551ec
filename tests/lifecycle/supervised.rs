//! What systemd hears of a gateway, by its notify protocol on a real socket.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use super::process::{Process, flags, folder, program};
use super::support::patience;
use super::support::upstream::Upstream;

/// A supervisor's socket.
struct Heard(UnixDatagram);

impl Heard {
    /// The next thing that is said and is no sign of life, or the next of those.
    fn next(&self, life: bool) -> String {
        let until = Instant::now() + patience();
        while Instant::now() < until {
            let mut text = [0; 1024];
            let length = self.0.recv(&mut text).expect("something is said in time");
            let text = String::from_utf8_lossy(&text[..length]).into_owned();
            if text.starts_with("WATCHDOG=1") == life {
                return text;
            }
        }
        panic!("nothing else is said");
    }
}

fn supervised(run: bool, watchdog: Option<&str>) -> (Process, Heard, Upstream) {
    let app = Upstream::start();
    let folder = folder("");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(patience())).unwrap();
    let mut command = program(folder.path());
    command.env("NOTIFY_SOCKET", &path);
    if let Some(micros) = watchdog {
        command.env("WATCHDOG_USEC", micros);
    }
    if run {
        command.arg("run");
    }
    command.args(flags(app.address));
    if run {
        let script = "echo \"for ${NOTIFY_SOCKET-nobody}\"; exec sleep 60";
        command.args(["--", "sh", "-c", script]);
    }
    (Process::start(command, folder), Heard(socket), app)
}

#[test]
fn a_service_says_how_far_it_has_come() {
    for run in [false, true] {
        let (mut gateway, heard, _app) = supervised(run, None);
        let expected = format!("READY=1\nSTATUS=serving on {}", gateway.listen);
        assert_eq!(heard.next(false), expected);
        gateway.signal("TERM");
        assert!(heard.next(false).starts_with("STOPPING=1\n"));
        let (status, _) = gateway.wait();
        assert_eq!(
            status.code(),
            Some(if run { 143 } else { 0 }),
            "{}",
            gateway.said()
        );
        let lines: Vec<String> = gateway.lines.try_iter().collect();
        let told = lines.iter().any(|line| line.contains("for nobody"));
        let hidden = !lines.iter().any(|line| line.contains("/notify"));
        assert!(hidden && (told || !run || lines.is_empty()), "{lines:?}");
    }
}

#[test]
fn a_watchdog_is_fed() {
    let (gateway, heard, _app) = supervised(false, Some("400000"));
    assert!(heard.next(true).starts_with("WATCHDOG=1"));
    let begun = Instant::now();
    for _ in 0..3 {
        assert!(heard.next(true).starts_with("WATCHDOG=1"));
    }
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(400),
        "not in a busy loop: {took:?}"
    );
    drop(gateway);
}

#[test]
fn what_cannot_be_reached_is_told() {
    let folder = folder("");
    let mut command = program(folder.path());
    command.env("NOTIFY_SOCKET", folder.path().join("nobody"));
    let output = command
        .args(flags(([127, 0, 0, 1], 9).into()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.starts_with("error: what started this: "), "{said}");
}
