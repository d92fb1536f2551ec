//! The application's own configuration: there when it starts, told anew without a restart of
//! anybody, and never half of it or something wrong.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::process::{Process, flags, folder, program};
use super::support::patience;
use super::support::upstream::Upstream;

const CONFIG: &str = "app_config: {values: [base.yaml, site.yaml], template: app.tmpl, \
                      file: app.conf, serve: true, signal: usr1}\n";

/// Tells what it finds at the start, and again whenever it is signalled.
const APP: &str = r#"tell() { while read -r line; do echo "has $line"; done < app.conf; }
trap tell USR1
tell
: > trapped
while true; do sleep 0.05; done"#;

fn put(folder: &Path, name: &str, text: &str) {
    let beside = folder.join(format!("{name}.new"));
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, folder.join(name)).unwrap();
}

fn files(config: &str) -> tempfile::TempDir {
    let folder = folder(config);
    put(folder.path(), "base.yaml", "db: {host: one, port: 5432}\n");
    put(folder.path(), "site.yaml", "db: {host: two}\n");
    put(folder.path(), "app.tmpl", "{{ db.host }}:{{ db.port }}\n");
    folder
}

fn run_beside(upstream: SocketAddr) -> Process {
    let folder = files(CONFIG);
    let mut command = program(folder.path());
    command.arg("run").args(flags(upstream));
    command.args(["--", "sh", "-c", APP]);
    Process::start(command, folder)
}

/// The next thing that the application tells, whatever else is printed.
fn told(gateway: &Process) -> String {
    let line = gateway.line("has ");
    line["line"].as_str().unwrap().to_owned()
}

/// The page of the admin port, and what it says.
fn page(gateway: &Process) -> (u16, String) {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(gateway.admin).unwrap();
    let head = "GET /app-config HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

fn until(gateway: &Process, what: impl Fn() -> bool) {
    let end = Instant::now() + patience();
    while !what() {
        assert!(Instant::now() < end, "it never comes: {}", gateway.said());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_application_is_told_anew_without_a_restart() {
    let app = Upstream::start();
    let mut gateway = run_beside(app.address);
    let path = gateway.folder.path().to_owned();
    // A signal that nobody has asked for would end the shell.
    until(&gateway, || path.join("trapped").exists());
    // It may have been printed before the line that says that all is well.
    assert_eq!(
        std::fs::read_to_string(path.join("app.conf")).unwrap(),
        "two:5432\n"
    );
    assert_eq!(
        page(&gateway),
        (200, r#"{"db":{"host":"two","port":5432}}"#.to_owned())
    );

    put(&path, "site.yaml", "db: {host: three, port: 1}\n");
    while told(&gateway) != "has three:1" {}
    assert_eq!(page(&gateway).1, r#"{"db":{"host":"three","port":1}}"#);
    put(&path, "app.tmpl", "host {{ db.host }}\n");
    while told(&gateway) != "has host three" {}

    // What is wrong changes nothing, is told with its place, and is mended.
    put(&path, "site.yaml", "db: {host: [four}\n");
    until(&gateway, || gateway.said().contains("site.yaml:1:"));
    put(&path, "site.yaml", "db: null\n");
    until(&gateway, || {
        gateway
            .said()
            .contains("app.tmpl:1:6: error: no values have")
    });
    assert_eq!(
        std::fs::read_to_string(path.join("app.conf")).unwrap(),
        "host three\n"
    );
    put(&path, "site.yaml", "db: {host: five}\n");
    while told(&gateway) != "has host five" {}

    gateway.signal("TERM");
    gateway.wait();
    let left = std::fs::read_dir(&path).unwrap();
    let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    let drafts = names
        .iter()
        .filter(|name| name.to_string_lossy().starts_with(".app"));
    assert_eq!(drafts.count(), 0, "{names:?}");
}

#[test]
fn a_gateway_without_it_serves_none() {
    let app = Upstream::start();
    let gateway = Process::serve("", app.address);
    assert_eq!(page(&gateway).0, 404);
}

#[test]
fn nothing_starts_with_values_that_are_wrong() {
    let folder = files(CONFIG);
    put(folder.path(), "app.tmpl", "{{ db.hots }}\n");
    let upstream = ([127, 0, 0, 1], 1).into();
    for (words, code) in [("serve", 78), ("check", 1)] {
        let mut command = program(folder.path());
        let output = command.arg(words).args(flags(upstream)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words}: {said}");
        let wrong = "app.tmpl:1:1: error: no values have `hots` of `db.hots`";
        assert!(
            said.contains(wrong) && said.contains("the nearest key is `host`"),
            "{said}"
        );
    }
    assert!(!folder.path().join("app.conf").exists());
}
