//! What was given, by whom: [`Tree`], made of [`Layer`]s.
//!
//! Defaults, the file, variables and flags are layers of one shape. Each is checked by itself, so
//! that a mistake in the file is told even where a flag overrides it; the sound parts are then
//! laid over each other, and every value still knows where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::schema::problem::Location;
use crate::yaml::{Mark, Node};

/// Who says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody: it holds when nothing else is said.
    Default,
    /// `rest.compat`, by what it says.
    Compat(&'static str),
    /// A file.
    File(Arc<str>),
    /// A variable of the environment.
    Variable(&'static str),
    /// A flag of the command line.
    Flag(&'static str),
}

/// Who says something, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Who.
    pub source: Source,
    /// Where in the file.
    pub at: Mark,
}

/// Everything that one source says, not checked yet.
#[derive(Debug)]
pub(super) struct Layer {
    /// Who says it.
    pub(super) source: Source,
    /// What it says.
    pub(super) root: Node,
}

/// Sound values, each with its origin.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Where the value comes from.
    pub origin: Origin,
    /// The value.
    pub given: Given,
}

/// The shapes of a value.
#[derive(Clone, Debug)]
pub enum Given {
    /// A string, a number or a boolean.
    Leaf(Value),
    /// A list, which a later layer replaces as a whole.
    List(Vec<Tree>),
    /// A mapping, which a later layer changes key by key.
    Map(BTreeMap<Box<str>, Branch>),
}

/// What a key of a mapping leads to.
#[derive(Clone, Debug)]
pub struct Branch {
    /// Where the key stands.
    pub key: Origin,
    /// Its value.
    pub tree: Tree,
}

impl Tree {
    /// Lays `over` over this tree.
    pub fn overlay(&mut self, over: Self) {
        match (&mut self.given, over.given) {
            (Given::Map(base), Given::Map(over)) => {
                for (name, branch) in over {
                    match base.get_mut(&name) {
                        Some(known) => {
                            known.key = branch.key;
                            known.tree.overlay(branch.tree);
                        }
                        None => {
                            base.insert(name, branch);
                        }
                    }
                }
            }
            (base, over_given) => {
                *base = over_given;
                self.origin = over.origin;
            }
        }
    }

    /// The values alone.
    pub fn to_json(&self) -> Value {
        match &self.given {
            Given::Leaf(value) => value.clone(),
            Given::List(items) => items.iter().map(Self::to_json).collect(),
            Given::Map(entries) => entries
                .iter()
                .map(|(name, branch)| (name.to_string(), branch.tree.to_json()))
                .collect(),
        }
    }

    /// Calls `visit` with every value that has no keys of its own, and the keys that lead to it.
    pub fn for_each<'t>(&'t self, visit: &mut dyn FnMut(&[&'t str], &'t Self)) {
        self.walk(&mut Vec::new(), visit);
    }

    fn walk<'t>(&'t self, path: &mut Vec<&'t str>, visit: &mut dyn FnMut(&[&'t str], &'t Self)) {
        match &self.given {
            Given::Map(entries) if !entries.is_empty() => {
                for (name, branch) in entries {
                    path.push(name);
                    branch.tree.walk(path, visit);
                    path.pop();
                }
            }
            Given::Map(_) | Given::List(_) | Given::Leaf(_) => visit(path, self),
        }
    }

    /// What a path of keys leads to.
    pub fn branch(&self, path: &[&str]) -> Option<&Branch> {
        let (first, rest) = path.split_first()?;
        let Given::Map(entries) = &self.given else {
            return None;
        };
        let branch = entries.get(*first)?;
        if rest.is_empty() {
            Some(branch)
        } else {
            branch.tree.branch(rest)
        }
    }

    /// The keys of the mapping that a path leads to.
    pub fn keys(&self, path: &[&str]) -> Vec<&str> {
        match self.branch(path).map(|branch| &branch.tree.given) {
            Some(Given::Map(entries)) => entries.keys().map(|name| &**name).collect(),
            _ => Vec::new(),
        }
    }

    /// Where the key that a path leads to stands.
    pub fn place(&self, path: &[&str]) -> Option<Location> {
        self.branch(path)?.key.location()
    }

    /// Where the value that a path leads to stands.
    pub fn value_place(&self, path: &[&str]) -> Option<Location> {
        self.branch(path)?.tree.origin.location()
    }

    /// The items of the list that a path leads to, each with its origin.
    pub fn items(&self, path: &[&str]) -> &[Self] {
        match self.branch(path).map(|branch| &branch.tree.given) {
            Some(Given::List(items)) => items,
            _ => &[],
        }
    }
}

impl Source {
    /// Its kind, as it is shown.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Compat(_) => "compat",
            Self::File(_) => "file",
            Self::Variable(_) => "variable",
            Self::Flag(_) => "flag",
        }
    }
}

impl Origin {
    /// As a place to show; defaults have none.
    pub fn location(&self) -> Option<Location> {
        match &self.source {
            Source::Default => None,
            Source::Compat(name) => Some(Location::file(*name)),
            Source::File(file) => {
                Some(Location::at(Arc::clone(file), self.at.line, self.at.column))
            }
            Source::Variable(name) | Source::Flag(name) => Some(Location::file(*name)),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location() {
            Some(location) => location.fmt(f),
            None => f.write_str("default"),
        }
    }
}
