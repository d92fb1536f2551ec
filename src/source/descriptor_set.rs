//! Schemas from descriptor sets, as `protoc --descriptor_set_out` and `buf build` write them.
//!
//! Every file keeps the very bytes it has in the set: nothing is decoded and encoded again, so no
//! extension and no edition feature is ever lost here; a large set only loses most of its source
//! info (see `thin`). What is wrong inside of a file is for the schema's compiler to tell.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::{Loaded, raw, thin};
use crate::schema::compile::{Services, SourceFile};
use crate::schema::problem::{Location, Problem};

/// The largest set that is read.
pub const MAX_BYTES: u64 = 512 << 20;

/// Sets that are larger are read without most of their source info.
const LARGE: u64 = 16 << 20;

/// How a set is made, for those whose file is none.
const HOW: &str = "make one with protoc --include_imports --include_source_info -o set.binpb, or buf build -o set.binpb";

/// Reads a set from a file. This blocks.
pub fn load(path: &Path) -> Loaded {
    let origin: Arc<str> = path.display().to_string().into();
    let refuse = |message: String| Loaded {
        files: Vec::new(),
        problems: vec![Problem::error(Location::file(Arc::clone(&origin)), message)],
    };
    match read(path) {
        Err(error) => refuse(format!("cannot be read: {error}").to_lowercase()),
        Ok(bytes) if bytes.len() as u64 > MAX_BYTES => refuse(format!(
            "the descriptor set is longer than {} MiB",
            MAX_BYTES >> 20
        )),
        Ok(bytes) => read_set(&Bytes::from(bytes), &origin),
    }
}

/// The bytes of a file, or more of them than are allowed.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    if length > LARGE && length <= MAX_BYTES {
        let source = BufReader::with_capacity(1 << 16, file);
        if let Some(mut set) = thin::read(source, MAX_BYTES + 1)? {
            set.shrink_to_fit();
            return Ok(set);
        }
        file = fs::File::open(path)?;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(MAX_BYTES)).unwrap_or(0));
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a set from memory; `origin` names it to the user.
pub fn read_set(set: &Bytes, origin: &Arc<str>) -> Loaded {
    let place = || Location::file(Arc::clone(origin));
    let mut loaded = Loaded::default();
    let files = match raw::files_of(set) {
        Ok(files) => files,
        Err(error) => {
            let problem = Problem::error(place(), format!("not a descriptor set: {error}"));
            loaded.problems.push(problem.with_help(help(set)));
            return loaded;
        }
    };
    if files.is_empty() {
        let problem = Problem::error(place(), "the descriptor set is empty");
        loaded.problems.push(problem.with_help(HOW));
        return loaded;
    }
    let mut seen: HashMap<String, Bytes> = HashMap::with_capacity(files.len());
    for (index, bytes) in files.into_iter().enumerate() {
        let head = match raw::head(&bytes) {
            Ok(head) => head,
            Err(error) => {
                let message = format!("file {index} of the descriptor set is broken: {error}");
                loaded
                    .problems
                    .push(Problem::error(place(), message).with_help(HOW));
                continue;
            }
        };
        if let Some(first) = seen.get(&head.name) {
            if *first != bytes {
                let message = format!(
                    "{} is twice in the descriptor set: the first counts",
                    head.name
                );
                loaded.problems.push(Problem::warning(place(), message));
            }
            continue;
        }
        let is_import = head.buf.is_some_and(|buf| buf.is_import);
        loaded.files.push(SourceFile {
            bytes: bytes.clone(),
            origin: Arc::clone(origin),
            services: if is_import {
                Services::None
            } else {
                Services::All
            },
        });
        seen.insert(head.name, bytes);
    }
    loaded
}

/// What to do about bytes that are no set: people give the neighbour of the file they mean.
fn help(bytes: &[u8]) -> String {
    let start = bytes.trim_ascii_start();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return String::from("it is compressed: unpack it with gunzip first");
    }
    if start.starts_with(b"{") {
        return String::from("it is JSON: write the set in binary form, as .binpb");
    }
    let is_source = ["syntax", "edition", "//", "package", "import"];
    if is_source
        .iter()
        .any(|word| start.starts_with(word.as_bytes()))
    {
        return String::from("it is a proto file: give it by --proto");
    }
    HOW.to_owned()
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    fn file(name: &str, tail: &[u8]) -> Vec<u8> {
        let mut file = vec![0x0a, u8::try_from(name.len()).unwrap()];
        file.extend(name.as_bytes());
        file.extend(tail);
        file
    }

    fn set(files: &[Vec<u8>]) -> Bytes {
        let mut set = Vec::new();
        for file in files {
            set.extend([0x0a, u8::try_from(file.len()).unwrap()]);
            set.extend(file);
        }
        set.into()
    }

    fn read(set: &Bytes) -> Loaded {
        read_set(set, &Arc::from("s.binpb"))
    }

    fn problems(loaded: &Loaded) -> String {
        let problems = loaded.problems.iter().map(ToString::to_string);
        problems.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_file_keeps_its_bytes() {
        // An unknown field, and fields out of order.
        let files = [
            file("b.proto", b"\xfa\x3e\x03abc"),
            file("a.proto", b"\x72\x00\x1a\x07b.proto\x12\x01p"),
        ];
        let mut bytes = set(&files).to_vec();
        // Unknown fields between the files are nobody's.
        bytes.extend(b"\x12\x01x\x18\x05");
        let loaded = read(&bytes.into());
        assert_eq!(problems(&loaded), "");
        assert_eq!(loaded.files.len(), 2);
        for (file, expected) in loaded.files.iter().zip(files) {
            assert_eq!(file.bytes, expected);
            assert_eq!(file.services, Services::All);
            assert_eq!(&*file.origin, "s.binpb");
        }
    }

    #[test]
    fn the_imports_of_a_buf_image_offer_no_services() {
        let loaded = read(&set(&[
            file("i.proto", b"\xd2\xf6\x03\x02\x08\x01"),
            file("o.proto", b"\xd2\xf6\x03\x02\x08\x00"),
        ]));
        assert_eq!(problems(&loaded), "");
        let services = loaded.files.iter().map(|file| file.services.clone());
        assert_eq!(
            services.collect::<Vec<_>>(),
            [Services::None, Services::All]
        );
    }

    #[test]
    fn junk_is_told_with_what_to_do() {
        for (bytes, expected) in [
            (
                &b""[..],
                "s.binpb: error: the descriptor set is empty\n  help: make one with",
            ),
            (
                b"\x0a\x05abc",
                "s.binpb: error: not a descriptor set: it is cut off",
            ),
            (
                b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                "it is cut off",
            ),
            (b"\x1f\x8b\x08", "help: it is compressed"),
            (b" {\"file\":[]}", "help: it is JSON"),
            (
                b"syntax = \"proto3\";",
                "help: it is a proto file: give it by --proto",
            ),
            (
                b"\x0a\x02\x0a\x05",
                "file 0 of the descriptor set is broken: ",
            ),
            (
                b"\x0a\x00",
                "file 0 of the descriptor set is broken: a file in it has no name",
            ),
            (
                b"\x0a\x03\x0a\x01\xff",
                "file 0 of the descriptor set is broken: ",
            ),
        ] {
            let told = problems(&read(&Bytes::from_static(bytes)));
            assert!(told.contains(expected), "{expected} in {told}");
        }
    }

    #[test]
    fn a_broken_file_and_a_double_one_do_not_hide_the_others() {
        let loaded = read(&set(&[
            file("a.proto", b""),
            vec![0xff],
            file("a.proto", b"\x12\x01p"),
            file("b.proto", b""),
            file("b.proto", b""),
        ]));
        assert_eq!(loaded.files.len(), 2);
        let told = problems(&loaded);
        assert!(
            told.contains("file 1 of the descriptor set is broken"),
            "{told}"
        );
        assert!(
            told.contains("warning: a.proto is twice in the descriptor set"),
            "{told}"
        );
        assert_eq!(loaded.problems.len(), 2);
    }

    #[test]
    fn a_file_is_read_from_disk() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("s.binpb");
        let told = problems(&load(&path));
        assert!(told.contains("cannot be read: no such file"), "{told}");
        fs::write(&path, crate::schema::builtin::pb::DESCRIPTORS).unwrap();
        let loaded = load(&path);
        assert_eq!(problems(&loaded), "");
        let decoded =
            crate::schema::descriptor::FileDescriptorProto::decode(loaded.files[0].bytes.clone());
        assert_eq!(
            decoded.unwrap().name.as_deref(),
            Some("google/protobuf/duration.proto")
        );
    }
}
