//! Tests of the whole compilation, and helpers for every test that needs a schema.

mod annotated;
mod arbitrary;
mod broken;
mod broken_files;
mod conflicts;
mod hostile;
mod http_rules;
mod made;
mod oracle;
mod reflection;
mod selection;
mod types;

use bytes::Bytes;
use prost::Message;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::compile::{Input, Services, SourceFile, compile};
use super::descriptor::FileDescriptorProto;
use super::problem::Problem;
use super::{Schema, builtin};

/// Proto texts by name, then the built-in imports.
struct Texts(Vec<(String, String)>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let own = self.0.iter().find(|(own, _)| own == name);
        let text = own
            .map(|(_, text)| text.as_str())
            .or_else(|| builtin::find(name))
            .ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}

/// A `FileDescriptorSet` whose files are left as they are: our structs drop what they do not know.
#[derive(Clone, PartialEq, Message)]
struct RawSet {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    file: Vec<Bytes>,
}

/// Compiles proto texts, given as (name, text), and what they import. Panics on what is not
/// proto. Only the given files offer services.
pub(crate) fn source_files(texts: &[(&str, &str)]) -> Vec<SourceFile> {
    let mut chain = ChainFileResolver::new();
    let own = texts
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    chain.add(Texts(own.collect()));
    chain.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(chain);
    compiler.include_imports(true).include_source_info(true);
    for (name, _) in texts {
        if let Err(error) = compiler.open_file(name) {
            panic!("{error:?}");
        }
    }
    // The typed set would lose the extensions.
    let set = compiler.encode_file_descriptor_set();
    let set = RawSet::decode(set.as_slice()).expect("protox writes a descriptor set");
    set.file
        .into_iter()
        .map(|bytes| source_file(bytes, texts))
        .collect()
}

fn source_file(bytes: Bytes, texts: &[(&str, &str)]) -> SourceFile {
    let file = FileDescriptorProto::decode(bytes.clone()).expect("protox writes descriptors");
    let own = texts.iter().any(|(name, _)| *name == file.name());
    SourceFile {
        bytes,
        origin: file.name().into(),
        services: if own { Services::All } else { Services::None },
    }
}

/// The input made of one proto text, `test.proto`.
pub(crate) fn input(text: &str) -> Input {
    Input {
        files: source_files(&[("test.proto", text)]),
        ..Input::default()
    }
}

/// The schema of one proto text, in which nothing may be wrong.
pub(crate) fn schema(text: &str) -> Schema {
    let (schema, problems) = compile(&input(text));
    assert!(problems.is_empty(), "{}", shown(&problems));
    schema
}

/// The input made of descriptors that no compiler had to accept.
pub(crate) fn raw_input(files: &[FileDescriptorProto]) -> Input {
    let files = files.iter().map(|file| SourceFile {
        bytes: file.encode_to_vec().into(),
        origin: file.name().into(),
        services: Services::All,
    });
    Input {
        files: files.collect(),
        ..Input::default()
    }
}

/// Problems as the user sees them.
pub(crate) fn shown(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    texts.join("\n")
}
