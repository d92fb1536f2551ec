//! Facts of the gRPC wire: frames, timeouts, percent-encoding, compression, traces; and WebSocket's frames.
//!
//! Everything here is sans-IO and pure: bytes in, bytes or values out, no clock, no tokio, and
//! no panic on any input.

pub mod compress;
pub mod frame;
pub mod percent;
pub mod timeout;
pub mod trace;
pub mod websocket;
