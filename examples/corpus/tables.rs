//! Tables of routes made from a corpus, and what has to hold in them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use sidegate::route::template::{Segment, Template};
use sidegate::route::trie::{Lookup, LookupOptions};
use sidegate::schema::compile::{self, Conflicts, Input, Services, SourceFile};
use sidegate::schema::problem::Problem;
use sidegate::schema::{RouteTarget, Schema};

use crate::rules::{self, Corpus, Rule};

/// The rule that no path can reach, because those of one other method are more specific on every
/// path of its own: what names a document also names a collection in its parent, and nothing in a
/// path tells which was meant. Whichever came first would hide the other.
const SHADOWED: (&str, &str) = (
    "/google.firestore.v1.Firestore/GetDocument",
    "/google.firestore.v1.Firestore/ListDocuments",
);

/// What became of the rules of a table.
#[derive(Default)]
struct Tally {
    rules: usize,
    unique: usize,
    routed: usize,
    /// Routed back only where their `**` takes no segment: with more, another rule is more specific
    /// on every path (Firestore's documents and the collections in them).
    shortest_only: usize,
    /// See [`SHADOWED`].
    shadowed: usize,
    clashes: usize,
    /// Clashes told once, with both places.
    told: usize,
    problems: usize,
    wrong: Vec<String>,
    compiling: Duration,
}

/// Each package in a table of its own; how many things are wrong.
pub(crate) fn each_package(corpus: &Corpus) -> usize {
    let mut total = Tally::default();
    for (package, files) in &corpus.packages {
        let rules: Vec<&Rule> = corpus
            .rules
            .iter()
            .filter(|rule| rule.package == *package)
            .collect();
        let files: Vec<SourceFile> = files
            .iter()
            .filter_map(|at| corpus.files.get(*at))
            .map(|file| own_services(file, package))
            .collect();
        let tally = check(files, &rules);
        total.rules += tally.rules;
        total.unique += tally.unique;
        total.routed += tally.routed;
        total.shortest_only += tally.shortest_only;
        total.shadowed += tally.shadowed;
        total.clashes += tally.clashes;
        total.told += tally.told;
        total.problems += tally.problems;
        total.compiling += tally.compiling;
        total.wrong.extend(
            tally
                .wrong
                .into_iter()
                .map(|wrong| format!("{package}: {wrong}")),
        );
    }
    total.print("each package alone")
}

/// All packages in one table; how many things are wrong.
pub(crate) fn all_in_one(corpus: &Corpus) -> usize {
    let rules: Vec<&Rule> = corpus.rules.iter().collect();
    check(corpus.files.clone(), &rules).print("all in one table")
}

/// The file, offering its services only when it is of the package.
fn own_services(file: &SourceFile, package: &str) -> SourceFile {
    use prost::Message;
    use sidegate::schema::descriptor::FileDescriptorProto;
    let proto = FileDescriptorProto::decode(file.bytes.clone()).unwrap_or_default();
    let own = proto.package.unwrap_or_default() == package;
    SourceFile {
        services: if own { Services::All } else { Services::None },
        ..file.clone()
    }
}

fn check(files: Vec<SourceFile>, rules: &[&Rule]) -> Tally {
    let begun = Instant::now();
    let (schema, problems) = compile::compile(&Input {
        files,
        conflicts: Conflicts::First,
        ..Input::default()
    });
    let mut tally = Tally {
        rules: rules.len(),
        problems: problems.len(),
        compiling: begun.elapsed(),
        ..Tally::default()
    };
    let mut by_shape: BTreeMap<String, Vec<&Rule>> = BTreeMap::new();
    for rule in rules {
        match rule.shape() {
            Some(shape) => by_shape.entry(shape).or_default().push(rule),
            None => tally.wrong.push(format!("{} does not parse", rule.path)),
        }
    }
    let told = told(&problems);
    for (shape, claims) in &by_shape {
        let rpcs: BTreeSet<&str> = claims.iter().map(|rule| rule.rpc.as_str()).collect();
        if rpcs.len() > 1 {
            tally.clashes += 1;
            match told.get(shape).map(Vec::as_slice) {
                Some([places]) if *places == rpcs.len() => tally.told += 1,
                other => tally
                    .wrong
                    .push(format!("{shape} of {rpcs:?}: told with {other:?} places")),
            }
            continue;
        }
        for rule in claims {
            tally.unique += 1;
            match routes_back(&schema, rule) {
                Ok(length) => {
                    tally.routed += 1;
                    tally.shortest_only += usize::from(length == 0);
                }
                Err(why) if is_shadowed(rule, &why) => tally.shadowed += 1,
                Err(why) => tally.wrong.push(format!("{shape} of {}: {why}", rule.rpc)),
            }
        }
    }
    tally
}

fn is_shadowed(rule: &Rule, why: &str) -> bool {
    let (rpc, by) = SHADOWED;
    rule.rpc == rpc && why.ends_with(&format!("leads to {by}"))
}

/// The clashes that the problems tell of, by shape, each with the methods whose places it gives.
fn told(problems: &[Problem]) -> BTreeMap<String, Vec<usize>> {
    let mut told: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for problem in problems
        .iter()
        .filter(|problem| problem.message.contains("leads to"))
    {
        let route = problem.message.split('`').nth(1).unwrap_or_default();
        let Some((http_method, path)) = route.split_once(' ') else {
            continue;
        };
        let Ok(template) = Template::parse(path) else {
            continue;
        };
        let notes = problem
            .notes
            .iter()
            .filter(|(place, _)| place.is_some())
            .count();
        let places = usize::from(problem.location.is_some()) + notes;
        told.entry(rules::shape(http_method, &template))
            .or_default()
            .push(places);
    }
    told
}

/// Whether a URL made from the rule's template leads to its method, with what was put in captured;
/// how many segments each `**` of it has.
fn routes_back(schema: &Schema, rule: &Rule) -> Result<usize, String> {
    let template = rule.template.as_ref().ok_or("it does not parse")?;
    let mut last = String::new();
    // A `**` of some length may fit a rule that is more specific, so several are tried; the
    // shortest last, because a rule that only it finds is worth a word.
    for length in [1, 2, 5, 9, 0] {
        let (path, captures) = expand(template, length);
        match schema
            .routes
            .find(&rule.http_method, &path, LookupOptions::default())
        {
            Lookup::Match(found) => {
                let RouteTarget::Serve(id) = found.value else {
                    return Err("it is a conflict".to_owned());
                };
                let binding = schema.binding(*id);
                let rpc = &schema.method(binding.method).path;
                if **rpc != *rule.rpc {
                    last = format!("{path} leads to {rpc}");
                    continue;
                }
                let got: Vec<&str> = binding.template.captures(&path, &found.spans).collect();
                return if got == captures {
                    Ok(length)
                } else {
                    Err(format!("{path} gives {got:?} instead of {captures:?}"))
                };
            }
            Lookup::MethodNotAllowed { .. } => last = format!("{path} has no {}", rule.http_method),
            Lookup::NotFound => last = format!("{path} leads nowhere"),
        }
    }
    Err(last)
}

/// A path that fits the template, each `**` of `length` segments, and what its variables capture.
fn expand(template: &Template, length: usize) -> (String, Vec<String>) {
    let mut count = 0;
    let mut word = || {
        count += 1;
        format!("x{count}")
    };
    let parts: Vec<Vec<String>> = template
        .segments()
        .iter()
        .map(|segment| match segment {
            Segment::Literal(text) => vec![text.to_string()],
            Segment::Star => vec![word()],
            Segment::DoubleStar => (0..length).map(|_| word()).collect(),
        })
        .collect();
    let captures = template
        .variables()
        .iter()
        .map(|variable| {
            parts
                .get(variable.first..variable.end)
                .unwrap_or_default()
                .concat()
                .join("/")
        })
        .collect();
    let verb = template
        .verb()
        .map(|verb| format!(":{verb}"))
        .unwrap_or_default();
    (format!("/{}{verb}", parts.concat().join("/")), captures)
}

impl Tally {
    /// Prints the counts and what is wrong; how many things that is.
    fn print(&self, name: &str) -> usize {
        println!(
            "corpus: {name}: {} rules, {} of their own, {} routed back, {} of them only where `**` takes nothing, {} shadowed; {} clashes, {} told; \
             {} problems in all; compiled in {:.1} s, {}",
            self.rules,
            self.unique,
            self.routed,
            self.shortest_only,
            self.shadowed,
            self.clashes,
            self.told,
            self.problems,
            self.compiling.as_secs_f64(),
            crate::memory()
        );
        for wrong in self.wrong.iter().take(40) {
            println!("  WRONG {wrong}");
        }
        self.wrong.len()
    }
}
