//! A gateway in this process, servers around it, and keys that sign tokens.

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
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::support::patience;
use super::support::schema::TestSchema;
use super::support::upstream::Upstream;

const PROTO: &str = r#"
service S {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/get" }; }
  rpc Put(M) returns (M) { option (google.api.http) = { get: "/put" }; }
  rpc Watch(M) returns (stream M) { option (google.api.http) = { get: "/watch" }; }
}
message M { string name = 1; }
"#;

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// A key and its name.
pub(crate) struct Signer(&'static str, Ed25519KeyPair);

impl Signer {
    pub(crate) fn new(kid: &'static str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(kid, Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    pub(crate) fn published(&self) -> String {
        let x = BASE64URL_NOPAD.encode(self.1.public_key().as_ref());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": self.0, "x": x}]}).to_string()
    }

    pub(crate) fn token(&self, sub: &str) -> String {
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
pub(crate) struct Server(Arc<Mutex<(String, Vec<String>)>>);

impl Server {
    pub(crate) fn say(&self, text: &str) {
        text.clone_into(&mut self.0.lock().unwrap().0);
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.0.lock().unwrap().1.clone()
    }

    pub(crate) async fn start(&self) -> SocketAddr {
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

    pub(crate) async fn answer(self, mut stream: TcpStream) {
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
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    running: Running,
    pub(crate) app: Upstream,
}

impl Scene {
    pub(crate) fn new(auth: &str, more: &str, files: &[(&str, String)]) -> Self {
        let folder = TempDir::new().unwrap();
        let proto = TestSchema::compile(PROTO).expect("a sound schema").text;
        let app = Upstream::start();
        write(folder.path(), "a.proto", &proto);
        for (name, text) in files {
            write(folder.path(), name, text);
        }
        let text = format!(
            "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nschema: {{proto: [a.proto]}}\n\
             upstreams: {{app: {{url: 'http://{}'}}}}\nauth: {auth}\n{more}",
            app.address
        );
        write(folder.path(), "sidegate.yaml", &text);
        let (config, problems) = config::load(&Input {
            file: Some(folder.path().join("sidegate.yaml")),
            flags: vec![("--workers", vec!["2".to_owned()])],
            ..Input::default()
        });
        let config = config.unwrap_or_else(|| panic!("{problems:#?}"));
        let bound = Gateway::bind(config, &Outputs::default()).expect("a port");
        Self {
            running: bound.start().expect("threads"),
            folder,
            app,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.addresses().listen
    }

    /// The answer to a GET, its head in lower case.
    pub(crate) async fn get(&self, target: &str, headers: &str) -> String {
        let head = format!("GET {target} HTTP/1.1\r\nhost: a\r\n{headers}");
        ask(self.address(), &head).await.to_lowercase()
    }

    /// Whether a token is let in; the application has nothing to say to it.
    pub(crate) async fn admits(&self, token: &str) -> bool {
        let answer = self.get("/get", &bearer(token)).await;
        let refused = answer.starts_with("http/1.1 401");
        assert!(refused || answer.starts_with("http/1.1 501"), "{answer}");
        !refused
    }

    /// The page of metrics.
    pub(crate) async fn metrics(&self) -> String {
        let admin = self.running.addresses().admin.unwrap();
        ask(
            admin,
            &format!("GET /metrics HTTP/1.1\r\nhost: {admin}\r\n"),
        )
        .await
    }

    /// Waits until a line stands on the page of metrics.
    pub(crate) async fn until_metric(&self, line: &str) {
        let until = Instant::now() + patience();
        while !self.metrics().await.contains(line) {
            assert!(Instant::now() < until, "{line} is never told");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a GET has this status.
    pub(crate) async fn until(&self, target: &str, status: &str) {
        let until = Instant::now() + patience();
        loop {
            let answer = self.get(target, "").await;
            if answer.get(9..12) == Some(status) {
                return;
            }
            assert!(Instant::now() < until, "{answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn until_admitted(&self, token: &str) {
        let until = Instant::now() + patience();
        while !self.admits(token).await {
            assert!(Instant::now() < until, "it is never let in");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

pub(crate) fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

pub(crate) fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

/// What is answered to a head, until the connection ends.
async fn ask(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{head}connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let reading = stream.read_to_string(&mut answer);
    tokio::time::timeout(patience(), reading)
        .await
        .expect("an answer")
        .unwrap();
    answer
}
