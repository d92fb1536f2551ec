//! Path variables and query parameters by table (B1-B9), alone and together with a body.

use super::cases::check;
use super::{LIMIT, SCHEMA, complaints, encode, message, rejected, step};
use crate::route::template::Template;
use crate::schema::MethodId;
use crate::schema::binding::{Binding, BodyTarget, FieldPath, FieldStep, Origin};
use crate::schema::policy::{EnumCase, JsonOptions, RestOptions};
use crate::schema::problem::Location;
use crate::transcode::bind::{Alt, AltForm, Bound, Input, System, bind};

/// A rule on `t.Request`; `body` is `""`, `"*"` or a field.
fn rule(template: &str, body: &str) -> Binding {
    let template = Template::parse(template).unwrap();
    let variables = template
        .variables()
        .iter()
        .map(|variable| path(&variable.path))
        .collect();
    Binding {
        method: MethodId(0),
        http_method: "GET".into(),
        template,
        variables,
        body: match body {
            "" => BodyTarget::None,
            "*" => BodyTarget::Whole,
            field => BodyTarget::Field(step("Request", field)),
        },
        body_message: None,
        headers: Vec::new(),
        sent_headers: None,
        update_mask: None,
        response_body: None,
        raw_request: false,
        raw_response: false,
        declared: Location::file("test"),
        origin: Origin::Annotation,
    }
}

fn path(text: &str) -> FieldPath {
    let mut id = message("Request");
    let steps = text.split('.').map(|name| {
        let field = SCHEMA.tables.message(id).by_name(name).unwrap();
        let step = FieldStep {
            message: id,
            number: field.number,
        };
        id = field.kind.message().unwrap_or(id);
        step
    });
    FieldPath {
        steps: steps.collect(),
        text: text.into(),
    }
}

pub(super) struct Case<'a> {
    pub(super) template: &'a str,
    pub(super) captures: &'a [&'a str],
    pub(super) body: &'a str,
    pub(super) query: &'a str,
}

fn bound_with(case: &Case<'_>, rest: &RestOptions, json: &JsonOptions) -> Result<Bound, String> {
    let binding = rule(case.template, case.body);
    bind(&Input {
        tables: &SCHEMA.tables,
        message: message("Request"),
        binding: &binding,
        captures: case.captures,
        headers: &[],
        query: Some(case.query),
        rest,
        json,
    })
    .map_err(|violations| complaints(&violations))
}

pub(super) fn bound(case: &Case<'_>) -> Result<Bound, String> {
    bound_with(case, &RestOptions::default(), &JsonOptions::default())
}

/// What the application sees of a query, as JSON.
fn query(query: &str) -> String {
    match bound(&Case {
        template: "/v1",
        captures: &[],
        body: "",
        query,
    }) {
        Ok(bound) => super::to_json("Request", &bound.wire).unwrap(),
        Err(complaint) => complaint,
    }
}

/// What the application sees of a whole request, as JSON.
fn request(case: &Case<'_>, json: &str) -> String {
    let bound = match bound(case) {
        Ok(bound) => bound,
        Err(complaint) => return complaint,
    };
    let target = rule(case.template, case.body).body;
    let options = JsonOptions::default();
    match encode("Request", &target, &bound, &options, json.as_bytes()) {
        Ok(wire) => super::to_json("Request", &wire).unwrap(),
        rejected => self::rejected(rejected),
    }
}

/// B4-B7.
#[test]
fn queries_are_read_as_the_table_says() {
    check(include_str!("cases/query.txt"), |_, text| query(text));
}

/// B3, B4: what the body may say of fields that the URL binds.
#[test]
fn the_body_agrees_with_the_url() {
    check(include_str!("cases/url.txt"), |url, json| {
        let (template, capture) = url.split_once(' ').unwrap();
        let case = Case {
            template,
            captures: &[capture],
            body: "*",
            query: "",
        };
        request(&case, json)
    });
}

/// B9.
#[test]
fn queries_are_bounded() {
    let many = "tags=x&".repeat(1_001);
    assert_eq!(query(&many), ": the query has more than 1000 parameters");
    assert!(query(&"tags=x&".repeat(1_000)).starts_with('{'));
    let deep = format!("book{}.name=x", ".author.best".repeat(50));
    assert!(
        query(&deep).ends_with("names a field that is nested too deep"),
        "{}",
        query(&deep)
    );
}

/// B7.
#[test]
fn unknown_parameters_may_be_let_pass() {
    let case = Case {
        template: "/v1",
        captures: &[],
        body: "",
        query: "utm_source=a&gclid=b&name=c",
    };
    let json = JsonOptions::default();
    let named = RestOptions {
        ignored_query: vec!["utm_*".into(), "gclid".into()],
        ..RestOptions::default()
    };
    let all = RestOptions {
        ignore_unknown_query: true,
        ..RestOptions::default()
    };
    for rest in [named, all] {
        let bound = bound_with(&case, &rest, &json).unwrap();
        assert_eq!(bound.wire, b"\x0a\x01c");
    }
    let json = JsonOptions {
        enum_case: EnumCase::Insensitive,
        ..json
    };
    let case = Case {
        query: "color=green",
        ..case
    };
    assert!(bound_with(&case, &RestOptions::default(), &json).is_ok());
}

/// B8.
#[test]
fn system_parameters_are_told_from_fields() {
    let system = |query| {
        let case = Case {
            template: "/v1",
            captures: &[],
            body: "",
            query,
        };
        bound(&case).map(|bound| bound.system)
    };
    let alt = |form, enum_numbers| Ok(Some(Alt { form, enum_numbers }));
    for (query, expected) in [
        ("alt=json", alt(AltForm::Json, false)),
        (
            "%24alt=json%3Benum-encoding%3Dint",
            alt(AltForm::Json, true),
        ),
        (
            "alt=json&$alt=json;enum-encoding=int",
            alt(AltForm::Json, true),
        ),
        ("alt=sse", alt(AltForm::Sse, false)),
        (
            "alt=xml",
            Err("alt: expected json, proto, sse or media".to_owned()),
        ),
    ] {
        assert_eq!(system(query).map(|system| system.alt), expected, "{query}");
    }
    let all = "prettyPrint=false&$fields=a,b&key=k&access_token=t&quotaUser=q&$.xgafv=2";
    let expected = System {
        pretty_print: Some(false),
        key: Some("k".into()),
        access_token: Some("t".into()),
        quota_user: Some("q".into()),
        fields: Some("a,b".into()),
        error_format: Some("2".into()),
        ..System::default()
    };
    assert_eq!(system(all), Ok(expected));
    // The request has a field of that name.
    assert_eq!(query("fields=a"), r#"{"fields":"a"}"#);
    // A system parameter is no field of a message further down.
    assert_eq!(
        query("book.alt=json"),
        "book.alt: `alt` is no field of t.Book"
    );
}

/// R6, B6: path variables of several kinds; an explicit default overrides.
#[test]
fn path_variables_become_records() {
    let seen = |template: &str, captures: &[&str]| match bound(&Case {
        template,
        captures,
        body: "",
        query: "",
    }) {
        Ok(bound) => bound.wire,
        Err(complaint) => complaint.into_bytes(),
    };
    assert_eq!(seen("/v1/{name}", &["a%2Fb+c"]), b"\x0a\x05a/b+c");
    assert_eq!(
        seen("/v1/{name=**}", &["a%2Fb%20c/d"]),
        b"\x0a\x09a%2Fb c/d"
    );
    assert_eq!(seen("/v1/{page_size}", &["0"]), b"\x18\x00");
    assert_eq!(
        seen("/v1/{book.author.name}", &["x"]),
        b"\x12\x05\x1a\x03\x0a\x01x"
    );
    assert_eq!(
        seen("/v1/{color}/{strict}", &["RED", "false"]),
        b"\x80\x01\x01\x98\x01\x00"
    );
    assert_eq!(seen("/v1/{limit}", &["0"]), b"\x72\x00");
    assert_eq!(
        seen("/v1/{page_size}/{color}", &["x", "y"]),
        b"page_size: `x` is not a valid int32; color: `y` is no value of t.Color"
    );
    assert_eq!(
        seen("/v1/{name}", &["%ff"]),
        b"name: the percent-encoded bytes are not valid UTF-8"
    );
}

/// B2: what path or body bind, the query must not name, above or below.
#[test]
fn the_query_never_overwrites_path_or_body() {
    let case = |template, captures, body, query| {
        bound(&Case {
            template,
            captures,
            body,
            query,
        })
    };
    let by_path = "is set by the path, so the query must not name it";
    for (template, query, expected) in [
        ("/v1/{name}", "name=y", format!("name: {by_path}")),
        (
            "/v1/{page_size}",
            "pageSize=1",
            format!("pageSize: {by_path}"),
        ),
        (
            "/v1/{book.name}",
            "book.name=y",
            format!("book.name: {by_path}"),
        ),
        ("/v1/{limit}", "limit=2", format!("limit: {by_path}")),
    ] {
        assert_eq!(
            case(template, &["1"], "", query).unwrap_err(),
            expected,
            "{query}"
        );
    }
    assert!(case("/v1/{book.name}", &["x"], "", "book.title=y").is_ok());
    for query in ["book.title=x", "book.author.name=x"] {
        let complaint = case("/v1", &[], "book", query).unwrap_err();
        assert!(
            complaint.ends_with("is taken from the body, not from the query"),
            "{complaint}"
        );
    }
    assert!(case("/v1", &[], "book", "name=x").is_ok());
    let complaint = case("/v1", &[], "*", "name=x").unwrap_err();
    assert_eq!(
        complaint,
        "name: this method takes its fields from the body, not from the query"
    );
    assert!(case("/v1", &[], "*", "alt=json").is_ok());
}

#[test]
fn a_body_field_meets_path_and_query() {
    let book = |template, captures, query, json| {
        request(
            &Case {
                template,
                captures,
                body: "book",
                query,
            },
            json,
        )
    };
    assert_eq!(
        book("/v1/{book.name}", &["a"], "page_size=3", r#"{"title":"t"}"#),
        r#"{"book":{"name":"a","title":"t"},"pageSize":3}"#
    );
    assert_eq!(
        book("/v1/{book.name}", &["a"], "", r#"{"name":"b"}"#),
        "book.name: has another value in the body than in the path"
    );
    assert_eq!(
        book("/v1/{book.name}", &["a"], "", ""),
        r#"{"book":{"name":"a"}}"#
    );
    let like = |query, json| {
        request(
            &Case {
                template: "/v1",
                captures: &[],
                body: "like",
                query,
            },
            json,
        )
    };
    assert_eq!(
        like("query=x", "{}"),
        "like: another field of the oneof `filter` is set by the URL"
    );
    assert_eq!(like("query=x", ""), r#"{"query":"x"}"#);
    assert_eq!(like("query=x", "null"), r#"{"query":"x"}"#);
    let name = request(
        &Case {
            template: "/v1/{name}",
            captures: &["a"],
            body: "name",
            query: "",
        },
        "\"b\"",
    );
    assert_eq!(name, "name: has another value in the body than in the path");
}

#[test]
fn bound_records_count_towards_the_limit() {
    let long = "x".repeat(LIMIT);
    let case = Case {
        template: "/v1/{name}",
        captures: &[&long],
        body: "*",
        query: "",
    };
    assert_eq!(request(&case, "{}"), "too large");
}
