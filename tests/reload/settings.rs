//! What becomes of settings: calls keep what they began with, connections too, and what cannot be
//! changed is said.

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::process::Process;
use super::run;
use super::scene::Scene;
use super::support::client::{self, End, Version};
use super::support::upstream::{Script, Step, Upstream};
use super::{empty, request, text};

#[test]
fn the_admin_port_tells_what_became_of_it() {
    run(async {
        let scene = Scene::new("").await;
        let (status, told) = scene.reload().await;
        assert_eq!((status, &told["outcome"]), (200, &"unchanged".into()));
        assert_eq!(told["trigger"], "POST /reload");
        scene.write(
            "sidegate.yaml",
            "json: { names: proto }\nlisten: 127.0.0.1:1\n",
        );
        let (status, told) = scene.reload().await;
        assert_eq!(status, 200, "{told}");
        assert_eq!(told["outcome"], "applied");
        assert_eq!(told["changes"][0], "json.names: \"camel\" -> \"proto\"");
        // The flag beats the file, so nothing waits.
        assert_eq!(told["needs_restart"].as_array().unwrap().len(), 0);
        let (_, config) = scene.page("GET /config").await;
        let config: serde_json::Value = serde_json::from_str(&config).unwrap();
        let keys = config["keys"].as_array().unwrap();
        let names = keys.iter().find(|one| one["key"] == "json.names").unwrap();
        assert_eq!(names["value"], "proto", "{names}");
    });
}

#[test]
fn what_needs_a_restart_is_said_and_the_rest_is_done() {
    run(async {
        let scene = Scene::new("").await;
        scene.write(
            "sidegate.yaml",
            "ops: 127.0.0.1:1\nrest: { trailing_slash: ignore }\ntelemetry: { log_format: text }\n",
        );
        let (status, told) = scene.reload().await;
        assert_eq!((status, &told["outcome"]), (200, &"applied".into()));
        let waiting = [
            "ops: \"off\" -> \"127.0.0.1:1\"",
            "telemetry.log_format: \"auto\" -> \"text\"",
        ];
        assert_eq!(told["needs_restart"], serde_json::json!(waiting));
        assert_eq!(scene.status("/get/").await, 200);
        let (_, config) = scene.page("GET /config").await;
        assert!(config.contains("\"needs_restart\":[\"ops: "), "{config}");
        // It is not told as new again, and forgotten with the wish.
        let (_, told) = scene.reload().await;
        assert_eq!(told["outcome"], "unchanged");
        scene.write("sidegate.yaml", "");
        let (_, told) = scene.reload().await;
        assert_eq!(told["needs_restart"], serde_json::json!([]));
    });
}

/// Running streams are never cut, and their application is left when the last one is over.
#[test]
fn another_application_serves_what_comes_from_now_on() {
    run(async {
        let (first, second) = (Upstream::start(), Upstream::start());
        let slow = Script {
            calls: vec![vec![
                Step::ReceiveEnd,
                Step::Send(Bytes::from_static(b"\x0a\x01a")),
                Step::ClientHas("go on".to_owned()),
                Step::Send(Bytes::from_static(b"\x0a\x01b")),
            ]],
        };
        let stage = first.stage("slow", slow);
        let named = second.stage("load", empty());
        let folder = tempfile::TempDir::new().unwrap();
        let to = |app: &Upstream| {
            format!(
                "upstreams: {{ app: {{ url: 'http://{}' }} }}\n",
                app.address
            )
        };
        std::fs::create_dir(folder.path().join("proto")).unwrap();
        let text_of = super::scene::proto(super::PROTO);
        std::fs::write(folder.path().join("proto/case.proto"), text_of).unwrap();
        std::fs::write(folder.path().join("sidegate.yaml"), to(&first)).unwrap();
        let scene = Scene::in_folder(folder, &[]).await;

        let mut asked = request(Version::H2, "/list", "slow", &stage);
        let ndjson = ("accept".to_owned(), "application/x-ndjson".to_owned());
        asked.headers.push(ndjson);
        let listing = client::exchange(scene.listen(), &asked, &stage.client);
        let changing = async {
            let has_one = |body: &Vec<u8>| !body.is_empty();
            stage.client.subscribe().wait_for(has_one).await.unwrap();
            scene.write("sidegate.yaml", &to(&second));
            let (status, told) = scene.reload().await;
            assert_eq!(status, 200, "{told}");
            // The workers hear of it at once, but not before the answer.
            scene.serves("/get", 200).await;
            let asked = request(Version::H1, "/get", "load", &named);
            for _ in 0..20 {
                let answer = client::exchange(scene.listen(), &asked, &named.client).await;
                assert_eq!(answer.unwrap().status, 200);
            }
            assert!(named.seen().len() >= 20, "the second one was asked");
            assert!(scene.running.ready().is_ready());
            // For longer than idle connections of the first one are looked at.
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            stage.client.send_modify(|body| body.extend(b"go on"));
        };
        let (answer, ()) = tokio::join!(listing, changing);
        let answer = answer.unwrap();
        assert_eq!(text(&answer), "{\"name\":\"a\"}\n{\"name\":\"b\"}\n");
        assert_eq!(answer.end, End::Clean);
    });
}

/// The limits of a connection are those that it began with.
#[test]
fn limits_hold_for_new_connections() {
    run(async {
        let scene = Scene::new("").await;
        let long = format!("/get?name={}", "x".repeat(2000));
        let head = format!("GET {long} HTTP/1.1\r\nhost: a\r\nx-case: load\r\n\r\n");
        let mut old = TcpStream::connect(scene.listen()).await.unwrap();
        assert_eq!(exchange(&mut old, &head).await, "HTTP/1.1 200");
        scene.write("sidegate.yaml", "limits: { uri: 1KiB }\n");
        let (status, told) = scene.reload().await;
        assert_eq!(status, 200, "{told}");
        assert_eq!(exchange(&mut old, &head).await, "HTTP/1.1 200");
        let mut new = TcpStream::connect(scene.listen()).await.unwrap();
        assert_eq!(exchange(&mut new, &head).await, "HTTP/1.1 414");
    });
}

async fn exchange(stream: &mut TcpStream, head: &str) -> String {
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut start = vec![0; 4096];
    let read = stream.read(&mut start).await.unwrap();
    String::from_utf8_lossy(&start[..read.min(12)]).into_owned()
}

/// A signal does the same, and the log says what is different.
#[test]
fn a_hangup_is_a_wish_to_look() {
    run(async {
        let app = Upstream::start();
        let gateway = Process::serve("", app.address);
        gateway.ready();
        let config = gateway.folder.path().join("sidegate.yaml");
        std::fs::write(&config, "telemetry: { log_level: debug }\n").unwrap();
        gateway.signal("HUP");
        let expected = "telemetry.log_level: \\\"info\\\" -> \\\"debug\\\"";
        let until = std::time::Instant::now() + super::support::patience();
        while !gateway.said().contains(expected) {
            assert!(std::time::Instant::now() < until, "{}", gateway.said());
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        std::fs::write(&config, "telemetry: { log_level: noise }\n").unwrap();
        while !gateway.said().contains("sidegate.yaml:1:25: error:") {
            assert!(std::time::Instant::now() < until, "{}", gateway.said());
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        // It lives, and says more than before.
        let stage = app.stage("load", empty());
        let asked = request(Version::H2, "/get", "load", &stage);
        let answer = client::exchange(gateway.listen, &asked, &stage.client).await;
        assert_eq!(answer.unwrap().status, 200);
        while !gateway.said().contains("\"DEBUG\"") {
            assert!(std::time::Instant::now() < until, "{}", gateway.said());
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    });
}
