//! Which rules hold for which method (R9).

use super::{input, shown, source_files};
use crate::schema::binding::Origin;
use crate::schema::compile::{AutoMapping, Input, RuleFile, RulesMode, Services, compile};
use crate::schema::descriptor::{HttpPattern, HttpRule};
use crate::schema::problem::Location;

const TEXT: &str = r#"syntax = "proto3"; package p.v1;
import "google/api/annotations.proto";
message Q { string a = 1; }
service S {
  rpc Noted(Q) returns (Q) { option (google.api.http) = { get: "/noted" }; }
  rpc Plain(Q) returns (Q);
}
service Other { rpc Plain(Q) returns (Q); }
"#;

/// A YAML rule, `GET path`; its line is its place in the file.
fn file(rules: &[(&str, &str)]) -> RuleFile {
    let rules = (1..).zip(rules).map(|(line, (selector, path))| {
        let rule = HttpRule {
            selector: (*selector).to_owned(),
            pattern: Some(HttpPattern::Get((*path).to_owned())),
            ..HttpRule::default()
        };
        (rule, Location::at("api.yaml", line, 7))
    });
    RuleFile {
        rules: rules.collect(),
    }
}

/// Every route as `Service.Method GET /path`, sorted, and the problems.
fn routes(input: &Input) -> (Vec<String>, String) {
    let (schema, problems) = compile(input);
    let mut routes: Vec<String> = schema
        .bindings
        .iter()
        .map(|binding| {
            let name = schema.method(binding.method).full_name();
            let name = name.strip_prefix("p.v1.").unwrap_or(&name);
            format!("{name} {} {}", binding.http_method, binding.template)
        })
        .collect();
    routes.sort();
    (routes, shown(&problems))
}

fn check(input: &Input, expected: &[&str]) {
    let (routes, problems) = routes(input);
    assert_eq!(problems, "");
    assert_eq!(routes, expected);
}

fn with(rules: &[(&str, &str)]) -> Input {
    Input {
        rules: vec![file(rules)],
        auto: AutoMapping::Off,
        ..input(TEXT)
    }
}

#[test]
fn automatic_rules_go_to_those_that_have_none() {
    let mut input = input(TEXT);
    check(
        &input,
        &[
            "Other.Plain POST /p.v1.Other/Plain",
            "S.Noted GET /noted",
            "S.Plain POST /p.v1.S/Plain",
        ],
    );
    input.auto = AutoMapping::Always;
    check(
        &input,
        &[
            "Other.Plain POST /p.v1.Other/Plain",
            "S.Noted GET /noted",
            "S.Noted POST /p.v1.S/Noted",
            "S.Plain POST /p.v1.S/Plain",
        ],
    );
    input.auto = AutoMapping::Off;
    check(&input, &["S.Noted GET /noted"]);
}

#[test]
fn the_services_of_grpc_itself_are_never_mapped_automatically() {
    let health = r#"syntax = "proto3"; package grpc.health.v1;
        message Q {} service Health { rpc Check(Q) returns (Q); }"#;
    let reflection = r#"syntax = "proto3"; package grpc.reflection.v1alpha;
        message Q {} service ServerReflection { rpc Info(stream Q) returns (stream Q); }"#;
    let healthy = r#"syntax = "proto3"; package grpc.healthy;
        message Q {} service Food { rpc Eat(Q) returns (Q); }"#;
    let mut input = Input {
        files: source_files(&[
            ("h.proto", health),
            ("r.proto", reflection),
            ("f.proto", healthy),
        ]),
        auto: AutoMapping::Always,
        ..Input::default()
    };
    check(
        &input,
        &["grpc.healthy.Food.Eat POST /grpc.healthy.Food/Eat"],
    );
    input.auto = AutoMapping::Off;
    input.rules = vec![file(&[("grpc.health.v1.Health.Check", "/healthz")])];
    check(&input, &["grpc.health.v1.Health.Check GET /healthz"]);
}

#[test]
fn yaml_replaces_an_annotation_or_stands_beside_it() {
    let mut input = with(&[("p.v1.S.Noted", "/yaml")]);
    check(&input, &["S.Noted GET /yaml"]);
    input.rules_mode = RulesMode::Add;
    check(&input, &["S.Noted GET /noted", "S.Noted GET /yaml"]);
}

#[test]
fn the_last_rule_that_selects_a_method_counts() {
    check(
        &with(&[("p.v1.S.Plain", "/one"), ("p.v1.S.Plain", "/two")]),
        &["S.Noted GET /noted", "S.Plain GET /two"],
    );
    check(
        &with(&[("p.v1.S.Plain", "/exact"), ("p.v1.Other.*", "/wild")]),
        &[
            "Other.Plain GET /wild",
            "S.Noted GET /noted",
            "S.Plain GET /exact",
        ],
    );
    // However exact a rule is, a later one comes after it; and files come in their order.
    let mut input = with(&[("p.v1.Other.Plain", "/exact")]);
    input.rules.push(file(&[("p.v1.Other.*", "/wild")]));
    check(&input, &["Other.Plain GET /wild", "S.Noted GET /noted"]);
    input.rules.reverse();
    check(&input, &["Other.Plain GET /exact", "S.Noted GET /noted"]);
}

#[test]
fn a_selector_may_be_a_list() {
    let mut input = with(&[("p.v1.S.Plain, p.v1.S.Noted", "/{a}")]);
    let (routes, problems) = routes(&input);
    assert_eq!(routes, ["S.Noted GET /{a}", "S.Plain GET /{a}"]);
    assert!(
        problems.starts_with("api.yaml:1:7: error: `GET /{a}` leads to both"),
        "{problems}"
    );
    input.rules = vec![file(&[("p.v1.S.Plain,p.v1.X", "/x")])];
    assert!(
        self::routes(&input)
            .1
            .contains("selector `p.v1.X` matches no method")
    );
}

#[test]
fn wildcards_stand_for_whole_names() {
    for (selector, selected) in [
        ("*", 3),
        ("p.*", 3),
        ("p.v1.*", 3),
        ("p.v1.S.*", 2),
        ("p.v1.S.Plain.*", 0),
        ("p.v.*", 0),
        ("v1.*", 0),
    ] {
        let mut input = with(&[(selector, "/x")]);
        input.rules_mode = RulesMode::Add;
        let (schema, _) = compile(&input);
        let rules = schema.bindings.iter();
        let found = rules
            .filter(|binding| binding.origin == Origin::Rule)
            .count();
        assert_eq!(found, selected, "{selector}");
    }
}

#[test]
fn selectors_that_select_nothing_name_the_nearest_method() {
    let rows = [
        (
            "p.v1.S.Plian",
            "api.yaml:1:7: warning: selector `p.v1.S.Plian` matches no method\n  \
             help: the nearest method is `p.v1.S.Plain`",
        ),
        (
            "zzz.*",
            "api.yaml:1:7: warning: selector `zzz.*` matches no method",
        ),
        (
            "p.v1.S.Pl*",
            "api.yaml:1:7: error: selector `p.v1.S.Pl*` is not the name of a method\n  \
             help: write `package.Service.Method`; a `*` may stand for whole names at the end",
        ),
        (
            "p.*.S",
            "api.yaml:1:7: error: selector `p.*.S` is not the name of a method\n  \
             help: write `package.Service.Method`; a `*` may stand for whole names at the end",
        ),
        (
            "",
            "api.yaml:1:7: error: the rule has no selector\n  \
             help: write `package.Service.Method`; a `*` may stand for whole names at the end",
        ),
    ];
    for (selector, expected) in rows {
        assert_eq!(routes(&with(&[(selector, "/x")])).1, expected, "{selector}");
    }
}

#[test]
fn a_selector_that_a_later_one_outdoes_still_matched() {
    check(
        &with(&[
            ("p.v1.S.Plain", "/x"),
            ("p.v1.S.*", "/y"),
            ("p.v1.S.Noted", "/z"),
        ]),
        &["S.Noted GET /z", "S.Plain GET /y"],
    );
}

#[test]
fn a_broken_rule_has_the_place_of_its_yaml() {
    let (routes, problems) = routes(&with(&[("p.v1.S.Noted", "/{zzz}")]));
    assert_eq!(routes, [""; 0]);
    assert_eq!(
        problems,
        "api.yaml:1:7: error: http rule of `p.v1.S.Noted`: variable `zzz`: \
         `p.v1.Q` has no field `zzz`"
    );
}

#[test]
fn only_offered_services_are_served() {
    let mut input = input(TEXT);
    let file = input
        .files
        .iter_mut()
        .find(|file| &*file.origin == "test.proto");
    file.unwrap().services = Services::Only(["p.v1.Other".into()].into());
    check(&input, &["Other.Plain POST /p.v1.Other/Plain"]);
    let (schema, _) = compile(&input);
    assert_eq!(schema.files.services, ["p.v1.Other".into()]);
    assert_eq!(schema.by_path.len(), 1);
}
