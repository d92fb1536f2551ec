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
