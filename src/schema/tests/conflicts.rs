//! Two methods on one route (R3, R4).

use super::{input, shown};
use crate::route::trie::{Lookup, LookupOptions};
use crate::schema::compile::{AutoMapping, Conflicts, compile};
use crate::schema::problem::Severity;
use crate::schema::{RouteTarget, Schema};

/// A service whose methods `M0`, `M1`, ... have the rules given.
fn text(rules: &[&str]) -> String {
    use std::fmt::Write as _;
    let mut text = String::from(
        "syntax = \"proto3\"; package p; import \"google/api/annotations.proto\";\n\
         message Q { string a = 1; string b = 2; }\nservice S {\n",
    );
    for (at, rule) in rules.iter().enumerate() {
        writeln!(
            text,
            "  rpc M{at}(Q) returns (Q) {{ option (google.api.http) = {{ {rule} }}; }}"
        )
        .unwrap();
    }
    text.push('}');
    text
}

fn compiled(rules: &[&str], conflicts: Conflicts) -> (Schema, String) {
    let mut input = input(&text(rules));
    input.conflicts = conflicts;
    input.auto = AutoMapping::Off;
    let (schema, problems) = compile(&input);
    (schema, shown(&problems))
}

/// The names of the methods that a request leads to.
fn leads_to(schema: &Schema, http_method: &str, path: &str) -> Vec<String> {
    let found = schema
        .routes
        .find(http_method, path, LookupOptions::default());
    let Lookup::Match(found) = found else {
        return Vec::new();
    };
    let ids = match found.value {
        RouteTarget::Serve(id) => std::slice::from_ref(id),
        RouteTarget::Conflict(ids) => ids,
    };
    let names = ids.iter().map(|id| {
        let binding = schema.binding(*id);
        schema.method(binding.method).name.to_string()
    });
    names.collect()
}

#[test]
fn a_conflict_names_both_methods_and_both_places() {
    let rules = [r#"get: "/v1/{a}""#, r#"get: "/v1/{b}""#, r#"get: "/v2""#];
    let (schema, problems) = compiled(&rules, Conflicts::Error);
    assert_eq!(
        problems,
        "test.proto:5:27: error: `GET /v1/{a}` leads to both `p.S.M0` and `p.S.M1`\n  \
         note: test.proto:4:27: `p.S.M0` claims it here\n  \
         help: none of them is served there; change all paths but one, or set rest.conflicts"
    );
    assert_eq!(leads_to(&schema, "GET", "/v1/x"), ["M0", "M1"]);
    assert_eq!(leads_to(&schema, "GET", "/v2"), ["M2"]);
}

#[test]
fn a_policy_decides_who_is_served() {
    let rules = [r#"get: "/v1/{a}""#, r#"get: "/v1/{b}""#, r#"get: "/v1/*""#];
    for (conflicts, served, word) in [
        (Conflicts::First, "M0", "first"),
        (Conflicts::Last, "M2", "last"),
    ] {
        let (schema, problems) = compiled(&rules, conflicts);
        assert_eq!(leads_to(&schema, "GET", "/v1/x"), [served]);
        assert_eq!(schema.bindings.len(), 1);
        assert_eq!(
            problems,
            format!(
                "test.proto:6:27: warning: `GET /v1/{{a}}` leads to `p.S.M2` and 2 other methods\n  \
                 note: test.proto:4:27: `p.S.M0` claims it here\n  \
                 note: test.proto:5:27: `p.S.M1` claims it here\n  \
                 help: the {word} one declared is served there (rest.conflicts: {word})"
            )
        );
    }
    let (schema, _) = compiled(&rules, Conflicts::Error);
    assert_eq!(leads_to(&schema, "GET", "/v1/x"), ["M0", "M1", "M2"]);
}

#[test]
fn what_is_no_conflict() {
    for rules in [
        [r#"get: "/v1/{a}""#, r#"post: "/v1/{a}""#],
        [r#"get: "/v1/{a}""#, r#"get: "/v1/{a=**}""#],
        [r#"get: "/v1/{a}""#, r#"get: "/v1/x""#],
        [r#"get: "/v1/{a}""#, r#"get: "/v1/{a}:verb""#],
        [
            r#"get: "/v1/{a}""#,
            r#"custom: { kind: "*" path: "/v1/{a}" }"#,
        ],
        [
            r#"get: "/v1/{a}" additional_bindings { get: "/v1/{b}" }"#,
            r#"get: "/v2""#,
        ],
    ] {
        let (schema, problems) = compiled(&rules, Conflicts::Error);
        assert_eq!(problems, "", "{rules:?}");
        let conflicts = schema.bindings.iter().any(|binding| {
            let path = binding.template.to_string();
            leads_to(&schema, &binding.http_method, &path).len() > 1
        });
        assert!(!conflicts, "{rules:?}");
    }
}

#[test]
fn two_stars_of_two_methods_clash() {
    let star = r#"custom: { kind: "*" path: "/v1/{a}" }"#;
    let (schema, problems) = compiled(&[star, star], Conflicts::Error);
    assert!(problems.contains("`* /v1/{a}` leads to both"), "{problems}");
    assert_eq!(leads_to(&schema, "PURGE", "/v1/x"), ["M0", "M1"]);
}

#[test]
fn the_same_method_may_say_a_pattern_twice_even_within_a_conflict() {
    let rules = [
        r#"get: "/v1/{a}""#,
        r#"get: "/v1/{b}" additional_bindings { get: "/v1/{a}" }"#,
    ];
    let (schema, problems) = compiled(&rules, Conflicts::Error);
    assert_eq!(problems.matches("error").count(), 1, "{problems}");
    assert_eq!(leads_to(&schema, "GET", "/v1/x"), ["M0", "M1"]);
}

#[test]
fn what_is_automatic_takes_no_place_from_what_is_declared() {
    let mut input = input(&text(&[r#"post: "/p.S/M1""#, r#"get: "/v1""#]));
    input.auto = AutoMapping::Always;
    let (schema, problems) = compile(&input);
    assert_eq!(shown(&problems), "");
    assert_eq!(leads_to(&schema, "POST", "/p.S/M1"), ["M0"]);
    assert_eq!(leads_to(&schema, "POST", "/p.S/M0"), ["M0"]);
}

#[test]
fn a_clash_is_an_error_only_where_nobody_decided() {
    let rules = [r#"get: "/v1/{a}""#, r#"get: "/v1/{b}""#];
    for (conflicts, severity) in [
        (Conflicts::Error, Severity::Error),
        (Conflicts::First, Severity::Warning),
        (Conflicts::Last, Severity::Warning),
    ] {
        let mut input = input(&text(&rules));
        input.conflicts = conflicts;
        let (_, problems) = compile(&input);
        let severities: Vec<Severity> = problems.iter().map(|problem| problem.severity).collect();
        assert_eq!(severities, [severity]);
    }
}
