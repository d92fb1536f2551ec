//! Descriptors that need no source: `google/protobuf/*`, which the compiler of protos carries,
//! and the built-in files, compiled.

use bytes::Bytes;
use prost_types::FileDescriptorProto;
use protox::file::{FileResolver, GoogleFileResolver};

use super::proto_dir;
use crate::schema::builtin;
use crate::schema::compile::SourceFile;

/// A file of `google/protobuf`, by its import name.
pub(super) fn google(name: &str) -> Option<FileDescriptorProto> {
    if !name.starts_with("google/protobuf/") {
        return None;
    }
    let file = GoogleFileResolver::new().open_file(name).ok()?;
    Some(file.into())
}

/// Whether there is a file of this name in memory.
pub(super) fn is_known(name: &str) -> bool {
    builtin::find(name).is_some() || google(name).is_some()
}

/// How a file from memory is named to the user.
pub(super) fn origin(name: &str) -> String {
    format!("built-in {name}")
}

/// The built-in files of these names as encoded descriptors, their imports before them; names
/// that are not built in are passed over.
pub fn files(names: &[&str]) -> Vec<SourceFile> {
    proto_dir::builtins(names)
}

/// One built-in file as an encoded descriptor.
pub fn descriptor(name: &str) -> Option<Bytes> {
    // The file that was asked for is linked last, behind its imports.
    files(&[name]).pop().map(|file| file.bytes)
}
