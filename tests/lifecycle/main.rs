//! Starting, draining and stopping, with real processes, signals and ports: faults 29, 41 and 42,
//! and what a supervisor sees of it all.

#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a failing test may panic, and what took how long is measured"
)]

mod draining;
mod load;
mod own_config;
mod process;
mod replaced;
mod running;
mod starting;
mod stopping;
mod supervised;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;

use bytes::Bytes;
use support::client::{Answer, Request, Version};
use support::upstream::{Script, Stage, Step};

const PROTO: &str = r#"
service S {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/get" }; }
  rpc List(M) returns (stream M) { option (google.api.http) = { get: "/list" }; }
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

/// Sends one message and then nothing any more.
fn stuck() -> Script {
    let message = Bytes::from_static(b"\x0a\x01a");
    Script {
        calls: vec![vec![Step::ReceiveEnd, Step::Send(message), Step::Stall]],
    }
}

/// Never answers.
fn silent() -> Script {
    Script {
        calls: vec![vec![Step::ReceiveEnd, Step::Stall]],
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
