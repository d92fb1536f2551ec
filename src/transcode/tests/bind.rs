//! Path variables and query parameters by table (B1-B9), alone and together with a body.

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
        response_body: None,
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

struct Case<'a> {
    template: &'a str,
    captures: &'a [&'a str],
    body: &'a str,
    query: &'a str,
}

fn bound_with(case: &Case<'_>, rest: &RestOptions, json: &JsonOptions) -> Result<Bound, String> {
    let binding = rule(case.template, case.body);
    bind(&Input {
        tables: &SCHEMA.tables,
        message: message("Request"),
        binding: &binding,
        captures: case.captures,
        query: Some(case.query),
        rest,
        json,
    })
    .map_err(|violations| complaints(&violations))
}

fn bound(case: &Case<'_>) -> Result<Bound, String> {
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

/// B5, B6.
#[test]
fn query_values_are_read_by_their_type() {
    for (text, expected) in [
        ("", "{}"),
        ("&&", "{}"),
        ("name=a+b%2Bc%26", r#"{"name":"a b+c&"}"#),
        ("note=", r#"{"note":""}"#),
        ("note", r#"{"note":""}"#),
        ("page_size=7&pageSize=8", "pageSize: is given twice"),
        ("pageSize=0", "{}"),
        (
            "tags=a&numbers=1&tags=&numbers=-2",
            r#"{"tags":["a",""],"numbers":[1,-2]}"#,
        ),
        (
            "labels[a]=b&labels[c.d]e]=f",
            r#"{"labels":{"a":"b","c.d]e":"f"}}"#,
        ),
        ("labels%5Ba%5D=b", r#"{"labels":{"a":"b"}}"#),
        ("labels[]=b", r#"{"labels":{"":"b"}}"#),
        ("counts[1]=2", r#"{"counts":{"1":2}}"#),
        (
            "shelf[a].title=x&shelf[a].author.name=y&shelf[b]c].name=z",
            r#"{"shelf":{"a":{"title":"x","author":{"name":"y"}},"b]c":{"name":"z"}}}"#,
        ),
        (
            "books[1].title=b&books[0].title=a&books[0].genres=x&books[0].genres=y",
            r#"{"books":[{"title":"a","genres":["x","y"]},{"title":"b"}]}"#,
        ),
        (
            "book.author.best.author.name=x",
            r#"{"book":{"author":{"best":{"author":{"name":"x"}}}}}"#,
        ),
        (
            "update_mask=title,author.bestName,snake_case",
            r#"{"updateMask":"title,author.bestName,snakeCase"}"#,
        ),
        (
            "since=2020-01-01T00:00:00Z&maxAge=1.5s",
            r#"{"since":"2020-01-01T00:00:00Z","maxAge":"1.500s"}"#,
        ),
        (
            "times=2020-01-01T00:00:00Z&times=2021-01-01T00:00:00Z",
            r#"{"times":["2020-01-01T00:00:00Z","2021-01-01T00:00:00Z"]}"#,
        ),
        ("limit=0&nick=", r#"{"limit":0,"nick":""}"#),
        (
            "extra={\"a\":[1,null]}&value=7",
            r#"{"extra":{"a":[1,null]},"value":7}"#,
        ),
        ("value=null", r#"{"value":null}"#),
        ("color=GREEN", r#"{"color":"GREEN"}"#),
        ("color=-1", r#"{"color":"BLUE"}"#),
        ("color=99", r#"{"color":99}"#),
        ("token=-_8", r#"{"token":"+/8="}"#),
        ("token=%2B/8%3D", r#"{"token":"+/8="}"#),
        (
            "ratio=-Infinity&share=NaN",
            r#"{"ratio":"-Infinity","share":"NaN"}"#,
        ),
        ("ratio=1e3&share=0.1", r#"{"ratio":1000,"share":0.1}"#),
        ("strict=true", r#"{"strict":true}"#),
        (
            "big=18446744073709551615",
            r#"{"big":"18446744073709551615"}"#,
        ),
        ("query=x", r#"{"query":"x"}"#),
        ("like.title=x", r#"{"like":{"title":"x"}}"#),
    ] {
        assert_eq!(query(text), expected, "{text}");
    }
}

/// B4-B7, B9.
#[test]
fn wrong_queries_are_refused() {
    for (text, expected) in [
        ("page_size=1.0", "page_size: `1.0` is not an integer"),
        ("page_size=1e2", "page_size: `1e2` is not an integer"),
        ("page_size=", "page_size: `` is not a valid int32"),
        ("page_size=+1", "page_size: ` 1` is not a valid int32"),
        (
            "page_size=2147483648",
            "page_size: `2147483648` is out of range for int32",
        ),
        ("big=-1", "big: `-1` is out of range for uint64"),
        ("strict=1", "strict: expected true or false"),
        ("strict", "strict: expected true or false"),
        (
            "color=green",
            "color: `green` is no value of t.Color; the nearest known name is `GREEN`",
        ),
        ("token=a", "token: is not valid base64"),
        ("ratio=inf", "ratio: `inf` is not a valid double"),
        (
            "since=now",
            "since: expected an RFC 3339 time such as \"2024-01-31T12:00:00Z\", found `now`",
        ),
        (
            "max_age=1",
            "max_age: expected a duration such as \"1.5s\", found `1`",
        ),
        ("extra=x", "extra: expected JSON text: not valid JSON"),
        (
            "extra=[]",
            "extra: expected JSON text: expected an object, found a list",
        ),
        (
            "value=",
            "value: expected JSON text: the JSON text ends too early",
        ),
        ("name=a&name=a", "name: is given twice"),
        ("labels[a]=b&labels[a]=c", "labels[a]: is given twice"),
        ("counts[1]=1&counts[1.0]=2", "counts[1.0]: is given twice"),
        ("titel=x", "titel: `titel` is no field of t.Request"),
        (
            "pagesize=1",
            "pagesize: `pagesize` is no field of t.Request; the nearest known name is `pageSize`",
        ),
        (
            "book.titel=x",
            "book.titel: `titel` is no field of t.Book; the nearest known name is `title`",
        ),
        (
            "book=x",
            "book: is a message; name one of its fields, as `a.b`",
        ),
        (
            "books=x",
            "books: is a message; name one of its fields, as `a.b`",
        ),
        (
            "books.title=x",
            "books.title: names a list; give the index in brackets, as `a[0].field`",
        ),
        (
            "books[1].title=x",
            ": the query names element [1] of a list but not [0]",
        ),
        (
            "books[x].title=x",
            "books[x].title: has an index that is no number",
        ),
        (
            "tags[0]=x",
            "tags[0]: is a list; repeat the key, as `a=1&a=2`",
        ),
        (
            "labels=x",
            "labels: is a map; give the key in brackets, as `m[key]=1`",
        ),
        ("labels[a=x", "labels[a: has a bracket that is not closed"),
        (
            "shelf.title=x",
            "shelf.title: names a map; give the key in brackets, as `m[key].field`",
        ),
        ("counts[x]=1", "counts[x]: `x` is not a valid map key"),
        ("name.x=1", "name.x: `name` has no fields to name"),
        (
            "name[0]=1",
            "name[0]: has brackets behind a field that is no list",
        ),
        (
            "since.seconds=1",
            "since.seconds: `since` has no fields to name",
        ),
        ("book.=1", "book.: `` is no field of t.Book"),
        (
            "query=a&like.title=b",
            "like.title: `query` of the oneof `filter` is set already",
        ),
        (
            "book.cents=1&book.free=x",
            "book.free: `cents` of the oneof `price` is set already",
        ),
        (
            "name=%zz",
            "name: `%` is not followed by two hexadecimal digits; a percent sign is `%25`",
        ),
        (
            "name=%ff",
            "name: the percent-encoded bytes are not valid UTF-8",
        ),
        (
            "nope=1&page_size=x",
            "nope: `nope` is no field of t.Request; the nearest known name is `note`; \
            page_size: `x` is not a valid int32",
        ),
    ] {
        assert_eq!(query(text), expected, "{text}");
    }
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
        bound(&Case {
            template: "/v1",
            captures: &[],
            body: "",
            query,
        })
        .map(|bound| bound.system)
    };
    let alt = |form, enum_numbers| System {
        alt: Some(Alt { form, enum_numbers }),
        ..System::default()
    };
    for (query, expected) in [
        ("alt=json", alt(AltForm::Json, false)),
        (
            "%24alt=json%3Benum-encoding%3Dint",
            alt(AltForm::Json, true),
        ),
        ("$alt=json;enum-encoding=int", alt(AltForm::Json, true)),
        ("alt=sse", alt(AltForm::Sse, false)),
        (
            "prettyPrint=false",
            System {
                pretty_print: Some(false),
                ..System::default()
            },
        ),
        (
            "$fields=a,b",
            System {
                fields: Some("a,b".into()),
                ..System::default()
            },
        ),
        (
            "key=k&access_token=t&quotaUser=q",
            System {
                key: Some("k".into()),
                access_token: Some("t".into()),
                quota_user: Some("q".into()),
                ..System::default()
            },
        ),
        (
            "$.xgafv=2",
            System {
                error_format: Some("2".into()),
                ..System::default()
            },
        ),
    ] {
        assert_eq!(system(query), Ok(expected), "{query}");
    }
    // The request has a field of that name.
    assert_eq!(query("fields=a"), r#"{"fields":"a"}"#);
    assert_eq!(
        system("alt=xml"),
        Err("alt: expected json, proto, sse or media".to_owned())
    );
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

/// B3, B4: what the body may say of fields that the URL binds.
#[test]
fn the_body_agrees_with_the_url() {
    for (template, capture, json, expected) in [
        ("/v1/{name}", "a", "", r#"{"name":"a"}"#),
        ("/v1/{name}", "a", r#"{"name":"a"}"#, r#"{"name":"a"}"#),
        ("/v1/{name}", "a", r#"{"name":null}"#, r#"{"name":"a"}"#),
        (
            "/v1/{name}",
            "a",
            r#"{"name":"b"}"#,
            "name: has another value in the body than in the path",
        ),
        (
            "/v1/{name}",
            "a",
            r#"{"name":""}"#,
            "name: has another value in the body than in the path",
        ),
        ("/v1/{page_size}", "0", r#"{"pageSize":"0.0"}"#, "{}"),
        (
            "/v1/{page_size}",
            "0",
            r#"{"page_size":1}"#,
            "pageSize: has another value in the body than in the path",
        ),
        (
            "/v1/{since}",
            "2020-01-01T00:00:00Z",
            r#"{"since":"2020-01-01T01:00:00+01:00"}"#,
            r#"{"since":"2020-01-01T00:00:00Z"}"#,
        ),
        ("/v1/{limit}", "0", r#"{"limit":0}"#, r#"{"limit":0}"#),
        ("/v1/{color}", "RED", r#"{"color":1}"#, r#"{"color":"RED"}"#),
        (
            "/v1/{book.name}",
            "a",
            r#"{"book":{"title":"t","name":"a"}}"#,
            r#"{"book":{"name":"a","title":"t"}}"#,
        ),
        (
            "/v1/{book.name}",
            "a",
            r#"{"book":{"name":"b"}}"#,
            "book.name: has another value in the body than in the path",
        ),
        (
            "/v1/{book.name}",
            "a",
            r#"{"book":null}"#,
            r#"{"book":{"name":"a"}}"#,
        ),
        ("/v1/{query}", "a", r#"{"query":"a"}"#, r#"{"query":"a"}"#),
        (
            "/v1/{query}",
            "a",
            r#"{"like":{}}"#,
            "like: another field of the oneof `filter` is set by the URL",
        ),
        (
            "/v1/{like.name}",
            "a",
            r#"{"query":"x"}"#,
            "query: another field of the oneof `filter` is set by the URL",
        ),
        (
            "/v1/{like.name}",
            "a",
            r#"{"like":{"title":"x"}}"#,
            r#"{"like":{"name":"a","title":"x"}}"#,
        ),
        (
            "/v1/{book.cents}",
            "1",
            r#"{"book":{"free":"x"}}"#,
            "book.free: another field of the oneof `price` is set by the URL",
        ),
    ] {
        let captures = [capture];
        let case = Case {
            template,
            captures: &captures,
            body: "*",
            query: "",
        };
        assert_eq!(request(&case, json), expected, "{template} {json}");
    }
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
