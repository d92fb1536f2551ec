//! [`Files`]: the descriptor files of a schema as the bytes they came in, for reflection and
//! for `/schema`.

use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashMap;

/// The raw descriptor files of a schema.
#[derive(Debug, Default)]
pub struct Files {
    /// Every file, in an order in which imports come first.
    pub files: Vec<File>,
    /// Index into `files` by name.
    pub by_name: FxHashMap<Arc<str>, u32>,
    /// Index into `files` by the full name of what it declares; see [`Files::declaring`].
    pub(super) by_symbol: FxHashMap<Arc<str>, u32>,
    /// Index into `files` and the number, by the full name of the extended message.
    pub extensions: FxHashMap<Arc<str>, Vec<(i32, u32)>>,
    /// Full names of the services that are served, sorted.
    pub services: Vec<Arc<str>>,
}

/// One descriptor file.
#[derive(Clone, Debug)]
pub struct File {
    /// Its import name.
    pub name: Arc<str>,
    /// An encoded `FileDescriptorProto`, untouched.
    pub bytes: Bytes,
    /// Indices of the files it imports, those that are known.
    pub imports: Box<[u32]>,
}

impl Files {
    /// The file that declares a message, enum, service, method, field, oneof, enum value or
    /// extension, by its full name without a leading dot.
    pub fn declaring(&self, symbol: &str) -> Option<u32> {
        self.by_symbol.get(symbol).copied()
    }
}
