//! How a path finds its way through the trie.
//!
//! The walk is depth first and stops at the first leaf that has the method. What keeps it from
//! exploding: a node below at most one `**` is reached with a given rest of the path in one way
//! only, and a `**` below another `**` remembers the earliest segment it was tried from, for
//! everything later has then been tried as well. So no pair of node and segment is visited
//! twice, and recursion is no deeper than a template is long.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::Leaf;
use super::Lookup;
use super::LookupOptions;
use super::Match;
use super::Node;
use super::Span;
use super::Spans;
use super::Trie;
use super::split::SplitPath;
use crate::route::path;

/// Leaves that fit the path but not the method.
type Refused<'t, T> = SmallVec<[&'t Leaf<T>; 4]>;

pub(super) fn find<'t, T>(
    trie: &'t Trie<T>,
    http_method: &str,
    raw_path: &str,
    options: LookupOptions,
) -> Lookup<'t, T> {
    let raw_path = match raw_path.strip_suffix('/') {
        Some(shorter) if options.ignore_trailing_slash && !shorter.is_empty() => shorter,
        _ => raw_path,
    };
    let mut refused = Refused::new();
    // A verb is worth a look only when some rule has it (R5).
    if let Some((before, verb)) = raw_path.rsplit_once(':')
        && !verb.contains('/')
        && let verb = path::normal(verb)
        && trie.verbs.contains(&*verb)
        && let Some(path) = SplitPath::new(before)
        && let Some(found) = walk(trie, http_method, &path, Some(&verb), &mut refused)
    {
        return Lookup::Match(found);
    }
    let found = SplitPath::new(raw_path)
        .and_then(|path| walk(trie, http_method, &path, None, &mut refused));
    match found {
        Some(found) => Lookup::Match(found),
        None => refuse(&refused),
    }
}

/// The answer when nothing matches.
fn refuse<'t, T>(refused: &[&'t Leaf<T>]) -> Lookup<'t, T> {
    let mut allow: Vec<&str> = refused.iter().flat_map(|leaf| leaf.methods()).collect();
    if allow.is_empty() {
        return Lookup::NotFound;
    }
    if allow.contains(&"GET") {
        allow.push("HEAD");
    }
    allow.sort_unstable();
    allow.dedup();
    Lookup::MethodNotAllowed { allow }
}

fn walk<'t, T>(
    trie: &'t Trie<T>,
    http_method: &str,
    path: &SplitPath<'_>,
    verb: Option<&str>,
    refused: &mut Refused<'t, T>,
) -> Option<Match<'t, T>> {
    let mut walk = Walk {
        trie,
        http_method,
        path,
        verb,
        refused,
        spans: Spans::new(),
        tried: FxHashMap::default(),
    };
    let value = walk.node(0, 0)?;
    Some(Match {
        value,
        spans: walk.spans,
    })
}

struct Walk<'t, 'w, T> {
    trie: &'t Trie<T>,
    http_method: &'w str,
    path: &'w SplitPath<'w>,
    verb: Option<&'w str>,
    refused: &'w mut Refused<'t, T>,
    /// Of the segments between the root and where the walk is.
    spans: Spans,
    /// For a `**` that can be reached in several ways, the earliest segment it was tried from.
    tried: FxHashMap<u32, usize>,
}

impl<'t, T> Walk<'t, '_, T> {
    /// Goes on from a node that a literal or `*` led to, at segment `at`.
    fn node(&mut self, index: u32, at: usize) -> Option<&'t T> {
        let node = self.trie.node(index);
        let mut found = None;
        if at == self.path.len() {
            found = self.leaf(node);
        }
        found
            .or_else(|| self.literal(node, at))
            .or_else(|| self.star(node, at))
            .or_else(|| self.double_star(node.double_star?, at))
    }

    fn leaf(&mut self, node: &'t Node<T>) -> Option<&'t T> {
        let leaf = match self.verb {
            None => &node.plain,
            Some(verb) => node.verbs.get(verb)?,
        };
        let found = leaf.select(self.http_method);
        if found.is_none() && !leaf.0.is_empty() {
            self.refused.push(leaf);
        }
        found
    }

    fn literal(&mut self, node: &'t Node<T>, at: usize) -> Option<&'t T> {
        let (span, text) = self.path.get(at)?;
        let child = *node.literals.get(text)?;
        self.step(child, at, span)
    }

    fn star(&mut self, node: &'t Node<T>, at: usize) -> Option<&'t T> {
        let child = node.star?;
        let (span, text) = self.path.get(at)?;
        if text.is_empty() {
            return None;
        }
        self.step(child, at, span)
    }

    /// Takes segment `at` and goes on from `child`.
    fn step(&mut self, child: u32, at: usize, span: Span) -> Option<&'t T> {
        self.spans.push(span);
        let found = self.node(child, at + 1);
        if found.is_none() {
            self.spans.pop();
        }
        found
    }

    /// Goes on from a `**` whose first segment is `at`: what directly follows it decides before
    /// how much it takes, and less is tried before more. A template that ends with it comes last.
    fn double_star(&mut self, index: u32, at: usize) -> Option<&'t T> {
        let node = self.trie.node(index);
        let all = self.path.len();
        let until = match node.repeats {
            true => self.tried.get(&index).copied().unwrap_or(all + 1),
            false => all + 1,
        };
        if until <= at {
            return None;
        }
        let place = self.spans.len();
        self.spans.push(Span::NOTHING);
        let mut found = None;
        if !node.literals.is_empty() {
            found = (at..until).find_map(|end| {
                self.take(place, at, end);
                self.literal(node, end)
            });
        }
        if found.is_none() && node.star.is_some() {
            found = (at..until).find_map(|end| {
                self.take(place, at, end);
                self.star(node, end)
            });
        }
        if found.is_none() && until > all {
            self.take(place, at, all);
            found = self.leaf(node);
        }
        if found.is_none() {
            self.spans.pop();
            if node.repeats {
                self.tried.insert(index, at);
            }
        }
        found
    }

    /// Notes that the `**` at `place` takes the segments from `at` to before `end`.
    fn take(&mut self, place: usize, at: usize, end: usize) {
        if let Some(span) = self.spans.get_mut(place) {
            *span = self.path.span(at, end);
        }
    }
}
