//! From a path to what it means: templates, the trie they are stored in, and how path segments
//! are decoded.
//!
//! Pure and generic: nothing here knows of protobuf or of HTTP beyond the method's name.

pub mod path;
pub mod template;
pub mod trie;
