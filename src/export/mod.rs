//! What leaves for collectors, and what is asked of neighbours for them: nobody waits for it.
//!
//! - [`otlp`]: spans to a collector, over HTTP or gRPC. - `http`: one exchange over HTTP/1.1.
//!
//! Each output lives on the thread of its queue. It bounds every wait, and says what it lost.

mod grpc;
pub mod http;
pub mod otlp;
#[cfg(test)]
mod tests;
