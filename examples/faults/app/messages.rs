//! The messages of `faults.proto`, as much of them as the application and its clients need.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

/// What a call asks for.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Ask {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) act: String,
    #[prost(int32, tag = "3")]
    pub(crate) count: i32,
    #[prost(int32, tag = "4")]
    pub(crate) size: i32,
    #[prost(int32, tag = "5")]
    pub(crate) pause_ms: i32,
    #[prost(string, tag = "6")]
    pub(crate) data: String,
}

/// What it gets.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Answer {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) data: String,
    #[prost(int32, tag = "3")]
    pub(crate) received: i32,
}

/// A message in its gRPC frame.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    frame(&message.encode_to_vec())
}

/// Bytes in a gRPC frame.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(message.len() + 5);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    bytes.put_slice(message);
    bytes.freeze()
}
