//! Descriptor files as bytes: cut out of a set and read just far enough to know their names and
//! imports. Nothing is decoded and encoded again, so nothing unknown in them is ever lost.

use bytes::Bytes;
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// What has to be known of an encoded `FileDescriptorProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Head {
    /// Its import name.
    #[prost(string, tag = "1")]
    pub(super) name: String,
    /// What it imports.
    #[prost(string, repeated, tag = "3")]
    pub(super) dependency: Vec<String>,
    /// Present in the images that buf writes.
    #[prost(message, optional, tag = "8042")]
    pub(super) buf: Option<BufExtension>,
}

/// What buf adds to a file of an image.
#[derive(Clone, PartialEq, Message)]
pub(super) struct BufExtension {
    /// The file is only there because another imports it.
    #[prost(bool, tag = "1")]
    pub(super) is_import: bool,
}

/// Reads the head of an encoded file; it has to have a name.
pub(super) fn head(file: &[u8]) -> Result<Head, String> {
    let head = Head::decode(file).map_err(|error| error.to_string())?;
    if head.name.is_empty() {
        return Err(String::from("a file in it has no name"));
    }
    Ok(head)
}

/// The files of an encoded `FileDescriptorSet`, each as it stands there.
pub(super) fn files_of(set: &Bytes) -> Result<Vec<Bytes>, String> {
    let told = |error: prost::DecodeError| error.to_string();
    let mut rest = set.clone();
    let mut files = Vec::new();
    while !rest.is_empty() {
        let (number, wire_type) = decode_key(&mut rest).map_err(told)?;
        if (number, wire_type) == (1, WireType::LengthDelimited) {
            let length = decode_varint(&mut rest).map_err(told)?;
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length > rest.len() {
                return Err(String::from("it is cut off"));
            }
            files.push(rest.split_to(length));
        } else {
            skip_field(wire_type, number, &mut rest, DecodeContext::default()).map_err(told)?;
        }
    }
    Ok(files)
}
