//! [`Scene`]: a gateway in this process with a folder of its own, whose configuration a test
//! changes.

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::Value;
use sidegate::app::{Gateway, Outputs, Running};
use sidegate::config::{self, Input};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::PATIENCE;

/// What is served.
const PROTO: &str = r#"syntax = "proto3";
package t;
message M { string name = 1; }
service S { rpc Get(M) returns (M); rpc Put(stream M) returns (M); }
service Other { rpc Get(M) returns (M); }
"#;

pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) running: Running,
}

/// An answer, as far as it matters here.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Scene {
    /// A gateway that serves, with these lines in its configuration.
    pub(crate) async fn new(config: &str) -> Self {
        Self::in_folder(TempDir::new().unwrap(), config).await
    }

    /// The same in a folder that has something in it already.
    pub(crate) async fn in_folder(folder: TempDir, config: &str) -> Self {
        std::fs::write(folder.path().join("t.proto"), PROTO).unwrap();
        write(&folder, config);
        let input = Input {
            directory: folder.path().to_owned(),
            ..Input::default()
        };
        let (config, problems) = config::load(&input);
        let config = config.unwrap_or_else(|| panic!("{problems:?}"));
        let bound = Gateway::bind(config, &Outputs::default()).expect("a port");
        let running = bound.start().expect("threads");
        let scene = Self { folder, running };
        let ready = || scene.running.ready().is_ready();
        until("it is ready", async || ready()).await;
        scene
    }

    /// Changes the configuration and waits until it is in effect.
    pub(crate) async fn change(&self, config: &str) {
        write(&self.folder, config);
        let (status, told) = self.admin("POST /reload").await;
        assert_eq!(status, 200, "{told}");
    }

    fn listen(&self) -> SocketAddr {
        self.running.addresses().listen
    }

    /// A call of a method `Service/Method`: the status of the answer.
    pub(crate) async fn call(&self, method: &str) -> u16 {
        self.call_with(method, "").await.status
    }

    /// The same with more lines in its head.
    pub(crate) async fn call_with(&self, method: &str, lines: &str) -> Answer {
        let request = format!(
            "POST /t.{method} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{lines}\
             content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        ask(self.listen(), &request).await
    }

    /// Calls one after the other, and how many of them went well.
    pub(crate) async fn calls(&self, method: &str, count: usize) -> usize {
        let mut good = 0;
        for _ in 0..count {
            good += usize::from(self.call(method).await == 200);
        }
        good
    }

    /// What a page of the admin port says.
    pub(crate) async fn admin(&self, asked: &str) -> (u16, String) {
        let admin = self.running.addresses().admin.unwrap();
        let request = format!(
            "{asked} HTTP/1.1\r\nhost: {admin}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let answer = ask(admin, &request).await;
        (answer.status, answer.body)
    }

    /// The same as JSON.
    pub(crate) async fn json(&self, asked: &str) -> Value {
        let (status, body) = self.admin(asked).await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// A sample of `/metrics`.
    pub(crate) async fn sample(&self, name: &str) -> Option<f64> {
        let (_, page) = self.admin("GET /metrics").await;
        let line = page.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().parse().unwrap())
    }
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

fn write(folder: &TempDir, config: &str) {
    let common = "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nschema: {proto: [t.proto], \
                  reflection: 'off'}\n";
    let text = if config.contains("limits:") {
        format!("{common}{config}")
    } else {
        format!("{common}limits: {{workers: 1}}\n{config}")
    };
    std::fs::write(folder.path().join("sidegate.yaml"), text).unwrap();
}

async fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).await.unwrap();
    let (head, body) = all.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}
