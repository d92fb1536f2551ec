//! What differs between two schemas, in words for people.

use std::collections::BTreeMap;

use crate::admin::routes_view::RoutesView;
use crate::schema::Schema;

/// Every method, route and file that is new, gone or another one.
pub(in crate::app) fn between(before: &Schema, after: &Schema) -> Vec<String> {
    let mut found = compare("method", &methods(before), &methods(after));
    found.extend(compare("route", &routes(before), &routes(after)));
    found.extend(compare("file", &files(before), &files(after)));
    found
}

fn compare<T: PartialEq>(
    what: &str,
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
) -> Vec<String> {
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let gone = gone.map(|name| format!("{what} removed: {name}"));
    let other = after.iter().filter_map(|(name, value)| {
        let word = match before.get(name) {
            None => "added",
            Some(old) if old != value => "changed",
            Some(_) => return None,
        };
        Some(format!("{what} {word}: {name}"))
    });
    gone.chain(other).collect()
}

/// All that a client could notice of a method, its policy included.
fn methods(schema: &Schema) -> BTreeMap<String, impl PartialEq + use<'_>> {
    let methods = schema.methods.iter().map(|method| {
        let name = |id| schema.tables.message(id).full_name.to_string();
        let types = (name(method.input), name(method.output));
        let traits = (method.kind, method.idempotency, method.deprecated);
        (method.full_name(), (types, traits, &method.policy))
    });
    methods.collect()
}

fn routes(schema: &Schema) -> BTreeMap<String, impl PartialEq + use<>> {
    let mut found = BTreeMap::<String, Vec<_>>::new();
    for route in RoutesView::new(schema).routes {
        let leads = found.entry(format!("{} {}", route.method, route.template));
        leads
            .or_default()
            .push((route.rpc, route.body, route.response_body));
    }
    found
}

fn files(schema: &Schema) -> BTreeMap<String, impl PartialEq + use<'_>> {
    let files = schema.files.files.iter();
    files
        .map(|file| (file.name.to_string(), &file.bytes))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::tests::schema;

    #[test]
    fn what_is_new_gone_or_another_is_told() {
        let before = schema(
            r#"syntax = "proto3"; package p; import "google/api/annotations.proto";
            message M { string a = 1; }
            service S {
              rpc Stays(M) returns (M) { option (google.api.http) = {get: "/stays"}; }
              rpc Goes(M) returns (M);
              rpc Turns(M) returns (M) { option (google.api.http) = {post: "/turns"}; }
            }"#,
        );
        let after = schema(
            r#"syntax = "proto3"; package p; import "google/api/annotations.proto";
            message M { string a = 1; }
            service S {
              rpc Stays(M) returns (M) { option (google.api.http) = {get: "/stays"}; }
              rpc Comes(M) returns (M) { option (google.api.http) = {get: "/comes"}; }
              rpc Turns(M) returns (stream M) {
                option (google.api.http) = {post: "/turns" body: "*"};
              }
            }"#,
        );
        assert_eq!(between(&before, &before), Vec::<String>::new());
        let told = between(&before, &after);
        let file = told.last().unwrap();
        assert!(file.starts_with("file changed: "), "{file}");
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        let expected = [
            "method removed: p.S.Goes",
            "method added: p.S.Comes",
            "method changed: p.S.Turns",
            "route removed: POST /p.S/Goes",
            "route added: GET /comes",
            "route changed: POST /turns",
            file,
        ];
        assert_eq!(told, expected);
    }
}
