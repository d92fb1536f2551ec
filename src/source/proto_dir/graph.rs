//! Which files there are and which imports which: every file once, however many names lead to it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{self, Listed, Roots};
use super::scan::{self, Head, Import, Position};
use crate::schema::builtin;
use crate::schema::problem::{Location, Problem};
use crate::source::known;

/// Files and their imports.
#[derive(Debug)]
pub(super) struct Graph {
    /// The files: those of the user in order, then what they import.
    pub(super) nodes: Vec<Node>,
    by_name: HashMap<String, usize>,
}

/// One file.
#[derive(Debug)]
pub(super) struct Node {
    /// Its import name.
    pub(super) name: Arc<str>,
    /// How it is named to the user.
    pub(super) origin: Arc<str>,
    /// Its text; `None` when it could not be read, or when it has none (`google/protobuf`).
    pub(super) text: Option<Cow<'static, str>>,
    /// Where the text is from.
    pub(super) from: From,
    /// Whether the user asked for it; else something imports it.
    pub(super) listed: bool,
    /// Its edition and imports.
    pub(super) head: Head,
    /// What each import of the head leads to.
    pub(super) imports: Vec<Target>,
    /// The names by which others import it.
    imported_as: BTreeSet<String>,
}

/// What an import leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// This file.
    Node(usize),
    /// Nowhere: there is no such file.
    Missing,
    /// Nowhere, since it would close a circle.
    Cut,
}

/// Where a file is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// The disk.
    Disk,
    /// The built-in texts.
    Builtin,
    /// The descriptors of `google/protobuf` that the compiler carries.
    Google,
}

impl Graph {
    /// Everything that `listed` files need, as far as it can be found.
    pub(super) fn build(roots: &Roots, listed: Vec<Listed>, problems: &mut Vec<Problem>) -> Self {
        let mut builder = Builder::new(roots, problems);
        for file in listed {
            builder.list(file);
        }
        builder.follow_imports();
        builder.settle_names();
        builder.graph
    }

    /// The files of these names, and what they import, from memory.
    pub(super) fn of_builtins(names: &[&str]) -> Self {
        let (roots, mut problems) = (Roots::default(), Vec::new());
        let mut builder = Builder::new(&roots, &mut problems);
        for name in names {
            let found = builder.graph.find(name).or_else(|| builder.open(name));
            if let Some(node) = found.and_then(|at| builder.graph.nodes.get_mut(at)) {
                node.listed = true;
            }
        }
        builder.follow_imports();
        builder.graph
    }

    /// A file by any of its names.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The files with their imports before them. Of a circle the import that closes it is cut:
    /// it is set to lead nowhere and told.
    pub(super) fn order(&mut self, problems: &mut Vec<Problem>) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut state = vec![State::New; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mut stack = vec![(start, 0)];
            while let Some((at, next)) = stack.last_mut() {
                let (at, import) = (*at, *next);
                *next += 1;
                let Some(state_of) = state.get_mut(at) else {
                    break;
                };
                if *state_of == State::Done {
                    stack.pop();
                    continue;
                }
                *state_of = State::Open;
                let node = self.nodes.get(at);
                match node.and_then(|node| node.imports.get(import)) {
                    Some(Target::Missing | Target::Cut) => {}
                    Some(&Target::Node(to)) => match state.get(to) {
                        Some(State::New) => stack.push((to, 0)),
                        Some(State::Open) => self.cut(at, import, &stack, problems),
                        Some(State::Done) | None => {}
                    },
                    None => {
                        if let Some(state_of) = state.get_mut(at) {
                            *state_of = State::Done;
                        }
                        order.push(at);
                        stack.pop();
                    }
                }
            }
        }
        order
    }

    fn cut(
        &mut self,
        at: usize,
        import: usize,
        stack: &[(usize, usize)],
        problems: &mut Vec<Problem>,
    ) {
        let Some(node) = self.nodes.get(at) else {
            return;
        };
        let Some(&Target::Node(to)) = node.imports.get(import) else {
            return;
        };
        let circle = stack.iter().map(|(at, _)| *at).skip_while(|&at| at != to);
        let circle = circle.chain([to]).filter_map(|at| self.nodes.get(at));
        let names = circle.map(|node| &*node.name).collect::<Vec<_>>();
        problems.push(
            Problem::error(
                node.place_of(import),
                format!("the imports run in a circle: {}", names.join(" -> ")),
            )
            .with_help("move what both files need to a third"),
        );
        let node = self.nodes.get_mut(at);
        if let Some(slot) = node.and_then(|node| node.imports.get_mut(import)) {
            *slot = Target::Cut;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

impl Node {
    /// Every name under which it has to be found.
    pub(super) fn names(&self) -> BTreeSet<&str> {
        let others = self.imported_as.iter().map(String::as_str);
        others.chain([&*self.name]).collect()
    }

    /// Where an import stands.
    pub(super) fn place_of(&self, import: usize) -> Location {
        match self.head.imports.get(import) {
            Some(import) => import.at.within(&self.origin),
            None => Location::file(Arc::clone(&self.origin)),
        }
    }
}

struct Builder<'a> {
    roots: &'a Roots,
    problems: &'a mut Vec<Problem>,
    graph: Graph,
    by_path: HashMap<PathBuf, usize>,
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
        }
    }

    fn follow_imports(&mut self) {
        let mut at = 0;
        while let Some(node) = self.graph.nodes.get(at) {
            let imports = node.head.imports.clone();
            let targets = imports.iter().map(|import| self.import(&import.name));
            let targets = targets.collect();
            if let Some(node) = self.graph.nodes.get_mut(at) {
                node.imports = targets;
            }
            at += 1;
        }
    }

    fn list(&mut self, file: Listed) {
        if known::google(&file.name).is_some() {
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
        self.add_disk(&file.name, &file.path, real, true);
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
    fn import(&mut self, name: &str) -> Target {
        let Some(found) = self.graph.find(name).or_else(|| self.open(name)) else {
            return Target::Missing;
        };
        if let Some(node) = self.graph.nodes.get_mut(found) {
            node.imported_as.insert(name.to_owned());
        }
        Target::Node(found)
    }

    fn open(&mut self, name: &str) -> Option<usize> {
        let google = known::google(name);
        if google.is_none()
            && let Some(path) = self.roots.find(name)
        {
            let real = real(&path);
            if let Some(&known) = self.by_path.get(&real) {
                self.graph.by_name.insert(name.to_owned(), known);
                return Some(known);
            }
            return Some(self.add_disk(name, &path, real, false));
        }
        let origin = || Arc::from(known::origin(name));
        if let Some(text) = builtin::find(name) {
            let text = Some(Cow::Borrowed(text));
            return Some(self.add(Node::new(name, origin(), text, From::Builtin)));
        }
        let mut node = Node::new(name, origin(), None, From::Google);
        node.head.imports = google?
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
            if node.imported_as.len() > 1 {
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
        }
    }
}

/// The file behind all links.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
