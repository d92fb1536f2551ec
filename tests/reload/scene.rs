//! [`Scene`]: a gateway in this process with a folder of its own, whose files a test changes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use sidegate::app::{Gateway, Outputs, Running};
use sidegate::config::{self, Input};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::client::{self, Version};
use super::support::patience;
use super::support::schema::TestSchema;
use super::support::upstream::{Stage, Upstream};
use super::{PROTO, empty, request};

pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    _app: Upstream,
    pub(crate) stage: Arc<Stage>,
    pub(crate) running: Running,
}

/// The text of a proto file, complete.
pub(crate) fn proto(snippet: &str) -> String {
    TestSchema::compile(snippet).expect("a sound schema").text
}

impl Scene {
    /// A gateway with `proto/case.proto` and a configuration.
    pub(crate) async fn new(config: &str) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("proto")).unwrap();
        std::fs::write(folder.path().join("proto/case.proto"), proto(PROTO)).unwrap();
        std::fs::write(folder.path().join("sidegate.yaml"), config).unwrap();
        Self::in_folder(folder, &[]).await
    }

    /// A gateway with what is in a folder, and more flags.
    pub(crate) async fn in_folder(folder: TempDir, more: &[(&'static str, &str)]) -> Self {
        let scene = Self::started(folder, more);
        scene
            .until("it is ready", |scene| scene.running.ready().is_ready())
            .await;
        scene
    }

    /// The same, not ready yet.
    pub(crate) fn started(folder: TempDir, more: &[(&'static str, &str)]) -> Self {
        let app = Upstream::start();
        let stage = app.stage("load", empty());
        let upstream = format!("http://{}", app.address);
        let mut flags = vec![
            ("--listen", vec!["127.0.0.1:0".to_owned()]),
            ("--admin", vec!["127.0.0.1:0".to_owned()]),
            ("--workers", vec!["1".to_owned()]),
        ];
        let config_names_it = std::fs::read_to_string(folder.path().join("sidegate.yaml"))
            .is_ok_and(|text| text.contains("upstreams:"));
        if !config_names_it {
            flags.push(("--upstream", vec![upstream]));
        }
        for (name, value) in more {
            flags.push((name, vec![(*value).to_owned()]));
        }
        let input = Input {
            flags,
            directory: folder.path().to_owned(),
            ..Input::default()
        };
        let (config, problems) = config::load(&input);
        let config = config.unwrap_or_else(|| panic!("{problems:?}"));
        let bound = Gateway::bind(config, &Outputs::default()).expect("a port");
        let running = bound.start().expect("threads");
        Self {
            folder,
            _app: app,
            stage,
            running,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn listen(&self) -> SocketAddr {
        self.running.addresses().listen
    }

    /// The status of a GET on the data port.
    pub(crate) async fn status(&self, target: &str) -> u16 {
        let asked = request(Version::H1, target, "load", &self.stage);
        let answer = client::exchange(self.listen(), &asked, &self.stage.client).await;
        answer.expect("an answer").status
    }

    /// What a page of the admin port says.
    pub(crate) async fn page(&self, asked: &str) -> (u16, String) {
        let admin = self.running.addresses().admin.unwrap();
        let mut stream = TcpStream::connect(admin).await.unwrap();
        let head = format!(
            "{asked} HTTP/1.1\r\nhost: {admin}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// Asks for a reload: the status and what became of it.
    pub(crate) async fn reload(&self) -> (u16, Value) {
        let (status, body) = self.page("POST /reload").await;
        (status, serde_json::from_str(&body).unwrap())
    }

    /// The last attempts, the last one first.
    pub(crate) async fn history(&self) -> Vec<Value> {
        let (_, body) = self.page("GET /reload").await;
        let body: Value = serde_json::from_str(&body).unwrap();
        body["reloads"].as_array().unwrap().clone()
    }

    /// Waits for a status; how long that took.
    pub(crate) async fn serves(&self, target: &str, status: u16) -> Duration {
        let began = Instant::now();
        loop {
            let now = self.status(target).await;
            if now == status {
                return began.elapsed();
            }
            let late = began.elapsed() > patience();
            assert!(!late, "{target} has {now}, not {status}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The number of the last attempt.
    pub(crate) async fn last(&self) -> u64 {
        let history = self.history().await;
        history
            .first()
            .map_or(0, |last| last["number"].as_u64().unwrap())
    }

    /// Waits for the next attempt that the files themselves caused.
    pub(crate) async fn attempt_after(&self, known: u64) -> Value {
        let began = Instant::now();
        loop {
            let history = self.history().await;
            let new = |one: &&Value| one["number"].as_u64().unwrap() > known;
            if let Some(last) = history.first().filter(new) {
                return last.clone();
            }
            assert!(began.elapsed() < patience(), "nothing was attempted");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            assert!(began.elapsed() < patience(), "never: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
