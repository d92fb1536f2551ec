//! What is nearest to a path that leads nowhere: the routes that differ least from it, and in what.
//!
//! Segments of path and template are laid beside each other as cheaply as possible; a segment can
//! be written otherwise, be one too many, or be missing. What costs too much is not near.

use serde::Serialize;

use crate::admin::routes_view::rpc;
use crate::route::template::{Segment, Template};
use crate::schema::Schema;

/// As many are shown.
const MOST: usize = 3;

/// What differs by more is not near.
const FAR: f64 = 1.6;

/// Longer paths and templates are not compared: the work is their product.
const MOST_SEGMENTS: usize = 24;

/// Longer segments are compared for being the same only.
const LONGEST: usize = 64;

/// A route that is nearly what was asked for.
#[derive(Debug, PartialEq, Serialize)]
pub struct Near {
    /// Its HTTP method.
    pub method: String,
    /// Its template.
    pub template: String,
    /// `pkg.Service/Method`.
    pub rpc: String,
    /// In what the request differs from it.
    pub differences: Vec<String>,
}

/// The routes that are nearest to a request that none takes.
pub(super) fn nearest(schema: &Schema, method: &str, path: &str) -> Vec<Near> {
    let path: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    if path.len() > MOST_SEGMENTS {
        return Vec::new();
    }
    let mut found: Vec<(f64, Near)> = Vec::new();
    for binding in &schema.bindings {
        let Some((mut cost, mut differences)) = compare(&path, &binding.template) else {
            continue;
        };
        if *binding.http_method != *method && &*binding.http_method != "*" {
            cost += 0.1;
            differences.push(format!("the route is for {}", binding.http_method));
        }
        if cost >= FAR {
            continue;
        }
        let near = Near {
            method: binding.http_method.to_string(),
            template: binding.template.to_string(),
            rpc: rpc(schema, binding),
            differences,
        };
        let at = found.partition_point(|(other, _)| *other <= cost);
        if at < MOST {
            found.insert(at, (cost, near));
            found.truncate(MOST);
        }
    }
    found.into_iter().map(|(_, near)| near).collect()
}

/// How far a path is from a template, and in what; `None` when it is far.
fn compare(path: &[&str], template: &Template) -> Option<(f64, Vec<String>)> {
    let segments = template.segments();
    let any = segments.contains(&Segment::DoubleStar);
    let apart = path.len().abs_diff(segments.len());
    if segments.len() > MOST_SEGMENTS || (!any && apart > 1) {
        return None;
    }
    let (path, verb) = split_verb(path, template);
    let (cost, mut differences) = Grid::new(&path, segments).walk();
    let (verb_cost, difference) = compare_verbs(verb, template.verb());
    differences.extend(difference);
    let cost = cost + verb_cost;
    (cost < FAR).then_some((cost, differences))
}

/// The path without its verb, and the verb, where the template makes one likely: a colon is part of
/// a segment otherwise.
fn split_verb<'p>(path: &[&'p str], template: &Template) -> (Vec<&'p str>, Option<&'p str>) {
    let mut segments = path.to_vec();
    let last_is_literal = matches!(template.segments().last(), Some(Segment::Literal(_)));
    if (template.verb().is_some() || last_is_literal)
        && let Some(last) = segments.last_mut()
        && let Some((rest, verb)) = last.rsplit_once(':')
    {
        *last = rest;
        return (segments, Some(verb));
    }
    (segments, None)
}

fn compare_verbs(given: Option<&str>, wanted: Option<&str>) -> (f64, Option<String>) {
    match (given, wanted) {
        (Some(given), Some(wanted)) if given == wanted => (0.0, None),
        (None, None) => (0.0, None),
        (Some(given), Some(wanted)) => (
            unlikeness(given, wanted),
            Some(format!(
                "the path ends with `:{given}`, the route with `:{wanted}`"
            )),
        ),
        (None, Some(wanted)) => (0.7, Some(format!("the route ends with `:{wanted}`"))),
        (Some(given), None) => (0.7, Some(format!("the route does not end with `:{given}`"))),
    }
}

/// How unlike two texts are, from 0.1 for letters of another case to 1.4 for nothing in common.
fn unlikeness(one: &str, other: &str) -> f64 {
    if one.eq_ignore_ascii_case(other) {
        return 0.1;
    }
    if one.len().max(other.len()) > LONGEST {
        return 1.4;
    }
    let likeness = strsim::normalized_damerau_levenshtein(one, other);
    if likeness < 0.5 { 1.4 } else { 1.2 - likeness }
}

/// What is done with a segment of the path or of the template.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    /// They are laid upon each other.
    Pair,
    /// A `**` takes a segment and may take more.
    Take,
    /// The segment of the path has no counterpart.
    Extra,
    /// The segment of the template has none.
    Missing,
}

/// Path against template: from each pair of places the cheapest way to both ends.
struct Grid<'a> {
    path: &'a [&'a str],
    template: &'a [Segment],
    /// Cost and first step, by place in the path, then in the template.
    best: Vec<Vec<(f64, Step)>>,
}

impl<'a> Grid<'a> {
    fn new(path: &'a [&'a str], template: &'a [Segment]) -> Self {
        let row = vec![(0.0, Step::Pair); template.len() + 1];
        let mut grid = Self {
            path,
            template,
            best: vec![row; path.len() + 1],
        };
        for at in (0..=path.len()).rev() {
            for of in (0..=template.len()).rev() {
                let best = grid.step(at, of);
                if let Some(cell) = grid.best.get_mut(at).and_then(|row| row.get_mut(of)) {
                    *cell = best;
                }
            }
        }
        grid
    }

    fn at(&self, at: usize, of: usize) -> (f64, Step) {
        let row = self.best.get(at);
        let end = (0.0, Step::Pair);
        row.and_then(|row| row.get(of)).copied().unwrap_or(end)
    }

    fn step(&self, at: usize, of: usize) -> (f64, Step) {
        let (given, wanted) = (self.path.get(at), self.template.get(of));
        let mut options: Vec<(f64, Step)> = Vec::with_capacity(4);
        if let Some(given) = given {
            let cost = if given.is_empty() { 0.3 } else { 1.0 };
            options.push((cost + self.at(at + 1, of).0, Step::Extra));
        }
        if let Some(wanted) = wanted {
            let cost = match wanted {
                Segment::DoubleStar => 0.0,
                Segment::Literal(_) | Segment::Star => 1.0,
            };
            options.push((cost + self.at(at, of + 1).0, Step::Missing));
        }
        if let (Some(given), Some(wanted)) = (given, wanted) {
            if *wanted == Segment::DoubleStar {
                options.push((self.at(at + 1, of).0, Step::Take));
            }
            let cost = pair_cost(given, wanted);
            options.push((cost + self.at(at + 1, of + 1).0, Step::Pair));
        }
        let end = (0.0, Step::Pair);
        let best = options.into_iter().rev();
        best.min_by(|one, other| one.0.total_cmp(&other.0))
            .unwrap_or(end)
    }

    /// The whole cost, and what differs on the way.
    fn walk(&self) -> (f64, Vec<String>) {
        let (mut at, mut of) = (0, 0);
        let mut differences = Vec::new();
        while at < self.path.len() || of < self.template.len() {
            let (_, step) = self.at(at, of);
            let given = self.path.get(at).copied().unwrap_or_default();
            let wanted = self.template.get(of);
            match (step, wanted) {
                (Step::Pair, Some(Segment::Literal(wanted))) if **wanted != *given => {
                    differences.push(format!("`{given}` stands where the route has `{wanted}`"));
                }
                (Step::Pair, Some(Segment::Star)) if given.is_empty() => {
                    differences.push("a segment is empty where the route has a value".to_owned());
                }
                (Step::Extra, _) if given.is_empty() && at + 1 == self.path.len() => {
                    differences.push("the path has a slash at its end".to_owned());
                }
                (Step::Extra, _) => differences.push(format!("`{given}` is one segment too many")),
                (Step::Missing, Some(Segment::Literal(wanted))) => {
                    differences.push(format!("`{wanted}` is missing"));
                }
                (Step::Missing, Some(Segment::Star)) => {
                    differences.push("a segment is missing where the route has a value".to_owned());
                }
                _ => {}
            }
            at += usize::from(step != Step::Missing);
            of += usize::from(matches!(step, Step::Pair | Step::Missing));
        }
        (self.at(0, 0).0, differences)
    }
}

fn pair_cost(given: &str, wanted: &Segment) -> f64 {
    match wanted {
        Segment::Literal(wanted) if **wanted == *given => 0.0,
        Segment::Literal(wanted) => unlikeness(given, wanted),
        Segment::Star if given.is_empty() => 0.5,
        Segment::Star | Segment::DoubleStar => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(path: &str, template: &str) -> Option<Vec<String>> {
        let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        compare(&path, &Template::parse(template).unwrap()).map(|(_, found)| found)
    }

    #[test]
    fn differences_are_named() {
        for (path, template, expected) in [
            (
                "/v1/shelfs/a",
                "/v1/{name=shelves/*}",
                &["`shelfs` stands where the route has `shelves`"][..],
            ),
            (
                "/v1/Shelves/a",
                "/v1/{name=shelves/*}",
                &["`Shelves` stands where the route has `shelves`"],
            ),
            ("/shelves/a", "/v1/shelves/{id}", &["`v1` is missing"]),
            (
                "/api/v1/shelves",
                "/v1/shelves",
                &["`api` is one segment too many"],
            ),
            (
                "/v1/shelves/",
                "/v1/shelves",
                &["the path has a slash at its end"],
            ),
            (
                "/v1/shelves",
                "/v1/shelves/{id}",
                &["a segment is missing where the route has a value"],
            ),
            (
                "/v1//books",
                "/v1/{id}/books",
                &["a segment is empty where the route has a value"],
            ),
            (
                "/v1/a:strem",
                "/v1/{id}:stream",
                &["the path ends with `:strem`, the route with `:stream`"],
            ),
            (
                "/v1/a",
                "/v1/{id}:stream",
                &["the route ends with `:stream`"],
            ),
            (
                "/v1/books:all",
                "/v1/books",
                &["the route does not end with `:all`"],
            ),
            (
                "/v1/x/y/z/opn",
                "/v1/**/open",
                &["`opn` stands where the route has `open`"],
            ),
            ("/v1/open", "/v1/**/open", &[]),
        ] {
            let found = differences(path, template);
            let expected = expected.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(found, Some(expected), "{path} {template}");
        }
    }

    #[test]
    fn what_is_far_is_not_shown() {
        for (path, template) in [
            ("/", "/v1/shelves/{id}/books"),
            ("/something/else", "/v1/books"),
            ("/v1/a/b/c/d", "/v1/{a}"),
        ] {
            assert_eq!(differences(path, template), None, "{path} {template}");
        }
    }
}
