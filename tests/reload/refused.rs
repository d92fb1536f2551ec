//! Fault 39: what is wrong is told with its place, and changes nothing.

use std::fs;

use super::scene::{Scene, proto};
use super::{MORE, run};

/// What a refused attempt says, and that nothing else happened.
async fn refused(scene: &Scene, file: &str, text: &str, expected: &str) {
    let old = fs::read_to_string(scene.path(file)).unwrap();
    let known = scene.last().await;
    scene.write(file, text);
    let attempt = scene.attempt_after(known).await;
    assert_eq!(attempt["outcome"], "refused", "{attempt}");
    let problems = attempt["problems"].as_array().unwrap();
    let told: Vec<String> = problems
        .iter()
        .map(|problem| {
            let file = problem["file"].as_str().unwrap_or_default();
            let name = file.rsplit('/').next().unwrap();
            let (line, column) = (&problem["line"], &problem["column"]);
            format!(
                "{name}:{line}:{column}: {}",
                problem["message"].as_str().unwrap()
            )
        })
        .collect();
    assert!(
        told.iter().any(|one| one.starts_with(expected)),
        "{expected:?} is not among {told:#?}"
    );
    assert_eq!(scene.status("/get").await, 200);
    let (_, metrics) = scene.page("GET /metrics").await;
    assert!(
        metrics.contains("\nsidegate_reload_refused 1\n"),
        "{metrics}"
    );
    // Asked again, it says the same.
    let (status, told) = scene.reload().await;
    assert_eq!((status, &told["outcome"]), (422, &"refused".into()));
    assert_eq!(told["problems"], attempt["problems"]);
    let known = scene.last().await;
    scene.write(file, &old);
    let mended = scene.attempt_after(known).await;
    assert_eq!(mended["outcome"], "unchanged", "{mended}");
}

#[test]
fn a_configuration_that_is_wrong_changes_nothing() {
    run(async {
        let config = "rest:\n  trailing_slash: ignore\n";
        let scene = Scene::new(config).await;
        for (text, expected) in [
            ("rest: [\n", "sidegate.yaml:1:7: not YAML: "),
            (
                "rest:\n  trailing_slash: ignore\n  trailing_slsh: x\n",
                "sidegate.yaml:3:3: unknown key `rest.trailing_slsh`",
            ),
            ("limits:\n  uri: 3 apples\n", "sidegate.yaml:2:8: "),
        ] {
            refused(&scene, "sidegate.yaml", text, expected).await;
            assert_eq!(scene.status("/get/").await, 200);
        }
        let (_, metrics) = scene.page("GET /metrics").await;
        for line in [
            "sidegate_reload_total{outcome=\"applied\"} 0",
            "sidegate_reload_total{outcome=\"unchanged\"} 3",
            "sidegate_reload_total{outcome=\"refused\"} 6",
            "sidegate_reload_refused 0",
        ] {
            assert!(
                metrics.contains(&format!("\n{line}\n")),
                "{line}\n{metrics}"
            );
        }
    });
}

#[test]
fn a_schema_that_is_wrong_changes_nothing() {
    run(async {
        let scene = Scene::new("").await;
        let twice = MORE.replace("\"/more\"", "\"/get\"");
        let half = proto(MORE);
        let half = &half[..half.len() - 40];
        for (text, expected) in [
            (proto(&twice), "case.proto:"),
            (half.to_owned(), "case.proto:"),
            (
                "syntax = \"proto3\";\nmessage M { X x = 1; }\n".to_owned(),
                "case.proto:2:13: ",
            ),
        ] {
            refused(&scene, "proto/case.proto", &text, expected).await;
        }
        assert_eq!(scene.status("/more").await, 404);
    });
}

/// A good configuration beside a broken schema waits for it: all, or none.
#[test]
fn all_of_it_is_taken_up_or_none() {
    run(async {
        let scene = Scene::new("").await;
        scene.write("proto/case.proto", "syntax = \"proto3\"; broken");
        scene.write("sidegate.yaml", "rest: { trailing_slash: ignore }\n");
        let (status, _) = scene.reload().await;
        assert_eq!(status, 422);
        assert_eq!(scene.status("/get/").await, 404);
        scene.write("proto/case.proto", &proto(MORE));
        scene.serves("/more", 200).await;
        assert_eq!(scene.status("/get/").await, 200);
    });
}

/// Read between being emptied and being filled, a file means nothing; an empty one would mean the
/// defaults, and with them another application.
#[test]
fn a_configuration_that_is_being_written_changes_nothing() {
    run(async {
        let config = "rest:\n  trailing_slash: ignore\n";
        let scene = Scene::new(config).await;
        for text in ["", " \n\n"] {
            refused(
                &scene,
                "sidegate.yaml",
                text,
                "sidegate.yaml:null:null: the configuration is empty",
            )
            .await;
        }
        // Whoever means it can say so.
        let known = scene.last().await;
        scene.write("sidegate.yaml", "{}\n");
        let attempt = scene.attempt_after(known).await;
        assert_eq!(attempt["outcome"], "applied", "{attempt}");
        assert_eq!(scene.status("/get/").await, 404);
    });
}
