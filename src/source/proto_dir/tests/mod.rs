//! Directories of protos, written for each case, and what comes of them.

mod broken;
mod edition;
mod layout;
mod linked;

use std::fs;
use std::path::PathBuf;

use prost::Message;
use prost_reflect::DescriptorPool;
use tempfile::TempDir;

use super::{Params, load};
use crate::schema::compile::Services;
use crate::schema::descriptor::FileDescriptorProto;
use crate::source::Loaded;

/// A directory that vanishes after the test.
struct Disk {
    folder: TempDir,
    params: Params,
}

impl Disk {
    fn new(files: &[(&str, &str)]) -> Self {
        let disk = Self {
            folder: TempDir::new().unwrap(),
            params: Params {
                protos: Vec::new(),
                includes: Vec::new(),
                tools: Vec::new(),
            },
        };
        for (name, text) in files {
            disk.write(name, text.as_bytes());
        }
        disk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn proto(mut self, name: &str) -> Self {
        self.params.protos.push(self.path(name));
        self
    }

    fn include(mut self, name: &str) -> Self {
        self.params.includes.push(self.path(name));
        self
    }

    fn load(&self) -> Outcome {
        let Loaded { files, problems } = load(&self.params);
        let folder = format!("{}/", self.folder.path().display());
        let files = files
            .into_iter()
            .map(|file| {
                let decoded = FileDescriptorProto::decode(file.bytes.clone()).unwrap();
                let origin = file.origin.replace(&folder, "");
                (decoded, file.bytes, origin, file.services)
            })
            .collect();
        let problems = problems.iter().map(|problem| {
            let text = problem.to_string().replace(&folder, "");
            text.replace(folder.trim_end_matches('/'), ".")
        });
        Outcome {
            files,
            problems: problems.collect(),
        }
    }
}

/// What was loaded, paths relative to the directory of the test.
struct Outcome {
    files: Vec<(FileDescriptorProto, bytes::Bytes, String, Services)>,
    problems: Vec<String>,
}

impl Outcome {
    fn names(&self) -> Vec<&str> {
        let names = self.files.iter().map(|(file, ..)| file.name.as_deref());
        names.map(Option::unwrap).collect()
    }

    /// The names of the user's own files.
    fn own(&self) -> Vec<&str> {
        let mut names = self.names();
        names.retain(|name| !name.starts_with("google/"));
        names
    }

    fn file(&self, name: &str) -> &FileDescriptorProto {
        let found = self
            .files
            .iter()
            .find(|(file, ..)| file.name.as_deref() == Some(name));
        &found.unwrap().0
    }

    /// Everything in one pool: this fails unless imports come before what imports them.
    fn pool(&self) -> DescriptorPool {
        let mut pool = DescriptorPool::new();
        for (_, bytes, ..) in &self.files {
            pool.decode_file_descriptor_proto(bytes.clone()).unwrap();
        }
        pool
    }

    #[track_caller]
    fn assert_problems(&self, expected: &[&str]) {
        assert_eq!(self.problems.join("\n"), expected.join("\n"));
    }
}

/// A minimal proto3 file.
fn file(package: &str, rest: &str) -> String {
    format!("syntax = \"proto3\"; package {package};\n{rest}")
}
