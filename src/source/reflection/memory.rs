//! What an application said of itself, as bytes for the next start: a `FileDescriptorSet` with one
//! field more, which other readers of such sets skip.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::{Reflected, Version};
use crate::schema::compile::{Services, SourceFile};
use crate::source::{merge, raw};

/// The field of [`Besides`] in the set; `FileDescriptorSet` itself has field 1 alone.
const BESIDES: u32 = 1_000;

/// What the files do not say.
#[derive(Clone, PartialEq, Message)]
struct Besides {
    /// The services that the application lists.
    #[prost(string, repeated, tag = "1")]
    services: Vec<String>,
    /// Whether the older version of the service answered.
    #[prost(bool, tag = "2")]
    alpha: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Set {
    #[prost(message, optional, tag = "1000")]
    besides: Option<Besides>,
}

/// All of it as bytes; problems are not remembered.
pub fn remember(reflected: &Reflected) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |field: u32, bytes: &[u8]| {
        encode_key(field, WireType::LengthDelimited, &mut out);
        encode_varint(bytes.len() as u64, &mut out);
        out.extend_from_slice(bytes);
    };
    for file in &reflected.files {
        put(1, &file.bytes);
    }
    let services = match reflected.files.first().map(|file| &file.services) {
        Some(Services::Only(names)) => names.iter().map(ToString::to_string).collect(),
        Some(Services::All | Services::None) | None => Vec::new(),
    };
    let besides = Besides {
        services,
        alpha: reflected.version == Version::V1Alpha,
    };
    put(BESIDES, &besides.encode_to_vec());
    out
}

/// What was remembered; or why these bytes are nothing of that kind.
pub fn recall(bytes: &Bytes, origin: &Arc<str>) -> Result<Reflected, String> {
    let files = raw::files_of(bytes)?;
    let set = Set::decode(bytes.clone()).map_err(|error| error.to_string())?;
    let besides = set
        .besides
        .ok_or("it does not say which services the application has")?;
    let names = besides.services.iter().map(|name| Arc::from(name.as_str()));
    let services = Services::Only(names.collect::<Vec<_>>().into());
    let files = files.into_iter().map(|bytes| {
        raw::head(&bytes)?;
        Ok(SourceFile {
            bytes,
            origin: Arc::clone(origin),
            services: services.clone(),
        })
    });
    let files = files.collect::<Result<Vec<_>, String>>()?;
    Ok(Reflected {
        digest: merge::digest(&files),
        files,
        problems: Vec::new(),
        version: if besides.alpha {
            Version::V1Alpha
        } else {
            Version::V1
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::builtin::pb;

    fn reflected(version: Version) -> Reflected {
        let files = raw::files_of(&pb::DESCRIPTORS.into()).unwrap();
        let services = Services::Only([Arc::from("a.S"), Arc::from("b.T")].into());
        let files: Vec<SourceFile> = files
            .into_iter()
            .map(|bytes| SourceFile {
                bytes,
                origin: Arc::from("reflection"),
                services: services.clone(),
            })
            .collect();
        Reflected {
            digest: merge::digest(&files),
            files,
            problems: Vec::new(),
            version,
        }
    }

    #[test]
    fn what_is_remembered_is_recalled() {
        for version in [Version::V1, Version::V1Alpha] {
            let told = reflected(version);
            let bytes = Bytes::from(remember(&told));
            let recalled = recall(&bytes, &Arc::from("reflection")).unwrap();
            assert_eq!(recalled.digest, told.digest);
            assert_eq!(recalled.version, version);
            assert_eq!(recalled.files.len(), told.files.len());
            // And it is a descriptor set for everybody else.
            let set = crate::source::descriptor_set::read_set(&bytes, &Arc::from("set"));
            assert!(set.problems.is_empty(), "{:?}", set.problems);
            assert_eq!(set.files.len(), told.files.len());
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let whole = remember(&reflected(Version::V1));
        let origin = Arc::from("reflection");
        for bytes in [
            &b""[..],
            b"text",
            &whole[..whole.len() - 1],
            pb::DESCRIPTORS,
        ] {
            assert!(recall(&Bytes::copy_from_slice(bytes), &origin).is_err());
        }
    }
}
