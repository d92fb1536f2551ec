//! [`Files`]: the descriptor files of a schema as the bytes they came in, for reflection and
//! for `/schema`.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use rustc_hash::FxHashMap;

use super::load::Loaded;
use super::name;
use super::view;

/// The raw descriptor files of a schema.
#[derive(Debug, Default)]
pub struct Files {
    /// Every file, in an order in which imports come first.
    pub files: Vec<File>,
    /// Index into `files` by name.
    pub by_name: FxHashMap<Arc<str>, u32>,
    /// See [`Files::declaring`]; made when the first symbol is asked for.
    symbols: OnceLock<Symbols>,
    /// Index into `files` and the number, by the full name of the extended message; ascending by
    /// number.
    pub extensions: Extensions,
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

/// Number and index into the files, by the full name of the extended message.
pub type Extensions = FxHashMap<Arc<str>, Vec<(i32, u32)>>;

/// The file of every full name, by a hash of the name: a large schema has a million of them,
/// whose text would take more memory than all the rest. Two names of one hash are less likely
/// than a broken disk, and would only show a reader of reflection the wrong file.
#[derive(Debug, Default)]
struct Symbols(FxHashMap<u64, u32>);

impl Files {
    /// The file that declares a message, enum, service, method, field, oneof, enum value or
    /// extension, by its full name without a leading dot.
    pub fn declaring(&self, symbol: &str) -> Option<u32> {
        let symbols = self.symbols.get_or_init(|| Symbols::of(&self.files));
        symbols.find(symbol)
    }

    /// Puts the files in order. The extensions name a file by its place in `loaded`.
    pub(super) fn build(
        loaded: &[Loaded],
        mut extensions: Extensions,
        services: Vec<Arc<str>>,
    ) -> Self {
        let known: FxHashMap<&str, u32> = (0..)
            .zip(loaded)
            .map(|(index, file)| (&*file.name, index))
            .collect();
        let imports: Vec<Vec<u32>> = loaded
            .iter()
            .map(|file| {
                let names = file.dependencies.iter();
                names
                    .filter_map(|name| known.get(name.as_str()).copied())
                    .collect()
            })
            .collect();
        let order = imports_first(&imports);
        let mut place = vec![0_u32; loaded.len()];
        for (at, index) in (0..).zip(&order) {
            if let Some(place) = place.get_mut(*index as usize) {
                *place = at;
            }
        }
        let placed = |index: u32| place.get(index as usize).copied().unwrap_or(0);
        let pick = |index: &u32| {
            let index = *index as usize;
            Some((loaded.get(index)?, imports.get(index)?))
        };
        let files: Vec<File> = order
            .iter()
            .filter_map(pick)
            .map(|(file, imports)| File {
                name: Arc::clone(&file.name),
                bytes: file.bytes.clone(),
                imports: imports.iter().map(|index| placed(*index)).collect(),
            })
            .collect();
        for numbers in extensions.values_mut() {
            numbers
                .iter_mut()
                .for_each(|(_, file)| *file = placed(*file));
            numbers.sort_unstable();
            numbers.dedup_by_key(|(number, _)| *number);
        }
        let by_name = (0..)
            .zip(&files)
            .map(|(at, file)| (Arc::clone(&file.name), at))
            .collect();
        Self {
            files,
            by_name,
            symbols: OnceLock::new(),
            extensions,
            services,
        }
    }
}

impl Symbols {
    /// All that is declared in the files, which were read once and can be read again.
    fn of(files: &[File]) -> Self {
        let mut symbols = Self::default();
        for (at, file) in (0..).zip(files) {
            let Ok(proto) = view::File::read(&file.bytes) else {
                continue;
            };
            let scope = proto.package;
            for message in &proto.message_type {
                symbols.add_message(scope, message, at);
            }
            for enumeration in &proto.enum_type {
                symbols.add_enum(scope, enumeration, at);
            }
            for service in &proto.service {
                symbols.add(scope, service.name(), at);
                let full = name::join(scope, service.name());
                for method in &service.method {
                    symbols.add(&full, method.name(), at);
                }
            }
            for extension in &proto.extension {
                symbols.add(scope, extension.name, at);
            }
        }
        symbols.0.shrink_to_fit();
        symbols
    }

    fn add_message(&mut self, scope: &str, message: &view::Message<'_>, file: u32) {
        self.add(scope, message.name, file);
        let full = name::join(scope, message.name);
        let fields = message.field.iter().chain(&message.extension);
        let oneofs = message.oneof_decl.iter().map(|oneof| oneof.name);
        for name in fields.map(|field| field.name).chain(oneofs) {
            self.add(&full, name, file);
        }
        for nested in &message.nested_type {
            self.add_message(&full, nested, file);
        }
        for nested in &message.enum_type {
            self.add_enum(&full, nested, file);
        }
    }

    /// The values of an enum are its siblings, not its children.
    fn add_enum(&mut self, scope: &str, enumeration: &view::Enum<'_>, file: u32) {
        let values = enumeration.value.iter().map(|(name, _)| *name);
        for name in values.chain([enumeration.name]) {
            self.add(scope, name, file);
        }
    }

    /// Remembers `scope.name`; of two files that declare it the first counts.
    fn add(&mut self, scope: &str, name: &str, file: u32) {
        let hash = if scope.is_empty() {
            hash(START, name)
        } else {
            hash(hash(hash(START, scope), "."), name)
        };
        self.0.entry(hash).or_insert(file);
    }

    fn find(&self, full_name: &str) -> Option<u32> {
        self.0.get(&hash(START, full_name)).copied()
    }
}

/// FNV-1a, which hashes a name in parts as it does the whole.
fn hash(state: u64, text: &str) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    text.bytes().fold(state, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    })
}

/// Where FNV-1a begins.
const START: u64 = 0xcbf2_9ce4_8422_2325;

/// An order of all files in which a file stands after those it imports; a cycle, which no
/// compiler writes, is cut where it is entered.
fn imports_first(imports: &[Vec<u32>]) -> Vec<u32> {
    let mut seen = vec![false; imports.len()];
    let mut order = Vec::with_capacity(imports.len());
    // Files that are entered, each with the number of its imports already looked at.
    let mut stack: Vec<(u32, usize)> = Vec::new();
    let mut enter = |index: u32, stack: &mut Vec<(u32, usize)>| {
        if let Some(seen @ false) = seen.get_mut(index as usize) {
            *seen = true;
            stack.push((index, 0));
        }
    };
    for (index, _) in (0..).zip(imports) {
        enter(index, &mut stack);
        while let Some((file, next)) = stack.last_mut() {
            let import = imports
                .get(*file as usize)
                .and_then(|imports| imports.get(*next));
            *next += 1;
            match import {
                Some(import) => enter(*import, &mut stack),
                None => order.extend(stack.pop().map(|(file, _)| file)),
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::{Symbols, imports_first};

    #[test]
    fn imports_stand_before_what_imports_them() {
        let rows: &[(&[&[u32]], &[u32])] = &[
            (&[], &[]),
            (&[&[1], &[]], &[1, 0]),
            (&[&[1, 2], &[2], &[]], &[2, 1, 0]),
            (&[&[], &[0], &[0, 1]], &[0, 1, 2]),
            (&[&[1], &[0]], &[1, 0]),
            (&[&[0]], &[0]),
            (&[&[7]], &[0]),
        ];
        for (imports, expected) in rows {
            let imports: Vec<Vec<u32>> = imports.iter().map(|list| list.to_vec()).collect();
            assert_eq!(imports_first(&imports), *expected, "{imports:?}");
        }
    }

    #[test]
    fn a_long_chain_of_imports_needs_no_deep_stack() {
        let imports: Vec<Vec<u32>> = (1..=100_000).map(|next| vec![next]).collect();
        assert_eq!(imports_first(&imports).len(), 100_000);
    }

    #[test]
    fn a_symbol_is_found_however_it_was_put_together() {
        let mut symbols = Symbols::default();
        symbols.add("a.b", "C", 1);
        symbols.add("a", "b.C", 2);
        symbols.add("", "D", 3);
        assert_eq!(symbols.find("a.b.C"), Some(1));
        assert_eq!(symbols.find("D"), Some(3));
        assert_eq!(symbols.find("a.b"), None);
    }
}
