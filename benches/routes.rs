//! How fast a path is looked up and bound: `cargo bench --bench routes`.
//!
//! One axis is varied at a time: how many routes there are, what the path meets in them, how deep a
//! lookup goes before it has to turn back, and what path and query say.

#![allow(
    clippy::print_stdout,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a benchmark prints, checks what it measures, and measures real time"
)]

mod timing;

use std::hint::black_box;

use bytes::Bytes;
use sidegate::route::template::Template;
use sidegate::route::trie::{Lookup, LookupOptions, Trie};
use sidegate::schema::compile::{Input, Services, compile};
use sidegate::schema::policy::{JsonOptions, RestOptions};
use sidegate::schema::{RouteTarget, Schema};
use sidegate::source::descriptor_set;
use sidegate::transcode::bind::{self, bind};
use timing::measure;

/// Five kinds of routes, so many in all, as REST APIs have them.
fn table(routes: usize) -> Trie<usize> {
    let mut trie = Trie::default();
    for number in 0..routes {
        let (group, kind) = (number % 100, number / 5);
        let (method, path) = match number % 5 {
            0 => ("GET", format!("/v1/group{group}/kind{kind}/all")),
            1 => ("GET", format!("/v1/group{group}/{{parent}}/kind{kind}")),
            2 => ("POST", format!("/v1/group{group}/kind{kind}/{{id}}:cancel")),
            3 => ("DELETE", format!("/v1/group{group}/kind{kind}/{{id}}")),
            _ => ("GET", format!("/v1/{{name=group{group}/*/kind{kind}/**}}")),
        };
        add(&mut trie, method, &path, number);
    }
    trie
}

fn add(trie: &mut Trie<usize>, method: &str, path: &str, value: usize) {
    let template = Template::parse(path).expect("the template is sound");
    *trie.entry(method, &template) = Some(value);
}

fn look_up(title: &str, trie: &Trie<usize>, (method, path): (&str, &str), expected: &str) {
    let find = || trie.find(black_box(method), black_box(path), LookupOptions::default());
    let found = match find() {
        Lookup::Match(_) => "found",
        Lookup::MethodNotAllowed { .. } => "refused",
        Lookup::NotFound => "nothing",
    };
    assert_eq!(found, expected, "{method} {path}");
    measure(title, || drop(black_box(find())));
}

fn by_size() {
    for routes in [10, 1_000, 10_000] {
        let trie = table(routes);
        for (what, call) in [
            ("literals", ("GET", "/v1/group5/kind1/all")),
            ("one variable", ("GET", "/v1/group1/p-77/kind0")),
        ] {
            look_up(&format!("{routes} routes, {what}"), &trie, call, "found");
        }
    }
}

fn by_kind() {
    let trie = table(10_000);
    for (what, call, expected) in [
        ("literal", ("GET", "/v1/group50/kind10/all"), "found"),
        ("variable", ("DELETE", "/v1/group53/kind10/i-7"), "found"),
        ("verb", ("POST", "/v1/group52/kind10/i-7:cancel"), "found"),
        (
            "colon, no verb",
            ("DELETE", "/v1/group53/kind10/a:b"),
            "found",
        ),
        (
            "double star",
            ("GET", "/v1/group54/p/kind10/a/b/c"),
            "found",
        ),
        ("escape", ("DELETE", "/v1/group53/kind10/a%2Fb"), "found"),
        ("not there", ("GET", "/v1/group50/kind10/some"), "nothing"),
        ("other method", ("PUT", "/v1/group53/kind10/i-7"), "refused"),
    ] {
        look_up(&format!("10,000 routes, {what}"), &trie, call, expected);
    }
}

/// Every segment fits a literal first, and only the last tells that none of them was meant.
fn by_depth() {
    for depth in [2, 4, 8, 16] {
        let mut trie = Trie::default();
        for literals in 0..depth {
            let own = (0..depth).map(|at| if at <= literals { "a" } else { "*" });
            let path = format!("/{}/end{literals}", own.collect::<Vec<_>>().join("/"));
            add(&mut trie, "GET", &path, literals);
        }
        add(&mut trie, "GET", "/{name=**}", depth);
        let path = format!("/{}/z", vec!["a"; depth].join("/"));
        let title = format!("turns back {depth} times, to a double star");
        look_up(&title, &trie, ("GET", &path), "found");
    }
}

fn bookstore() -> Schema {
    let set = Bytes::from_static(include_bytes!(concat!(env!("OUT_DIR"), "/services.binpb")));
    let mut files = descriptor_set::read_set(&set, &"bookstore".into()).files;
    for file in &mut files {
        file.services = Services::All;
    }
    compile(&Input {
        files,
        ..Input::default()
    })
    .0
}

/// The way of a request from its URL to the bytes that its path and query stand for.
fn binding() {
    let schema = bookstore();
    for (what, path, query) in [
        ("no variable", "/v1/shelves", None),
        ("one variable", "/v1/shelves/7/books/1984", None),
        ("one variable, escaped", "/v1/shelves/7/books/a%20b", None),
        ("one parameter", "/v1/shelves", Some("page_size=20")),
        (
            "variable and five parameters",
            "/v1/shelves/7/books",
            Some("page_size=20&page_token=abc&author=Orwell&genres=1&genres=2"),
        ),
    ] {
        let all = || {
            let options = LookupOptions::default();
            let Lookup::Match(found) = schema.routes.find("GET", black_box(path), options) else {
                panic!("{path} leads nowhere");
            };
            let RouteTarget::Serve(id) = found.value else {
                panic!("{path} is a conflict");
            };
            let binding = schema.binding(*id);
            let captures: Vec<&str> = binding.template.captures(path, &found.spans).collect();
            let bound = bind(&bind::Input {
                tables: &schema.tables,
                message: schema.method(binding.method).input,
                binding,
                captures: &captures,
                headers: &[],
                query: black_box(query),
                rest: &RestOptions::default(),
                json: &JsonOptions::default(),
            });
            bound.unwrap_or_else(|wrong| panic!("{path}: {wrong:?}"))
        };
        measure(&format!("look up and bind, {what}"), || {
            drop(black_box(all()));
        });
    }
}

fn main() {
    by_size();
    by_kind();
    by_depth();
    binding();
}
