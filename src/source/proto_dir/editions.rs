//! Files with an edition, which our compiler does not read: `protoc` or `buf` compiles them.
//!
//! They, and whatever imports them, are laid into a directory of their own under their import
//! names, so that the tool sees the very files that we found. The tool gets a list of arguments;
//! no shell ever sees a name.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::graph::{From, Graph, Node, Target};
use super::scan::Position;
use super::workspace::Workspace;
use crate::schema::compile::{Services, SourceFile};
use crate::schema::problem::{Location, Problem};
use crate::source::raw;

/// A compiler of protos on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Google's `protoc`.
    Protoc(PathBuf),
    /// Buf's `buf`.
    Buf(PathBuf),
}

/// The compilers in a `PATH`, the preferred one first.
pub fn find(path: Option<&OsStr>) -> Vec<Tool> {
    let folders = || {
        // The tool runs in another directory, where a relative path leads elsewhere.
        env::split_paths(path.unwrap_or_default())
            .filter_map(|folder| std::path::absolute(folder).ok())
    };
    let find = |name: &str| {
        folders()
            .map(|folder| folder.join(name))
            .find(|tool| tool.is_file())
    };
    let protoc = find("protoc").map(Tool::Protoc);
    protoc
        .into_iter()
        .chain(find("buf").map(Tool::Buf))
        .collect()
}

impl Tool {
    fn name(&self) -> std::path::Display<'_> {
        let (Self::Protoc(path) | Self::Buf(path)) = self;
        path.display()
    }
}

/// What became of the files that are compiled here: their bytes, or nothing when they are broken.
pub(super) type Compiled = HashMap<usize, Option<Bytes>>;

/// Compiles the files with an edition and those that import them; also returns what the tool
/// brought along and the graph does not know.
pub(super) fn compile(
    graph: &Graph,
    tools: &[Tool],
    problems: &mut Vec<Problem>,
) -> (Compiled, Vec<SourceFile>) {
    let mut job = Job {
        graph,
        problems,
        wanted: importers(graph, |node| node.head.edition.is_some()),
        compiled: Compiled::new(),
    };
    if job.wanted.is_empty() {
        return (job.compiled, Vec::new());
    }
    let Some((mut tool, mut others)) = tools.split_first() else {
        job.refuse();
        return (job.compiled, Vec::new());
    };
    job.leave_out_those_without_imports();
    let mut extra = Vec::new();
    while !job.wanted.is_empty() {
        match job.attempt(tool) {
            Ok(set) => {
                extra = job.take(tool, &set);
                break;
            }
            Err(output) => {
                let complaints = job.complaints(&output);
                let outdated = job.outdated(&complaints);
                if let (false, Some((next, rest))) = (outdated.is_empty(), others.split_first()) {
                    (tool, others) = (next, rest);
                } else {
                    job.blame(tool, &output, complaints, &outdated);
                }
            }
        }
    }
    (job.compiled, extra)
}

/// The files for which `is_first` holds, and all that import one of them.
fn importers(graph: &Graph, is_first: impl Fn(&Node) -> bool) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut importers = HashMap::<usize, Vec<usize>>::new();
    for (at, node) in graph.nodes.iter().enumerate() {
        if is_first(node) {
            found.insert(at);
        }
        for target in &node.imports {
            if let Target::Node(to) = target {
                importers.entry(*to).or_default().push(at);
            }
        }
    }
    let mut open = found.iter().copied().collect::<Vec<_>>();
    while let Some(at) = open.pop() {
        for &importer in importers.get(&at).into_iter().flatten() {
            if found.insert(importer) {
                open.push(importer);
            }
        }
    }
    found
}

struct Job<'a> {
    graph: &'a Graph,
    problems: &'a mut Vec<Problem>,
    wanted: BTreeSet<usize>,
    compiled: Compiled,
}

impl Job<'_> {
    /// There is no tool: the files with an edition are out. Those that import them are for our
    /// own linker, which may do without.
    fn refuse(&mut self) {
        for at in std::mem::take(&mut self.wanted) {
            if self
                .graph
                .nodes
                .get(at)
                .is_some_and(|node| node.head.edition.is_some())
            {
                self.reject(at, |edition| {
                    format!("edition {edition} needs protoc or buf on the PATH, and there is none")
                });
            }
        }
    }

    /// The tool refuses a file with an import that leads nowhere, so it does not get such.
    fn leave_out_those_without_imports(&mut self) {
        let graph = self.graph;
        let lacks = |node: &Node| {
            let imports = node.imports.iter().zip(&node.head.imports);
            imports
                .enumerate()
                .find(|(_, (target, import))| match target {
                    Target::Node(_) => false,
                    Target::Missing => !comes_with_tool(&import.name),
                    Target::Cut => true,
                })
                .map(|(at, (_, import))| (node.place_of(at), import.name.clone()))
        };
        for at in self.wanted.clone() {
            let Some(node) = graph.nodes.get(at) else {
                continue;
            };
            let Some((place, name)) = lacks(node) else {
                continue;
            };
            if node.head.edition.is_some() {
                self.problems.push(
                    Problem::error(place, format!("import `{name}` cannot be had"))
                        .with_help("name the directory that it is relative to with --include"),
                );
                self.fail(at);
            } else {
                self.wanted.remove(&at);
            }
        }
    }

    /// A file is broken, and with it what imports it; the latter without an edition are left to
    /// our own linker.
    fn fail(&mut self, broken: usize) {
        self.compiled.insert(broken, None);
        let graph = self.graph;
        let Some(name) = graph.nodes.get(broken).map(|node| Arc::clone(&node.name)) else {
            return;
        };
        let outer = importers(graph, |node| node.name == name);
        for at in outer {
            let was_wanted = self.wanted.remove(&at);
            let Some(node) = graph.nodes.get(at) else {
                continue;
            };
            if at == broken || !was_wanted || node.head.edition.is_none() {
                continue;
            }
            self.compiled.insert(at, None);
            let import = node
                .imports
                .iter()
                .position(|target| *target == Target::Node(broken));
            let place = import.map_or_else(
                || Location::file(Arc::clone(&node.origin)),
                |import| node.place_of(import),
            );
            let message = format!("`{name}` has errors, so this file is not served");
            self.problems.push(Problem::error(place, message));
        }
    }

    /// Runs the tool once over all that is wanted. The error is what it said.
    fn attempt(&self, tool: &Tool) -> Result<Bytes, String> {
        let told = |error: std::io::Error| format!("the compiler could not be run: {error}");
        let workspace = Workspace::new().map_err(told)?;
        let mut open = self.wanted.iter().copied().collect::<Vec<_>>();
        let mut laid = HashSet::new();
        let mut names = Vec::new();
        while let Some(at) = open.pop() {
            let Some(node) = self.graph.nodes.get(at).filter(|_| laid.insert(at)) else {
                continue;
            };
            open.extend(node.imports.iter().filter_map(|target| match target {
                Target::Node(to) => Some(*to),
                Target::Missing | Target::Cut => None,
            }));
            if node.from != From::Google
                && let Some(text) = &node.text
            {
                for name in node.names() {
                    workspace.lay(name, text).map_err(told)?;
                }
                if self.wanted.contains(&at) {
                    names.push(&*node.name);
                }
            }
        }
        names.sort_unstable();
        match tool {
            Tool::Protoc(path) => workspace.protoc(path, &names),
            Tool::Buf(path) => workspace.buf(path),
        }
    }

    /// Takes what was wanted from the set that the tool wrote.
    fn take(&mut self, tool: &Tool, set: &Bytes) -> Vec<SourceFile> {
        let mut extra = Vec::new();
        let files = raw::files_of(set).unwrap_or_default();
        for bytes in files {
            let Ok(head) = raw::head(&bytes) else {
                continue;
            };
            match self.graph.find(&head.name) {
                Some(at) if self.wanted.contains(&at) => {
                    self.compiled.insert(at, Some(bytes));
                }
                Some(_) => {}
                None => extra.push(SourceFile {
                    bytes,
                    origin: Arc::from(format!("{} of the compiler", head.name)),
                    services: Services::None,
                }),
            }
        }
        for at in std::mem::take(&mut self.wanted) {
            if !self.compiled.contains_key(&at) {
                self.reject(at, |_| {
                    format!("{} wrote no descriptor of this file", tool.name())
                });
            }
        }
        extra
    }

    /// What the tool says of files that we know.
    fn complaints<'o>(&self, output: &'o str) -> Vec<(usize, Position, &'o str)> {
        let lines = output.lines().filter_map(complaint);
        lines
            .filter(|(_, _, message)| !message.starts_with("warning:"))
            .filter_map(|(name, at, message)| Some((self.graph.find(name)?, at, message)))
            .collect()
    }

    /// The files whose edition the tool does not know: it stumbles over its very declaration.
    fn outdated(&self, complaints: &[(usize, Position, &str)]) -> BTreeSet<usize> {
        let stumbles = |&&(node, at, message): &&(usize, Position, &str)| {
            let edition = self
                .graph
                .nodes
                .get(node)
                .and_then(|node| node.head.edition.as_ref());
            edition.is_some_and(|(name, place)| {
                place.line == at.line
                    || message.contains("dition") && message.contains(name.as_str())
            })
        };
        complaints
            .iter()
            .filter(stumbles)
            .map(|&(node, ..)| node)
            .collect()
    }

    /// Tells what the tool complains of and goes on without the files concerned.
    fn blame(
        &mut self,
        tool: &Tool,
        output: &str,
        complaints: Vec<(usize, Position, &str)>,
        outdated: &BTreeSet<usize>,
    ) {
        let before = self.wanted.len();
        for &at in outdated {
            self.reject(at, |edition| {
                format!("edition {edition} is not known to {}", tool.name())
            });
        }
        for (at, place, message) in complaints {
            if let Some(node) = self.graph.nodes.get(at).filter(|_| !outdated.contains(&at)) {
                self.problems
                    .push(Problem::error(place.within(&node.origin), message));
            }
            self.fail(at);
        }
        if self.wanted.len() == before {
            let said = output.lines().find(|line| !line.trim().is_empty());
            for at in std::mem::take(&mut self.wanted) {
                self.reject(at, |_| {
                    format!(
                        "{} failed: {}",
                        tool.name(),
                        said.unwrap_or("it does not say why")
                    )
                });
            }
        }
    }

    /// A file is out, for a reason that has to do with its edition.
    fn reject(&mut self, at: usize, why: impl FnOnce(&str) -> String) {
        let Some(node) = self.graph.nodes.get(at) else {
            return;
        };
        if let Some((edition, place)) = &node.head.edition {
            self.problems.push(
                Problem::error(place.within(&node.origin), why(edition)).with_help(
                    "install a newer protoc or buf, or give a descriptor set: \
                     protoc --include_imports --include_source_info -o set.binpb",
                ),
            );
        }
        self.compiled.insert(at, None);
    }
}

/// `name:line:column: message`.
fn complaint(line: &str) -> Option<(&str, Position, &str)> {
    let (name, rest) = line.split_once(':')?;
    let (row, rest) = rest.split_once(':')?;
    let (column, message) = rest.split_once(':')?;
    let at = Position {
        line: row.parse().ok()?,
        column: column.parse().ok()?,
    };
    Some((name.strip_prefix("./").unwrap_or(name), at, message.trim()))
}

/// Whether a file is part of every compiler of protos.
fn comes_with_tool(name: &str) -> bool {
    name.starts_with("google/protobuf/")
}
