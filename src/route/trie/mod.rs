//! The route table: values under HTTP method and path template (R2, R3, R5-R8).
//!
//! Specificity decides and never the order of insertion: a literal before `*` before `**`, depth
//! first, with backtracking, and the HTTP method is part of the match. Time is bounded by the
//! number of nodes that fit times the number of segments, whatever the table and the path (see
//! `lookup`).
//!
//! ```
//! use sidegate::route::template::Template;
//! use sidegate::route::trie::{Lookup, LookupOptions, Trie};
//!
//! let mut trie = Trie::default();
//! for (method, path) in [("GET", "/users/me"), ("DELETE", "/users/{id}")] {
//!     *trie.entry(method, &Template::parse(path).unwrap()) = Some(path);
//! }
//! let found = trie.find("DELETE", "/users/me", LookupOptions::default());
//! assert!(matches!(found, Lookup::Match(found) if *found.value == "/users/{id}"));
//! ```

mod lookup;
#[cfg(test)]
mod naive;
mod split;
#[cfg(test)]
mod tests;

use std::ops::Range;

use rustc_hash::FxHashMap;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::path;
use super::template::Segment;
use super::template::Template;

/// Values stored under HTTP method and path template.
#[derive(Clone, Debug)]
pub struct Trie<T> {
    /// The root is the first; a node is only ever added.
    nodes: Vec<Node<T>>,
    /// Every verb of the table, in normal form, so that most colons cost nothing.
    verbs: FxHashSet<Box<str>>,
}

/// One position in the templates.
#[derive(Clone, Debug)]
struct Node<T> {
    /// By normal form.
    literals: FxHashMap<Box<str>, u32>,
    star: Option<u32>,
    double_star: Option<u32>,
    /// What ends here without a verb.
    plain: Leaf<T>,
    /// What ends here with a verb, by its normal form.
    verbs: FxHashMap<Box<str>, Leaf<T>>,
    /// Whether this is a `**` below another `**`: only such nodes can be reached with the same
    /// rest of a path in more than one way.
    repeats: bool,
    /// Whether this or a node above is a `**`.
    below_double_star: bool,
}

/// The HTTP methods of one template.
#[derive(Clone, Debug)]
struct Leaf<T>(Vec<(Box<str>, Option<T>)>);

/// How a path is looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookupOptions {
    /// `rest.trailing_slash: ignore` (R7): one slash at the end is as if it were not there.
    pub ignore_trailing_slash: bool,
}

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup<'t, T> {
    /// To a value.
    Match(Match<'t, T>),
    /// Only with another HTTP method.
    MethodNotAllowed {
        /// Every HTTP method with which it leads anywhere, sorted, `HEAD` wherever `GET` is.
        allow: Vec<&'t str>,
    },
    /// Nowhere.
    NotFound,
}

/// A value and how its template lies on the path.
#[derive(Debug, PartialEq, Eq)]
pub struct Match<'t, T> {
    /// What was stored.
    pub value: &'t T,
    /// One per segment of the template; see [`Template::captures`].
    pub spans: Spans,
}

/// The spans of a match.
pub type Spans = SmallVec<[Span; 8]>;

/// The bytes of the path on which one segment of a template lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Of a `**` that took no segment at all.
    const NOTHING: Self = Self { start: 1, end: 0 };

    /// The bytes, or nothing for a `**` that took no segment (taking one empty segment is an
    /// empty range).
    pub fn range(&self) -> Option<Range<usize>> {
        (self.start <= self.end).then_some(self.start as usize..self.end as usize)
    }
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self {
            nodes: vec![Node::new(false, false)],
            verbs: FxHashSet::default(),
        }
    }
}

impl<T> Trie<T> {
    /// The place of a template and a method: the same one for all templates that match the same
    /// paths segment by segment, whatever their variables are called. `*` as method takes every
    /// method. An entry that is left empty counts for nothing.
    pub fn entry(&mut self, http_method: &str, template: &Template) -> &mut Option<T> {
        let mut node = 0;
        for segment in template.segments() {
            node = self.child(node, segment);
        }
        let verb = template.verb().map(path::normal);
        if let Some(verb) = &verb
            && !self.verbs.contains(&**verb)
        {
            self.verbs.insert(verb.as_ref().into());
        }
        let node = self.node_mut(node);
        let leaf = match verb {
            None => &mut node.plain,
            Some(verb) => node.verbs.entry(verb.as_ref().into()).or_default(),
        };
        leaf.entry(http_method)
    }

    /// What stands at the place of a template and a method, without a thought for paths.
    pub fn get(&self, http_method: &str, template: &Template) -> Option<&T> {
        let mut node = self.node(0);
        for segment in template.segments() {
            node = self.node(match segment {
                Segment::Literal(text) => *node.literals.get(path::normal(text).as_ref())?,
                Segment::Star => node.star?,
                Segment::DoubleStar => node.double_star?,
            });
        }
        match template.verb() {
            None => node.plain.get(http_method),
            Some(verb) => node
                .verbs
                .get(path::normal(verb).as_ref())?
                .get(http_method),
        }
    }

    /// Looks a path up: raw, from its first `/` to before the `?`.
    pub fn find(&self, http_method: &str, raw_path: &str, options: LookupOptions) -> Lookup<'_, T> {
        lookup::find(self, http_method, raw_path, options)
    }

    /// The child of `node` for `segment`, made if need be.
    fn child(&mut self, node: u32, segment: &Segment) -> u32 {
        let next =
            u32::try_from(self.nodes.len()).expect("four billion nodes do not fit in memory");
        let parent = self.node_mut(node);
        let below = parent.below_double_star;
        let is_double_star = *segment == Segment::DoubleStar;
        let child = match segment {
            Segment::Literal(text) => *parent
                .literals
                .entry(path::normal(text).into_owned().into())
                .or_insert(next),
            Segment::Star => *parent.star.get_or_insert(next),
            Segment::DoubleStar => *parent.double_star.get_or_insert(next),
        };
        if child == next {
            self.nodes
                .push(Node::new(below || is_double_star, below && is_double_star));
        }
        child
    }

    #[allow(
        clippy::indexing_slicing,
        reason = "indices are only made by `child`, and nodes never go away"
    )]
    fn node(&self, index: u32) -> &Node<T> {
        &self.nodes[index as usize]
    }

    #[allow(
        clippy::indexing_slicing,
        reason = "indices are only made by `child`, and nodes never go away"
    )]
    fn node_mut(&mut self, index: u32) -> &mut Node<T> {
        &mut self.nodes[index as usize]
    }
}

impl<T> Node<T> {
    fn new(below_double_star: bool, repeats: bool) -> Self {
        Self {
            literals: FxHashMap::default(),
            star: None,
            double_star: None,
            plain: Leaf::default(),
            verbs: FxHashMap::default(),
            repeats,
            below_double_star,
        }
    }
}

impl<T> Default for Leaf<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Leaf<T> {
    fn entry(&mut self, http_method: &str) -> &mut Option<T> {
        let at = self
            .0
            .iter()
            .position(|(method, _)| **method == *http_method)
            .unwrap_or_else(|| {
                self.0.push((http_method.into(), None));
                self.0.len() - 1
            });
        let (_, value) = self.0.get_mut(at).expect("found or pushed just now");
        value
    }

    fn get(&self, http_method: &str) -> Option<&T> {
        let (_, value) = self.0.iter().find(|(method, _)| **method == *http_method)?;
        value.as_ref()
    }

    /// The value for a request's method: its own, for HEAD that of GET (R8: a HEAD answers as the
    /// GET of the path would), then the one for every method (R3).
    fn select(&self, http_method: &str) -> Option<&T> {
        self.get(http_method)
            .or_else(|| match http_method {
                "HEAD" => self.get("GET"),
                _ => None,
            })
            .or_else(|| self.get("*"))
    }

    /// The methods that have a value.
    fn methods(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(|(_, value)| value.is_some())
            .map(|(method, _)| &**method)
    }
}
