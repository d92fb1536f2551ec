//! What is wrong with a file, and whom it takes along.

use super::*;

#[test]
fn a_broken_file_takes_only_what_needs_it() {
    let disk = Disk::new(&[
        ("good.proto", &file("good", "message M {}")),
        (
            "bad.proto",
            &file(
                "bad",
                "message M { string a = 1; string b = 1; }\nmessage {}",
            ),
        ),
        (
            "uses.proto",
            &file("uses", "import \"bad.proto\";\nmessage U { bad.M m = 1; }"),
        ),
        (
            "idle.proto",
            &file("idle", "import \"bad.proto\";\nmessage I {}"),
        ),
    ]);
    let outcome = disk.proto("").load();
    assert_eq!(outcome.own(), ["good.proto", "idle.proto"]);
    outcome.assert_problems(&[
        "bad.proto:3:9: error: expected an identifier, but found '{'",
        "idle.proto:2:8: warning: import `bad.proto` has errors, this file is served without it\n  \
         note: nothing in the file needs it",
        "uses.proto:2:8: error: import `bad.proto` has errors, so this file is not served",
    ]);
}

#[test]
fn every_problem_of_every_file_is_told() {
    let disk = Disk::new(&[
        (
            "a.proto",
            &file("a", "message A { Nope x = 1;\n  Never y = 2; }"),
        ),
        (
            "b.proto",
            &file("b", "message B { string s = 1 \"\n; int32 t = ; }"),
        ),
        ("c.proto", &file("c", "message é {}")),
        ("d.proto", &file("a", "message A {}")),
    ]);
    let outcome = disk.proto("").load();
    assert_eq!(outcome.own(), ["d.proto"]);
    let problems = outcome.problems.join("\n");
    for expected in [
        "a.proto:2:13: error: name 'Nope' is not defined",
        "a.proto:3:3: error: name 'Never' is not defined",
        "b.proto:2:26: error: ",
        "c.proto:2:9: error: invalid token",
    ] {
        assert!(problems.contains(expected), "{expected} in {problems}");
    }
}

#[test]
fn a_missing_import_takes_only_its_options_along() {
    let disk = Disk::new(&[
        (
            "options.proto",
            &file(
                "o",
                "import \"acme/rules.proto\";\nimport \"google/api/annotations.proto\";\n\
                 message M { string s = 1 [deprecated = true, (acme.rule) = {min: 1}, json_name = \"t\"];\n\
                 string u = 2 [(acme.deep.rule).x = 1]; }\n\
                 service S { rpc R(M) returns (M) { option (acme.other) = 1;\n\
                 option (google.api.http) = { get: \"/m\" }; } }",
            ),
        ),
        (
            "types.proto",
            &file(
                "t",
                "import \"acme/types.proto\"; message T { acme.T t = 1; }",
            ),
        ),
    ]);
    let outcome = disk.proto("").load();
    outcome.assert_problems(&[
        "options.proto:2:8: warning: import `acme/rules.proto` is not found, this file is served \
         without it\n  note: looked in  and the built-in files\n  \
         note: options left out: (acme.deep.rule).x, (acme.other), (acme.rule)\n  \
         help: name the directory that holds it with --include"
            .replace(
                "looked in  ",
                &format!("looked in {} ", disk_root(&outcome)),
            )
            .as_str(),
        "types.proto:2:8: error: import `acme/types.proto` is not found, so this file is not \
         served\n  note: looked in  and the built-in files\n  \
         help: name the directory that holds it with --include"
            .replace(
                "looked in  ",
                &format!("looked in {} ", disk_root(&outcome)),
            )
            .as_str(),
    ]);
    let file = outcome.file("options.proto");
    assert_eq!(file.dependency, ["google/api/annotations.proto"]);
    let field = &file.message_type[0].field[0];
    assert_eq!(field.json_name.as_deref(), Some("t"));
    assert_eq!(field.options.as_ref().unwrap().deprecated, Some(true));
    assert!(
        file.service[0].method[0]
            .options
            .as_ref()
            .unwrap()
            .http
            .is_some()
    );
    what_stays_has_kept_its_place(&outcome);
}

fn what_stays_has_kept_its_place(outcome: &Outcome) {
    let raw = outcome.files.last().unwrap().1.clone();
    let raw = prost_types::FileDescriptorProto::decode(raw).unwrap();
    let locations = raw.source_code_info.unwrap().location;
    let http = locations
        .iter()
        .find(|known| known.path == [6, 0, 2, 0, 4, 72_295_728]);
    assert_eq!(http.unwrap().span[0], 6);
    assert!(locations.iter().all(|known| !known.path.contains(&999)));
    let import = locations
        .iter()
        .filter(|known| known.path.first() == Some(&3));
    assert_eq!(import.map(|known| known.span[0]).collect::<Vec<_>>(), [2]);
}

/// The directory as the notes name it.
fn disk_root(outcome: &Outcome) -> String {
    let note = outcome.problems.join("\n");
    let rest = note.split("looked in ").nth(1).unwrap();
    rest.split(" and the built-in").next().unwrap().to_owned()
}

#[test]
fn an_option_that_does_not_fit_is_left_out() {
    let disk = Disk::new(&[(
        "a.proto",
        &file(
            "a",
            "import \"google/api/annotations.proto\";\nmessage M {}\n\
             service S {\n  rpc One(M) returns (M) { option (google.api.http) = { gett: \"/1\" }; }\n\
             rpc Two(M) returns (M) { option (google.api.http) = { get: \"/2\" };\n\
             option idempotency_level = SOMETIMES; }\n\
             rpc Three(M) returns (M) { option (google.api.htp).get = \"/3\"; }\n}",
        ),
    )]);
    let outcome = disk.proto("").load();
    outcome.assert_problems(&[
        "a.proto:5:28: error: invalid value of type 'google.api.HttpRule' for option \
         '(google.api.http)': field 'gett' not found for message 'google.api.HttpRule'; the option \
         is left out",
        "a.proto:7:1: error: expected a value of type \
         'google.protobuf.MethodOptions.IdempotencyLevel' for option 'idempotency_level', but \
         found 'SOMETIMES'; the option is left out",
        "a.proto:8:28: error: 'google.api.htp' resolves to 'google.api.htp', which is not defined; \
         the option is left out\n  help: The innermost scope is searched first in name resolution. \
         Consider using a leading '.' (i.e., '.google.api.htp') to start from the outermost scope.",
    ]);
    let methods = &outcome.file("a.proto").service[0].method;
    let http = methods.iter().map(|method| {
        let options = method.options.as_ref();
        options.is_some_and(|options| options.http.is_some())
    });
    assert_eq!(http.collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn circles_are_told_and_cut() {
    let disk = Disk::new(&[
        (
            "a.proto",
            &file("a", "import \"b.proto\";\nmessage A { b.B b = 1; }"),
        ),
        ("b.proto", &file("b", "import \"c.proto\";\nmessage B {}")),
        (
            "c.proto",
            &file("c", "import \"a.proto\";\nmessage C { a.A a = 1; }"),
        ),
        ("d.proto", &file("d", "import \"d.proto\";\nmessage D {}")),
    ]);
    let outcome = disk.proto("").load();
    assert_eq!(outcome.own(), ["b.proto", "a.proto", "d.proto"]);
    let problems = outcome.problems.join("\n");
    for expected in [
        "c.proto:2:8: error: the imports run in a circle: a.proto -> b.proto -> c.proto -> a.proto",
        "c.proto:2:8: error: import `a.proto` closes a circle, so this file is not served",
        "b.proto:2:8: warning: import `c.proto` has errors, this file is served without it",
        "d.proto:2:8: error: the imports run in a circle: d.proto -> d.proto",
    ] {
        assert!(problems.contains(expected), "{expected} in {problems}");
    }
}

/// A refused file with extensions leaves nothing behind that a later one could stumble over.
#[test]
fn a_refused_file_with_extensions_leaves_no_trace() {
    let extension = "import \"google/protobuf/descriptor.proto\";\n\
                     extend google.protobuf.FieldOptions { string x = 50001; }\n";
    let disk = Disk::new(&[
        (
            "a.proto",
            &file("a", &format!("{extension} message A {{ Nope nope = 1; }}")),
        ),
        (
            "b.proto",
            &file(
                "b",
                &format!("{extension} message B {{ string s = 1 [(x) = \"y\"]; }}"),
            ),
        ),
        (
            "c.proto",
            &file(
                "c",
                "import \"b.proto\"; message C { string s = 1 [(b.x) = \"z\"]; }",
            ),
        ),
    ]);
    let outcome = disk.proto("").load();
    assert_eq!(outcome.own(), ["b.proto", "c.proto"]);
    outcome.assert_problems(&["a.proto:4:14: error: name 'Nope' is not defined"]);
    outcome.pool();
}

#[test]
fn a_file_that_imports_twice_is_fine() {
    let twice = "import \"b.proto\"; import \"b.proto\";\nmessage A { b.B b = 1; }";
    let disk = Disk::new(&[
        ("a.proto", &file("a", twice)),
        ("b.proto", &file("b", "message B {}")),
    ]);
    let outcome = disk.proto("").load();
    outcome.assert_problems(&[]);
    assert_eq!(outcome.file("a.proto").dependency, ["b.proto"]);
}

/// The linker forgets extensions by the number of messages; with many of the former this shows
/// even when the refused file has none.
#[test]
fn a_refused_file_does_not_spoil_the_extensions_of_others() {
    let option = "string s = 1 [(gogoproto.nullable) = false, (gogoproto.jsontag) = \"x\"];";
    let good = format!("import \"gogoproto/gogo.proto\"; message M {{ {option} }}");
    let disk = Disk::new(&[
        ("a.proto", &file("a", &good)),
        ("b.proto", &file("b", "message B { Nope n = 1; }")),
        ("c.proto", &file("c", &good)),
        ("d.proto", &file("d", &good)),
    ]);
    let outcome = disk.proto("").load();
    outcome.assert_problems(&["b.proto:2:13: error: name 'Nope' is not defined"]);
    assert_eq!(
        outcome.own(),
        ["gogoproto/gogo.proto", "a.proto", "c.proto", "d.proto"]
    );
    outcome.pool();
}

#[test]
fn a_copy_under_another_name_is_told_once() {
    let text = file("a", "message A { string s = 1; string t = 2; }");
    let disk = Disk::new(&[("a.proto", &text), ("b.proto", &text)]);
    disk.proto("").load().assert_problems(&[
        "b.proto:2:9: error: name 'a.A' is already defined in file 'a.proto', as are 2 other names \
         of this file",
    ]);
}
