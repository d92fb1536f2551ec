//! Files that change are taken up by themselves, however they are changed.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use tempfile::TempDir;

use super::scene::{Scene, proto};
use super::{MORE, PROTO, run};

/// Fault 39: new in 2 s.
const SOON: Duration = Duration::from_secs(2);

#[test]
fn a_proto_that_changes_brings_its_routes() {
    run(async {
        let scene = Scene::new("").await;
        assert_eq!(scene.status("/more").await, 404);
        scene.write("proto/case.proto", &proto(MORE));
        let took = scene.serves("/more", 200).await;
        assert!(took < SOON, "{took:?}");
        let attempt = scene.attempt_after(0).await;
        assert_eq!(attempt["trigger"], "files");
        assert_eq!(attempt["outcome"], "applied");
        let changes: Vec<&str> = attempt["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| change.as_str().unwrap())
            .collect();
        assert_eq!(
            changes,
            [
                "method added: t.S.More",
                "route added: GET /more",
                "file changed: case.proto"
            ]
        );
        // A file in a directory that was not there.
        fs::create_dir(scene.path("proto/deep")).unwrap();
        scene.write(
            "proto/deep/new.proto",
            "syntax = \"proto3\"; package n; import \"google/protobuf/empty.proto\";\n\
             service N { rpc New(google.protobuf.Empty) returns (google.protobuf.Empty); }",
        );
        assert!(scene.serves("/n.N/New", 405).await < SOON);
        fs::remove_dir_all(scene.path("proto/deep")).unwrap();
        assert!(scene.serves("/n.N/New", 404).await < SOON);
        // One that replaces the old one, as editors do it.
        scene.write("case.new", &proto(PROTO));
        fs::rename(scene.path("case.new"), scene.path("proto/case.proto")).unwrap();
        assert!(scene.serves("/more", 404).await < SOON);
        assert_eq!(scene.status("/get").await, 200);
    });
}

/// Kubernetes mounts a ConfigMap as links, and swaps one above all of them.
#[test]
fn a_config_map_is_swapped() {
    run(async {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, text) in [("..one", PROTO), ("..two", MORE)] {
            fs::create_dir_all(at("proto").join(version)).unwrap();
            fs::write(at("proto").join(version).join("case.proto"), proto(text)).unwrap();
        }
        symlink("..one", at("proto/..data")).unwrap();
        symlink("..data/case.proto", at("proto/case.proto")).unwrap();
        let scene = Scene::in_folder(folder, &[]).await;
        assert_eq!(scene.status("/more").await, 404);
        for (version, status) in [("..two", 200), ("..one", 404), ("..two", 200)] {
            symlink(version, scene.path("proto/..data_tmp")).unwrap();
            fs::rename(scene.path("proto/..data_tmp"), scene.path("proto/..data")).unwrap();
            let took = scene.serves("/more", status).await;
            assert!(took < SOON, "{version}: {took:?}");
        }
    });
}

#[test]
fn a_configuration_that_appears_is_read_and_one_that_goes_is_forgotten() {
    run(async {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("proto")).unwrap();
        fs::write(folder.path().join("proto/case.proto"), proto(PROTO)).unwrap();
        let scene = Scene::in_folder(folder, &[]).await;
        assert_eq!(scene.status("/get/").await, 404);
        scene.write("sidegate.yaml", "rest: { trailing_slash: ignore }\n");
        assert!(scene.serves("/get/", 200).await < SOON);
        let attempt = scene.attempt_after(0).await;
        let change = attempt["changes"][0].as_str().unwrap();
        assert_eq!(change, "rest.trailing_slash: \"strict\" -> \"ignore\"");
        fs::remove_file(scene.path("sidegate.yaml")).unwrap();
        assert!(scene.serves("/get/", 404).await < SOON);
    });
}

#[test]
fn rules_and_descriptor_sets_are_watched_too() {
    run(async {
        let folder = TempDir::new().unwrap();
        let schema = super::support::schema::TestSchema::compile(PROTO).unwrap();
        fs::write(folder.path().join("set.binpb"), &schema.descriptor_set).unwrap();
        let rule = |path: &str| {
            format!(
                "type: google.api.Service\nhttp:\n  rules:\n  - selector: t.S.Get\n    get: {path}\n"
            )
        };
        fs::write(folder.path().join("rules.yaml"), rule("/one")).unwrap();
        let set = folder.path().join("set.binpb").display().to_string();
        let rules = folder.path().join("rules.yaml").display().to_string();
        let flags = [("--descriptor-set", set.as_str()), ("--http-rules", &rules)];
        let scene = Scene::in_folder(folder, &flags).await;
        assert_eq!(scene.status("/one").await, 200);
        scene.write("rules.yaml", &rule("/two"));
        assert!(scene.serves("/two", 200).await < SOON);
        assert_eq!(scene.status("/one").await, 404);
        let more = super::support::schema::TestSchema::compile(MORE).unwrap();
        fs::write(scene.path("set.binpb"), more.descriptor_set).unwrap();
        assert!(scene.serves("/more", 200).await < SOON);
    });
}

/// What is read has to be whole: the file is open for longer than the usual rest.
#[test]
fn a_file_that_is_being_written_is_waited_for() {
    use std::io::Write;
    run(async {
        let scene = Scene::new("").await;
        let text = proto(MORE);
        let (first, second) = text.split_at(text.len() / 2);
        let mut file = fs::File::create(scene.path("proto/case.proto")).unwrap();
        file.write_all(first.as_bytes()).unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
        file.write_all(second.as_bytes()).unwrap();
        drop(file);
        assert!(scene.serves("/more", 200).await < SOON);
        let history = scene.history().await;
        assert!(
            history.iter().all(|one| one["outcome"] == "applied"),
            "{history:?}"
        );
    });
}
