//! Several sources as one: [`merge`].
//!
//! A file of a stronger source replaces those of weaker ones that have its name, or that declare
//! what it declares under another name. What nobody brought is taken from memory, and the whole
//! gets a digest: same files, same digest, and nothing has to be compiled again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHasher;

use super::{Loaded, known, raw};
use crate::schema::compile::{Services, SourceFile};
use crate::schema::problem::{Location, Problem};

/// All sources together.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Every file once, imports before what imports them.
    pub files: Vec<SourceFile>,
    /// The problems of all sources, in their order, and those of merging them.
    pub problems: Vec<Problem>,
    /// Changes exactly when the files do.
    pub digest: u64,
}

/// Merges sources, the strongest first: files, then descriptor sets, then reflection.
pub fn merge(sources: impl IntoIterator<Item = Loaded>) -> Merged {
    let mut merging = Merging::default();
    let mut from_memory = Vec::new();
    for source in sources {
        merging.problems.extend(source.problems);
        let mut fresh = Vec::new();
        for file in source.files {
            match Entry::read(file) {
                // Copies from memory are the weakest, whichever source brought them.
                Ok(entry) if entry.is_from_memory() => from_memory.push(entry),
                Ok(entry) => fresh.push(entry),
                Err(problem) => merging.problems.push(*problem),
            }
        }
        merging.add_source(fresh);
    }
    merging.add_source(from_memory);
    merging.add_missing();
    let files = merging.ordered();
    Merged {
        digest: digest(&files),
        files,
        problems: merging.problems,
    }
}

/// A number that changes when one of the files does, or their order.
pub fn digest(files: &[SourceFile]) -> u64 {
    let mut hasher = FxHasher::default();
    for file in files {
        file.bytes.hash(&mut hasher);
        match &file.services {
            Services::All => 0_u8.hash(&mut hasher),
            Services::None => 1_u8.hash(&mut hasher),
            Services::Only(names) => names.hash(&mut hasher),
        }
    }
    hasher.finish()
}

#[derive(Default)]
struct Merging {
    /// By import name, so that nothing depends on the order in which a source lists its files.
    entries: BTreeMap<Arc<str>, Entry>,
    /// The file that declares a symbol, by its full name.
    symbols: HashMap<String, Arc<str>>,
    /// The files whose symbols are not among them yet: there may be no weaker source to ask.
    unread: Vec<Arc<str>>,
    problems: Vec<Problem>,
}

/// A file and what merging has to know of it.
struct Entry {
    file: SourceFile,
    name: Arc<str>,
    imports: Vec<String>,
}

impl Entry {
    fn read(file: SourceFile) -> Result<Self, Box<Problem>> {
        match raw::head(&file.bytes) {
            Ok(head) => Ok(Self {
                name: Arc::from(head.name),
                imports: head.dependency,
                file,
            }),
            Err(error) => Err(Box::new(Problem::error(
                Location::file(Arc::clone(&file.origin)),
                format!("a descriptor of it is broken: {error}"),
            ))),
        }
    }

    /// Full names of its messages, enums, services and extensions outside of messages. What is
    /// wrong with a file that they cannot be read of, the compiler of schemas tells.
    fn symbols(&self) -> Vec<String> {
        raw::declared(&self.file.bytes).map_or_else(|_told| Vec::new(), |read| read.symbols())
    }

    fn is_from_memory(&self) -> bool {
        *self.file.origin == *known::origin(&self.name)
    }
}

impl Merging {
    /// Adds the files of one source, all of which are weaker than what is there.
    fn add_source(&mut self, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        self.read_symbols();
        let mut added = Vec::with_capacity(entries.len());
        for entry in entries {
            if let Some(stronger) = self.entries.get_mut(&entry.name) {
                // Who replaces a file of the application speaks for its services as well.
                if stronger.file.services == Services::None {
                    stronger.file.services = entry.file.services;
                }
                continue;
            }
            if self.is_declared_elsewhere(&entry) {
                continue;
            }
            added.push(Arc::clone(&entry.name));
            self.entries.insert(Arc::clone(&entry.name), entry);
        }
        // Only now: files of one source do not replace each other.
        self.unread = added;
    }

    fn read_symbols(&mut self) {
        for name in std::mem::take(&mut self.unread) {
            let symbols = self.entries.get(&name).map(Entry::symbols);
            for symbol in symbols.unwrap_or_default() {
                let owner = self.symbols.entry(symbol);
                owner.or_insert_with(|| Arc::clone(&name));
            }
        }
    }

    /// Whether a stronger source declares the same under another file name: the roots of files
    /// on a disk are seldom those the application was built with.
    fn is_declared_elsewhere(&mut self, entry: &Entry) -> bool {
        if self.symbols.is_empty() {
            return false;
        }
        let symbols = entry.symbols();
        let owners = symbols.iter().map(|symbol| self.symbols.get(symbol));
        let owners = owners.collect::<Vec<_>>();
        let Some(owner) = owners.iter().find_map(|owner| *owner).map(Arc::clone) else {
            return false;
        };
        let lost = symbols.iter().zip(&owners);
        let lost = lost
            .filter(|(_, owner)| owner.is_none())
            .map(|(symbol, _)| symbol.as_str());
        let lost = lost.collect::<Vec<_>>();
        let stronger = self.entries.get_mut(&owner);
        if let Some(stronger) = stronger {
            if stronger.file.services == Services::None {
                stronger.file.services = entry.file.services.clone();
            }
            if !lost.is_empty() {
                self.problems.push(
                    Problem::warning(
                        Location::file(Arc::clone(&entry.file.origin)),
                        format!(
                            "{} is not used, since {owner} declares part of it; lost with it: {}",
                            entry.name,
                            lost.join(", "),
                        ),
                    )
                    .with_note(
                        Location::file(Arc::clone(&stronger.file.origin)),
                        "this one is used",
                    )
                    .with_help("bring the file up to date with what the application serves"),
                );
            }
        }
        true
    }

    /// Takes from memory what is imported and nobody brought.
    fn add_missing(&mut self) {
        let imported = self.entries.values().flat_map(|entry| &entry.imports);
        let missing = imported
            .map(String::as_str)
            .filter(|name| !self.entries.contains_key(*name))
            .collect::<HashSet<_>>();
        let mut missing = missing.into_iter().collect::<Vec<_>>();
        missing.sort_unstable();
        let found = known::files(&missing);
        // They are sound, and some may be there already as files of the user.
        self.add_source(
            found
                .into_iter()
                .filter_map(|file| Entry::read(file).ok())
                .collect(),
        );
    }

    /// The files with their imports before them; in a circle, by name.
    fn ordered(&mut self) -> Vec<SourceFile> {
        let mut order = Vec::with_capacity(self.entries.len());
        let mut seen = HashSet::new();
        for start in self.entries.keys() {
            let mut stack = vec![(start, 0)];
            while let Some((name, next)) = stack.last_mut() {
                let (name, import) = (*name, *next);
                *next += 1;
                if import == 0 && !seen.insert(name) {
                    stack.pop();
                    continue;
                }
                let Some(entry) = self.entries.get(name) else {
                    break;
                };
                match entry.imports.get(import) {
                    Some(import) => {
                        if let Some((import, _)) = self.entries.get_key_value(import.as_str()) {
                            stack.push((import, 0));
                        }
                    }
                    None => {
                        order.push(entry.file.clone());
                        stack.pop();
                    }
                }
            }
        }
        order
    }
}

#[cfg(test)]
mod tests;
