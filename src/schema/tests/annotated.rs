//! A service with annotations, from its text to its routes.

use super::schema;
use crate::route::trie::{Lookup, LookupOptions};
use crate::schema::binding::{BodyTarget, FieldStep, Origin};
use crate::schema::plan::{Cardinality, Kind, WellKnown};
use crate::schema::{RouteTarget, StreamKind};

const TEXT: &str = r#"
syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

service Shop {
  rpc GetItem(GetItemRequest) returns (Item) {
    option (google.api.http) = {
      get: "/v1/{name=shelves/*/items/*}"
      additional_bindings { get: "/v1/items/{item_id}" }
    };
  }
  rpc UpdateItem(UpdateItemRequest) returns (Item) {
    option (google.api.http) = {
      patch: "/v1/{item.name=shelves/*/items/*}"
      body: "item"
      response_body: "name"
    };
  }
  rpc Watch(GetItemRequest) returns (stream Item);
}
message GetItemRequest { string name = 1; google.protobuf.Int64Value item_id = 2; }
message UpdateItemRequest { Item item = 1; }
message Item {
  string name = 1;
  optional int32 count = 3;
  map<string, Item> parts = 5;
  repeated int32 sizes = 2;
  google.protobuf.Timestamp made = 4;
  oneof colour { string red = 6; string green = 7; }
}
"#;

#[test]
fn everything_that_is_declared_is_found() {
    let schema = schema(TEXT);
    let paths: Vec<&str> = schema.methods.iter().map(|method| &*method.path).collect();
    assert_eq!(
        paths,
        [
            "/shop.v1.Shop/GetItem",
            "/shop.v1.Shop/UpdateItem",
            "/shop.v1.Shop/Watch"
        ]
    );
    assert_eq!(schema.methods[2].kind, StreamKind::ServerStream);
    assert_eq!(schema.find("/shop.v1.Shop/Watch").unwrap().0, 2);

    let tables = &schema.tables;
    let item_id = tables.find_message("shop.v1.Item").unwrap();
    let item = tables.message(item_id);
    let numbers: Vec<u32> = item.fields.iter().map(|field| field.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
    assert!(item.by_name("sizes").unwrap().packed);
    assert!(item.by_name("count").unwrap().presence);
    assert_eq!(item.by_name("count").unwrap().oneof, None);
    assert_eq!(&*item.oneofs, [Box::from("colour")]);
    assert_eq!(item.by_name("green").unwrap().oneof, Some(0));
    let parts = item.by_name("parts").unwrap();
    assert_eq!(parts.cardinality, Cardinality::Map);
    let entry = tables.message(parts.kind.message().unwrap());
    assert!(entry.map_entry);
    assert_eq!(entry.by_number(2).unwrap().kind, Kind::Message(item_id));
    let made = item.by_name("made").unwrap().kind.message().unwrap();
    assert_eq!(tables.message(made).well_known, Some(WellKnown::Timestamp));
    let request = tables.message(schema.methods[0].input);
    assert_eq!(request.by_name("itemId").unwrap().number, 2);
    assert_eq!(request.by_name("item_id").unwrap().number, 2);
}

#[test]
fn rules_lead_to_their_methods() {
    let schema = schema(TEXT);
    let rows = [
        ("GET", "/v1/shelves/1/items/2", "/shop.v1.Shop/GetItem"),
        ("GET", "/v1/items/7", "/shop.v1.Shop/GetItem"),
        ("PATCH", "/v1/shelves/1/items/2", "/shop.v1.Shop/UpdateItem"),
        ("POST", "/shop.v1.Shop/Watch", "/shop.v1.Shop/Watch"),
    ];
    for (http_method, path, method) in rows {
        let found = schema
            .routes
            .find(http_method, path, LookupOptions::default());
        let Lookup::Match(found) = found else {
            panic!("{path}: {found:?}")
        };
        let RouteTarget::Serve(id) = found.value else {
            panic!("{path}: {found:?}")
        };
        let binding = schema.binding(*id);
        assert_eq!(&*schema.method(binding.method).path, method, "{path}");
    }
}

#[test]
fn a_binding_holds_numbers_and_places() {
    let schema = schema(TEXT);
    let tables = &schema.tables;
    let update = schema
        .bindings
        .iter()
        .find(|binding| &*binding.http_method == "PATCH")
        .unwrap();
    let request = tables.find_message("shop.v1.UpdateItemRequest").unwrap();
    let item = tables.find_message("shop.v1.Item").unwrap();
    let step = |message, number| FieldStep { message, number };
    assert_eq!(update.body, BodyTarget::Field(step(request, 1)));
    assert_eq!(update.response_body, Some(step(item, 1)));
    assert_eq!(
        *update.variables[0].steps,
        [step(request, 1), step(item, 1)]
    );
    assert_eq!(&*update.variables[0].text, "item.name");
    assert_eq!(update.declared.to_string(), "test.proto:16:5");
    assert_eq!(update.origin, Origin::Annotation);
    let watch = schema.bindings.last().unwrap();
    assert_eq!(watch.origin, Origin::Auto);
    assert_eq!(watch.body, BodyTarget::Whole);
    assert_eq!(watch.declared.to_string(), "test.proto:22:3");
}
