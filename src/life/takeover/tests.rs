use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::*;
use crate::life::task;

const PATIENCE: Duration = Duration::from_secs(60);

/// Offers two sockets until somebody has taken over; who that was.
fn offering(path: &Path) -> (thread::JoinHandle<Successor>, std::net::SocketAddr) {
    let listen = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listen.local_addr().unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let sockets = [("listen", listen), ("admin", admin)].map(|(name, socket)| Handed {
        name: name.to_owned(),
        asked: "127.0.0.1:0".to_owned(),
        socket,
    });
    let place = path.to_owned();
    let (opened, opening) = std::sync::mpsc::channel();
    let offering = thread::spawn(move || {
        task::local_runtime().unwrap().block_on(async {
            let offer = Offer::open(&place, sockets.into(), false).unwrap();
            opened.send(()).unwrap();
            offer.taken(|| true).await
        })
    });
    opening.recv_timeout(PATIENCE).unwrap();
    (offering, address)
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("takeover");
    (folder, path)
}

/// One line to who offers, and its answer.
fn say(stream: &mut UnixStream, line: &str) -> String {
    writeln!(stream, "{line}").unwrap();
    let mut answer = String::new();
    BufReader::new(&*stream).read_line(&mut answer).unwrap();
    answer
}

#[test]
fn sockets_are_handed_over_with_what_they_are_for() {
    let (_folder, path) = place();
    let (offering, address) = offering(&path);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let predecessor = ask(&path, PATIENCE).unwrap().unwrap();
    assert!(predecessor.ready);
    assert_eq!(predecessor.pid, std::process::id());
    let names: Vec<&str> = predecessor.sockets.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["listen", "admin"]);
    assert_eq!(predecessor.sockets[0].asked, "127.0.0.1:0");
    let listener = predecessor.sockets[0].socket.try_clone().unwrap();
    assert_eq!(listener.local_addr().unwrap(), address);
    predecessor.replace().unwrap();
    let successor = offering.join().unwrap();
    assert_eq!(successor.version, env!("CARGO_PKG_VERSION"));
    // The one that was replaced is gone, and nobody is refused.
    let _client = TcpStream::connect(address).unwrap();
    listener.set_nonblocking(false).unwrap();
    listener.accept().unwrap();
    assert!(!path.exists(), "nobody offers any more");
}

#[test]
fn a_successor_that_fails_changes_nothing() {
    let (_folder, path) = place();
    let (offering, address) = offering(&path);
    drop(ask(&path, PATIENCE).unwrap().unwrap());
    drop(UnixStream::connect(&path).unwrap());
    for nonsense in ["", "{}", "[1]", "\u{0}", "{\"takeover\":7}"] {
        let mut stream = UnixStream::connect(&path).unwrap();
        assert_eq!(say(&mut stream, nonsense), "", "{nonsense:?}");
    }
    let mut endless = UnixStream::connect(&path).unwrap();
    // It may be cut off in the middle.
    drop(endless.write_all(&[b'x'; 3 * line::MOST_BYTES]));
    let predecessor = ask(&path, PATIENCE).unwrap().unwrap();
    let _client = TcpStream::connect(address).unwrap();
    predecessor.replace().unwrap();
    offering.join().unwrap();
}

/// Versions may differ: what is not known is passed over, the newest common number is spoken.
#[test]
fn another_version_is_understood_or_refused() {
    let (_folder, path) = place();
    let (offering, _) = offering(&path);
    let mut stream = UnixStream::connect(&path).unwrap();
    let newer = r#"{"takeover":{"oldest":2,"newest":9},"version":"9.0.0","pid":1}"#;
    let answer = say(&mut stream, newer);
    assert!(
        answer.starts_with(r#"{"refused":"this one is "#),
        "{answer}"
    );

    let mut stream = UnixStream::connect(&path).unwrap();
    let both = r#"{"takeover":{"oldest":1,"newest":9,"x":0},"version":"9.0.0","pid":7,"new":[]}"#;
    let answer = say(&mut stream, both);
    assert!(answer.starts_with(r#"{"takeover":1,"#), "{answer}");
    let answer = say(&mut stream, r#"{"serving":true,"more":1}"#);
    assert_eq!(answer, "{\"draining\":true}\n");
    let successor = offering.join().unwrap();
    assert_eq!((&*successor.version, successor.pid), ("9.0.0", 7));
}

#[test]
fn the_place_is_taken_or_free() {
    let (_folder, path) = place();
    assert!(ask(&path, PATIENCE).unwrap().is_none());
    fs::write(&path, "mine").unwrap();
    let runtime = task::local_runtime().unwrap();
    let open = |replace| runtime.block_on(async { Offer::open(&path, Vec::new(), replace) });
    let told = open(true).unwrap_err().to_string();
    assert!(told.contains("no socket"), "{told}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    fs::remove_file(&path).unwrap();

    let first = open(false).unwrap();
    let told = open(false).unwrap_err().to_string();
    assert!(told.contains("--takeover"), "{told}");
    let second = open(true).unwrap();
    drop(first);
    assert!(path.exists(), "the second has its own there");
    drop(second);
    assert!(!path.exists());

    // What a gateway left that was killed.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(ask(&path, PATIENCE).unwrap().is_none());
    drop(open(false).unwrap());
}

#[test]
fn numbers_meet_in_the_middle() {
    let spoken = |oldest, newest| line::Spoken { oldest, newest };
    assert_eq!(spoken(1, 3).common(spoken(2, 5)), Some(3));
    assert_eq!(spoken(1, 1).common(spoken(1, 1)), Some(1));
    assert_eq!(spoken(1, 1).common(spoken(2, 2)), None);
    assert_eq!(spoken(4, 5).common(spoken(1, 3)), None);
}
