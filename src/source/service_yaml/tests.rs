//! Rules in YAML, good and bad.

use super::*;

fn read(text: &str) -> (Vec<(HttpRule, Location)>, String) {
    let (file, problems) = read_rules(text, &Arc::from("r.yaml"));
    let problems = problems.iter().map(ToString::to_string);
    (file.rules, problems.collect::<Vec<_>>().join("\n"))
}

#[track_caller]
fn check(rules: &str, expected: &str) {
    let (_, problems) = read(&format!("http:\n  rules:\n{rules}"));
    assert_eq!(problems, expected);
}

#[test]
fn a_whole_service_configuration_is_read() {
    let (rules, problems) = read(
        "type: google.api.Service\nconfig_version: 3\nname: library.example.com\n\
         apis:\n- name: library.v1.Library\n\
         http:\n  fully_decode_reserved_expansion: true\n  rules:\n\
         \x20 - selector: library.v1.Library.GetBook\n    get: '/v1/{name=books/*}'\n\
         \x20   responseBody: book\n    additionalBindings:\n    - post: /v1/books:find\n      body: '*'\n\
         \x20 - {selector: library.v1.Library.*, custom: {kind: HEAD, path: /v1/any}}\n\
         \x20 - selector: \"*\"\n    delete: /x\n",
    );
    assert_eq!(problems, "");
    let places = rules.iter().map(|(_, place)| place.to_string());
    assert_eq!(
        places.collect::<Vec<_>>(),
        ["r.yaml:9:5", "r.yaml:15:5", "r.yaml:16:5"]
    );
    let rule = &rules[0].0;
    assert_eq!(rule.selector, "library.v1.Library.GetBook");
    assert_eq!(
        rule.pattern,
        Some(HttpPattern::Get("/v1/{name=books/*}".to_owned()))
    );
    assert_eq!(rule.response_body, "book");
    let additional = &rule.additional_bindings[0];
    assert_eq!(
        additional.pattern,
        Some(HttpPattern::Post("/v1/books:find".to_owned()))
    );
    assert_eq!(additional.body, "*");
    let custom = CustomHttpPattern {
        kind: "HEAD".to_owned(),
        path: "/v1/any".to_owned(),
    };
    assert_eq!(rules[1].0.pattern, Some(HttpPattern::Custom(custom)));
    assert_eq!(
        rules[2].0.pattern,
        Some(HttpPattern::Delete("/x".to_owned()))
    );
}

#[test]
fn json_is_yaml() {
    let (rules, problems) =
        read(r#"{"http": {"rules": [{"selector": "p.S.M", "put": "/m", "body": "b"}]}}"#);
    assert_eq!(problems, "");
    assert_eq!(
        (rules[0].0.body.as_str(), rules[0].1.line, rules[0].1.column),
        ("b", 1, 21)
    );
}

#[test]
fn a_wrong_rule_is_told_with_its_place() {
    check(
        "  - get: /x\n",
        "r.yaml:3:5: error: a rule needs a selector",
    );
    check(
        "  - selector: p.S.M\n",
        "r.yaml:3:5: error: a rule needs a pattern\n  \
         help: add one of get, put, post, delete, patch or custom",
    );
    check(
        "  - selector: p.S.M\n    get: /a\n    post: /b\n",
        "r.yaml:5:5: error: a rule has one pattern, this one has post as well\n  \
         note: r.yaml:4:5: the first is here\n  \
         help: put the second into additional_bindings",
    );
    check(
        "  - selector: p.S.M\n    get: /a\n    bdoy: x\n",
        "r.yaml:5:5: error: a rule has no key `bdoy`\n  help: the nearest key is `body`",
    );
    check(
        "  - selector: p..M\n    get: [/a]\n",
        "r.yaml:3:15: error: `p..M` is not a selector\n  \
         help: write pkg.Service.Method, or pkg.Service.* for all methods\n\
         r.yaml:4:10: error: get has to be a text, found a list",
    );
    check(
        "  - selector: p.S.M\n    get: /a\n    additional_bindings:\n    - selector: p.S.N\n      \
         get: /b\n    - additional_bindings: []\n      put: /c\n    - x\n",
        "r.yaml:6:7: error: an additional binding has no selector: it belongs to that of its rule\n\
         r.yaml:8:7: error: additional bindings do not nest\n\
         r.yaml:10:7: error: a rule has to be a mapping, found `x`",
    );
    check(
        "  - selector: p.S.M\n    custom: {kind: '*', method: x}\n",
        "r.yaml:4:25: error: custom has no key `method`, it has kind and path\n\
         r.yaml:4:13: error: custom needs a kind and a path",
    );
}

#[test]
fn a_wrong_rule_does_not_hide_the_others() {
    let (rules, problems) = read(
        "http: {rules: [3, {selector: p.S.M, get: /a}, {selector: p.S.N, gte: /b}, \
         {selector: p.S.O, get: /c}]}",
    );
    assert_eq!(rules.len(), 2);
    assert_eq!(
        problems,
        "r.yaml:1:16: error: a rule has to be a mapping, found `3`\n\
         r.yaml:1:65: error: a rule has no key `gte`\n  help: the nearest key is `get`\n\
         r.yaml:1:47: error: a rule needs a pattern\n  \
         help: add one of get, put, post, delete, patch or custom"
    );
}

#[test]
fn what_is_no_service_is_told() {
    for (text, expected) in [
        (
            "",
            "r.yaml:1:1: warning: there are no http.rules in this file",
        ),
        (
            "- a",
            "r.yaml:1:1: error: expected a google.api.Service, found a list",
        ),
        (
            "type: Service",
            "r.yaml:1:7: error: type is `Service`, expected google.api.Service",
        ),
        (
            "http: {rules: x}",
            "r.yaml:1:15: error: http.rules has to be a list, found `x`",
        ),
        ("http:\n  rule: []", "there are no http.rules in this file"),
        (
            "http:\n  rulse: []",
            "r.yaml:2:3: error: http has no key `rulse`\n  help: the nearest key is `rules`",
        ),
        (
            "http: []",
            "r.yaml:1:7: error: http has to be a mapping, found a list",
        ),
        ("a: [", "r.yaml:"),
    ] {
        let (rules, problems) = read(text);
        assert!(rules.is_empty());
        assert!(problems.contains(expected), "{expected} in {problems}");
    }
    let (rules, problems) = read("http:\n  rules:\n");
    assert_eq!((rules.len(), problems.as_str()), (0, ""));
}

#[test]
fn selectors_are_names_with_a_star_at_most_at_the_end() {
    for good in ["*", "a.*", "a.B.C", "_a.b_1", "a"] {
        assert!(is_selector(good), "{good}");
    }
    for bad in [
        "", ".", "a.", ".a", "a*", "*.a", "a.*.b", "a b", "1a", "a..b", "ä",
    ] {
        assert!(!is_selector(bad), "{bad}");
    }
}

#[test]
fn files_are_read_from_disk() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("rules.yaml");
    let (_, problems) = load(&path);
    assert!(
        problems[0]
            .message
            .starts_with("cannot be read: no such file")
    );
    fs::write(&path, b"\xff").unwrap();
    assert_eq!(load(&path).1[0].message, "the file is not UTF-8");
    fs::write(&path, "http: {rules: [{selector: p.S.M, get: /a}]}").unwrap();
    let (file, problems) = load(&path);
    assert_eq!((file.rules.len(), problems.len()), (1, 0));
}

#[test]
fn a_selector_may_be_a_list_and_nothing_is_what_is_not_given() {
    let (rules, problems) = read(
        "http:\n  fullyDecodeReservedExpansion: true\n  rules:\n  - selector: p.S.M, p.T.*\n    \
         get: /x\n    put: ~\n    custom:\n    body: ~\n    response_body:\n    \
         additional_bindings:\n",
    );
    assert_eq!(problems, "");
    assert_eq!(rules[0].0.selector, "p.S.M, p.T.*");
    assert_eq!((&*rules[0].0.body, &*rules[0].0.response_body), ("", ""));
    check(
        "  - selector: ~\n    get: ~\n",
        "r.yaml:3:15: error: `` is not a selector\n  \
         help: write pkg.Service.Method, or pkg.Service.* for all methods\n\
         r.yaml:3:5: error: a rule needs a pattern\n  \
         help: add one of get, put, post, delete, patch or custom",
    );
    check(
        "  - selector: p.S.M,,p.T.*\n    get: /x\n",
        "r.yaml:3:15: error: `p.S.M,,p.T.*` is not a selector\n  \
         help: write pkg.Service.Method, or pkg.Service.* for all methods",
    );
}

#[test]
fn a_star_needs_quotes() {
    let (rules, problems) =
        read("http:\n  rules:\n  - selector: p.S.M\n    post: /x\n    body: *\n");
    assert!(rules.is_empty());
    let help = "help: put quotes around the star: body: \"*\"";
    assert!(problems.contains(help), "{problems}");
}
