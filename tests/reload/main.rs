//! Changing things while the gateway runs: files, signals, the admin port, and faults 28, 39 and
//! 40.

#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a failing test may panic, and what took how long is measured"
)]

mod discovery;
mod files;
mod fivehz;
#[path = "../lifecycle/load.rs"]
mod load;
#[path = "../lifecycle/process.rs"]
#[allow(dead_code, reason = "shared, and only a part of it is used here")]
mod process;
mod refused;
mod scene;
mod settings;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;

use bytes::Bytes;
use support::client::{Answer, Request, Version};
use support::upstream::{Script, Stage, Step};

/// What is served at first.
const PROTO: &str = r#"
service S {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/get" }; }
  rpc List(M) returns (stream M) { option (google.api.http) = { get: "/list" }; }
}
message M { string name = 1; }
"#;

/// The same, and one method more.
const MORE: &str = r#"
service S {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/get" }; }
  rpc List(M) returns (stream M) { option (google.api.http) = { get: "/list" }; }
  rpc More(M) returns (M) { option (google.api.http) = { get: "/more" }; }
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

/// Answers every call with an empty message.
fn empty() -> Script {
    Script {
        calls: vec![vec![Step::Send(Bytes::new())]],
    }
}

fn request(version: Version, target: &str, case: &str, stage: &Arc<Stage>) -> Request {
    Request {
        version,
        method: "GET".to_owned(),
        target: target.to_owned(),
        headers: vec![("x-case".to_owned(), case.to_owned())],
        body: Vec::new(),
        stage: Arc::clone(stage),
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body()).into_owned()
}
