//! HPACK, the compression of header lists (RFC 7541): all of it towards us, and of the other
//! direction what a client of gRPC needs.
//!
//! Nothing here does I/O, and no input is too odd: a block that breaks the rules is
//! [`Malformed`], one that is too large is decoded to its end (the table is the connection's)
//! and remembered as too large.

mod decode;
mod encode;
mod huffman;
mod list;
mod table;
#[cfg(test)]
mod tests;

pub(super) use decode::Decoder;
pub(in crate::upstream) use encode::Request;
pub(super) use encode::{Encoder, find_forbidden};
pub(super) use list::List;

/// What the specification adds to the size of every field.
const FIELD_OVERHEAD: usize = 32;

/// The size of a dynamic table that both sides allow without having said so.
const DEFAULT_TABLE_BYTES: usize = 4096;

/// A block cannot be decoded, and with it none that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;
