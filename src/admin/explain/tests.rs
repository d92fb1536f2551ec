use std::time::Instant;

use http::HeaderMap;
use serde_json::{Value, json};

use super::{Asked, Explanation, Outcome, Setting, World, explain};
use crate::schema::compile::{AutoMapping, Input, compile};
use crate::schema::tests::input;
use crate::schema::{Reflection, Schema};

const SHELVES: &str = r#"
    syntax = "proto3";
    package shop;
    import "google/api/annotations.proto";
    message Shelf { string name = 1; string theme = 2; int32 size = 3; }
    service Shop {
      rpc Get(Shelf) returns (Shelf) { option (google.api.http) = {get: "/v1/{name=shelves/*}"}; }
      rpc Put(Shelf) returns (Shelf) {
        option (google.api.http) = {put: "/v1/{name=shelves/*}" body: "*"};
      }
      rpc Watch(Shelf) returns (stream Shelf) {
        option (google.api.http) = {get: "/v1/{name=shelves/*}:watch"};
      }
      rpc One(Shelf) returns (Shelf) { option (google.api.http) = {get: "/v1/same/{theme}"}; }
      rpc Two(Shelf) returns (Shelf) { option (google.api.http) = {get: "/v1/same/{name}"}; }
      rpc Bare(Shelf) returns (Shelf);
    }
"#;

fn ask_of(
    schema: &Schema,
    fallback: Option<&str>,
    method: &str,
    path: &str,
    kind: &str,
) -> Explanation {
    let own = crate::schema::tests::schema(
        "syntax = \"proto3\"; package own; message M {} service S { rpc A(M) returns (M); }",
    );
    let settings = |method: &crate::schema::Method| {
        vec![Setting {
            key: format!("routes.{}.timeout", method.full_name()),
            value: json!("1s"),
            source: "file",
            at: Some("sidegate.yaml:1:2".to_owned()),
        }]
    };
    let world = World {
        schema,
        own: &own,
        upstream: &|_| String::from("http://127.0.0.1:50051"),
        fallback,
        settings: &settings,
    };
    let mut headers = HeaderMap::new();
    if !kind.is_empty() {
        headers.insert("content-type", kind.parse().unwrap());
    }
    let asked = Asked::new(method, path, headers).unwrap();
    #[allow(clippy::disallowed_methods, reason = "any instant will do")]
    explain(&world, &asked, Instant::now())
}

/// With a conflict, which a schema may have.
fn shelves() -> Schema {
    compile(&input(SHELVES)).0
}

fn ask(method: &str, path: &str, kind: &str) -> Explanation {
    ask_of(&shelves(), None, method, path, kind)
}

#[test]
fn a_request_that_is_served_is_explained_whole() {
    let said = ask("get", "/v1/shelves/a?size=3", "");
    assert_eq!(said.outcome, Outcome::Served);
    assert_eq!(said.deadline, Some(30.0));
    let shown: Value = serde_json::to_value(&said).unwrap();
    assert_eq!(shown["route"]["template"], "/v1/{name=shelves/*}");
    assert_eq!(shown["rpc"]["name"], "shop.Shop/Get");
    assert_eq!(
        shown["bindings"],
        json!([
            {"from": "path", "field": "name", "value": "shelves/a"},
            {"from": "query", "field": "size", "value": "3"},
        ])
    );
    assert_eq!(shown["settings"][0]["key"], "routes.shop.Shop.Get.timeout");
    let text = said.to_string();
    for line in [
        "GET /v1/shelves/a (rest) goes to the application\n",
        "route     GET /v1/{name=shelves/*}\n",
        "rpc       shop.Shop/Get, unary: shop.Shelf -> shop.Shelf\n",
        "upstream  http://127.0.0.1:50051\n",
        "  routes.shop.Shop.Get.timeout = \"1s\" (sidegate.yaml:1:2)\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

/// A request, how it is refused, and why.
const REFUSED: [(&str, &str, &str); 6] = [
    (
        "GET /v1/shelfs/a",
        "404 ROUTE_NOT_FOUND",
        "no route leads to /v1/shelfs/a",
    ),
    (
        "DELETE /v1/shelves/a",
        "405 METHOD_NOT_ALLOWED",
        "the path is known, but not with DELETE; allowed: GET, HEAD, PUT",
    ),
    (
        "GET /v1/same/a",
        "501 ROUTE_CONFLICT",
        "several methods claim this route",
    ),
    (
        "GET /v1/../a",
        "400 BAD_PATH",
        "the path has a `.` or `..` segment",
    ),
    (
        "GET /v1/shelves/a?sise=1",
        "400 INVALID_REQUEST",
        "sise: `sise` is no field of shop.Shelf",
    ),
    ("GET /v1/shelves/a?size=x", "400 INVALID_REQUEST", "size: "),
];

#[test]
fn what_is_refused_says_why_and_what_would_do() {
    let schema = shelves();
    for (request, refusal, why) in REFUSED {
        let (method, path) = request.split_once(' ').unwrap();
        let said = ask_of(&schema, None, method, path, "");
        assert_eq!(said.outcome, Outcome::Refused, "{path}");
        let told = format!("{} {}", said.status.unwrap(), said.reason.unwrap());
        assert_eq!(told, refusal, "{path}");
        let fits = |text: &String| text.starts_with(why);
        assert!(said.why.iter().any(fits), "{path}: {:?}", said.why);
    }
    let near = ask("GET", "/v1/shelfs/a", "").nearest;
    assert_eq!(near[0].rpc, "shop.Shop/Get");
    assert_eq!(
        near[0].differences,
        ["`shelfs` stands where the route has `shelves`"]
    );
    let allowed = ask("DELETE", "/v1/shelves/a", "").allowed;
    assert_eq!(
        (&*allowed[2].method, &*allowed[2].rpc),
        ("PUT", "shop.Shop/Put")
    );
    let slash = ask("GET", "/v1/shelves/a/", "");
    assert!(
        slash
            .why
            .iter()
            .any(|text| text.contains("trailing_slash: ignore")),
        "{slash}"
    );
}

#[test]
fn every_protocol_has_its_own_answer() {
    let unary = "/shop.Shop/Get";
    assert_eq!(ask("POST", unary, "application/grpc").deadline, None);
    for (kind, protocol) in [
        ("application/grpc+proto", "grpc"),
        ("application/grpc-web", "grpc_web"),
        ("application/proto", "connect"),
    ] {
        let said = ask("POST", unary, kind);
        assert_eq!(
            (said.protocol, said.outcome),
            (protocol, Outcome::Served),
            "{kind}"
        );
        assert_eq!(said.rpc.unwrap().name, "shop.Shop/Get");
    }
    assert_eq!(
        ask("POST", "/own.S/A", "application/grpc").outcome,
        Outcome::Answered
    );
    let unknown = ask("POST", "/shop.Shop/Gett", "application/grpc");
    assert!(
        unknown
            .why
            .iter()
            .any(|why| why == "the nearest method is /shop.Shop/Get")
    );
    assert_eq!(ask("GET", "/openapi.json", "").outcome, Outcome::Answered);
    assert_eq!(ask("OPTIONS", "/v1/shelves/a", "").status, Some(204));
}

#[test]
fn what_depends_on_the_configuration_says_so() {
    let (strict, _) = compile(&Input {
        auto: AutoMapping::Off,
        allow_unknown_methods: false,
        ..input(SHELVES)
    });
    let bare = ask_of(&strict, None, "GET", "/shop.Shop/Get", "");
    assert!(bare.why[1].contains("`rest.auto`"), "{bare}");
    assert_eq!(bare.nearest[0].template, "/v1/{name=shelves/*}");
    let unknown = ask_of(&strict, None, "POST", "/a.B/C", "application/grpc");
    assert_eq!(unknown.reason, Some("UNKNOWN_METHOD"));

    let plain = ask_of(
        &strict,
        Some("http://127.0.0.1:80"),
        "GET",
        "/index.html",
        "",
    );
    assert_eq!(
        (plain.protocol, plain.upstream.as_deref()),
        ("http", Some("http://127.0.0.1:80"))
    );

    let (pending, _) = compile(&Input {
        reflection: Reflection::Pending,
        ..Input::default()
    });
    let early = ask_of(&pending, None, "GET", "/v1/a", "");
    assert_eq!(
        (early.status, early.reason),
        (Some(503), Some("SCHEMA_PENDING"))
    );
}

#[test]
fn what_is_no_request_is_told() {
    let wrong = |method: &str, path: &str| Asked::new(method, path, HeaderMap::new()).unwrap_err();
    assert_eq!(wrong("G T", "/"), "`G T` is no HTTP method");
    assert_eq!(
        wrong("GET", "v1"),
        "the path must begin with a slash, not `v1`"
    );
    assert!(wrong("GET", "/a b").starts_with("`/a b` is no path of a request: "));
}
