//! From descriptors and rules to a [`Schema`]: [`compile`].
//!
//! Three passes over the files: the first names every type, the second resolves every field and
//! method, and when all types are complete the rules are bound and routed. Each pass goes on with
//! what is sound and reports the rest.
//!
//! ```
//! use prost::Message;
//! use sidegate::schema::compile::{Input, Services, SourceFile, compile};
//! use sidegate::schema::descriptor::FileDescriptorProto;
//!
//! let file = FileDescriptorProto {
//!     name: Some("a.proto".to_owned()),
//!     dependency: vec!["gone.proto".to_owned()],
//!     ..FileDescriptorProto::default()
//! };
//! let file = SourceFile {
//!     bytes: file.encode_to_vec().into(),
//!     origin: "proto/a.proto".into(),
//!     services: Services::All,
//! };
//! let (schema, problems) = compile(&Input { files: vec![file], ..Input::default() });
//! assert_eq!(schema.files.files.len(), 1);
//! assert!(problems[0].to_string().contains("import `gone.proto` is not loaded"));
//! ```

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::descriptor::HttpRule;
use super::files::Files;
use super::load::{Loaded, load};
use super::method::Methods;
use super::name;
use super::place::step;
use super::plan::Definitions;
use super::policy::Policies;
use super::problem::{Location, Problem};
use super::rules;
use super::{MethodId, Schema};

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
    let mut problems = Vec::new();
    let mut definitions = Definitions::default();
    let declared = &mut definitions.declared;
    let mut files = load(&input.files, &mut problems, |file, proto, problems| {
        declared.declare(file, proto, problems);
    });
    declared.report_collisions(&files, &mut problems);
    let mut methods = Methods::new(&input.policies);
    let mut lacking = FxHashSet::default();
    for file in &mut files {
        let proto = file.view();
        if !definitions.define(file, &proto, &mut problems) {
            lacking.extend(file.not_loaded.iter().map(|(_, name)| name.clone()));
        }
        methods.collect(&definitions.declared, file, proto, &mut problems);
        file.places.forget();
    }
    report_imports(&files, lacking, &mut problems);
    let (tables, extensions) = definitions.finish(&files, &mut problems);
    methods.sort();
    let Methods {
        services, stated, ..
    } = methods;
    let (mut methods, routing) = rules::route(input, &tables, stated, &mut problems);
    super::routing::mark_repeatable(&mut methods, &routing.bindings);
    in_order_of_files(&mut problems, &files, &input.rules);
    let schema = Schema {
        digest: digest(input, &files),
        tables,
        by_path: (0..)
            .map(MethodId)
            .zip(&methods)
            .map(|(id, method)| (Arc::clone(&method.path), id))
            .collect(),
        methods,
        bindings: routing.bindings,
        routes: routing.routes,
        files: Files::build(&files, extensions, services),
        default_policy: Arc::clone(&input.policies.default),
        guarded: input.policies.guard(),
        policies: input.policies.clone(),
        allow_unknown_methods: input.allow_unknown_methods,
        reflection: input.reflection,
        described: super::openapi::Described::default(),
    };
    (schema, problems)
}

/// Reports the imports that nobody loaded and nobody misses: those of which only options were
/// used. What misses a type has said so already.
fn report_imports(files: &[Loaded], mut reported: FxHashSet<String>, problems: &mut Vec<Problem>) {
    for file in files {
        for (at, name) in &file.not_loaded {
            if !reported.insert(name.clone()) {
                continue;
            }
            let place = file.places.at(&[step::FILE_DEPENDENCY, *at]);
            let text = format!("import `{}` is not loaded", name::show(name));
            problems.push(
                Problem::warning(place, text)
                    .with_note(None, "options that it declares are ignored"),
            );
        }
    }
}

/// Sorts problems by file in order of the input, then by position.
fn in_order_of_files(problems: &mut [Problem], files: &[Loaded], rules: &[RuleFile]) {
    let descriptors = files.iter().map(|file| file.places.file());
    let rules = rules.iter().flat_map(|file| &file.rules);
    let mut ranks: FxHashMap<Arc<str>, usize> = FxHashMap::default();
    for name in descriptors.chain(rules.map(|(_, place)| &place.file)) {
        let next = ranks.len() + 1;
        ranks.entry(Arc::clone(name)).or_insert(next);
    }
    // What could not be loaded has no rank and comes first, what has no place comes last.
    problems.sort_by_key(|problem| match &problem.location {
        Some(place) => {
            let rank = ranks.get(&place.file).copied().unwrap_or(0);
            (rank, place.line, place.column)
        }
        None => (usize::MAX, 0, 0),
    });
}

/// A number that changes when anything changes that the schema is made of. The order of the
/// files is not part of it: servers list theirs in any order.
fn digest(input: &Input, files: &[Loaded]) -> u64 {
    let mut hasher = FxHasher::default();
    let mut files: Vec<&Loaded> = files.iter().collect();
    files.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    for file in files {
        hasher.write(&file.bytes);
        (file.bytes.len(), format!("{:?}", file.services)).hash(&mut hasher);
    }
    for (rule, place) in input.rules.iter().flat_map(|file| &file.rules) {
        (rule.encode_to_vec(), place).hash(&mut hasher);
    }
    let modes = (input.rules_mode, input.auto, input.conflicts);
    let rest = (input.allow_unknown_methods, input.reflection);
    format!("{modes:?} {rest:?} {:?}", input.policies).hash(&mut hasher);
    hasher.finish()
}
