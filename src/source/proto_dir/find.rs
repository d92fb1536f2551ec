//! Finding files: those that the user named, and for every import the file it means.
//!
//! An import is looked for below the roots, then among the listed files by the end of their names,
//! then in memory.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{self, Listed, Roots};
use super::graph::{From, Graph, Node, Target};
use super::scan::{self, Import, Position};
use crate::schema::builtin;
use crate::schema::problem::{Location, Problem};
use crate::source::known;

/// Everything that `listed` files need, as far as it can be found.
pub(super) fn build(roots: &Roots, listed: Vec<Listed>, problems: &mut Vec<Problem>) -> Graph {
    let mut builder = Builder::new(roots, problems);
    for file in listed {
        builder.list(file);
    }
    builder.follow_imports();
    builder.pass_over_copies();
    builder.settle_names();
    builder.graph
}

/// The files of these names, and what they import, from memory.
pub(super) fn of_builtins(names: &[&str]) -> Graph {
    let (roots, mut problems) = (Roots::default(), Vec::new());
    let mut builder = Builder::new(&roots, &mut problems);
    for name in names {
        let found = builder.graph.find(name);
        let found = found.or_else(|| builder.open_from_memory(name));
        if let Some(node) = found.and_then(|at| builder.graph.nodes.get_mut(at)) {
            node.listed = true;
        }
    }
    builder.follow_imports();
    builder.graph
}

struct Builder<'a> {
    roots: &'a Roots,
    problems: &'a mut Vec<Problem>,
    graph: Graph,
    by_path: HashMap<PathBuf, usize>,
    /// Listed files by the last part of their names.
    by_ending: HashMap<String, Vec<usize>>,
}

impl<'a> Builder<'a> {
    fn new(roots: &'a Roots, problems: &'a mut Vec<Problem>) -> Self {
        Self {
            roots,
            problems,
            graph: Graph {
                nodes: Vec::new(),
                by_name: HashMap::new(),
            },
            by_path: HashMap::new(),
            by_ending: HashMap::new(),
        }
    }

    fn follow_imports(&mut self) {
        let mut at = 0;
        while let Some(node) = self.graph.nodes.get(at) {
            let imports = node.head.imports.clone();
            let targets = imports.iter().map(|import| self.import(at, import));
            let targets = targets.collect();
            if let Some(node) = self.graph.nodes.get_mut(at) {
                node.imports = targets;
            }
            at += 1;
        }
    }

    fn list(&mut self, file: Listed) {
        let is_google = |name: &str| known::google(name).is_some();
        if endings(&file.name).any(is_google) {
            // The compiler's own copies of these are the ones it works with.
            return;
        }
        let real = real(&file.path);
        if let Some(&known) = self.by_path.get(&real) {
            // The same file below two roots, or by a link.
            self.graph.by_name.entry(file.name).or_insert(known);
            if let Some(node) = self.graph.nodes.get_mut(known) {
                node.listed = true;
            }
            return;
        }
        if let Some(first) = self.graph.find(&file.name) {
            self.shadowed(&file, first);
            return;
        }
        let at = self.add_disk(&file.name, &file.path, real, true);
        let ending = last_part(&file.name).to_owned();
        self.by_ending.entry(ending).or_default().push(at);
    }

    /// Two files of one name below two roots: the first root's counts.
    fn shadowed(&mut self, file: &Listed, first: usize) {
        let Some(first) = self.graph.nodes.get(first) else {
            return;
        };
        let same = fs::read(&file.path).is_ok_and(|bytes| {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            first
                .text
                .as_ref()
                .is_some_and(|text| text.as_bytes() == bytes)
        });
        if !same {
            self.problems.push(
                Problem::warning(
                    Location::file(disk::name_of(&file.path)),
                    format!(
                        "another file is already called {}: this one is not used",
                        file.name
                    ),
                )
                .with_note(
                    Location::file(Arc::clone(&first.origin)),
                    "this one is used",
                )
                .with_help("keep one of them, or change the order of the directories"),
            );
        }
    }

    /// The file that an import names.
    fn import(&mut self, importer: usize, import: &Import) -> Target {
        let name = import.name.as_str();
        let found = self.graph.find(name).or_else(|| self.open(name));
        if found.is_none()
            && let Some(sibling) = self.sibling(importer, import)
        {
            // Only for this file: another directory may have one of that name as well.
            if let Some(node) = self.graph.nodes.get_mut(sibling) {
                node.near_as.insert(name.to_owned());
            }
            return Target::Node(sibling);
        }
        let found = found.or_else(|| self.only_one(importer, import));
        let Some(found) = found.or_else(|| self.open_from_memory(name)) else {
            return Target::Missing;
        };
        self.graph.by_name.insert(name.to_owned(), found);
        if let Some(node) = self.graph.nodes.get_mut(found) {
            node.imported_as.insert(name.to_owned());
        }
        Target::Node(found)
    }

    /// A file below one of the roots.
    fn open(&mut self, name: &str) -> Option<usize> {
        if known::google(name).is_some() {
            return None;
        }
        let path = self.roots.find(name)?;
        let real = real(&path);
        let known = self.by_path.get(&real).copied();
        Some(known.unwrap_or_else(|| self.add_disk(name, &path, real, false)))
    }

    /// A listed file that lies as the import says, seen from the importer's directory.
    fn sibling(&mut self, importer: usize, import: &Import) -> Option<usize> {
        let node = self
            .graph
            .nodes
            .get(importer)
            .filter(|node| node.from == From::Disk)?;
        let (folder, _) = node.name.rsplit_once('/')?;
        let found = self.graph.find(&format!("{folder}/{}", import.name))?;
        self.tell_adopted(importer, import, found);
        Some(found)
    }

    /// A listed file that the import names from a directory above its root, or the only one whose
    /// name ends as the import says, as it is in a `third_party` directory.
    fn only_one(&mut self, importer: usize, import: &Import) -> Option<usize> {
        let is_for_memory = known::google(&import.name).is_some();
        let candidates = self
            .by_ending
            .get(last_part(&import.name))
            .filter(|_| !is_for_memory)?;
        let above = self.roots.suggest(&import.name);
        let above = above.and_then(|folder| self.by_path.get(&real(&folder.join(&import.name))));
        if let Some(&found) = above {
            self.tell_adopted(importer, import, found);
            return Some(found);
        }
        let ending = format!("/{}", import.name);
        let mut candidates = candidates.iter().copied().filter(|&at| {
            let node = self.graph.nodes.get(at);
            node.is_some_and(|node| node.name.ends_with(&ending))
        });
        let found = candidates.next().filter(|&found| found != importer)?;
        if candidates.next().is_some() {
            return None;
        }
        self.tell_adopted(importer, import, found);
        Some(found)
    }

    /// No other compiler would have found this file.
    fn tell_adopted(&mut self, importer: usize, import: &Import, found: usize) {
        let nodes = &self.graph.nodes;
        let (Some(node), Some(found)) = (nodes.get(importer), nodes.get(found)) else {
            return;
        };
        let message = format!("import `{}` is found only as {}", import.name, found.origin);
        let root = found.origin.strip_suffix(import.name.as_str());
        let root = root
            .and_then(|root| root.strip_suffix('/'))
            .map(PathBuf::from);
        let root = root.or_else(|| self.roots.suggest(&import.name));
        let root = root.unwrap_or_else(|| PathBuf::from("."));
        let help = format!(
            "other compilers need to be told: --include {}",
            root.display()
        );
        self.problems
            .push(Problem::warning(import.at.within(&node.origin), message).with_help(help));
    }

    fn open_from_memory(&mut self, name: &str) -> Option<usize> {
        let own = builtin::own_name(name);
        if own != name {
            // One file by two names: perhaps it is there by the other.
            let found = self.graph.find(own).or_else(|| self.open(own));
            if found.is_some() {
                return found;
            }
        }
        let origin = Arc::from(known::origin(own));
        if let Some(text) = builtin::find(own) {
            let text = Some(Cow::Borrowed(text));
            return Some(self.add(Node::new(own, origin, text, From::Builtin)));
        }
        let google = known::google(name)?;
        let mut node = Node::new(name, origin, None, From::Google);
        node.head.imports = google
            .dependency
            .into_iter()
            .map(|name| Import {
                name,
                at: Position { line: 0, column: 0 },
            })
            .collect();
        Some(self.add(node))
    }

    fn add_disk(&mut self, name: &str, path: &Path, real: PathBuf, listed: bool) -> usize {
        let text = match disk::read(path) {
            Ok(text) => Some(Cow::Owned(text)),
            Err(problem) => {
                self.problems.push(*problem);
                None
            }
        };
        let mut node = Node::new(name, disk::name_of(path), text, From::Disk);
        node.listed = listed;
        let at = self.add(node);
        self.by_path.insert(real, at);
        at
    }

    fn add(&mut self, node: Node) -> usize {
        let at = self.graph.nodes.len();
        self.graph.by_name.insert(node.name.to_string(), at);
        self.graph.nodes.push(node);
        at
    }

    /// A vendored copy of a file that everybody knows, which nothing imports, is not what the user
    /// wants to be served; it would only clash with the one that is imported.
    fn pass_over_copies(&mut self) {
        for node in &mut self.graph.nodes {
            let is_imported = !node.imported_as.is_empty() || !node.near_as.is_empty();
            if node.from == From::Disk && !is_imported {
                let mut inner = endings(&node.name).skip(1);
                node.listed &= !inner.any(|name| builtin::find(name).is_some());
            }
        }
    }

    /// A file that is listed by one name and imported by another goes by the latter; one that is
    /// imported by several is told.
    fn settle_names(&mut self) {
        for node in &mut self.graph.nodes {
            if node.imported_as.contains(&*node.name) || node.imported_as.is_empty() {
                continue;
            }
            if let Some(name) = node.imported_as.first() {
                node.name = Arc::from(name.as_str());
            }
        }
        for node in &self.graph.nodes {
            // Other names of built-in files are ours to know.
            if node.imported_as.len() > 1 && node.from == From::Disk {
                let names = node.imported_as.iter().map(String::as_str);
                let names = names.collect::<Vec<_>>().join("` and `");
                self.problems.push(
                    Problem::warning(
                        Location::file(Arc::clone(&node.origin)),
                        format!(
                            "the file is imported as `{names}`; it goes by `{}`",
                            node.name
                        ),
                    )
                    .with_help("import it by one name: other compilers refuse two"),
                );
            }
        }
    }
}

impl Node {
    fn new(name: &str, origin: Arc<str>, text: Option<Cow<'static, str>>, from: From) -> Self {
        Self {
            name: Arc::from(name),
            origin,
            head: text.as_deref().map(scan::scan).unwrap_or_default(),
            text,
            from,
            listed: false,
            imports: Vec::new(),
            imported_as: BTreeSet::new(),
            near_as: BTreeSet::new(),
        }
    }
}

/// `a/b/c`, `b/c` and `c`.
fn endings(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| Some(name.split_once('/')?.1))
}

/// The name of a file without its directories.
fn last_part(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, last)| last)
}

/// The file behind all links.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
