//! Clients of three kinds: `http1` writes any bytes and reads answers, `frames` writes any frames
//! of HTTP/2, `grpc` behaves.

pub(crate) mod frames;
pub(crate) mod grpc;
pub(crate) mod http1;
