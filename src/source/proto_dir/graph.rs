//! Which files there are and which imports which: every file once, however many names lead to it.
//! [`find`](super::find) fills it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::scan::Head;
use crate::schema::problem::{Location, Problem};

/// Files and their imports.
#[derive(Debug)]
pub(super) struct Graph {
    /// The files: those of the user in order, then what they import.
    pub(super) nodes: Vec<Node>,
    pub(super) by_name: HashMap<String, usize>,
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
    pub(super) imported_as: BTreeSet<String>,
    /// Names by which single files import it that lie next to it.
    pub(super) near_as: BTreeSet<String>,
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
    /// A file by any of its names.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The files that are asked for and what they import, imports first. Of a circle the import that closes it is cut:
    /// it is set to lead nowhere and told.
    pub(super) fn order(&mut self, problems: &mut Vec<Problem>) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut state = vec![State::New; self.nodes.len()];
        for start in 0..self.nodes.len() {
            if !self.nodes.get(start).is_some_and(|node| node.listed) {
                continue;
            }
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
        let others = self.imported_as.iter().chain(&self.near_as);
        let others = others.map(String::as_str);
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
