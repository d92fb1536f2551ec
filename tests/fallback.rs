//! `rest.fallback`: what no rule knows goes to a plain HTTP port, byte by byte.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::large_futures,
    reason = "a failing test may panic, and its server ends with its runtime"
)]

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use support::patience;
use support::schema::TestSchema;
use support::target::{self, Gateway, Setup};
use support::upstream::{Script, Step, Upstream};
use support::websocket::{Heard, WebSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PROTO: &str = r#"
service S {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/get" }; }
}
message M { string name = 1; }
"#;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// A plain HTTP server that does what the path says, and what it saw: heads, and connections.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<(Vec<String>, usize)>>);

impl Seen {
    fn heads(&self) -> Vec<String> {
        self.0.lock().unwrap().0.clone()
    }

    fn connections(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

async fn serve() -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let shared = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            shared.0.lock().unwrap().1 += 1;
            tokio::spawn(connection(stream, shared.clone()));
        }
    });
    (address, seen)
}

async fn connection(mut stream: TcpStream, seen: Seen) {
    while let Some(head) = read_head(&mut stream).await {
        seen.0.lock().unwrap().0.push(head.clone());
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let path = path.split('?').next().unwrap();
        let answer: &[u8] = match path {
            "/hello" => {
                b"HTTP/1.1 201 Made\r\nContent-Length: 5\r\nX-A: 1\r\nX-A: 2\r\nX-Hop: 1\r\n\
                          Connection: keep-alive, x-hop\r\nKeep-Alive: timeout=5\r\n\r\nhello"
            }
            "/closes" => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "/garbage" => b"nonsense\r\n\r\n",
            "/silent" => {
                std::future::pending::<()>().await;
                b""
            }
            "/cut" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
            // The chunks of the request are those of the answer.
            "/echo" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            _ if head.to_ascii_lowercase().contains("upgrade: websocket") => {
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                  Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
            }
            _ => b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone",
        };
        stream.write_all(answer).await.unwrap();
        match path {
            "/echo" => copy_chunks(&mut stream).await,
            "/closes" | "/garbage" | "/cut" => return,
            "/ws" => {
                // An echo of frames without their masks: the client says what the server does.
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await.unwrap();
                return;
            }
            _ => {}
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

async fn copy_chunks(stream: &mut TcpStream) {
    let mut tail = Vec::new();
    while !tail.ends_with(b"\r\n0\r\n\r\n") {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        if read == 0 {
            return;
        }
        stream.write_all(&buffer[..read]).await.unwrap();
        tail.extend_from_slice(&buffer[..read]);
        let keep = tail.len().saturating_sub(16);
        tail.drain(..keep);
    }
}

struct Play {
    gateway: Gateway,
    app: Upstream,
    seen: Seen,
}

async fn play(more: &str) -> Play {
    let (address, seen) = serve().await;
    with(&format!("{{fallback: 'http://{address}'}}"), more, seen)
}

fn with(rest: &str, more: &str, seen: Seen) -> Play {
    let app = Upstream::start();
    let schema = TestSchema::compile(PROTO).expect("a sound schema");
    let setup = Setup {
        proto: &schema.text,
        config: &format!("rest: {rest}\n{more}"),
        files: &BTreeMap::new(),
        upstream: app.address,
    };
    let gateway = target::start(&setup).expect("the gateway starts");
    Play { gateway, app, seen }
}

impl Play {
    /// Sends bytes, and everything that comes back until the gateway closes.
    async fn say(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.gateway.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut all = Vec::new();
        let reading = stream.read_to_end(&mut all);
        // A cut answer ends in a reset.
        drop(
            tokio::time::timeout(patience(), reading)
                .await
                .expect("an end"),
        );
        String::from_utf8_lossy(&all).into_owned()
    }

    async fn get(&self, target: &str) -> String {
        let ask =
            format!("GET {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n");
        self.say(&ask).await
    }
}

#[test]
fn a_request_goes_on_as_it_is() {
    run(async {
        let play = play("").await;
        let said = play
            .say(
                "PATCH /hello?a=%2F&b HTTP/1.1\r\nHost: shop.example\r\nConnection: close, X-Mine\r\n\
                 X-Mine: 1\r\nX-B: 1\r\nX-B: 2\r\nX-Forwarded-For: 6.6.6.6\r\nTE: trailers\r\n\
                 X_Sidegate_Caller: root\r\nX_Forwarded-For: 6.6.6.6\r\nMy_Own: kept\r\n\
                 Accept-Encoding: br\r\nContent-Length: 0\r\n\r\n",
            )
            .await;
        assert!(said.starts_with("HTTP/1.1 201 "), "{said}");
        assert!(
            said.ends_with("\r\n\r\nhello") && said.contains("x-a: 2\r\n"),
            "{said}"
        );
        assert!(
            !said.contains("x-hop") && !said.contains("timeout=5"),
            "{said}"
        );
        let head = play.seen.heads()[0].to_ascii_lowercase();
        assert!(
            head.starts_with("patch /hello?a=%2f&b http/1.1\r\n"),
            "{head}"
        );
        for line in [
            "host: shop.example",
            "x-b: 1",
            "x-b: 2",
            "accept-encoding: br",
            "x-forwarded-for: 127.0.0.1",
            "my_own: kept",
            "x-forwarded-host: shop.example",
            "x-forwarded-proto: http",
        ] {
            assert!(
                head.contains(&format!("\r\n{line}\r\n")),
                "{line} in {head}"
            );
        }
        assert!(!head.contains("x-mine") && !head.contains("te: ") && !head.contains("6.6.6.6"));
        // Fault 16: some servers read `_` as `-`.
        assert!(!head.contains("root"), "{head}");
        // The connection is used again.
        for _ in 0..3 {
            assert!(play.get("/hello").await.ends_with("hello"));
        }
        assert_eq!(play.seen.connections(), 1);
    });
}

/// What a rule knows is never sent on, whatever the method.
#[test]
fn rules_come_first() {
    run(async {
        let play = play("").await;
        let script = Script {
            calls: vec![vec![Step::Send(Bytes::from_static(b"\x0a\x01a"))]],
        };
        play.app.stage("one", script);
        let ask = "GET /get HTTP/1.1\r\nHost: a\r\nX-Case: one\r\nConnection: close\r\n\r\n";
        assert!(play.say(ask).await.ends_with(r#"{"name":"a"}"#));
        for (ask, status) in [
            (ask.replace("GET", "DELETE"), 405),
            (ask.replace("GET", "OPTIONS"), 204),
            (ask.replace("GET /get", "GET /%zz"), 400),
            (ask.replace("GET /get", "GET /openapi.json"), 200),
            (ask.replace("GET /get", "POST /docs"), 405),
        ] {
            let said = play.say(&ask).await;
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
        }
        assert_eq!(play.seen.heads().len(), 0);
        assert!(play.get("/none").await.ends_with("none"));
        assert_eq!(play.seen.heads().len(), 1);
    });
}

/// More than any buffer holds goes both ways at once.
#[test]
fn bodies_are_streamed() {
    run(async {
        let play = play("").await;
        let mut stream = TcpStream::connect(play.gateway.address).await.unwrap();
        let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut read, mut write) = stream.split();
        write.write_all(b"5\r\nfirst\r\n").await.unwrap();
        // It comes back before the request has ended.
        let mut early = Vec::new();
        while !early.ends_with(b"first\r\n") {
            early.push(read.read_u8().await.unwrap());
        }
        let chunk = vec![b'x'; 0x10000];
        let send = async {
            for _ in 0..40 {
                write.write_all(b"10000\r\n").await.unwrap();
                write.write_all(&chunk).await.unwrap();
                write.write_all(b"\r\n").await.unwrap();
            }
            write.write_all(b"0\r\n\r\n").await.unwrap();
        };
        let receive = async {
            let (mut count, mut tail) = (0, Vec::new());
            while !tail.ends_with(b"\r\n0\r\n\r\n") {
                let mut buffer = vec![0; 65_536];
                let got = read.read(&mut buffer).await.unwrap();
                assert!(got > 0, "cut after {count}");
                count += buffer[..got].iter().filter(|byte| **byte == b'x').count();
                tail.extend_from_slice(&buffer[..got]);
                let keep = tail.len().saturating_sub(16);
                tail.drain(..keep);
            }
            count
        };
        let both = async { tokio::join!(send, receive).1 };
        let count = tokio::time::timeout(patience(), both).await.unwrap();
        assert_eq!(count, 40 * 0x10000);
    });
}

#[test]
fn failures_have_their_status() {
    run(async {
        let play = play("limits: {timeout: 300ms}").await;
        for (target, status, reason) in [
            ("/garbage", 502, "FALLBACK_BROKEN"),
            ("/silent", 504, "DEADLINE"),
        ] {
            let said = play.get(target).await;
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
            assert!(
                said.contains(reason) && said.contains("{\"error\":"),
                "{said}"
            );
        }
        // What is cut never looks complete.
        let said = play.get("/cut").await;
        assert!(!said.contains("content-length: 4\r\n"), "{said}");
        // A connection that was closed while it was idle costs nobody an answer.
        for _ in 0..3 {
            assert!(play.get("/closes").await.ends_with("ok"));
        }
        let gone = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let play = with(
            &format!("{{fallback: 'http://{gone}'}}"),
            "",
            Seen::default(),
        );
        let said = play.get("/hello").await;
        assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
        assert!(said.contains("FALLBACK_UNREACHABLE"), "{said}");
    });
}

/// A WebSocket of the application's own, over both versions of HTTP.
#[test]
fn an_upgrade_becomes_a_tunnel() {
    run(async {
        let play = play("").await;
        let address = play.gateway.address;
        let mut first = WebSocket::open(address, "/ws", &[]).await;
        assert_eq!(first.status, 101, "{}", first.head);
        assert!(first.head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        let mut second = WebSocket::open_h2(address, "/ws", &[]).await;
        assert_eq!(second.status, 200, "{}", second.head);
        assert!(!second.head.contains("sec-websocket-accept"));
        for socket in [&mut first, &mut second] {
            socket.raw(b"\x81\x05hello").await;
            assert_eq!(socket.hear().await, Heard::Text("hello".to_owned()));
        }
        drop(first);
        // Fault 12: HTTP/2 in clear text is not offered to anybody.
        let said = play
            .say(
                "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade, HTTP2-Settings\r\n\
                 Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
            )
            .await;
        assert!(said.starts_with("HTTP/1.1 201 "), "{said}");
        let heads = play.seen.heads();
        assert_eq!(heads.len(), 3);
        assert!(!heads[2].to_ascii_lowercase().contains("h2c"));
    });
}
