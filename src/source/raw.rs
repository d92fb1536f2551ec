//! Descriptor files as bytes: cut out of a set and read just far enough to know their names,
//! imports and what they declare. Nothing is decoded and encoded again, so nothing unknown in
//! them is ever lost.

use bytes::Bytes;
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// The most files of one set: an empty one takes two bytes there and many more here.
const MOST_FILES: usize = 100_000;

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
            if files.len() == MOST_FILES {
                return Err(format!("it holds more than {MOST_FILES} files"));
            }
            files.push(rest.split_to(length));
        } else {
            skip_field(wire_type, number, &mut rest, DecodeContext::default()).map_err(told)?;
        }
    }
    Ok(files)
}

/// The names that a file declares outside of messages.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Declared {
    #[prost(string, tag = "2")]
    package: String,
    #[prost(message, repeated, tag = "4")]
    messages: Vec<Named>,
    #[prost(message, repeated, tag = "5")]
    enums: Vec<Named>,
    #[prost(message, repeated, tag = "6")]
    services: Vec<Named>,
    #[prost(message, repeated, tag = "7")]
    extensions: Vec<Named>,
}

#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

/// Reads what an encoded file declares.
pub(super) fn declared(file: &[u8]) -> Result<Declared, String> {
    Declared::decode(file).map_err(|error| error.to_string())
}

impl Declared {
    /// Full names of everything.
    pub(super) fn symbols(&self) -> Vec<String> {
        let all = [
            &self.messages,
            &self.enums,
            &self.services,
            &self.extensions,
        ];
        all.into_iter()
            .flat_map(|named| self.full_names(named))
            .collect()
    }

    /// Full names of the services.
    pub(super) fn services(&self) -> impl Iterator<Item = String> {
        self.full_names(&self.services)
    }

    fn full_names(&self, named: &[Named]) -> impl Iterator<Item = String> {
        named
            .iter()
            .map(|Named { name }| match self.package.as_str() {
                "" => name.clone(),
                package => format!("{package}.{name}"),
            })
    }
}

/// Whether a file has a name and nothing else.
pub(super) fn is_placeholder(file: &[u8]) -> bool {
    let mut rest = file;
    while !rest.is_empty() {
        let Ok((number @ 1, wire_type)) = decode_key(&mut rest) else {
            return false;
        };
        if skip_field(wire_type, number, &mut rest, DecodeContext::default()).is_err() {
            return false;
        }
    }
    true
}
