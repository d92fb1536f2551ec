//! Who may call, with everything around it: keys that come from a URL, plain HTTP, WebSockets, and
//! files that change (fault 46).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::large_futures,
    reason = "a failing test may panic, and its server ends with its runtime"
)]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;
use sidegate::app::{Gateway, Outputs, Running};
use sidegate::config::{self, Input};
use support::patience;
use support::schema::TestSchema;
use support::upstream::Upstream;
use support::websocket::WebSocket;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PROTO: &str = r#"
service S {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/get" }; }
  rpc Watch(M) returns (stream M) { option (google.api.http) = { get: "/watch" }; }
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

/// A key and its name.
struct Signer(&'static str, Ed25519KeyPair);

impl Signer {
    fn new(kid: &'static str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(kid, Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    fn published(&self) -> String {
        let x = BASE64URL_NOPAD.encode(self.1.public_key().as_ref());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": self.0, "x": x}]}).to_string()
    }

    fn token(&self, sub: &str) -> String {
        let part = |value: &serde_json::Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let header = json!({"alg": "EdDSA", "kid": self.0});
        let claims = json!({"sub": sub, "aud": "a", "exp": 4_102_444_800_u64});
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = BASE64URL_NOPAD.encode(self.1.sign(signed.as_bytes()).as_ref());
        format!("{signed}.{signature}")
    }
}

/// A server that says one thing to everybody after the head that it was sent, and what it was sent.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<(String, Vec<String>)>>);

impl Server {
    fn say(&self, text: &str) {
        text.clone_into(&mut self.0.lock().unwrap().0);
    }

    fn heads(&self) -> Vec<String> {
        self.0.lock().unwrap().1.clone()
    }

    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().answer(stream));
            }
        });
        address
    }

    async fn answer(self, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else {
                return;
            };
            head.push(byte);
        }
        let text = {
            let mut shared = self.0.lock().unwrap();
            shared
                .1
                .push(String::from_utf8(head).unwrap().to_lowercase());
            shared.0.clone()
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
            text.len()
        );
        // Whoever asked may have had enough.
        drop(stream.write_all(answer.as_bytes()).await);
    }
}

/// A gateway in this process, in front of an application that answers nothing but errors.
struct Scene {
    folder: TempDir,
    running: Running,
    _app: Upstream,
}

impl Scene {
    fn new(auth: &str, more: &str, files: &[(&str, String)]) -> Self {
        let folder = TempDir::new().unwrap();
        let proto = TestSchema::compile(PROTO).expect("a sound schema").text;
        let app = Upstream::start();
        write(folder.path(), "a.proto", &proto);
        for (name, text) in files {
            write(folder.path(), name, text);
        }
        let text = format!(
            "listen: 127.0.0.1:0\nadmin: off\nlimits: {{workers: 2}}\nschema: {{proto: [a.proto]}}\n\
             upstreams: {{app: {{url: 'http://{}'}}}}\nauth: {auth}\n{more}",
            app.address
        );
        write(folder.path(), "sidegate.yaml", &text);
        let (config, problems) = config::load(&Input {
            file: Some(folder.path().join("sidegate.yaml")),
            ..Input::default()
        });
        let config = config.unwrap_or_else(|| panic!("{problems:#?}"));
        let bound = Gateway::bind(config, &Outputs::default()).expect("a port");
        Self {
            running: bound.start().expect("threads"),
            folder,
            _app: app,
        }
    }

    fn address(&self) -> SocketAddr {
        self.running.addresses().listen
    }

    /// The answer to a GET, its head in lower case.
    async fn get(&self, target: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        let head =
            format!("GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let reading = stream.read_to_string(&mut answer);
        tokio::time::timeout(patience(), reading)
            .await
            .expect("an answer")
            .unwrap();
        answer.to_lowercase()
    }

    /// Whether a token is let in; the application has nothing to say to it.
    async fn admits(&self, token: &str) -> bool {
        let answer = self.get("/get", &bearer(token)).await;
        let refused = answer.starts_with("http/1.1 401");
        assert!(refused || answer.starts_with("http/1.1 501"), "{answer}");
        !refused
    }

    async fn until_admitted(&self, token: &str) {
        let until = Instant::now() + patience();
        while !self.admits(token).await {
            assert!(Instant::now() < until, "it is never let in");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

#[test]
fn f46_keys_of_a_url_are_fetched_once_and_kept_when_it_is_gone() {
    run(async {
        let (known, unknown) = (Signer::new("a"), Signer::new("b"));
        let keys = Server::default();
        keys.say(&known.published());
        let url = keys.start().await;
        let jwt = format!(
            "{{require: jwt, jwt: {{t: {{keys: 'http://{url}/keys?a=b', audiences: [a]}}}}}}"
        );
        let scene = Scene::new(&jwt, "", &[]);
        let began = Instant::now();
        // Whoever comes before the keys waits for them.
        assert!(scene.admits(&known.token("alice")).await);
        let head = keys.heads().swap_remove(0);
        assert!(head.starts_with("get /keys?a=b http/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nhost: {url}\r\n")), "{head}");
        keys.say("nothing of use");
        for _ in 0..300 {
            assert!(!scene.admits(&unknown.token("alice")).await);
        }
        let most = 1 + began.elapsed().as_secs() / 30;
        let asked = keys.heads().len() as u64;
        assert!(asked <= most, "{asked} of {most}");
        assert!(scene.admits(&known.token("alice")).await);
    });
}

#[test]
fn f46_keys_that_are_too_many_are_none() {
    run(async {
        let signer = Signer::new("a");
        let keys = Server::default();
        keys.say(&format!("{}{}", " ".repeat(600 << 10), signer.published()));
        let url = keys.start().await;
        let jwt =
            format!("{{require: jwt, jwt: {{t: {{keys: 'http://{url}/', audiences: [a]}}}}}}");
        let scene = Scene::new(&jwt, "", &[]);
        let answer = scene.get("/get", &bearer(&signer.token("alice"))).await;
        assert!(answer.starts_with("http/1.1 401"), "{answer}");
        assert!(
            answer.contains("x-sidegate-reason: unknown_key"),
            "{answer}"
        );
    });
}

#[test]
fn f46_keys_of_a_file_follow_the_file() {
    run(async {
        let (old, new) = (Signer::new("a"), Signer::new("b"));
        let jwt = "{require: jwt, jwt: {t: {keys: keys.json, audiences: [a]}}}";
        let scene = Scene::new(jwt, "", &[("keys.json", old.published())]);
        scene.until_admitted(&old.token("alice")).await;
        assert!(!scene.admits(&new.token("alice")).await);
        // Half of a file changes nothing.
        write(scene.folder.path(), "keys.json", "{\"keys\": [");
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(scene.admits(&old.token("alice")).await);
        write(scene.folder.path(), "keys.json", &new.published());
        scene.until_admitted(&new.token("alice")).await;
        assert!(!scene.admits(&old.token("alice")).await);
    });
}

#[test]
fn f16_plain_http_is_guarded_as_everything_is() {
    run(async {
        let signer = Signer::new("a");
        let plain = Server::default();
        plain.say("hello");
        let address = plain.start().await;
        let jwt = "{require: jwt, forward_token: false, \
                   jwt: {t: {keys: keys.json, audiences: [a], headers: {x-user: sub}}}}";
        let more = format!("rest: {{fallback: 'http://{address}'}}\n");
        let scene = Scene::new(jwt, &more, &[("keys.json", signer.published())]);
        let forged = "x-sidegate-caller: root\r\nx-user: root\r\n";
        let answer = scene.get("/page", forged).await;
        assert!(answer.starts_with("http/1.1 401"), "{answer}");
        assert!(answer.contains("www-authenticate: bearer\r\n"), "{answer}");
        assert!(plain.heads().is_empty());
        let answer = scene
            .get(
                "/page",
                &format!("{forged}{}", bearer(&signer.token("alice"))),
            )
            .await;
        assert!(answer.starts_with("http/1.1 200"), "{answer}");
        let head = plain.heads().swap_remove(0);
        assert!(head.contains("\r\nx-sidegate-caller: alice\r\n"), "{head}");
        assert!(head.contains("\r\nx-user: alice\r\n"), "{head}");
        for gone in ["root", "authorization"] {
            assert!(!head.contains(gone), "{head}");
        }
    });
}

#[test]
fn f46_a_websocket_begins_with_a_token_or_not_at_all() {
    run(async {
        let signer = Signer::new("a");
        let jwt = "{require: jwt, token_query: ticket, token_cookie: session, \
                   jwt: {t: {keys: keys.json, audiences: [a]}}}";
        let scene = Scene::new(jwt, "", &[("keys.json", signer.published())]);
        let token = signer.token("alice");
        let (query, cookie) = (format!("/watch?ticket={token}"), format!("session={token}"));
        for (target, headers, status) in [
            ("/watch", &[][..], 401),
            ("/watch?ticket=x", &[], 401),
            (&query, &[], 101),
            ("/watch", &[("cookie", &*cookie)], 101),
        ] {
            let socket = WebSocket::open(scene.address(), target, headers).await;
            assert_eq!(
                socket.status, status,
                "{target} {headers:?}: {}",
                socket.head
            );
        }
        let over_h2 = WebSocket::open_h2(scene.address(), &query, &[]).await;
        assert_eq!(over_h2.status, 200, "{}", over_h2.head);
    });
}
