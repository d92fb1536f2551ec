//! JSON to wire and wire to JSON, driven by the schema's tables.
//!
//! Bytes in, bytes out: no message objects in between, no I/O, and no input makes it panic,
//! recurse without bound or take more than linear time.
//!
//! - [`json_to_wire`]: a request body becomes a message ([`json_to_wire::transcode`]).
//! - [`bind`]: path variables and query parameters become wire bytes that are appended to it.
//! - [`raw_message`]: a protobuf body is checked and put in its place.
//! - [`split`]: a stream of JSON values is cut into bodies.
//! - [`wire_to_json`]: a message becomes JSON.
//! - [`detail`]: `google.rpc.Status` details, read and made.
//! - [`http_body`]: bytes of any kind, in and out of `google.api.HttpBody`.
//! - [`escape`]: JSON text of strings.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "wire values are cut and reinterpreted as the format says; ranges are checked first"
)]

mod base64;
pub mod bind;
pub mod detail;
pub mod escape;
pub mod http_body;
pub mod json_to_wire;
mod known;
pub mod mask;
mod names;
mod number;
mod proto;
pub mod raw_message;
pub mod split;
mod time;
pub mod wire_to_json;

/// Objects and lists, and messages on the wire, may be nested this deep (J2).
const MAX_DEPTH: usize = 100;

/// A field of the request that is wrong, and why; becomes a
/// `google.rpc.BadRequest.FieldViolation`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON path of the field, as `book.tags[2]`; empty for the whole request.
    pub field: String,
    /// What is wrong with it, without parser internals.
    pub description: String,
    /// Byte offset in the body, where that is known.
    pub offset: Option<usize>,
}

#[cfg(test)]
mod tests;
