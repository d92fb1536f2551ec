//! Several upstreams by name: who is chosen, what is shown, and what a change of settings keeps.

use tempfile::TempDir;

use crate::app::App;
use crate::run;
use crate::scene::{Scene, until};

fn two(app: &App, other: &App, routes: &str) -> String {
    let (app, other) = (&app.url, &other.url);
    format!("upstreams: {{app: {{url: '{app}'}}, other: {{url: '{other}'}}}}\nroutes: {routes}\n")
}

#[test]
fn a_route_chooses_its_upstream_by_name() {
    run(async {
        let folder = TempDir::new().unwrap();
        let (app, other) = (
            App::start().await,
            App::start_at(&folder.path().join("o.sock")),
        );
        let config = two(&app, &other, "{t.Other: {upstream: other}}");
        let scene = Scene::in_folder(folder, &config).await;
        assert_eq!(scene.calls("S/Get", 3).await, 3);
        assert_eq!((app.calls(), other.calls()), (3, 0));
        assert_eq!(scene.calls("Other/Get", 4).await, 4);
        assert_eq!((app.calls(), other.calls()), (3, 4));
        other.fails_with(5);
        assert_eq!(scene.call("Other/Get").await, 404);
        assert_eq!(scene.call("S/Get").await, 200);
    });
}

/// Native gRPC to a method that no schema knows goes where a route of everything says.
#[test]
fn what_no_schema_knows_goes_where_everything_goes() {
    run(async {
        let (app, other) = (App::start().await, App::start().await);
        let config = two(
            &app,
            &other,
            "{'*': {upstream: other}, t.S: {upstream: app}}",
        );
        let scene = Scene::new(&config).await;
        let address = scene.running.addresses().listen;
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        for path in ["/u.Unknown/Get", "/t.S/Get"] {
            let request = http::Request::post(format!("http://a{path}"))
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(())
                .unwrap();
            let (response, mut body) = client.send_request(request, false).unwrap();
            body.send_data(bytes::Bytes::from_static(&[0; 5]), true)
                .unwrap();
            assert_eq!(response.await.unwrap().status(), 200);
        }
        assert_eq!((app.calls(), other.calls()), (1, 1));
    });
}

#[test]
fn every_upstream_is_shown_by_name() {
    run(async {
        let (app, other) = (App::start().await, App::start().await);
        let scene = Scene::new(&two(&app, &other, "{t.Other: {upstream: other}}")).await;
        assert_eq!(scene.call("Other/Get").await, 200);
        let shown = scene.json("GET /upstreams").await;
        let names: Vec<&str> = (0..2)
            .map(|at| shown["upstreams"][at]["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["app", "other"]);
        let said = scene
            .json("GET /explain?method=POST&path=/t.Other/Get")
            .await;
        let place = other.url.trim_start_matches("http://");
        assert_eq!(said["upstream"], place, "{said}");
        let why = said["why"].to_string();
        assert!(
            why.contains("its route sends it to the upstream `other`"),
            "{why}"
        );
        for name in names {
            let made = format!("sidegate_upstream_connects_total{{upstream=\"{name}\"}}");
            let made = scene.sample(&made).await;
            assert!(made.is_some_and(|made| made >= 1.0), "{name}: {made:?}");
        }
    });
}

/// The application says whether there is work to do; another upstream that is away costs only the
/// calls that go there.
#[test]
fn an_upstream_that_is_away_takes_nobody_out_of_service() {
    run(async {
        let (app, other) = (App::start().await, App::start().await);
        let config = two(&app, &other, "{t.Other: {upstream: other}}");
        drop(other);
        let scene = Scene::new(&config).await;
        assert_eq!(scene.calls("S/Get", 5).await, 5);
        let refused = scene.call_with("Other/Get", "").await;
        assert_eq!(refused.status, 503);
        assert!(
            refused.head.contains("x-sidegate-reason: APP_UNREACHABLE"),
            "{}",
            refused.head
        );
        let readiness = scene.admin("GET /readyz").await;
        assert_eq!(readiness.0, 200, "{}", readiness.1);
    });
}

/// Upstreams come and go while calls are made, and none of them fails; those of which nothing is
/// said anew keep their connections.
#[test]
fn upstreams_come_and_go_without_a_failed_call() {
    run(async {
        let (app, other) = (App::start().await, App::start().await);
        let alone = format!("upstreams: {{app: {{url: '{}'}}}}\n", app.url);
        let both = two(&app, &other, "{'*': {upstream: other}}");
        let scene = Scene::new(&alone).await;
        assert_eq!(scene.call("S/Get").await, 200);
        let made = "sidegate_upstream_connects_total{upstream=\"app\"}";
        let before = scene.sample(made).await;
        for _ in 0..5 {
            for config in [&both, &alone] {
                let (count, calling) = (40, scene.calls("S/Get", 40));
                let (good, ()) = tokio::join!(calling, scene.change(config));
                assert_eq!(good, count);
            }
        }
        scene.change(&both).await;
        let count = || async {
            let before = other.calls();
            assert_eq!(scene.call("S/Get").await, 200);
            other.calls() > before
        };
        until("calls go to the other one", count).await;
        assert_eq!(scene.sample(made).await, before, "the same connections");
    });
}
