//! What is fuzzed, as plain functions: each takes any bytes and panics when something is wrong.
//!
//! `fuzz/` drives them with libFuzzer, `tests/fuzz_replay.rs` replays what it found on every
//! `cargo test`. They see only what the library offers to anybody.

mod body;
mod codec;
mod plain;
mod schema;
mod url;

/// Panics when something is wrong with what became of the bytes.
pub(crate) type Target = fn(&[u8]);

/// Every target by its name, which is also that of its corpus.
pub(crate) const TARGETS: &[(&str, Target)] = &[
    ("json_to_wire", codec::json_to_wire),
    ("wire_to_json", codec::wire_to_json),
    ("split", codec::split),
    ("url", url::url),
    ("form", body::form),
    ("multipart", body::multipart),
    ("protobuf", body::protobuf),
    ("compressed", plain::compressed),
    ("grpc_web_text", sidegate::protocol::feed_text),
    ("connect_get", sidegate::protocol::feed_query),
    ("template", plain::template),
    ("deframe", plain::deframe),
    ("timeout", plain::timeout),
    ("percent", plain::percent),
    ("trace", plain::trace),
    ("config", plain::config),
    ("descriptors", plain::descriptors),
    ("websocket", plain::websocket),
    ("http2", sidegate::upstream::feed_http2),
    ("http1", sidegate::serve::feed_http1),
];

/// The target of this name.
pub(crate) fn target(name: &str) -> Option<Target> {
    let found = TARGETS.iter().find(|(own, _)| *own == name);
    found.map(|(_, run)| *run)
}
