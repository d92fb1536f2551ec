//! Every way in which an HTTP rule can be wrong, and what is said about it (R1).

use super::{input, shown};
use crate::schema::compile::{AutoMapping, compile};

/// A service whose method `Do` has `options`, and one whose rule is sound.
fn text(options: &str) -> String {
    format!(
        r#"syntax = "proto3"; package p;
import "google/api/annotations.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
service S {{
  rpc Do(Req) returns (Res) {{
    option (google.api.http) = {{ {options} }};
  }}
  rpc Sound(Req) returns (Res) {{ option (google.api.http) = {{ get: "/sound" }}; }}
}}
message Req {{
  string name = 1; repeated string tags = 2; map<string, string> labels = 3;
  Inner inner = 4; repeated Inner list = 5;
  oneof choice {{ string red = 6; string green = 7; }}
  google.protobuf.Struct any = 8; google.protobuf.Timestamp time = 9;
  google.protobuf.StringValue wrapped = 10; Kind kind = 11; bytes raw = 12;
}}
message Inner {{ string name = 1; int64 number = 2; Inner inner = 3; }}
enum Kind {{ NONE = 0; }}
message Res {{ string name = 1; }}
"#
    )
}

/// Compiles and returns the problems, and whether the rule itself is served.
fn compiled(options: &str) -> (String, bool) {
    let mut input = input(&text(options));
    input.auto = AutoMapping::Off;
    let (schema, problems) = compile(&input);
    let served = |name: &str| {
        let mut bindings = schema.bindings.iter();
        bindings.any(|binding| *schema.method(binding.method).name == *name)
    };
    assert!(served("Sound"), "{options}");
    (shown(&problems), served("Do"))
}

#[test]
fn rules_that_can_work_do() {
    for options in [
        r#"get: "/v1/{name}""#,
        r#"get: "/v1/{inner.inner.inner.number}""#,
        r#"get: "/v1/{wrapped}/{time}/{kind}/{raw}""#,
        r#"get: "/v1/{wrapped.value}""#,
        r#"get: "/v1/{red}""#,
        r#"post: "/v1/{inner.name}" body: "inner""#,
        r#"post: "/v1/x" body: "tags" response_body: "name""#,
        r#"post: "/v1/x" body: "labels""#,
        r#"put: "/v1/x" body: "*""#,
        r#"custom: { kind: "HEAD" path: "/v1/x" }"#,
        r#"custom: { kind: "*" path: "/v1/x" }"#,
        r#"get: "/v1/{name=**}/a/**/b:verb""#,
        r#"get: "/a" additional_bindings { get: "/b" } additional_bindings { post: "/b" body: "*" }"#,
    ] {
        assert_eq!(compiled(options), (String::new(), true), "{options}");
    }
}

/// What a rule says, and what is said about it.
const BROKEN: &[(&str, &str)] = &[
    (
        r#"body: "*""#,
        "http rule of `p.S.Do`: it has no path\n  \
             help: give it one of get, put, post, delete, patch and custom",
    ),
    (
        r#"get: """#,
        "http rule of `p.S.Do`: path ``, column 1: a path template starts with `/`",
    ),
    (
        r#"get: "/v1/{name""#,
        "http rule of `p.S.Do`: path `/v1/{name`, column 10: \
             the variable is not closed; `}` is missing",
    ),
    (
        r#"get: "/v1/{nmae}""#,
        "http rule of `p.S.Do`: variable `nmae`: `p.Req` has no field `nmae`\n  \
             help: the nearest field is `name`",
    ),
    (
        r#"get: "/v1/{inner.zzz}""#,
        "http rule of `p.S.Do`: variable `inner.zzz`: `p.Inner` has no field `zzz`",
    ),
    (
        r#"get: "/v1/{tags}""#,
        "http rule of `p.S.Do`: variable `tags`: field `tags` is repeated\n  \
             help: a variable is one value, and what leads to it are single messages",
    ),
    (
        r#"get: "/v1/{labels}""#,
        "http rule of `p.S.Do`: variable `labels`: field `labels` is a map\n  \
             help: a variable is one value, and what leads to it are single messages",
    ),
    (
        r#"get: "/v1/{list.name}""#,
        "http rule of `p.S.Do`: variable `list.name`: field `list` is repeated\n  \
             help: a variable is one value, and what leads to it are single messages",
    ),
    (
        r#"get: "/v1/{inner}""#,
        "http rule of `p.S.Do`: variable `inner`: field `inner` is a message, `p.Inner`\n  \
             help: name a field inside of it",
    ),
    (
        r#"get: "/v1/{any}""#,
        "http rule of `p.S.Do`: variable `any`: field `any` is a message, \
             `google.protobuf.Struct`\n  help: name a field inside of it",
    ),
    (
        r#"get: "/v1/{time.seconds}""#,
        "http rule of `p.S.Do`: variable `time.seconds`: field `time` is a \
             `google.protobuf.Timestamp`, whose fields have no names in JSON\n  \
             help: bind the field as a whole",
    ),
    (
        r#"get: "/v1/{name.x}""#,
        "http rule of `p.S.Do`: variable `name.x`: field `name` is not a message",
    ),
    (
        r#"get: "/v1/{wrapped}/{wrapped.value}""#,
        "http rule of `p.S.Do`: variables `wrapped` and `wrapped.value` are the same field",
    ),
    (
        r#"get: "/v1/{red}/{green}""#,
        "http rule of `p.S.Do`: variables `red` and `green` are both of oneof `choice`\n  \
             help: only one of them can be set; give each a binding of its own",
    ),
    (
        r#"post: "/v1/{red}" body: "green""#,
        "http rule of `p.S.Do`: body `green` and variable `red` are both of oneof `choice`\n  \
             help: only one of them can be set",
    ),
    (
        r#"post: "/v1/{name}" body: "name""#,
        "http rule of `p.S.Do`: body `name` is a variable of the path, too",
    ),
    (
        r#"post: "/v1/x" body: "innre""#,
        "http rule of `p.S.Do`: body `innre`: `p.Req` has no field `innre`\n  \
             help: the nearest field is `inner`",
    ),
    (
        r#"post: "/v1/x" body: "inner.name""#,
        "http rule of `p.S.Do`: body `inner.name`: it names a field of a field\n  \
             help: name a field of `p.Req` itself",
    ),
    (
        r#"get: "/v1/x" response_body: "nam""#,
        "http rule of `p.S.Do`: response_body `nam`: `p.Res` has no field `nam`\n  \
             help: the nearest field is `name`",
    ),
    (
        r#"get: "/v1/x" response_body: "*""#,
        "http rule of `p.S.Do`: response_body `*`: `p.Res` has no field `*`",
    ),
    (
        r#"custom: { kind: "" path: "/v1/x" }"#,
        "http rule of `p.S.Do`: custom kind `` is not an HTTP method\n  \
             help: write a method such as `HEAD`, or `*` for every method",
    ),
    (
        r#"custom: { kind: "A B" path: "/v1/x" }"#,
        "http rule of `p.S.Do`: custom kind `A B` is not an HTTP method\n  \
             help: write a method such as `HEAD`, or `*` for every method",
    ),
];

#[test]
fn rules_that_cannot_work_say_why() {
    for (options, expected) in BROKEN {
        let expected = format!("test.proto:8:5: error: {expected}");
        assert_eq!(compiled(options), (expected, false), "{options}");
    }
}

#[test]
fn all_that_is_wrong_with_a_rule_is_said_at_once() {
    let (problems, served) = compiled(r#"post: "/v1/{a}/{tags}" body: "zzz" response_body: "qqq""#);
    assert!(!served);
    let subjects = [
        "variable `a`",
        "variable `tags`",
        "body `zzz`",
        "response_body `qqq`",
    ];
    for subject in subjects {
        assert!(problems.contains(subject), "{problems}");
    }
}

#[test]
fn rules_that_work_oddly_are_warned_of_and_served() {
    let help = "help: many clients and proxies drop such a body; POST, PUT and PATCH have one";
    let rows = [
        (
            r#"get: "/v1/x" body: "*""#,
            format!("http rule of `p.S.Do`: a GET with a body\n  {help}"),
        ),
        (
            r#"delete: "/v1/x" body: "inner""#,
            format!("http rule of `p.S.Do`: a DELETE with a body\n  {help}"),
        ),
        (
            r#"custom: { kind: "Purge" path: "/v1/x" }"#,
            "http rule of `p.S.Do`: custom kind `Purge` is not upper-case\n  \
             help: write `PURGE`: HTTP methods are case-sensitive"
                .to_owned(),
        ),
    ];
    for (options, expected) in rows {
        let expected = format!("test.proto:8:5: warning: {expected}");
        assert_eq!(compiled(options), (expected, true), "{options}");
    }
}

#[test]
fn a_bad_additional_binding_costs_nothing_but_itself() {
    let (problems, served) = compiled(
        r#"get: "/a" additional_bindings { get: "/{zzz}" } additional_bindings { get: "/c" }"#,
    );
    assert!(served);
    assert_eq!(
        problems,
        "test.proto:8:5: error: additional binding 1 of `p.S.Do`: variable `zzz`: \
         `p.Req` has no field `zzz`"
    );
    let (problems, served) = compiled(r#"additional_bindings { get: "/b" }"#);
    assert!(served);
    assert!(
        problems.contains("http rule of `p.S.Do`: it has no path"),
        "{problems}"
    );
}

#[test]
fn additional_bindings_do_not_nest_and_inherit_nothing() {
    let options = r#"post: "/a" body: "inner"
        additional_bindings { post: "/b" additional_bindings { get: "/c" } }"#;
    let (problems, served) = compiled(options);
    assert!(served);
    assert_eq!(
        problems,
        "test.proto:8:5: error: additional binding 1 of `p.S.Do`: it has additional bindings of \
         its own, which are left out\n  \
         help: write them beside it: additional bindings do not nest"
    );
    let (schema, _) = compile(&input(&text(options)));
    let found: Vec<(String, bool)> = schema
        .bindings
        .iter()
        .filter(|binding| *schema.method(binding.method).name == *"Do")
        .map(|binding| {
            let has_body = binding.body != crate::schema::binding::BodyTarget::None;
            (binding.template.to_string(), has_body)
        })
        .collect();
    assert_eq!(found, [("/a".to_owned(), true), ("/b".to_owned(), false)]);
}

#[test]
fn a_field_path_has_a_depth() {
    let path = "inner.".repeat(100);
    let (problems, served) = compiled(&format!(r#"get: "/v1/{{{path}name}}""#));
    assert!(!served);
    assert!(
        problems.ends_with("it is deeper than 100 fields"),
        "{problems}"
    );
    let path = "inner.".repeat(99);
    let (problems, served) = compiled(&format!(r#"get: "/v1/{{{path}name}}""#));
    assert_eq!((problems.as_str(), served), ("", true));
}

#[test]
fn a_proto_name_comes_before_a_json_name_in_a_rule() {
    let text = r#"syntax = "proto3"; package p;
import "google/api/annotations.proto";
service S { rpc Do(Req) returns (Req) { option (google.api.http) = { get: "/{b}/{jsonOnly}" }; } }
message Req { string a = 1 [json_name = "b"]; string b = 2 [json_name = "c"]; string json_only = 3; }
"#;
    let (schema, _) = compile(&input(text));
    let numbers = schema.bindings[0]
        .variables
        .iter()
        .map(|path| path.steps[0].number);
    assert_eq!(numbers.collect::<Vec<_>>(), [2, 3]);
}

/// RFC 9110, 9.2.2: what every rule of a method lets anybody repeat may be sent twice.
#[test]
fn verbs_tell_what_may_be_sent_twice() {
    for (options, expected) in [
        (r#"get: "/v1/x""#, true),
        (r#"put: "/v1/x" body: "*""#, true),
        (r#"delete: "/v1/x""#, true),
        (r#"custom: { kind: "HEAD" path: "/v1/x" }"#, true),
        (r#"post: "/v1/x" body: "*""#, false),
        (r#"patch: "/v1/x" body: "*""#, false),
        (r#"custom: { kind: "*" path: "/v1/x" }"#, false),
        (
            r#"get: "/v1/x" additional_bindings: { put: "/v1/y" body: "*" }"#,
            true,
        ),
        (
            r#"get: "/v1/x" additional_bindings: { post: "/v1/y" body: "*" }"#,
            false,
        ),
    ] {
        let (schema, _) = compile(&input(&text(options)));
        let named = schema.methods.iter().find(|method| &*method.name == "Do");
        assert_eq!(named.unwrap().repeatable, expected, "{options}");
    }
}
