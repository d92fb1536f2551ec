//! From descriptors and rules to a [`Schema`](super::Schema): [`compile`].

use std::sync::Arc;

use bytes::Bytes;

use super::Schema;
use super::descriptor::HttpRule;
use super::policy::Policies;
use super::problem::{Location, Problem};

/// Everything a schema is made of.
#[derive(Debug, Default)]
pub struct Input {
    /// Descriptor files; of two with one name the later one counts. Imports may be missing: what
    /// needs them is reported and left out, everything else is served.
    pub files: Vec<SourceFile>,
    /// `http.rules` of service YAML files, in order of their flags.
    pub rules: Vec<RuleFile>,
    /// How rules are combined.
    pub rules_mode: RulesMode,
    /// `rest.auto` (R9).
    pub auto: AutoMapping,
    /// `rest.conflicts` (R4).
    pub conflicts: Conflicts,
    /// Policy by method.
    pub policies: Policies,
    /// `unknown_methods: allow`.
    pub allow_unknown_methods: bool,
    /// Who answers reflection; handed on to the schema.
    pub reflection: super::Reflection,
}

/// One descriptor file and where it came from.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// An encoded `FileDescriptorProto`, untouched.
    pub bytes: Bytes,
    /// How to name the file to a user: a path, or `reflection`.
    pub origin: Arc<str>,
    /// Which of its services the application offers; its types count either way.
    pub services: Services,
}

/// Which services of a file are offered. A file that is only there because another imports it
/// offers none; reflection names those that a server has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Services {
    /// All that it declares.
    #[default]
    All,
    /// None.
    None,
    /// Those with these full names.
    Only(Arc<[Arc<str>]>),
}

impl Services {
    /// Whether the service of this full name is offered.
    pub fn offers(&self, service: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only(names) => names.iter().any(|name| &**name == service),
        }
    }
}

/// The rules of one service YAML file, each with its place.
#[derive(Clone, Debug, Default)]
pub struct RuleFile {
    /// In order of declaration.
    pub rules: Vec<(HttpRule, Location)>,
}

/// `rest.rules_mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RulesMode {
    /// A method that a YAML rule selects loses its annotation.
    #[default]
    Override,
    /// YAML rules stand beside annotations.
    Add,
}

/// `rest.auto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AutoMapping {
    /// Methods without any rule get `POST /pkg.Service/Method` with body `*`.
    #[default]
    Unannotated,
    /// All methods get it besides their rules.
    Always,
    /// None does.
    Off,
}

/// `rest.conflicts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conflicts {
    /// Serve neither (501 naming both).
    #[default]
    Error,
    /// Serve the one declared first.
    First,
    /// Serve the one declared last.
    Last,
}

/// Compiles a schema from all that is sound in `input`; everything else is in the problems, all
/// of them, in order of the files.
pub fn compile(input: &Input) -> (Schema, Vec<Problem>) {
    let _ = input;
    todo!()
}
