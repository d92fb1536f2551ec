//! The trie's oracle: tries every template on a path, every way it can lie there, and picks the
//! most specific. Slow, and so plain that it can be checked against R2-R8 by reading.

use std::collections::BTreeSet;
use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::route::template::Variable;
use crate::route::template::tests::any_template;

/// How one template lies on a path: the segments each of its segments takes.
type Alignment = Vec<Range<usize>>;

/// All alignments of `template`, from segment `at` of `path` on.
fn alignments(template: &[Segment], path: &[&str], at: usize) -> Vec<Alignment> {
    let Some((first, rest)) = template.split_first() else {
        return match at == path.len() {
            true => vec![Vec::new()],
            false => Vec::new(),
        };
    };
    let mut found = Vec::new();
    for end in at..=path.len() {
        let taken = &path[at..end];
        let fits = match (first, taken) {
            (Segment::Literal(text), [one]) => path::normal(text) == path::normal(one),
            (Segment::Star, [one]) => !one.is_empty(),
            (Segment::DoubleStar, _) => true,
            _ => false,
        };
        if !fits {
            continue;
        }
        for mut alignment in alignments(rest, path, end) {
            alignment.insert(0, at..end);
            found.push(alignment);
        }
    }
    found
}

/// Smaller is more specific (R2): what stands at each place, then how early it begins.
fn specificity(template: &[Segment], alignment: &Alignment) -> Vec<(u8, usize)> {
    let rank = |segment: &Segment| match segment {
        Segment::Literal(_) => 1,
        Segment::Star => 2,
        Segment::DoubleStar => 4,
    };
    let places = template.iter().map(rank);
    let mut key: Vec<_> = places
        .zip(alignment.iter().map(|taken| taken.start))
        .collect();
    key.push((3, 0));
    key
}

/// How well a rule's method suits a request's: R3, R8.
fn suits(rule: &str, request: &str) -> Option<u8> {
    match rule {
        _ if rule == request => Some(0),
        "GET" if request == "HEAD" => Some(1),
        "*" => Some(2),
        _ => None,
    }
}

fn split(path: &str) -> Vec<&str> {
    match path.strip_prefix('/').unwrap() {
        "" => Vec::new(),
        tail => tail.split('/').collect(),
    }
}

/// The raw captures of every variable.
fn captures(template: &Template, path: &[&str], alignment: &Alignment) -> Vec<String> {
    let capture = |variable: &Variable| {
        let own = &alignment[variable.first..variable.end];
        path[own[0].start..own[own.len() - 1].end].join("/")
    };
    template.variables().iter().map(capture).collect()
}

/// What a lookup comes to.
#[derive(Debug, PartialEq)]
enum Outcome {
    Match(usize, Vec<String>),
    MethodNotAllowed(Vec<String>),
    NotFound,
}

fn find_naively(rules: &[(String, Template)], method: &str, raw_path: &str) -> Outcome {
    let mut found = Vec::new();
    let mut allow = BTreeSet::new();
    for (index, (rule_method, template)) in rules.iter().enumerate() {
        let path = match template.verb() {
            None => raw_path,
            Some(verb) => match raw_path.rsplit_once(':') {
                Some((before, given)) if path::normal(given) == path::normal(verb) => before,
                _ => continue,
            },
        };
        let path = split(path);
        for alignment in alignments(template.segments(), &path, 0) {
            allow.insert(rule_method.clone());
            let Some(suits) = suits(rule_method, method) else {
                continue;
            };
            let specific = specificity(template.segments(), &alignment);
            let key = (template.verb().is_none(), specific, suits);
            found.push((key, index, captures(template, &path, &alignment)));
        }
    }
    if let Some((_, index, captures)) = found.into_iter().min() {
        return Outcome::Match(index, captures);
    }
    if allow.contains("GET") {
        allow.insert("HEAD".to_owned());
    }
    match allow.is_empty() {
        true => Outcome::NotFound,
        false => Outcome::MethodNotAllowed(allow.into_iter().collect()),
    }
}

/// A table without two rules in one place, and the trie of it.
fn table(rules: Vec<(String, String)>) -> (Vec<(String, Template)>, Trie<usize>) {
    let mut kept = Vec::new();
    let mut trie = Trie::default();
    for (method, text) in rules {
        let template = Template::parse(&text).unwrap();
        let entry = trie.entry(&method, &template);
        if entry.is_none() {
            *entry = Some(kept.len());
            kept.push((method, template));
        }
    }
    (kept, trie)
}

fn any_rule() -> impl Strategy<Value = (String, String)> {
    let method = prop_oneof![3 => Just("GET"), 1 => Just("HEAD"), 2 => Just("PUT"), 1 => Just("*")];
    (method.prop_map(str::to_owned), any_template())
}

fn any_path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        6 => "[abx]",
        1 => Just(String::new()),
        1 => Just("v%2f1".to_owned()),
        1 => Just("%61".to_owned()),
        1 => Just("a:g".to_owned()),
    ];
    let end = prop_oneof![2 => Just(""), 1 => Just(":g"), 1 => Just(":%73"), 1 => Just(":x"), 1 => Just(":")];
    (proptest::collection::vec(segment, 1..7), end)
        .prop_map(|(segments, end)| format!("/{}{end}", segments.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_trie_agrees_with_trying_everything(
        rules in proptest::collection::vec(any_rule(), 0..24),
        method in "GET|HEAD|PUT|BREW",
        path in any_path(),
    ) {
        let (rules, trie) = table(rules);
        let found = match trie.find(&method, &path, LookupOptions::default()) {
            Lookup::Match(found) => {
                let (_, template) = &rules[*found.value];
                let captures = template.captures(&path, &found.spans).map(str::to_owned);
                Outcome::Match(*found.value, captures.collect())
            }
            Lookup::MethodNotAllowed { allow } => {
                Outcome::MethodNotAllowed(allow.into_iter().map(str::to_owned).collect())
            }
            Lookup::NotFound => Outcome::NotFound,
        };
        prop_assert_eq!(found, find_naively(&rules, &method, &path));
    }

    #[test]
    fn a_match_expands_to_its_path(
        rules in proptest::collection::vec(any_rule(), 1..24),
        path in any_path(),
    ) {
        let (rules, trie) = table(rules);
        let Lookup::Match(found) = trie.find("GET", &path, LookupOptions::default()) else {
            return Ok(());
        };
        let (_, template) = &rules[*found.value];
        let mut captures = template.captures(&path, &found.spans);
        let mut expanded = String::new();
        let mut variables = template.variables().iter().peekable();
        let mut bound_until = 0;
        for (index, segment) in template.segments().iter().enumerate() {
            let span = found.spans[index].range();
            if let Some(variable) = variables.next_if(|variable| variable.first == index) {
                bound_until = variable.end;
                let capture = captures.next().unwrap();
                let own = &found.spans[variable.first..variable.end];
                if own.iter().any(|span| span.range().is_some()) {
                    expanded += "/";
                    expanded += capture;
                } else {
                    prop_assert_eq!(capture, "");
                }
            } else if let Some(span) = span && index >= bound_until {
                if let Segment::Literal(text) = segment {
                    prop_assert_eq!(path::normal(text), path::normal(path.get(span.clone()).unwrap()));
                }
                expanded += "/";
                expanded += path.get(span).unwrap();
            }
        }
        if expanded.is_empty() {
            expanded += "/";
        }
        let expected = match (template.verb(), path.rsplit_once(':')) {
            (Some(verb), Some((before, given))) => {
                prop_assert_eq!(path::normal(given), verb);
                before
            }
            _ => &path,
        };
        prop_assert_eq!(&expanded, expected);
    }

    #[test]
    fn no_text_panics(
        rules in proptest::collection::vec(any_rule(), 0..8),
        method in ".{0,4}",
        path in "([/:%a2x\u{fc}\0]|.){0,24}",
        ignore_trailing_slash: bool,
    ) {
        let (rules, trie) = table(rules);
        let options = LookupOptions { ignore_trailing_slash };
        if let Lookup::Match(found) = trie.find(&method, &path, options) {
            let (_, template) = &rules[*found.value];
            prop_assert_eq!(found.spans.len(), template.segments().len());
            prop_assert!(template.captures(&path, &found.spans).all(|text| path.contains(text)));
        }
    }
}
