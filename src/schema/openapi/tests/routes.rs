//! Routes: paths, parameters, bodies, answers, and what they are called.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{BOOKSTORE, ODD, check, described, schema_of};
use crate::schema::policy::{
    BoundHeader, ErrorShape, FieldNames, HeaderSource, Policies, Policy, SentHeader, StreamShape,
};

/// The names of the parameters of an operation.
fn parameters(operation: &Value) -> Vec<&str> {
    let list = operation["parameters"].as_array();
    let list = list.into_iter().flatten();
    list.filter_map(|one| one["name"].as_str()).collect()
}

fn rest(policy: &mut Policy) -> &mut crate::schema::policy::RestOptions {
    Arc::make_mut(&mut policy.rest)
}

#[test]
fn d1_exactly_the_routes_that_are_served() {
    let document = described(&[ODD], |_| {});
    let paths = document["paths"].as_object().expect("paths");
    let listed: Vec<(&str, Vec<&str>)> = paths
        .iter()
        .map(|(path, item)| {
            (
                &**path,
                item.as_object()
                    .expect("an item")
                    .keys()
                    .map(|key| &**key)
                    .filter(|key| *key != "parameters")
                    .collect(),
            )
        })
        .collect();
    let every = [
        "delete", "get", "head", "options", "patch", "post", "put", "trace",
    ];
    let expected: [(&str, Vec<&str>); 9] = [
        ("/odd.v1.Odd/Plain", vec!["post"]),
        ("/v1/any", every.to_vec()),
        ("/v1/files/{file}", vec!["get"]),
        ("/v1/kinds", vec!["get", "post", "x-additional-operations"]),
        ("/v1/rooms/{room}/things/{thing}:move", vec!["post"]),
        ("/v1/things/{id}", vec!["delete", "get"]),
        ("/v1/things:down", vec!["get"]),
        ("/v1/things:up", vec!["post"]),
        ("/v1/upload", vec!["put"]),
    ];
    assert_eq!(listed, expected);
    let purge = "/v1~1kinds/x-additional-operations/PURGE/operationId";
    check(
        &document["paths"],
        &[(
            &format!("/~1{}", purge.trim_start_matches('/')),
            json!("Odd_Everything_3"),
        )],
    );
}

/// Rules of one shape share a path: the first names its parameters, for all of them.
#[test]
fn d2_one_path_has_one_set_of_names() {
    let document = described(&[ODD], |_| {});
    let item = &document["paths"]["/v1/things/{id}"];
    assert_eq!(parameters(&item["delete"]), ["id"]);
    assert_eq!(parameters(&item["get"])[0], "id");
    assert_eq!(item["delete"]["operationId"], "Odd_DropThing");
    assert_eq!(item["delete"]["deprecated"], true);
}

#[test]
fn d2_services_of_one_name_are_told_apart() {
    let package = |name: &str| {
        format!(
            "syntax = \"proto3\"; package {name}; \
             message M {{}} service S {{ rpc Get(M) returns (M); }}"
        )
    };
    let (one, other) = (package("one"), package("other"));
    let document = described(&[&one, &other], |_| {});
    check(
        &document["paths"],
        &[
            ("/~1one.S~1Get/post/operationId", json!("one_S_Get")),
            ("/~1other.S~1Get/post/tags", json!(["other.S"])),
        ],
    );
}

#[test]
fn d1_bodies_leave_out_what_the_path_has() {
    let document = described(&[ODD, BOOKSTORE], |_| {});
    let body = |path: &str, method: &str| {
        document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
            .clone()
    };
    let moved = body("/v1/rooms/{room}/things/{thing}:move", "post");
    check(
        &moved,
        &[
            ("/required", json!(["to"])),
            ("/additionalProperties", json!(false)),
            ("/properties/thing/properties/name", Value::Null),
            ("/properties/thing/properties/title/type", json!("string")),
            ("/properties/thing/additionalProperties", json!(false)),
        ],
    );
    let update = body("/v1/shelves/{shelf}/books/{book}", "patch");
    assert_eq!(update["properties"]["name"], Value::Null);
    assert_eq!(update["required"], json!(["title"]));
    let created = body("/v1/shelves/{shelf}/books", "post");
    assert_eq!(created["$ref"], "#/components/schemas/bookstore.v1.Book");
}

#[test]
fn d1_parameters_of_the_query() {
    let document = described(&[BOOKSTORE, ODD], |_| {});
    let list = &document["paths"]["/v1/shelves/{shelf}/books"]["get"];
    let names = [
        "shelf",
        "pageSize",
        "pageToken",
        "genres",
        "author",
        "publishedAfter",
        "labels",
        "showArchived",
    ];
    assert_eq!(parameters(list), names);
    check(
        list,
        &[
            ("/parameters/3/style", json!("form")),
            ("/parameters/6/style", json!("deepObject")),
            ("/parameters/7/schema", json!({"type": "boolean"})),
        ],
    );
    // B4: what is in one oneof with the path's variable cannot be given.
    let isbn = &document["paths"]["/v1/isbn/{isbn}"]["get"];
    assert_eq!(parameters(isbn), ["isbn"]);
    // A body that is everything leaves nothing to the query.
    let archive = &document["paths"]["/v1/shelves/{shelf}/books/{book}:archive"]["post"];
    assert_eq!(parameters(archive), ["shelf", "book"]);
    let kinds = &document["paths"]["/v1/kinds"]["get"];
    let names = parameters(kinds);
    for name in ["listOfThings", "things"] {
        assert!(!names.contains(&name), "{name}");
    }
    let json = kinds["parameters"].as_array().expect("a list").iter();
    let json: Vec<&str> = json
        .filter(|one| one["content"]["application/json"].is_object())
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(json, ["any", "struct", "value", "list", "empty"]);
    // What comes again within itself is named once.
    let thing = &document["paths"]["/v1/things/{id}"]["get"];
    let names = [
        "id",
        "choice.text",
        "choice.number",
        "choice.thing.name",
        "choice.thing.secret",
    ];
    assert_eq!(&parameters(thing)[..5], names);
    assert!(!parameters(thing).iter().any(|name| name.contains("inner")));
    let proto = described(&[BOOKSTORE], |policy| policy.json.names = FieldNames::Proto);
    let list = &proto["paths"]["/v1/shelves"]["get"];
    assert_eq!(parameters(list), ["page_size", "page_token"]);
}

#[test]
fn d1_streams_and_bytes_have_their_media_types() {
    let document = described(&[BOOKSTORE, ODD], |_| {});
    let book = json!({"$ref": "#/components/schemas/bookstore.v1.Book"});
    let line = json!({"schema": book, "x-each-line": true});
    let list = json!({"schema": {"type": "array", "items": book}});
    let bytes = json!({"*/*": {"schema": {"type": "string", "format": "binary"}}});
    check(
        &document["paths"],
        &[
            (
                "/~1v1~1shelves~1{shelf}~1books:stream/get/responses/200/content",
                json!({
                    "application/json": list, "application/x-ndjson": line, "text/event-stream": line,
                }),
            ),
            (
                "/~1v1~1shelves~1{shelf}~1books:import/post/requestBody/content",
                json!({
                    "application/json": list, "application/x-ndjson": line,
                }),
            ),
            (
                "/~1v1~1shelves~1{shelf}~1books~1{book}:cover/get/responses/200/content",
                bytes.clone(),
            ),
            (
                "/~1v1~1shelves~1{shelf}~1books~1{book}:download/get/responses/200/content",
                bytes.clone(),
            ),
            ("/~1v1~1upload/put/requestBody/content", bytes),
            (
                "/~1v1~1books:plain/get/responses/200/content/application~1json",
                list,
            ),
            ("/~1v1~1chat/post/x-grpc-stream", json!("both")),
            (
                "/~1v1~1things:down/get/responses/200/content/application~1json/schema",
                json!({"type": "array", "items": {"type": "array", "items": {"type": "string"}}}),
            ),
            (
                "/~1v1~1shelves~1{shelf}/delete/responses/200/content/application~1json/schema",
                json!({"type": "object", "additionalProperties": false}),
            ),
        ],
    );
    for (shape, expected) in [
        (
            StreamShape::Ndjson,
            vec!["application/x-ndjson", "text/event-stream"],
        ),
        (
            StreamShape::Sse,
            vec!["application/x-ndjson", "text/event-stream"],
        ),
        (
            StreamShape::Result,
            vec![
                "application/json",
                "application/x-ndjson",
                "text/event-stream",
            ],
        ),
    ] {
        let document = described(&[BOOKSTORE], |policy| rest(policy).stream = shape);
        let content = &document["paths"]["/v1/shelves/{shelf}/books:stream"]["get"]["responses"]["200"]
            ["content"];
        let kinds: Vec<&String> = content.as_object().expect("content").keys().collect();
        assert_eq!(kinds, expected, "{shape:?}");
    }
}

#[test]
fn d1_errors_have_the_shape_of_the_configuration() {
    for (shape, name, media, member) in [
        (ErrorShape::Google, "Error", "application/json", "error"),
        (
            ErrorShape::Status,
            "StatusError",
            "application/json",
            "code",
        ),
        (
            ErrorShape::Problem,
            "ProblemError",
            "application/problem+json",
            "title",
        ),
        (
            ErrorShape::GatewayV1,
            "GatewayError",
            "application/json",
            "error",
        ),
    ] {
        let document = described(&[BOOKSTORE], |policy| rest(policy).errors = shape);
        let response = &document["components"]["responses"][name];
        let reference = format!("#/components/schemas/{name}");
        assert_eq!(response["content"][media]["schema"]["$ref"], reference);
        assert_eq!(
            document["components"]["schemas"][name]["required"][0],
            member
        );
        let default = &document["paths"]["/v1/shelves"]["get"]["responses"]["default"]["$ref"];
        assert_eq!(*default, format!("#/components/responses/{name}"));
    }
}

#[test]
fn d1_errors_without_a_body_have_none_in_the_description() {
    let document = described(&[BOOKSTORE], |policy| {
        rest(policy).errors = ErrorShape::None;
    });
    let response = &document["components"]["responses"]["BareError"];
    assert_eq!(*response, json!({"description": "The call failed."}));
    assert_eq!(document["components"]["schemas"]["BareError"], Value::Null);
}

/// B14: headers of answers have the type of the field that they say.
#[test]
fn d1_headers_of_answers_are_described() {
    let sent = |source: HeaderSource, field: &str| SentHeader {
        bound: BoundHeader {
            source,
            field: field.into(),
            selector: "bookstore.v1.*".into(),
            place: None,
        },
        attributes: "; Path=/".into(),
    };
    let document = described(&[BOOKSTORE], |policy| {
        rest(policy).sent_headers = vec![
            sent(HeaderSource::Header("x-count".into()), "book_count"),
            sent(HeaderSource::Header("x-none".into()), "nothing_of_it"),
            sent(HeaderSource::Cookie("shelf".into()), "name"),
            sent(HeaderSource::Cookie("theme".into()), "theme"),
        ];
    });
    let headers = document["paths"]["/v1/shelves/{shelf}"]["get"]["responses"]["200"]["headers"]
        .as_object()
        .expect("headers");
    let names: Vec<&str> = headers.keys().map(String::as_str).collect();
    assert_eq!(names, ["set-cookie", "x-count"]);
    let count = &headers["x-count"];
    assert_eq!(
        count["description"],
        "What `book_count` of the message says."
    );
    assert_eq!(count["schema"]["type"], "integer");
    let cookies =
        "Sets the cookie `shelf` as `name` of the message, and `theme` as `theme` of the message.";
    assert_eq!(headers["set-cookie"]["description"], cookies);
}

/// A method with JSON options of its own has components of its own, and errors of its own.
#[test]
fn d1_the_policy_of_a_method_counts() {
    let mut policy = Policy::default();
    policy.json.names = FieldNames::Proto;
    rest(&mut policy).errors = ErrorShape::Problem;
    let policies = Policies {
        exceptions: vec![("bookstore.v1.Bookstore.GetShelf".into(), policy.into())],
        ..Policies::default()
    };
    let schema = schema_of(&[BOOKSTORE], policies);
    let document: Value = serde_json::from_slice(&schema.openapi().json).expect("JSON");
    check(
        &document,
        &[
            (
                "/paths/~1v1~1shelves~1{shelf}/get/responses/200/content/application~1json/schema",
                json!({"$ref": "#/components/schemas/bookstore.v1.Shelf-proto"}),
            ),
            (
                "/components/schemas/bookstore.v1.Shelf-proto/properties/book_count/type",
                json!("integer"),
            ),
            (
                "/components/schemas/bookstore.v1.Shelf/properties/bookCount/type",
                json!("integer"),
            ),
            (
                "/components/responses/ProblemError/description",
                json!("The call failed."),
            ),
            (
                "/components/responses/Error/description",
                json!("The call failed."),
            ),
        ],
    );
}

#[test]
fn d1_summaries_descriptions_and_versions() {
    let document = described(&[ODD], |_| {});
    check(
        &document,
        &[
            ("/info/title", json!("Odd")),
            ("/info/version", json!("v1")),
            (
                "/paths/~1v1~1kinds/post/summary",
                json!("Everything at once"),
            ),
            (
                "/paths/~1v1~1kinds/post/description",
                json!("Everything at once. It has a second sentence."),
            ),
            ("/paths/~1v1~1things:up/post/summary", json!("Up")),
            (
                "/paths/~1v1~1files~1{file}/get/parameters/0",
                json!({
                    "name": "file", "in": "path", "required": true,
                    "description": "Part of `path`, which is `files/**`. May have slashes, which are not to be escaped.",
                    "schema": {"type": "string", "x-multi-segment": true},
                }),
            ),
        ],
    );
}
