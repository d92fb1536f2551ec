//! Calls shared out between upstreams: by weights that change while it runs, by what a call says
//! itself, and a new side that is taken back when it is bad.

use std::time::Duration;

use crate::app::App;
use crate::run;
use crate::scene::{Scene, until};

fn config(app: &App, canary: &App, split: &str) -> String {
    let (app, canary) = (&app.url, &canary.url);
    format!(
        "upstreams: {{app: {{url: '{app}'}}, canary: {{url: '{canary}'}}}}\n\
         routes: {{'*': {{timeout: 30s, split: {split}}}}}\n"
    )
}

async fn phase(scene: &Scene) -> String {
    let shown = scene.json("GET /split").await;
    shown["splits"][0]["phase"].as_str().unwrap().to_owned()
}

#[test]
fn calls_are_shared_out_by_weights_that_change_while_it_runs() {
    run(async {
        let (app, canary) = (App::start().await, App::start().await);
        let half = config(&app, &canary, "{weights: {app: 50, canary: 50}}");
        let scene = Scene::new(&half).await;
        assert_eq!(scene.calls("S/Get", 200).await, 200);
        let share = canary.calls();
        assert!((60..=140).contains(&share), "{share} of 200");
        let said = scene.json("GET /explain?method=POST&path=/t.S/Get").await;
        assert_eq!(said["upstream"], "app 50.0 %, canary 50.0 %");

        // By the admin port, and no change of anything else undoes it.
        let (status, told) = scene.admin("PUT /split?app=0&canary=1").await;
        assert_eq!(status, 200, "{told}");
        let before = app.calls();
        assert_eq!(scene.calls("S/Get", 20).await, 20);
        scene.change(&format!("{half}json: {{indent: 1}}\n")).await;
        assert_eq!(scene.calls("S/Get", 20).await, 20);
        assert_eq!(app.calls(), before);
        assert_eq!(phase(&scene).await, "by_hand");
        let all = scene.sample("sidegate_split_share{route=\"*\",upstream=\"canary\"}");
        assert_eq!(all.await, Some(1.0));

        // By the file.
        scene
            .change(&config(&app, &canary, "{weights: {app: 1, canary: 0}}"))
            .await;
        let settled = async || {
            let before = (app.calls(), canary.calls());
            assert_eq!(scene.call("S/Get").await, 200);
            (app.calls(), canary.calls()) == (before.0 + 1, before.1)
        };
        until("the file's weights hold", settled).await;
        let before = canary.calls();
        assert_eq!(scene.calls("S/Get", 20).await, 20);
        assert_eq!(canary.calls(), before);
        assert_eq!(phase(&scene).await, "steady");
    });
}

#[test]
fn wrong_weights_are_refused_with_what_would_be_right() {
    run(async {
        let (app, canary) = (App::start().await, App::start().await);
        let scene = Scene::new(&config(&app, &canary, "{weights: {app: 1, canary: 1}}")).await;
        for (query, expected) in [
            ("", "say which weights"),
            ("?app=1", "say the weight of every side: app, canary"),
            ("?app=many", "`many` is no weight for `app`"),
            (
                "?nobody=1&app=1&canary=1",
                "`nobody` is no side of this split: app, canary",
            ),
            ("?app=0&canary=0", "no side is left"),
            ("?route=t.S&app=1&canary=1", "the route `t.S` has no split"),
        ] {
            let (status, told) = scene.admin(&format!("PUT /split{query}")).await;
            assert_eq!(status, 400, "{told}");
            assert!(told.contains(expected), "{told}");
        }
        assert_eq!(phase(&scene).await, "steady");
    });
}

#[test]
fn a_header_a_cookie_or_an_address_decides() {
    run(async {
        let (app, canary) = (App::start().await, App::start().await);
        let split = "{weights: {app: 1, canary: 0}, choose: [{header: x-version, value: new, \
                     upstream: canary}, {cookie: beta, upstream: canary}]}";
        let scene = Scene::new(&config(&app, &canary, split)).await;
        for (lines, at_canary) in [
            ("", 0),
            ("x-version: old\r\n", 0),
            ("x-version: new\r\n", 1),
            ("cookie: a=b; beta=1\r\n", 2),
        ] {
            assert_eq!(scene.call_with("S/Get", lines).await.status, 200);
            assert_eq!(canary.calls(), at_canary, "{lines}");
        }
        // One client, one side.
        let split = "{weights: {app: 1, canary: 1}, sticky: {address: true}}";
        let (app, canary) = (App::start().await, App::start().await);
        let scene = Scene::new(&config(&app, &canary, split)).await;
        assert_eq!(scene.calls("S/Get", 20).await, 20);
        let calls = [app.calls(), canary.calls()];
        assert!(calls == [0, 20] || calls == [20, 0], "{calls:?}");
    });
}

/// No more calls fail than the new side has of all, and it is over as soon as enough have.
#[test]
fn a_new_side_that_fails_is_taken_back() {
    run(async {
        let (app, canary) = (App::start().await, App::start().await);
        canary.fails_with(13);
        let split = "{weights: {app: 90, canary: 10}, guard: {minimum: 10, window: 20s}}";
        let scene = Scene::new(&config(&app, &canary, split)).await;
        let mut failed = 0;
        let mut all = 0;
        while phase(&scene).await != "rolled_back" {
            failed += 20 - scene.calls("S/Get", 20).await;
            all += 20;
            assert!(all < 100_000, "it is never taken back");
        }
        assert_eq!(failed, canary.calls());
        assert!(failed >= 10, "{failed}");
        // It is taken back at 10; chance and a busy machine may make it some more.
        assert!(failed * 4 <= all || failed <= 40, "{failed} of {all}");
        assert_eq!(scene.calls("S/Get", 100).await, 100);
        assert_eq!(failed, canary.calls());
        let shown = scene.json("GET /split").await;
        let why = shown["splits"][0]["why"].as_str().unwrap();
        assert!(
            why.contains("calls failed, 100.0 %, and 0.0 % of the others"),
            "{why}"
        );
        let rollbacks = scene
            .sample("sidegate_split_rollbacks_total{route=\"*\"}")
            .await;
        assert_eq!(rollbacks, Some(1.0));
        // Whoever has mended it says so.
        canary.fails_with(0);
        let (status, told) = scene.admin("PUT /split?route=*&app=10&canary=90").await;
        assert_eq!(status, 200, "{told}");
        let before = canary.calls();
        assert_eq!(scene.calls("S/Get", 50).await, 50);
        assert!(canary.calls() > before);
    });
}

/// A side that says nothing is as bad as one that fails.
#[test]
fn a_new_side_that_is_silent_is_taken_back() {
    run(async {
        let (app, canary) = (App::start().await, App::start().await);
        canary.pauses(Duration::from_secs(3600));
        let split = "{weights: {app: 50, canary: 50}, guard: {minimum: 2, window: 60s, slower: 0}}";
        let text = config(&app, &canary, split).replace("30s", "2s");
        let scene = Scene::new(&text).await;
        let gone = async || {
            scene.call("S/Get").await;
            phase(&scene).await == "rolled_back"
        };
        until("it is taken back", gone).await;
        assert_eq!(scene.calls("S/Get", 20).await, 20);
    });
}

#[test]
fn a_ramp_goes_from_step_to_step() {
    run(async {
        let (app, canary) = (App::start().await, App::start().await);
        let split = "{weights: {app: 1, canary: 0}, ramp: {steps: [0, 50, 100], hold: 300ms}}";
        let scene = Scene::new(&config(&app, &canary, split)).await;
        until("it has grown", async || phase(&scene).await == "grown").await;
        let before = app.calls();
        assert_eq!(scene.calls("S/Get", 20).await, 20);
        assert_eq!((app.calls(), canary.calls() >= 20), (before, true));
    });
}
