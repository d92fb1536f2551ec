//! WebSocket (RFC 6455, and RFC 8441 over HTTP/2): one connection is one call.
//!
//! - [`handshake`] decides whether a request may become a WebSocket, and answers it with 101;
//! - [`talk`] is what the client says: messages for the call, everything else for the connection;
//! - [`conversation`] is what the client gets: messages, pings, and the goodbye;
//! - [`bridge`] speaks gRPC-Web within, as `grpc-websockets` has it.
//!
//! What a message means is not known here: REST's messages are in `rest/websocket` (S7).

pub(super) mod bridge;
pub(super) mod conversation;
pub(super) mod handshake;
pub(super) mod talk;

pub(super) use conversation::{Conversation, Say, Speak};
pub(super) use handshake::is_asked;
pub(super) use talk::{Message, Talk};

/// Success, and nothing more to say.
pub(super) const NORMAL: u16 = 1000;

/// The close code of a call that ended with an error (S7).
pub(super) fn close_code(code: crate::call::Code) -> u16 {
    const OWN: u16 = 4000;
    OWN + u16::from(code as u8)
}
