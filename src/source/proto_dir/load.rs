//! From the graph of files to descriptors: every file is parsed and linked behind its imports,
//! and what comes of it decides about those that import it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use prost_types::FileDescriptorProto;
use protox::file::File;

use super::disk::Roots;
use super::editions::{self, Tool};
use super::graph::{From, Graph, Node, Target};
use super::link::Linker;
use super::options;
use super::tell::{self, Complaint, complaints};
use crate::schema::compile::{Services, SourceFile};
use crate::schema::problem::{Problem, Severity};
use crate::source::known;

/// What became of a file.
#[derive(Clone, Debug)]
enum Outcome {
    Sound(Bytes),
    Broken,
}

/// Links every file of a graph; returns the sound ones that the user asked for and what they
/// need, imports first.
pub(super) fn link_all(
    mut graph: Graph,
    roots: &Roots,
    tools: &[Tool],
    problems: &mut Vec<Problem>,
) -> Vec<SourceFile> {
    let order = graph.order(problems);
    let (compiled, edition_files) = editions::compile(&graph, tools, problems);
    let mut loader = Loader {
        graph: &graph,
        roots,
        problems,
        linker: Linker::default(),
        outcomes: vec![Outcome::Broken; graph.nodes.len()],
    };
    for &at in &order {
        let outcome = match compiled.get(&at) {
            Some(Some(bytes)) => Outcome::Sound(bytes.clone()),
            Some(None) => Outcome::Broken,
            None => loader.link(at).map_or(Outcome::Broken, Outcome::Sound),
        };
        if let Some(slot) = loader.outcomes.get_mut(at) {
            *slot = outcome;
        }
    }
    let outcomes = loader.outcomes;
    let mut files = edition_files;
    files.extend(collect(&graph, &order, &outcomes));
    files
}

/// The sound files that are asked for, with all that they import.
fn collect(graph: &Graph, order: &[usize], outcomes: &[Outcome]) -> Vec<SourceFile> {
    let sound = |at: usize| match outcomes.get(at) {
        Some(Outcome::Sound(bytes)) => Some(bytes),
        Some(Outcome::Broken) | None => None,
    };
    let mut needed = HashSet::new();
    let mut open = (0..graph.nodes.len())
        .filter(|&at| graph.nodes.get(at).is_some_and(|node| node.listed))
        .collect::<Vec<_>>();
    while let Some(at) = open.pop() {
        if sound(at).is_some() && needed.insert(at) {
            let imports = graph
                .nodes
                .get(at)
                .into_iter()
                .flat_map(|node| &node.imports);
            open.extend(imports.filter_map(|target| match target {
                Target::Node(to) => Some(*to),
                Target::Missing | Target::Cut => None,
            }));
        }
    }
    let found = order.iter().filter(|at| needed.contains(*at));
    found
        .filter_map(|&at| {
            let node = graph.nodes.get(at)?;
            Some(SourceFile {
                bytes: sound(at)?.clone(),
                origin: Arc::clone(&node.origin),
                services: if node.listed && node.from == From::Disk {
                    Services::All
                } else {
                    Services::None
                },
            })
        })
        .collect()
}

struct Loader<'a> {
    graph: &'a Graph,
    roots: &'a Roots,
    problems: &'a mut Vec<Problem>,
    linker: Linker,
    outcomes: Vec<Outcome>,
}

impl Loader<'_> {
    /// Parses and links one file; tells what is wrong with it.
    fn link(&mut self, at: usize) -> Option<Bytes> {
        let node = self.graph.nodes.get(at)?;
        let text = node.text.as_deref();
        let mut file = match (node.from, text) {
            (From::Google, _) => known::google(&node.name)?,
            (From::Disk | From::Builtin, text) => self.parse(node, text?)?,
        };
        let unavailable = self.rename_imports(node, &mut file);
        let text = text.unwrap_or_default();
        let linked = self
            .linker
            .add(file, text, |name| !unavailable.contains_key(name));
        match linked {
            Ok(linked) => {
                for &import in unavailable.values() {
                    let problem = self.unavailable(node, import, Severity::Warning);
                    let without = if linked.left_out.is_empty() {
                        String::from("nothing in the file needs it")
                    } else {
                        format!("options left out: {}", linked.left_out.join(", "))
                    };
                    self.problems.push(problem.with_note(None, without));
                }
                for mut complaint in linked.complaints {
                    complaint.message += "; the option is left out";
                    self.problems.push(complaint.into_error(&node.origin));
                }
                Some(linked.bytes)
            }
            Err(found) => {
                let is_consequence = |complaint: &Complaint| {
                    !unavailable.is_empty() && complaint.message.contains("not defined")
                };
                for &import in unavailable.values() {
                    let problem = self.unavailable(node, import, Severity::Error);
                    self.problems.push(problem);
                }
                for complaint in tell::squeeze(found) {
                    if !is_consequence(&complaint) {
                        self.problems.push(complaint.into_error(&node.origin));
                    }
                }
                None
            }
        }
    }

    fn parse(&mut self, node: &Node, text: &str) -> Option<FileDescriptorProto> {
        match File::from_source(&node.name, text) {
            Ok(file) => Some(file.into()),
            Err(error) => {
                let found = complaints(&error, text);
                let found = found
                    .into_iter()
                    .map(|found| found.into_error(&node.origin));
                self.problems.extend(found);
                None
            }
        }
    }

    /// Gives every import the name that its file goes by, once; returns those that cannot be had
    /// with their places among the imports.
    fn rename_imports(
        &self,
        node: &Node,
        file: &mut FileDescriptorProto,
    ) -> BTreeMap<String, usize> {
        let found = |name: &str| {
            let mut imports = node.imports.iter().zip(&node.head.imports);
            imports.find_map(|(target, import)| match target {
                Target::Node(to) if import.name == name => self.graph.nodes.get(*to),
                _ => None,
            })
        };
        for name in &mut file.dependency {
            if let Some(found) = found(name) {
                *name = found.name.to_string();
            }
        }
        let mut seen = HashSet::new();
        options::retain_imports(file, |name| seen.insert(name.to_owned()));
        let imports = node.imports.iter().zip(&node.head.imports).enumerate();
        imports
            .filter_map(|(at, (target, import))| match *target {
                Target::Missing | Target::Cut => Some((import.name.clone(), at)),
                Target::Node(to) => match self.outcomes.get(to)? {
                    Outcome::Sound(_) => None,
                    Outcome::Broken => Some((self.graph.nodes.get(to)?.name.to_string(), at)),
                },
            })
            .collect()
    }

    /// What to say of an import that cannot be had.
    fn unavailable(&self, node: &Node, at: usize, severity: Severity) -> Problem {
        let name = node.head.imports.get(at).map_or("", |import| &import.name);
        let place = node.place_of(at);
        let effect = match severity {
            Severity::Error => "so this file is not served",
            Severity::Warning => "this file is served without it",
        };
        let mut problem = match node.imports.get(at) {
            Some(Target::Missing) => {
                let message = format!("import `{name}` is not found, {effect}");
                let looked = self.roots.describe();
                Problem::error(place, message)
                    .with_note(None, format!("looked in {looked} and the built-in files"))
                    .with_help(match self.roots.suggest(name) {
                        Some(folder) => format!("it is found with --include {}", folder.display()),
                        None => String::from("name the directory that holds it with --include"),
                    })
            }
            Some(Target::Cut) => {
                Problem::error(place, format!("import `{name}` closes a circle, {effect}"))
            }
            _ => Problem::error(place, format!("import `{name}` has errors, {effect}")),
        };
        problem.severity = severity;
        problem
    }
}
