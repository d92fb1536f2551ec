use proptest::prelude::*;

use super::*;

fn check(text: &str, verb: Option<&str>, variables: &[(&str, usize, usize, bool)]) {
    let template = Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(template.verb(), verb, "{text}");
    let found: Vec<_> = template
        .variables()
        .iter()
        .map(|v| (&*v.path, v.first, v.end, v.multi))
        .collect();
    assert_eq!(found, variables, "{text}");
    assert_eq!(template.to_string(), text);
}

#[test]
fn published_rules_parse() {
    check("/", None, &[]);
    check("/v1/shelves", None, &[]);
    check("/v1/{shelf}", None, &[("shelf", 1, 2, false)]);
    check(
        "/v1/{name=projects/*/locations/**}:get",
        Some("get"),
        &[("name", 1, 5, true)],
    );
    check("/{name=**}/x/y", None, &[("name", 0, 1, true)]);
    check(
        "/v1/{a.b.c=x/*}/{d}",
        None,
        &[("a.b.c", 1, 3, true), ("d", 3, 4, false)],
    );
    check(
        "/v1/{resource=projects/*/topics/*}:setIamPolicy",
        Some("setIamPolicy"),
        &[("resource", 1, 5, true)],
    );
    check(
        "/v1/{a=**}/between/{b=**}/end",
        None,
        &[("a", 1, 2, true), ("b", 3, 4, true)],
    );
    check("/v1/{fixed=here}", None, &[("fixed", 1, 2, false)]);
    check("/v1/*/x/**", None, &[]);
    check("/pkg.Service/Method_2~-", None, &[]);
    check("/a:b/c:d", Some("d"), &[]);
    check("/a:b:c", Some("c"), &[]);
    check("/{n=a:b/*}", None, &[("n", 0, 2, true)]);
    check("/a%20b/%3A/gr\u{fc}\u{df}e;v=1,2@x", None, &[]);
    check("/v1/x:a%3Ab", Some("a%3Ab"), &[]);
}

#[test]
fn a_star_alone_is_the_short_form() {
    let template = Template::parse("/v1/{name=*}").unwrap();
    assert_eq!(template.to_string(), "/v1/{name}");
    assert_eq!(template, Template::parse("/v1/{name}").unwrap());
}

#[test]
fn errors_name_the_place() {
    let too_long = "/a".repeat(MAX_SEGMENTS + 1);
    for (text, expected) in [
        ("", "column 1: a path template starts with `/`"),
        ("v1/x", "column 1: a path template starts with `/`"),
        (":get", "column 1: a path template starts with `/`"),
        (
            "//x",
            "column 2: a segment is empty; write a literal, `*`, `**` or `{field}`",
        ),
        (
            "/v1/",
            "column 5: a segment is empty; write a literal, `*`, `**` or `{field}`",
        ),
        (
            "/:get",
            "column 2: a segment is empty; write a literal, `*`, `**` or `{field}`",
        ),
        (
            "/{a=}",
            "column 5: a segment is empty; write a literal, `*`, `**` or `{field}`",
        ),
        (
            "/{a=x/}",
            "column 7: a segment is empty; write a literal, `*`, `**` or `{field}`",
        ),
        ("/v1/x:", "column 7: a verb is missing after `:`"),
        (
            "/v1/x:a*",
            "column 8: `*` and `**` stand alone between slashes",
        ),
        (
            "/v1/***",
            "column 5: `*` and `**` stand alone between slashes",
        ),
        (
            "/v1/*x",
            "column 5: `*` and `**` stand alone between slashes",
        ),
        (
            "/gr\u{fc}n*",
            "column 6: `*` and `**` stand alone between slashes",
        ),
        (
            "/{a=**}/{b=**}",
            "column 12: `**` directly after `**`: the first would always be empty; remove one",
        ),
        (
            "/{a={b}}",
            "column 5: a variable stands inside another variable",
        ),
        ("/a}", "column 3: `}` without `{`"),
        ("/}", "column 2: `}` without `{`"),
        ("/*}/x", "column 3: `}` without `{`"),
        (
            "/{a",
            "column 4: the variable is not closed; `}` is missing",
        ),
        (
            "/{a=x:y",
            "column 6: the variable is not closed; `}` is missing",
        ),
        (
            "/{a-b}",
            "column 4: the variable is not closed; `}` is missing",
        ),
        (
            "/{a}-{b}",
            "column 5: after `}` only `/`, a final `:verb` or the end may follow",
        ),
        (
            "/{a}:get/x",
            "column 5: after `}` only `/`, a final `:verb` or the end may follow",
        ),
        (
            "/{}",
            "column 3: a field name is missing; it is made of letters, digits and `_`, joined by `.`",
        ),
        (
            "/{a.}",
            "column 5: a field name is missing; it is made of letters, digits and `_`, joined by `.`",
        ),
        (
            "/{9}",
            "column 3: a field name is missing; it is made of letters, digits and `_`, joined by `.`",
        ),
        ("/{a}/{a=x/*}", "column 6: the field `a` is bound twice"),
        (
            "/a/%2E./b",
            "column 4: `.` and `..` segments are refused in requests, so this rule could never match",
        ),
        (
            "/a%2",
            "column 3: `%` is followed by two hexadecimal digits",
        ),
        (
            "/a%zz",
            "column 3: `%` is followed by two hexadecimal digits",
        ),
        (
            "/a%00",
            "column 3: `%00` is refused in requests, so this rule could never match",
        ),
        (
            "/a b",
            "column 3: ' ' cannot stand in a path; percent-encode it",
        ),
        (
            "/a?b=c",
            "column 3: '?' cannot stand in a path; percent-encode it",
        ),
        (
            "/a{b}",
            "column 3: '{' cannot stand in a path; percent-encode it",
        ),
        (&*too_long, "column 258: more than 128 segments"),
    ] {
        let found = Template::parse(text).map_err(|error| error.to_string());
        assert_eq!(found, Err(expected.to_owned()), "{text}");
    }
}

/// Templates as a person could write them, each with a verb or without.
pub(crate) fn any_template() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        3 => "[abx]",
        1 => Just("v%2F1".to_owned()),
        2 => Just("*".to_owned()),
        1 => Just("**".to_owned()),
    ];
    let part = (proptest::collection::vec(segment, 1..4), any::<bool>());
    (
        proptest::collection::vec(part, 0..4),
        proptest::option::of("[gs]"),
    )
        .prop_map(|(parts, verb)| write_template(&parts, verb))
        .prop_filter("two `**` in a row", |text| Template::parse(text).is_ok())
}

fn write_template(parts: &[(Vec<String>, bool)], verb: Option<String>) -> String {
    let mut text = String::new();
    for (index, (segments, bound)) in parts.iter().enumerate() {
        let segments = segments.join("/");
        text += &match bound {
            true => format!("/{{f{index}.x={segments}}}"),
            false => format!("/{segments}"),
        };
    }
    match verb {
        Some(verb) if !text.is_empty() => text + ":" + &verb,
        _ if text.is_empty() => "/".to_owned(),
        _ => text,
    }
}

proptest! {
    #[test]
    fn display_round_trips(text in any_template()) {
        let template = Template::parse(&text).unwrap();
        prop_assert_eq!(Template::parse(&template.to_string()).unwrap(), template);
    }

    #[test]
    fn any_text_parses_or_errs_within_itself(text in "[/{}=*:.%a2\u{fc}]{0,24}") {
        match Template::parse(&text) {
            Ok(template) => {
                prop_assert_eq!(Template::parse(&template.to_string()).unwrap(), template);
            }
            Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.column())),
        }
    }
}
