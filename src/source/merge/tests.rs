//! Which file counts when several sources bring one.

use bytes::Bytes;
use prost::Message;

use super::*;
use crate::schema::descriptor::{DescriptorProto, FileDescriptorProto, ServiceDescriptorProto};

/// A file in words: `name < import + import: Message Service!`.
fn file(words: &str, origin: &str, services: Services) -> SourceFile {
    let (head, symbols) = words.split_once(':').unwrap_or((words, ""));
    let (name, imports) = head.split_once('<').unwrap_or((head, ""));
    let mut file = FileDescriptorProto {
        name: Some(name.trim().to_owned()),
        package: Some("p".to_owned()),
        dependency: imports
            .split('+')
            .map(str::trim)
            .filter(|import| !import.is_empty())
            .map(str::to_owned)
            .collect(),
        ..FileDescriptorProto::default()
    };
    for symbol in symbols.split_whitespace() {
        match symbol.strip_suffix('!') {
            Some(service) => file.service.push(ServiceDescriptorProto {
                name: Some(service.to_owned()),
                ..ServiceDescriptorProto::default()
            }),
            None => file.message_type.push(DescriptorProto {
                name: Some(symbol.into()),
                ..DescriptorProto::default()
            }),
        }
    }
    SourceFile {
        bytes: file.encode_to_vec().into(),
        origin: Arc::from(origin),
        services,
    }
}

fn source(origin: &str, files: &[&str]) -> Loaded {
    let files = files.iter().map(|words| file(words, origin, Services::All));
    Loaded {
        files: files.collect(),
        problems: Vec::new(),
    }
}

fn names(merged: &Merged) -> Vec<String> {
    let names = merged.files.iter().map(|file| {
        let head = raw::head(&file.bytes).unwrap();
        format!("{} of {}", head.name, file.origin)
    });
    names.collect()
}

fn told(merged: &Merged) -> String {
    let problems = merged.problems.iter().map(ToString::to_string);
    problems.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_stronger_source_wins_file_by_file() {
    let merged = merge([
        source("disk", &["a.proto: A"]),
        source("set", &["b.proto: B", "a.proto: Old"]),
        source(
            "app",
            &[
                "c.proto < b.proto + a.proto: C",
                "a.proto: Old",
                "b.proto: Old",
            ],
        ),
    ]);
    assert_eq!(
        names(&merged),
        ["a.proto of disk", "b.proto of set", "c.proto of app"]
    );
    assert_eq!(told(&merged), "");
}

#[test]
fn imports_come_first_whatever_the_order_and_circles_end() {
    let merged = merge([source(
        "set",
        &[
            "a.proto < z.proto",
            "z.proto < m.proto",
            "m.proto < a.proto",
            "b.proto < b.proto",
        ],
    )]);
    assert_eq!(
        names(&merged),
        [
            "m.proto of set",
            "z.proto of set",
            "a.proto of set",
            "b.proto of set"
        ]
    );
}

#[test]
fn a_file_under_another_name_is_not_declared_twice() {
    let merged = merge([
        source("disk", &["book.proto: Book Books!"]),
        source(
            "app",
            &[
                "v1/book.proto: Book Books!",
                "user.proto < v1/book.proto: User",
            ],
        ),
    ]);
    assert_eq!(names(&merged), ["book.proto of disk", "user.proto of app"]);
    assert_eq!(told(&merged), "");

    let merged = merge([
        source("disk", &["book.proto: Book"]),
        source("app", &["v1/book.proto: Book Books! Page"]),
    ]);
    assert_eq!(names(&merged), ["book.proto of disk"]);
    assert_eq!(
        told(&merged),
        "app: warning: v1/book.proto is not used, since book.proto declares part of it; lost with \
         it: p.Page, p.Books\n  note: disk: this one is used\n  \
         help: bring the file up to date with what the application serves"
    );
}

#[test]
fn files_of_one_source_do_not_replace_each_other() {
    let merged = merge([source("set", &["a.proto: A", "b.proto: A"])]);
    assert_eq!(names(&merged), ["a.proto of set", "b.proto of set"]);
}

#[test]
fn what_replaces_a_file_of_the_application_offers_its_services() {
    let only: Arc<[Arc<str>]> = [Arc::from("p.S")].into();
    let disk = Loaded {
        files: vec![
            file("a.proto: S!", "disk", Services::None),
            file("b.proto: T!", "disk", Services::None),
            file("c.proto: U!", "disk", Services::All),
        ],
        problems: Vec::new(),
    };
    let app = Loaded {
        files: vec![
            file("a.proto: S!", "app", Services::Only(Arc::clone(&only))),
            file("v1/b.proto: T!", "app", Services::All),
            file("c.proto: U!", "app", Services::None),
        ],
        problems: Vec::new(),
    };
    let merged = merge([disk, app]);
    let services = merged.files.iter().map(|file| file.services.clone());
    assert_eq!(
        services.collect::<Vec<_>>(),
        [Services::Only(only), Services::All, Services::All]
    );
}

#[test]
fn memory_gives_what_nobody_brought_and_replaces_nothing() {
    let disk = Loaded {
        files: known::files(&["google/api/http.proto", "google/type/date.proto"]),
        problems: Vec::new(),
    };
    let merged = merge([
        disk,
        source(
            "app",
            &[
                "a.proto < google/api/annotations.proto + nowhere.proto: A",
                "google/api/http.proto: HttpRule",
            ],
        ),
    ]);
    assert_eq!(
        names(&merged),
        [
            "google/api/http.proto of app",
            "google/protobuf/descriptor.proto of built-in google/protobuf/descriptor.proto",
            "google/api/annotations.proto of built-in google/api/annotations.proto",
            "a.proto of app",
            "google/type/date.proto of built-in google/type/date.proto",
        ]
    );
}

#[test]
fn the_digest_changes_exactly_with_the_files() {
    let digest = |files: &[&str]| merge([source("app", files)]).digest;
    let first = digest(&["a.proto: A", "b.proto: B"]);
    assert_eq!(first, digest(&["b.proto: B", "a.proto: A"]));
    assert_ne!(first, digest(&["a.proto: A", "b.proto: C"]));
    assert_ne!(first, digest(&["a.proto: A"]));
    let none = Loaded {
        files: vec![file("a.proto: A", "app", Services::None)],
        problems: Vec::new(),
    };
    assert_ne!(digest(&["a.proto: A"]), merge([none]).digest);
    assert_eq!(merge([]).files.len(), 0);
}

#[test]
fn a_broken_file_is_told_and_the_others_stay() {
    let mut app = source("app", &["a.proto: A"]);
    app.files.push(SourceFile {
        bytes: Bytes::from_static(b"\xff"),
        origin: Arc::from("app"),
        services: Services::All,
    });
    let merged = merge([app]);
    assert_eq!(names(&merged), ["a.proto of app"]);
    assert!(told(&merged).starts_with("app: error: a descriptor of it is broken: "));
}
