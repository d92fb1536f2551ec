//! What leaves for collectors, and what is asked of neighbours for them: nobody waits for it.
//!
//! - [`mod@file`]: lines into a file that is rotated. - [`fluent`]: lines to Fluent Bit or Fluentd.
//! - [`tail`]: what the application appends to files.
//! - [`scrape`]: the application's own metrics.
//! - [`otlp`]: spans to a collector, over HTTP or gRPC. - [`http`]: one exchange over HTTP/1.1.
//!
//! Each output lives on the thread of its queue. It bounds every wait, and says what it lost.

pub mod fetch;
pub mod file;
pub mod fluent;
mod grpc;
pub mod http;
pub mod otlp;
pub mod scrape;
pub mod tail;
#[cfg(test)]
mod tests;
