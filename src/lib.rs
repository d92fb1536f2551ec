//! Sidegate: a sidecar that gives one gRPC application everything its neighbours expect of it.
//!
//! ```text
//! http request -> Adapter -> Call -> tower stack -> upstream -> Reply -> Responder -> http response
//! ```
//!
//! Modules in the order of their layers; a module imports only from the layers above it in this
//! list (`tests/tidy.rs` holds that). `ARCHITECTURE.md` tells why.

// L0: leaves without I/O, clock or tokio.
pub mod live;
pub mod route;
pub mod wire;
pub mod yaml;

// L1: what can be known before a request.
pub mod schema;

// L2: JSON and wire.
pub mod transcode;

// L3: the call model, then the small helpers of a process.
pub mod auth;
pub mod call;
pub mod life;
pub mod telemetry;
pub mod tls;

// L4: siblings that never import each other.
pub mod acme;
pub mod discover;
pub mod export;
pub mod layer;
pub mod protocol;
pub mod render;
pub mod serve;
pub mod source;
pub mod upstream;

// L5: what the operator sees.
pub mod admin;
pub mod config;

// L6: the whole.
pub mod app;
pub mod cli;
