use super::*;

const STRICT: LookupOptions = LookupOptions {
    ignore_trailing_slash: false,
};

/// What a lookup comes to, as text: the rule and its captures, `405 METHODS` or `404`.
fn outcome(rules: &[&str], method: &str, path: &str, options: LookupOptions) -> String {
    let mut trie = Trie::default();
    for rule in rules {
        let (http_method, text) = rule.split_once(' ').unwrap();
        let template = Template::parse(text).unwrap();
        *trie.entry(http_method, &template) = Some((*rule, template.clone()));
    }
    match trie.find(method, path, options) {
        Lookup::Match(found) => {
            let (rule, template) = found.value;
            let captures: Vec<_> = template.captures(path, &found.spans).collect();
            format!("{rule} {captures:?}")
        }
        Lookup::MethodNotAllowed { allow } => format!("405 {}", allow.join(", ")),
        Lookup::NotFound => "404".to_owned(),
    }
}

fn check(rules: &[&str], cases: &[(&str, &str)]) {
    check_with(rules, STRICT, cases);
}

fn check_with(rules: &[&str], options: LookupOptions, cases: &[(&str, &str)]) {
    for (request, expected) in cases {
        let (method, path) = request.split_once(' ').unwrap();
        assert_eq!(
            outcome(rules, method, path, options),
            *expected,
            "{request}"
        );
    }
}

#[test]
fn specificity_decides_and_backtracks() {
    check(
        &["GET /a/{x=**}", "GET /a/{y}/c", "GET /a/b", "GET /a/b/d"],
        &[
            ("GET /a/b", r"GET /a/b []"),
            ("GET /a/b/c", r#"GET /a/{y}/c ["b"]"#),
            ("GET /a/b/d", r"GET /a/b/d []"),
            ("GET /a/b/e", r#"GET /a/{x=**} ["b/e"]"#),
            ("GET /a", r#"GET /a/{x=**} [""]"#),
            ("GET /a/", r#"GET /a/{x=**} [""]"#),
            ("GET /b", "404"),
            ("GET ", "404"),
            ("GET a/b", "404"),
        ],
    );
}

#[test]
fn the_method_is_part_of_the_match() {
    check(
        &[
            "GET /users/me",
            "DELETE /users/{id}",
            "PATCH /users/{id=**}",
        ],
        &[
            ("GET /users/me", r"GET /users/me []"),
            ("HEAD /users/me", r"GET /users/me []"),
            ("DELETE /users/me", r#"DELETE /users/{id} ["me"]"#),
            ("PATCH /users/me", r#"PATCH /users/{id=**} ["me"]"#),
            ("POST /users/me", "405 DELETE, GET, HEAD, PATCH"),
            ("GET /users/x", "405 DELETE, PATCH"),
            ("HEAD /users/x/y", "405 PATCH"),
        ],
    );
}

#[test]
fn an_exact_method_goes_before_any_method() {
    check(
        &["* /a", "GET /a", "PURGE /a", "HEAD /b", "GET /b", "* /c"],
        &[
            ("GET /a", r"GET /a []"),
            ("HEAD /a", r"GET /a []"),
            ("PURGE /a", r"PURGE /a []"),
            ("BREW /a", r"* /a []"),
            ("HEAD /b", r"HEAD /b []"),
            ("HEAD /c", r"* /c []"),
            ("get /b", "405 GET, HEAD"),
        ],
    );
}

#[test]
fn a_colon_is_a_verb_only_where_a_rule_has_it() {
    check(
        &[
            "GET /v1/{name=urns/**}:get",
            "GET /v1/{name=urns/**}",
            "POST /v1/{id}:run",
            "GET /v1/{id}",
        ],
        &[
            (
                "GET /v1/urns/a:b:get",
                r#"GET /v1/{name=urns/**}:get ["urns/a:b"]"#,
            ),
            ("GET /v1/urns:get", r#"GET /v1/{name=urns/**}:get ["urns"]"#),
            (
                "GET /v1/urns/:get",
                r#"GET /v1/{name=urns/**}:get ["urns/"]"#,
            ),
            (
                "GET /v1/urns/a:set",
                r#"GET /v1/{name=urns/**} ["urns/a:set"]"#,
            ),
            (
                "GET /v1/urns/a%3Aget",
                r#"GET /v1/{name=urns/**} ["urns/a%3Aget"]"#,
            ),
            (
                "GET /v1/urns/a:get/x",
                r#"GET /v1/{name=urns/**} ["urns/a:get/x"]"#,
            ),
            ("GET /v1/x:%67et", r#"GET /v1/{id} ["x:%67et"]"#),
            (
                "GET /v1/urns/x:%67et",
                r#"GET /v1/{name=urns/**}:get ["urns/x"]"#,
            ),
            ("POST /v1/x:run", r#"POST /v1/{id}:run ["x"]"#),
            ("GET /v1/x:run", r#"GET /v1/{id} ["x:run"]"#),
            ("PUT /v1/x:run", "405 GET, HEAD, POST"),
            ("GET /v1/x:", r#"GET /v1/{id} ["x:"]"#),
            ("POST /v1/:run", "405 GET, HEAD"),
        ],
    );
}

#[test]
fn literals_compare_after_decoding_unreserved() {
    check(
        &["GET /a%7Eb/c%3ad", "GET /gr\u{fc}n/{x}"],
        &[
            ("GET /a~b/c%3Ad", r"GET /a%7Eb/c%3ad []"),
            ("GET /%61%7eb/%63%3aD", "404"),
            ("GET /%61%7eb/%63%3a%64", r"GET /a%7Eb/c%3ad []"),
            ("GET /a~b/c:d", "404"),
            ("GET /gr%c3%bcn/a%2Fb", "GET /gr\u{fc}n/{x} [\"a%2Fb\"]"),
            ("GET /a%2Fb", "404"),
        ],
    );
}

#[test]
fn empty_segments_and_trailing_slashes_count() {
    let rules = ["GET /a", "GET /a/{x}/b", "GET /c/{y=**}/d", "GET /"];
    check(
        &rules,
        &[
            ("GET /a/", "404"),
            ("GET /a//b", "404"),
            ("GET /c//d", r#"GET /c/{y=**}/d [""]"#),
            ("GET /c/d", r#"GET /c/{y=**}/d [""]"#),
            ("GET /c///d", r#"GET /c/{y=**}/d ["/"]"#),
            ("GET /c/x//d", r#"GET /c/{y=**}/d ["x/"]"#),
            ("GET /", r"GET / []"),
            ("GET //", "404"),
        ],
    );
    check_with(
        &rules,
        LookupOptions {
            ignore_trailing_slash: true,
        },
        &[
            ("GET /a/", r"GET /a []"),
            ("GET /a//", "404"),
            ("GET /a/x/b/", r#"GET /a/{x}/b ["x"]"#),
            ("GET /", r"GET / []"),
        ],
    );
}

#[test]
fn what_directly_follows_a_double_star_decides_before_how_much_it_takes() {
    check(
        &[
            "GET /{a=**}/x/{b=**}",
            "GET /{a=**}/{c}/y",
            "GET /{a=**}/x/y/z",
            "GET /{a=**}",
        ],
        &[
            ("GET /x/x/x", r#"GET /{a=**}/x/{b=**} ["", "x/x"]"#),
            ("GET /1/x/2", r#"GET /{a=**}/x/{b=**} ["1", "2"]"#),
            ("GET /1/2/y", r#"GET /{a=**}/{c}/y ["1", "2"]"#),
            ("GET /1/x/y/z", r#"GET /{a=**}/x/y/z ["1"]"#),
            ("GET /x/x/y/z", r#"GET /{a=**}/x/{b=**} ["", "x/y/z"]"#),
            ("GET /1/2", r#"GET /{a=**} ["1/2"]"#),
            ("GET /", r#"GET /{a=**} [""]"#),
        ],
    );
}

#[test]
fn a_double_star_that_takes_nothing_leaves_no_slash() {
    check(
        &[
            "GET /1/{a=b/**}/c",
            "GET /2/{a=**/b}/c",
            "GET /3/{a=b/**/c}",
            "GET /4/{a=**}/{b}",
        ],
        &[
            ("GET /1/b/c", r#"GET /1/{a=b/**}/c ["b"]"#),
            ("GET /1/b//c", r#"GET /1/{a=b/**}/c ["b/"]"#),
            ("GET /2/b/c", r#"GET /2/{a=**/b}/c ["b"]"#),
            ("GET /2//b/c", r#"GET /2/{a=**/b}/c ["/b"]"#),
            ("GET /3/b/c", r#"GET /3/{a=b/**/c} ["b/c"]"#),
            ("GET /4/c", r#"GET /4/{a=**}/{b} ["", "c"]"#),
        ],
    );
}

#[test]
fn one_shape_is_one_entry_whatever_its_variables_are_called() {
    let mut trie = Trie::default();
    let mut put = |method: &str, text: &str| {
        let template = Template::parse(text).unwrap();
        trie.entry(method, &template)
            .replace(text.to_owned())
            .is_some()
    };
    assert!(!put("GET", "/v1/{name=shelves/*}/%61b:get"));
    assert!(put("GET", "/v1/shelves/{shelf}/ab:g%65t"));
    assert!(!put("GET", "/v1/shelves/{shelf}/ab"));
    assert!(!put("PUT", "/v1/shelves/{shelf}/ab:get"));
    assert!(!put("GET", "/v1/shelves/{shelf=**}/ab:get"));
}

#[test]
fn an_empty_entry_counts_for_nothing() {
    let mut trie: Trie<()> = Trie::default();
    trie.entry("GET", &Template::parse("/a").unwrap());
    assert_eq!(trie.find("GET", "/a", STRICT), Lookup::NotFound);
    assert_eq!(trie.find("PUT", "/a", STRICT), Lookup::NotFound);
}

#[test]
fn hostile_tables_and_paths_cost_no_more_than_their_product() {
    // Without the memory of what was tried, this would take more steps than there are atoms.
    let rule = format!("GET {}/y", "/**/x/*".repeat(30));
    let path = format!("{}/z", "/x".repeat(2_000));
    assert_eq!(outcome(&[&rule], "GET", &path, STRICT), "404");
    assert_eq!(
        outcome(&[&rule, "PUT /**"], "GET", &path, STRICT),
        "405 PUT"
    );
    let path = format!("{}/y", "/x".repeat(2_000));
    assert_eq!(
        outcome(&[&rule], "GET", &path, STRICT),
        format!("{rule} []")
    );
    let slashes = "/".repeat(60_000);
    assert_eq!(outcome(&[&rule], "GET", &slashes, STRICT), "404");
}

#[test]
fn fifteen_thousand_rules_each_find_their_own() {
    let mut trie = Trie::default();
    let rule = |n: usize| {
        let (api, kind, verb) = (n % 300, n / 300, n % 7);
        (
            format!("/v{api}/{{name=projects/*/kinds{kind}/**}}:verb{verb}"),
            format!("/v{api}/projects/p/kinds{kind}/a:b/c:verb{verb}"),
            format!("projects/p/kinds{kind}/a:b/c"),
        )
    };
    for n in 0..15_000 {
        let template = Template::parse(&rule(n).0).unwrap();
        let entry = trie.entry("POST", &template);
        assert_eq!(entry.replace((n, template.clone())), None);
    }
    for n in 0..15_000 {
        let (_, path, capture) = rule(n);
        let Lookup::Match(found) = trie.find("POST", &path, STRICT) else {
            panic!("{path} is not found");
        };
        let (value, template) = found.value;
        assert_eq!(*value, n);
        assert!(!found.spans.spilled());
        let captures: Vec<_> = template.captures(&path, &found.spans).collect();
        assert_eq!(captures, [capture]);
    }
}

#[test]
fn a_segment_after_a_double_star_goes_before_its_end() {
    // Firestore publishes this pair; were the end first, the second rule could never be found.
    check(
        &[
            "GET /documents/{name=*/**}",
            "GET /documents/{parent=*/**}/{collection}",
        ],
        &[
            ("GET /documents/a", r#"GET /documents/{name=*/**} ["a"]"#),
            (
                "GET /documents/a/b",
                r#"GET /documents/{parent=*/**}/{collection} ["a", "b"]"#,
            ),
            (
                "GET /documents/a/b/c",
                r#"GET /documents/{parent=*/**}/{collection} ["a/b", "c"]"#,
            ),
            (
                "GET /documents/a/b/",
                r#"GET /documents/{name=*/**} ["a/b/"]"#,
            ),
        ],
    );
}
