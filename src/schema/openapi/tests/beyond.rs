//! What is told besides JSON: forms, protobuf, files, system parameters, WebSocket.

use serde_json::{Value, json};

use super::{BOOKSTORE, check, described};

const FILES: &str = r#"
    syntax = "proto3";
    package files.v1;
    import "google/api/annotations.proto";
    import "google/api/httpbody.proto";
    import "google/protobuf/wrappers.proto";
    import "google/protobuf/timestamp.proto";
    service Files {
      rpc Put(File) returns (File) { option (google.api.http) = { put: "/files/{name}" body: "*" }; }
      rpc Inside(Holder) returns (File) { option (google.api.http) = { post: "/inside/{file.name}" body: "file" }; }
      rpc Text(Plain) returns (Plain) { option (google.api.http) = { post: "/text" body: "*" }; }
      rpc Time(Holder) returns (Plain) { option (google.api.http) = { post: "/time" body: "at" }; }
      rpc Name(Holder) returns (Plain) { option (google.api.http) = { post: "/name" body: "name" }; }
      rpc Raw(google.api.HttpBody) returns (google.api.HttpBody) { option (google.api.http) = { post: "/raw" body: "*" }; }
      rpc Many(stream File) returns (Plain) { option (google.api.http) = { post: "/many" body: "*" }; }
    }
    message File {
      string name = 1;
      // The picture.
      bytes data = 2;
      repeated bytes more = 3;
      google.protobuf.BytesValue wrapped = 4;
      google.api.HttpBody page = 5;
      map<string, bytes> by_name = 6;
      string note = 7;
    }
    message Holder { File file = 1; google.protobuf.Timestamp at = 2; string name = 3; }
    message Plain { string text = 1; }
"#;

fn body<'d>(document: &'d Value, path: &str) -> &'d Value {
    let item = document["paths"][path]
        .as_object()
        .unwrap_or_else(|| panic!("{path} in {:?}", document["paths"]));
    let operations = item.iter().filter(|(key, _)| *key != "parameters");
    let mut bodies = operations.map(|(_, operation)| &operation["requestBody"]);
    bodies.next().expect("an operation")
}

#[test]
fn b13_other_forms_of_a_body_are_told() {
    let document = described(&[FILES], |_| {});
    let every = json!([
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/x-protobuf"
    ]);
    for (path, expected) in [
        ("/files/{name}", every.clone()),
        ("/inside/{file.name}", every.clone()),
        ("/text", every),
        ("/time", json!(["application/x-protobuf"])),
        ("/name", Value::Null),
        ("/raw", Value::Null),
        ("/many", Value::Null),
    ] {
        assert_eq!(body(&document, path)["x-media-types"], expected, "{path}");
    }
}

#[test]
fn b13_files_are_parts_of_a_form() {
    let document = described(&[FILES], |_| {});
    for path in ["/files/{name}", "/inside/{file.name}"] {
        let content = &body(&document, path)["content"];
        let file = json!({"type": "string", "format": "binary"});
        let parts = &content["multipart/form-data"]["schema"]["properties"];
        check(
            parts,
            &[
                (
                    "/data",
                    json!({"type": "string", "format": "binary", "description": "The picture."}),
                ),
                ("/more", json!({"type": "array", "items": file})),
                ("/wrapped", file.clone()),
                ("/page", file),
                ("/note", json!({"type": "string"})),
                ("/byName/additionalProperties/format", json!("byte")),
                ("/name", Value::Null),
            ],
        );
    }
    for path in ["/text", "/raw", "/many", "/time"] {
        let content = &body(&document, path)["content"];
        assert_eq!(content["multipart/form-data"], Value::Null, "{path}");
    }
}

#[test]
fn b8_system_parameters_stand_once_and_are_referred_to() {
    let document = described(&[FILES], |_| {});
    let references = json!([
        {"$ref": "#/components/parameters/fields"},
        {"$ref": "#/components/parameters/prettyPrint"},
    ]);
    check(
        &document,
        &[
            ("/paths/~1text/parameters", references),
            ("/paths/~1raw/parameters", Value::Null),
            ("/components/parameters/fields/name", json!("$fields")),
            ("/components/parameters/fields/in", json!("query")),
            (
                "/components/parameters/prettyPrint/schema",
                json!({"type": "boolean"}),
            ),
        ],
    );
}

#[test]
fn s7_streams_are_websockets() {
    let document = described(&[BOOKSTORE], |_| {});
    let of = |path: &str, method: &str| &document["paths"][path][method]["x-websocket"];
    assert_eq!(of("/v1/chat", "post"), true);
    assert_eq!(of("/v1/shelves/{shelf}/books:stream", "get"), true);
    assert_eq!(of("/v1/shelves/{shelf}/books:import", "post"), true);
    assert_eq!(of("/v1/shelves/{shelf}", "get"), &Value::Null);
}

/// Of what there is not, nothing is told.
#[test]
fn the_guide_tells_what_holds_here() {
    let guide = |text: &str| {
        let document = described(&[text], |_| {});
        document["info"]["description"].clone()
    };
    let all = guide(BOOKSTORE);
    let all = all.as_str().expect("a guide");
    for word in ["x-media-types", "$alt=proto", "x-websocket"] {
        assert!(all.contains(word), "{word}");
    }
    let get = "syntax = \"proto3\"; package a.v1; import \"google/api/annotations.proto\"; \
               service S { rpc Get(M) returns (M) { option (google.api.http) = { get: \"/g\" }; } } \
               message M {}";
    let one = guide(get);
    let one = one.as_str().expect("a guide");
    assert!(one.contains("$alt=proto"), "{one}");
    assert!(
        !one.contains("x-media-types") && !one.contains("x-websocket"),
        "{one}"
    );
    assert_eq!(
        guide("syntax = \"proto3\"; package a.v1; message M {}"),
        Value::Null
    );
}
