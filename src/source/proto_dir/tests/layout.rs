//! How files lie on the disk: roots, links, names, bytes.

use super::*;

#[test]
fn names_are_relative_to_the_root_that_holds_the_file() {
    let message = |name: &str| file(name, &format!("message {name} {{}}"));
    let disk = Disk::new(&[
        ("p/v1/a.proto", &message("A")),
        ("inc/v2/b.proto", &message("B")),
        ("alone/c.proto", &message("C")),
        (
            "alone/d.proto",
            &file("D", "import \"c.proto\"; message D { C.C c = 1; }"),
        ),
        ("p/.hidden/x.proto", "broken"),
        ("p/.y.proto", "broken"),
        ("p/readme.md", "broken"),
    ]);
    let disk = disk
        .proto("p")
        .proto("inc/v2/b.proto")
        .proto("alone/d.proto")
        .include("inc");
    let outcome = disk.load();
    outcome.assert_problems(&[]);
    assert_eq!(
        outcome.names(),
        ["v1/a.proto", "v2/b.proto", "c.proto", "d.proto"]
    );
}

#[test]
fn an_import_is_found_where_the_user_said_and_only_then_in_memory() {
    let own = file("google.api", "message Http {}").replace("proto3", "proto2");
    let importing = file(
        "a",
        "import \"google/api/http.proto\"; message A { google.api.Http h = 1; }",
    );
    let disk = Disk::new(&[
        ("p/a.proto", &importing),
        ("inc/google/api/http.proto", &own),
    ]);
    let outcome = disk.proto("p").include("inc").load();
    outcome.assert_problems(&[]);
    assert_eq!(outcome.names(), ["google/api/http.proto", "a.proto"]);
    assert_eq!(outcome.files[0].2, "inc/google/api/http.proto");
}

/// A vendored copy may use what our compiler cannot read; nothing else could be in it anyway.
#[test]
fn a_vendored_google_protobuf_is_replaced_by_the_known_one() {
    let importing = file(
        "a",
        "import \"google/protobuf/any.proto\"; message A { google.protobuf.Any a = 1; }",
    );
    let disk = Disk::new(&[
        ("a.proto", &importing),
        ("google/protobuf/any.proto", "edition = \"2099\";"),
    ]);
    let outcome = disk.proto("").load();
    outcome.assert_problems(&[]);
    assert_eq!(outcome.names(), ["google/protobuf/any.proto", "a.proto"]);
}

#[test]
fn one_file_below_two_roots_is_loaded_once_by_the_name_that_others_use() {
    let disk = Disk::new(&[
        ("root/api/v1/b.proto", &file("b", "message B {}")),
        (
            "root/api/v1/a.proto",
            &file("a", "import \"api/v1/b.proto\"; message A { b.B b = 1; }"),
        ),
    ]);
    let outcome = disk.proto("root/api").include("root").load();
    outcome.assert_problems(&[]);
    assert_eq!(outcome.names(), ["api/v1/b.proto", "v1/a.proto"]);
    assert!(
        outcome
            .files
            .iter()
            .all(|(.., services)| *services == Services::All)
    );
}

#[test]
fn a_file_imported_by_two_names_is_loaded_once_and_told() {
    let disk = Disk::new(&[
        ("root/api/b.proto", &file("b", "message B {}")),
        (
            "root/api/a.proto",
            &file("a", "import \"api/b.proto\"; message A { b.B b = 1; }"),
        ),
        (
            "root/api/c.proto",
            &file("c", "import \"b.proto\"; message C { b.B b = 1; }"),
        ),
    ]);
    let outcome = disk.proto("root/api").include("root").load();
    outcome.assert_problems(&[
        "root/api/b.proto: warning: the file is imported as `api/b.proto` and `b.proto`; it goes \
         by `b.proto`\n  help: import it by one name: other compilers refuse two",
    ]);
    assert_eq!(outcome.names(), ["b.proto", "a.proto", "c.proto"]);
    outcome.pool();
}

#[test]
fn of_two_files_with_one_name_the_first_root_counts() {
    let disk = Disk::new(&[
        ("one/a.proto", &file("a", "message A {}")),
        ("two/a.proto", &file("a", "message B {}")),
        ("one/same.proto", &file("s", "message S {}")),
    ]);
    disk.write(
        "two/same.proto",
        format!("\u{feff}{}", file("s", "message S {}")).as_bytes(),
    );
    let outcome = disk.proto("one").proto("two").load();
    outcome.assert_problems(&[
        "two/a.proto: warning: another file is already called a.proto: this one is not used\n  \
         note: one/a.proto: this one is used\n  \
         help: keep one of them, or change the order of the directories",
    ]);
    assert_eq!(
        outcome.file("a.proto").message_type[0].name.as_deref(),
        Some("A")
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles() {
    use std::os::unix::fs::symlink;
    // As Kubernetes mounts a config map: the real files are in a hidden directory.
    let disk = Disk::new(&[
        ("p/..2026/a.proto", &file("a", "message A {}")),
        ("else/b.proto", &file("b", "message B {}")),
    ]);
    symlink("..2026", disk.path("p/..data")).unwrap();
    symlink("..data/a.proto", disk.path("p/a.proto")).unwrap();
    symlink(disk.path("p"), disk.path("p/again")).unwrap();
    symlink(disk.path("else"), disk.path("p/other")).unwrap();
    symlink("nowhere", disk.path("p/gone.proto")).unwrap();
    let outcome = disk.proto("p").load();
    outcome.assert_problems(&[]);
    assert_eq!(outcome.names(), ["a.proto", "other/b.proto"]);
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_place() {
    let disk = Disk::new(&[("good.proto", &file("g", "message G {}"))]);
    disk.write("bad.proto", b"syntax = \"proto3\";\n// \xff\n");
    disk.write(
        "bom.proto",
        b"\xef\xbb\xbfsyntax = \"proto3\"; message Bom {}",
    );
    disk.write("empty.proto", b"");
    disk.write("nul.proto", b"\0");
    let outcome = disk.proto("").load();
    assert_eq!(outcome.own(), ["bom.proto", "empty.proto", "good.proto"]);
    let problems = outcome.problems.join("\n");
    assert!(
        problems.contains(
            "bad.proto:2:4: error: the file is not UTF-8\n  \
             help: store the file as UTF-8 without a byte order mark"
        ),
        "{problems}"
    );
    assert!(problems.contains("nul.proto:1:1: error: "), "{problems}");
}

#[test]
fn what_is_not_there_is_told() {
    let disk = Disk::new(&[("empty/readme.md", ""), ("set.binpb", "")]);
    let disk = disk.proto("empty").proto("none").proto("set.binpb");
    let outcome = disk.include("set.binpb").include("void").load();
    let problems = outcome.problems.join("\n");
    for expected in [
        "empty: warning: there is no .proto file in this directory",
        "none: error: cannot be read: no such file or directory",
        "set.binpb: error: this is not a .proto file or a directory\n  \
         help: a descriptor set is given by --descriptor-set",
        "set.binpb: error: an include has to be a directory",
        "void: error: cannot be read: no such file or directory",
    ] {
        assert!(problems.contains(expected), "{expected} in {problems}");
    }
    assert!(outcome.files.is_empty());
}

#[test]
fn the_help_names_the_directory_that_would_do() {
    let disk = Disk::new(&[
        (
            "root/api/a.proto",
            &file("a", "import \"else/b.proto\"; message A { b.B b = 1; }"),
        ),
        ("root/else/b.proto", &file("b", "message B {}")),
    ]);
    let outcome = disk.proto("root/api").load();
    let problems = outcome.problems.join("\n");
    assert!(
        problems.contains("help: it is found with --include root/api/.."),
        "{problems}"
    );
    assert!(outcome.own().is_empty());
}

#[test]
fn imports_may_begin_with_the_name_of_the_directory_itself() {
    let disk = Disk::new(&[
        (
            "proto/a.proto",
            &file("a", "import \"proto/b.proto\";\nmessage A { b.B b = 1; }"),
        ),
        ("proto/b.proto", &file("b", "message B {}")),
    ]);
    let outcome = disk.proto("proto").load();
    outcome.assert_problems(&[
        "proto/a.proto:2:8: warning: import `proto/b.proto` is found only as proto/b.proto\n  \
         help: other compilers need to be told: --include .",
    ]);
    assert_eq!(outcome.own(), ["proto/b.proto", "a.proto"]);
}

#[test]
fn a_thousand_files_are_no_matter() {
    let disk = Disk::new(&[]);
    for number in 0..1000 {
        let import = match number {
            0 => String::new(),
            number => format!("import \"d/f{}.proto\";", number - 1),
        };
        let text = file(&format!("p{number}"), &format!("{import} message M {{}}"));
        disk.write(&format!("d/f{number}.proto"), text.as_bytes());
    }
    let outcome = disk.proto("").load();
    outcome.assert_problems(&[]);
    assert_eq!(outcome.files.len(), 1000);
}

#[test]
fn imports_are_found_where_projects_keep_them() {
    // Next to the importer, and below a directory for other people's files.
    let disk = Disk::new(&[
        (
            "x/a.proto",
            &file("x", "import \"common.proto\";\nmessage A { C c = 1; }"),
        ),
        ("x/common.proto", &file("x", "message C {}")),
        (
            "y/a.proto",
            &file("y", "import \"common.proto\";\nmessage A { C c = 1; }"),
        ),
        ("y/common.proto", &file("y", "message C {}")),
        (
            "z/z.proto",
            &file(
                "z",
                "import \"acme/t.proto\"; import \"google/api/http.proto\";\nmessage Z { acme.T t = 1; }",
            ),
        ),
        (
            "z/w.proto",
            &file("w", "import \"acme/t.proto\";\nmessage W { acme.T t = 1; }"),
        ),
        ("third_party/acme/t.proto", &file("acme", "message T {}")),
        (
            "third_party/google/api/http.proto",
            &file("google.api", "message HttpRule {}"),
        ),
        ("third_party/google/protobuf/any.proto", "broken"),
    ]);
    let outcome = disk.proto("").load();
    let problems = outcome.problems.join("\n");
    for expected in [
        "x/a.proto:2:8: warning: import `common.proto` is found only as x/common.proto\n  \
         help: other compilers need to be told: --include ",
        "y/a.proto:2:8: warning: import `common.proto` is found only as y/common.proto",
        "z/w.proto:2:8: warning: import `acme/t.proto` is found only as third_party/acme/t.proto",
        "warning: import `google/api/http.proto` is found only as third_party/google/api/http.proto",
    ] {
        assert!(problems.contains(expected), "{expected} in {problems}");
    }
    assert_eq!(outcome.problems.len(), 4, "{problems}");
    assert_eq!(outcome.file("x/a.proto").dependency, ["x/common.proto"]);
    assert_eq!(outcome.file("y/a.proto").dependency, ["y/common.proto"]);
    assert_eq!(
        outcome.file("z/z.proto").dependency,
        ["acme/t.proto", "google/api/http.proto"]
    );
    outcome.pool();
}

#[test]
fn a_copy_that_nothing_imports_clashes_with_nothing() {
    let annotated = "import \"google/api/annotations.proto\"; message A {}";
    let disk = Disk::new(&[
        ("a.proto", &file("a", annotated)),
        ("one/google/api/annotations.proto", "broken"),
        ("two/google/api/annotations.proto", "broken as well"),
    ]);
    let outcome = disk.proto("").load();
    outcome.assert_problems(&[]);
    assert_eq!(outcome.own(), ["a.proto"]);
}

#[test]
fn one_built_in_file_by_two_names_is_one_file() {
    let by = |package: &str, name: &str| {
        file(
            package,
            &format!(
                "import \"{name}\"; message M {{ string s = 1 [(gogoproto.nullable) = false]; }}"
            ),
        )
    };
    let (own, alias) = (
        "gogoproto/gogo.proto",
        "github.com/gogo/protobuf/gogoproto/gogo.proto",
    );
    let disk = Disk::new(&[("a.proto", &by("a", alias)), ("b.proto", &by("b", own))]);
    let outcome = disk.proto("").load();
    assert_eq!(outcome.own(), [own, "a.proto", "b.proto"]);
    outcome.pool();
}
