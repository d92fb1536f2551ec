//! Selectors of a service YAML: which rule holds for which method (R9).
//!
//! ```text
//! selector = pattern , { "," , pattern } ;
//! pattern  = name , { "." , name } , [ "." , "*" ] | "*" ;
//! ```
//!
//! A wildcard stands for one or more whole names. Of several rules that select one method the
//! last counts, however exact they are.

use rustc_hash::FxHashMap;

use super::compile::RuleFile;
use super::descriptor::HttpRule;
use super::name;
use super::problem::{Location, Problem};

/// All rules of all YAML files.
#[derive(Debug, Default)]
pub(super) struct Selectors<'a> {
    rules: Vec<&'a (HttpRule, Location)>,
    /// By the name of one method.
    exact: FxHashMap<&'a str, Pattern<'a>>,
    /// By what stands before the `*`, its dot included.
    wildcards: FxHashMap<&'a str, Pattern<'a>>,
}

/// A pattern and the last rule that has it.
#[derive(Debug)]
struct Pattern<'a> {
    rule: usize,
    place: &'a Location,
    matched: bool,
}

impl<'a> Selectors<'a> {
    /// Reads the selectors of all rules.
    pub(super) fn new(files: &'a [RuleFile], problems: &mut Vec<Problem>) -> Self {
        let mut selectors = Self::default();
        for stated in files.iter().flat_map(|file| &file.rules) {
            let (rule, place) = stated;
            let index = selectors.rules.len();
            selectors.rules.push(stated);
            for pattern in rule.selector.split(',').map(str::trim) {
                let prefix = pattern.strip_suffix('*');
                let dotted = match prefix {
                    Some("") => true,
                    Some(prefix) => prefix.strip_suffix('.').is_some_and(name::is_qualified),
                    None => name::is_qualified(pattern),
                };
                if !dotted {
                    problems.push(misspelt(pattern, place));
                    continue;
                }
                let pattern = (prefix.unwrap_or(pattern), prefix.is_some());
                let map = match pattern {
                    (_, true) => &mut selectors.wildcards,
                    (_, false) => &mut selectors.exact,
                };
                map.insert(
                    pattern.0,
                    Pattern {
                        rule: index,
                        place,
                        matched: false,
                    },
                );
            }
        }
        selectors
    }

    /// The rule for the method of this full name (`pkg.Service.Method`), and its place among all
    /// rules.
    pub(super) fn select(&mut self, method: &str) -> Option<(usize, &'a (HttpRule, Location))> {
        if self.rules.is_empty() {
            return None;
        }
        let mut last = None;
        let mut take = |pattern: Option<&mut Pattern<'_>>| {
            if let Some(pattern) = pattern {
                pattern.matched = true;
                last = last.max(Some(pattern.rule));
            }
        };
        take(self.exact.get_mut(method));
        take(self.wildcards.get_mut(""));
        for (dot, _) in method.match_indices('.') {
            take(
                method
                    .get(..=dot)
                    .and_then(|prefix| self.wildcards.get_mut(prefix)),
            );
        }
        Some((last?, *self.rules.get(last?)?))
    }

    /// Reports what selected nothing, now that every method was asked for.
    pub(super) fn report_unmatched(self, methods: &[String], problems: &mut Vec<Problem>) {
        /// Comparisons of names in all: help is worth a moment, not more.
        const MOST_COMPARISONS: usize = 100_000;
        let exact = self.exact.into_iter();
        let wildcards = self.wildcards.into_iter();
        let mut unmatched: Vec<(usize, &Location, String)> = exact
            .map(|(name, pattern)| (name.to_owned(), pattern))
            .chain(wildcards.map(|(prefix, pattern)| (format!("{prefix}*"), pattern)))
            .filter(|(_, pattern)| !pattern.matched)
            .map(|(name, pattern)| (pattern.rule, pattern.place, name))
            .collect();
        unmatched.sort_unstable();
        let mut comparisons = 0;
        for (_, place, pattern) in unmatched {
            let problem = Problem::warning(
                place.clone(),
                format!("selector `{pattern}` matches no method"),
            );
            comparisons += methods.len();
            let near = (comparisons <= MOST_COMPARISONS)
                .then(|| name::nearest(&pattern, methods.iter().map(String::as_str)))
                .flatten();
            problems.push(match near {
                Some(near) => problem.with_help(format!("the nearest method is `{near}`")),
                None => problem,
            });
        }
    }
}

fn misspelt(pattern: &str, place: &Location) -> Problem {
    let text = if pattern.is_empty() {
        "the rule has no selector".to_owned()
    } else {
        format!(
            "selector `{}` is not the name of a method",
            name::show(pattern)
        )
    };
    Problem::error(place.clone(), text)
        .with_help("write `package.Service.Method`; a `*` may stand for whole names at the end")
}
