//! The descriptor files of an [`Input`](super::compile::Input), read as far as all the passes
//! need them.
//!
//! A pass decodes one file, takes what it needs and drops it again: the tables of a large schema
//! and the structs of all its descriptors are never in memory at once.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use rustc_hash::{FxHashMap, FxHashSet};

use super::compile::{Services, SourceFile};
use super::descriptor::FileDescriptorProto;
use super::features::{Edition, Features};
use super::name;
use super::place::{Places, step};
use super::problem::{Location, Problem};
use super::view;

/// One descriptor file.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Its place among all files.
    pub(super) index: u32,
    /// Its import name.
    pub(super) name: Arc<str>,
    /// Its package, possibly empty.
    pub(super) package: Box<str>,
    /// An encoded `FileDescriptorProto`, untouched.
    pub(super) bytes: Bytes,
    /// Which of its services are offered: none of a file whose edition is not known.
    pub(super) services: Services,
    /// What its declarations inherit.
    pub(super) features: Features,
    /// The names of the files it imports.
    pub(super) dependencies: Vec<String>,
    /// Those of them that nobody loaded, each with its index.
    pub(super) not_loaded: Vec<(i32, String)>,
    /// Where things stand in it.
    pub(super) places: Places,
}

/// The name of a file and nothing else of it.
#[derive(Clone, PartialEq, Message)]
struct NameOnly {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
}

impl Loaded {
    /// What the passes need of it; it could be read once, so it can be read again.
    pub(super) fn view(&self) -> view::File<'_> {
        view::File::read(&self.bytes).unwrap_or_default()
    }

    /// The whole descriptor.
    pub(super) fn decode(&self) -> FileDescriptorProto {
        FileDescriptorProto::decode(self.bytes.clone()).unwrap_or_default()
    }

    /// What to do about a type that nobody declares.
    pub(super) fn help_for_missing(&self) -> String {
        const MOST: usize = 3;
        let first = self.not_loaded.iter().take(MOST);
        let mut names: Vec<String> = first.map(|(_, name)| quoted(name)).collect();
        match self.not_loaded.len().saturating_sub(MOST) {
            0 => {}
            more => names.push(format!("{more} more")),
        }
        if names.is_empty() {
            return "load the file that declares it".to_owned();
        }
        format!("load what this file imports: {}", names.join(", "))
    }
}

/// Reads all files, in order, and gives each that is sound to `each`. Of two files with one name
/// the later one counts, and nobody asks whether the other was sound.
pub(super) fn load(
    files: &[SourceFile],
    problems: &mut Vec<Problem>,
    mut each: impl FnMut(&Loaded, &view::File<'_>, &mut Vec<Problem>),
) -> Vec<Loaded> {
    let names: Vec<Option<String>> = files.iter().map(name_of).collect();
    let mut latest: FxHashMap<&str, usize> = FxHashMap::default();
    for (at, name) in names.iter().enumerate() {
        latest.extend(name.as_deref().map(|name| (name, at)));
    }
    let mut loaded = Vec::new();
    for (at, (file, name)) in files.iter().zip(&names).enumerate() {
        let last = name.as_deref().and_then(|name| latest.get(name));
        if last.is_some_and(|last| *last != at) {
            continue;
        }
        match read(file, name.as_deref().unwrap_or_default(), problems) {
            Ok((mut file, proto)) => {
                let Ok(index) = u32::try_from(loaded.len()) else {
                    break;
                };
                file.index = index;
                each(&file, &proto, problems);
                loaded.push(file);
            }
            Err(problem) => problems.push(*problem),
        }
    }
    let names: FxHashSet<Arc<str>> = loaded.iter().map(|file| Arc::clone(&file.name)).collect();
    for file in &mut loaded {
        file.not_loaded = (0..)
            .zip(&file.dependencies)
            .filter(|(_, name)| !names.contains(name.as_str()))
            .map(|(at, name)| (at, name.clone()))
            .collect();
    }
    loaded
}

fn quoted(name: &str) -> String {
    format!("`{}`", name::show(name))
}

/// The name of a file, even of one that cannot be decoded beyond it.
fn name_of(file: &SourceFile) -> Option<String> {
    NameOnly::decode(file.bytes.clone()).ok()?.name
}

fn read<'f>(
    file: &'f SourceFile,
    name: &str,
    problems: &mut Vec<Problem>,
) -> Result<(Loaded, view::File<'f>), Box<Problem>> {
    let mut places = Places::new(shown(&file.origin, name));
    let proto = view::File::read(&file.bytes).map_err(|view::Broken| {
        let text = match FileDescriptorProto::decode(file.bytes.clone()) {
            Err(error) => format!("the descriptor cannot be decoded: {error}"),
            Ok(_) => "the descriptor cannot be decoded".to_owned(),
        };
        Problem::error(places.whole(), text)
            .with_help("write the descriptor anew with protoc or buf")
    })?;
    places.set_info(
        proto
            .source_code_info
            .map(|info| file.bytes.slice_ref(info)),
    );
    if name.is_empty() {
        return Err(Box::new(Problem::error(
            places.whole(),
            "the descriptor has no file name",
        )));
    }
    let package = proto.package;
    if !package.is_empty() && !name::is_qualified(package) {
        return Err(Box::new(Problem::error(
            places.at(&[step::FILE_PACKAGE]),
            format!("package `{}` is not a dotted name", name::show(package)),
        )));
    }
    let (features, services) = match Features::of_file(&proto) {
        Ok(features) => (features, file.services.clone()),
        Err(unknown) => {
            problems.push(
                Problem::error(
                    syntax_place(&places),
                    format!("{unknown}: the services of this file are left out"),
                )
                .with_help("update the gateway, or use edition 2024 or an older one"),
            );
            // Its types still serve the files that import them, by the rules known last.
            (Edition::Edition2024.defaults(), Services::None)
        }
    };
    let loaded = Loaded {
        index: 0,
        name: name.into(),
        package: package.into(),
        bytes: file.bytes.clone(),
        services,
        features,
        dependencies: proto
            .dependency
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        not_loaded: Vec::new(),
        places,
    };
    Ok((loaded, proto))
}

/// Where the syntax or edition is stated; compilers do not agree on the path of an edition.
fn syntax_place(places: &Places) -> Location {
    let edition = places.at(&[step::FILE_EDITION]);
    if edition.line > 0 {
        return edition;
    }
    places.at(&[step::FILE_SYNTAX])
}

/// How a file is named to the user: as its origin, and as itself where the origin holds many.
fn shown(origin: &Arc<str>, name: &str) -> Arc<str> {
    if origin.is_empty() {
        return name.into();
    }
    let is_path_of = |rest: &str| rest.is_empty() || rest.ends_with(['/', '\\']);
    if name.is_empty() || origin.strip_suffix(name).is_some_and(is_path_of) {
        return Arc::clone(origin);
    }
    format!("{origin}: {}", name::show(name)).into()
}
