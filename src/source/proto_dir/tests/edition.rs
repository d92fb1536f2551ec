//! Files with an edition: by an external compiler, or told.

use super::super::editions::{Tool, find};
use super::*;

fn protoc() -> Tool {
    Tool::Protoc(protoc_bin_vendored::protoc_bin_path().unwrap())
}

fn disk(files: &[(&str, &str)], tools: Vec<Tool>) -> Disk {
    let mut disk = Disk::new(files).proto("");
    disk.params.tools = tools;
    disk
}

const EDITION: &str = "edition = \"2023\"; package e;\nimport \"google/api/annotations.proto\";\n\
    import \"plain.proto\";\n\
    message E { string s = 1 [features.field_presence = IMPLICIT]; plain.P p = 2; }\n\
    service S { rpc R(E) returns (E) { option (google.api.http) = { get: \"/e\" }; } }";

fn files() -> Vec<(&'static str, String)> {
    vec![
        ("edition.proto", EDITION.to_owned()),
        ("plain.proto", file("plain", "message P {}")),
        (
            "above.proto",
            file(
                "above",
                "import \"edition.proto\";\nmessage A { e.E e = 1; }",
            ),
        ),
        (
            "idle.proto",
            file("idle", "import \"edition.proto\";\nmessage I {}"),
        ),
    ]
}

fn borrowed<'a>(files: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    files
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect()
}

#[test]
fn without_a_compiler_they_are_told_and_take_only_their_users() {
    let files = files();
    let outcome = disk(&borrowed(&files), Vec::new()).load();
    assert_eq!(outcome.own(), ["plain.proto", "idle.proto"]);
    outcome.assert_problems(&[
        "above.proto:2:8: error: import `edition.proto` has errors, so this file is not served",
        "edition.proto:1:11: error: edition 2023 needs protoc or buf on the PATH, and there is \
         none\n  help: install a newer protoc or buf, or give a descriptor set: protoc \
         --include_imports --include_source_info -o set.binpb",
        "idle.proto:2:8: warning: import `edition.proto` has errors, this file is served without \
         it\n  note: nothing in the file needs it",
    ]);
}

#[test]
fn protoc_compiles_them_and_what_imports_them() {
    let files = files();
    let outcome = disk(&borrowed(&files), vec![protoc()]).load();
    outcome.assert_problems(&[]);
    assert_eq!(
        outcome.own(),
        ["plain.proto", "edition.proto", "above.proto", "idle.proto"]
    );
    let edition = outcome.file("edition.proto");
    assert_eq!(edition.edition, Some(1000));
    let options = edition.service[0].method[0].options.as_ref().unwrap();
    assert!(options.http.is_some());
    let raw = outcome
        .files
        .iter()
        .find(|(file, ..)| file.name.as_deref() == Some("edition.proto"));
    let raw = prost_types::FileDescriptorProto::decode(raw.unwrap().1.clone()).unwrap();
    assert!(raw.source_code_info.is_some());
}

#[test]
fn one_broken_edition_file_takes_only_its_users_out() {
    let mut files = files();
    files.push((
        "bad.proto",
        "edition = \"2023\"; package bad;\nmessage B { Nope n = 1; }".into(),
    ));
    files.push((
        "user.proto",
        "edition = \"2023\";\nimport \"bad.proto\";\nmessage U {}".into(),
    ));
    files.push((
        "lost.proto",
        "edition = \"2023\";\nimport \"nowhere.proto\";\nmessage L {}".into(),
    ));
    let outcome = disk(&borrowed(&files), vec![protoc()]).load();
    let problems = outcome.problems.join("\n");
    for expected in [
        "bad.proto:2:13: error: \"Nope\" is not defined.",
        "user.proto:2:8: error: `bad.proto` has errors, so this file is not served",
        "lost.proto:2:8: error: import `nowhere.proto` cannot be had",
    ] {
        assert!(problems.contains(expected), "{expected} in {problems}");
    }
    let expected = ["plain.proto", "edition.proto", "above.proto", "idle.proto"];
    assert_eq!(outcome.own(), expected, "{problems}");
}

#[test]
fn imports_that_come_with_the_compiler_are_taken_from_it() {
    let text = "edition = \"2023\"; package e;\nimport \"google/protobuf/go_features.proto\";\n\
        option features.(pb.go).api_level = API_OPAQUE; message E {}";
    let outcome = disk(&[("e.proto", text)], vec![protoc()]).load();
    outcome.assert_problems(&[]);
    let names = outcome.names();
    let place = |name: &str| names.iter().position(|known| *known == name);
    assert!(place("google/protobuf/go_features.proto").unwrap() < place("e.proto").unwrap());
}

#[cfg(unix)]
fn script(disk: &Disk, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    disk.write(name, format!("#!/bin/sh\n{text}\n").as_bytes());
    let path = disk.path(name);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Stand-ins for tools, since one machine does not have all of them.
#[cfg(unix)]
#[test]
fn an_outdated_protoc_gives_way_to_buf_and_is_told_when_it_is_alone() {
    let tools = Disk::new(&[]);
    let old = "echo 'e.proto:1:1: Expected top-level statement (e.g. \"message\").' >&2\n\
               echo 'e.proto:1:40: Expected \"required\", \"optional\", or \"repeated\".' >&2; exit 1";
    let old = Tool::Protoc(script(&tools, "bin/protoc", old));
    let alone = disk(
        &[("e.proto", "edition = \"2023\"; message E {}")],
        vec![old.clone()],
    );
    let outcome = alone.load();
    let problems = outcome.problems.join("\n");
    let expected = "e.proto:1:11: error: edition 2023 is not known to ";
    assert!(problems.starts_with(expected), "{problems}");
    assert_eq!(outcome.problems.len(), 1);

    // What buf is asked for, with protoc behind it.
    let protoc = protoc_bin_vendored::protoc_bin_path().unwrap();
    let buf = format!(
        "test \"$1 $2 $3 $4\" = 'build . --as-file-descriptor-set --output' || exit 2\n\
         exec {} -I. --include_imports -o \"$5\" e.proto",
        protoc.display()
    );
    let buf = Tool::Buf(script(&tools, "bin/buf", &buf));
    let outcome = disk(
        &[("e.proto", "edition = \"2023\"; message E {}")],
        vec![old, buf],
    )
    .load();
    outcome.assert_problems(&[]);
    assert_eq!(outcome.own(), ["e.proto"]);
    let path = tools.path("bin");
    let found = find(Some(path.as_os_str()));
    assert!(
        matches!(found.as_slice(), [Tool::Protoc(_), Tool::Buf(_)]),
        "{found:?}"
    );
    assert!(find(None).is_empty());
}

#[cfg(unix)]
#[test]
fn a_tool_that_fails_without_a_word_is_told() {
    let tools = Disk::new(&[]);
    let silent = Tool::Protoc(script(&tools, "silent", "exit 1"));
    let missing = Tool::Protoc(tools.path("missing"));
    let junk = Tool::Protoc(script(&tools, "junk", "echo junk > \"$5\""));
    for (tool, expected) in [
        (silent, "failed: it does not say why"),
        (missing, "failed: the compiler could not be run: "),
        (junk, "e.proto:1:11: error: "),
    ] {
        let outcome = disk(
            &[("e.proto", "edition = \"2023\"; message E {}")],
            vec![tool],
        )
        .load();
        let problems = outcome.problems.join("\n");
        assert!(problems.contains(expected), "{expected} in {problems}");
        assert!(outcome.own().is_empty());
    }
}
