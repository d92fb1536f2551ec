//! JSON to wire and wire to JSON, driven by the schema's tables.
//!
//! Bytes in, bytes out: no message objects in between, no I/O, and no input makes it panic,
//! recurse without bound or take more than linear time.

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
