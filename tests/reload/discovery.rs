//! Applications that are found: their places change while the gateway runs, and whoever knows them
//! may be wrong or away (faults 37 and 39).

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::symlink;
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record, RecordType};
use serde_json::Value;
use tempfile::TempDir;

use super::scene::{Scene, proto};
use super::support::upstream::{FirstConnection, Stage, Upstream};
use super::{PROTO, empty, run};

fn folder(config: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("proto")).unwrap();
    fs::write(folder.path().join("proto/case.proto"), proto(PROTO)).unwrap();
    fs::write(folder.path().join("sidegate.yaml"), config).unwrap();
    folder
}

/// What the admin port says of the one upstream.
async fn upstream(scene: &Scene) -> Value {
    let (_, page) = scene.page("GET /upstreams").await;
    let page: Value = serde_json::from_str(&page).unwrap();
    let all = page.as_array().or_else(|| page["upstreams"].as_array());
    all.unwrap_or_else(|| panic!("{page}"))[0].clone()
}

/// Waits until the calls reach an application.
async fn reaches(scene: &Scene, stage: &Stage) {
    let before = stage.seen().len();
    loop {
        assert_eq!(scene.status("/get").await, 200);
        if stage.seen().len() > before {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Kubernetes swaps a link above the file; a file that is wrong changes nothing.
#[test]
fn an_endpoint_file_is_swapped_and_a_bad_one_is_not_taken() {
    run(async {
        let (first, second) = (Upstream::start(), Upstream::start());
        let (one, two) = (first.stage("load", empty()), second.stage("load", empty()));
        let folder = folder("upstreams: { app: { url: 'file:endpoints.yaml' } }\n");
        let write = |version: &str, text: &str| {
            let at = folder.path().join(version);
            fs::create_dir(&at).unwrap();
            fs::write(at.join("endpoints.yaml"), text).unwrap();
        };
        write("..one", &format!("- {}\n", first.address));
        write(
            "..two",
            &format!("[{{\"address\": \"{}\"}}]", second.address),
        );
        write("..bad", &format!("- {}\n- nowhere\n", first.address));
        symlink("..one", folder.path().join("..data")).unwrap();
        symlink(
            "..data/endpoints.yaml",
            folder.path().join("endpoints.yaml"),
        )
        .unwrap();
        let scene = Scene::in_folder(folder, &[]).await;
        let swap = |version: &str| {
            symlink(version, scene.path("..data_tmp")).unwrap();
            fs::rename(scene.path("..data_tmp"), scene.path("..data")).unwrap();
        };
        reaches(&scene, &one).await;

        let known = scene.last().await;
        swap("..bad");
        let attempt = scene.attempt_after(known).await;
        assert_eq!(attempt["outcome"], "refused", "{attempt}");
        let told = attempt["problems"].to_string();
        assert!(told.contains("`nowhere` is not an endpoint"), "{told}");
        assert!(told.contains("\"line\":2"), "{told}");
        reaches(&scene, &one).await;

        let known = attempt["number"].as_u64().unwrap();
        swap("..two");
        let attempt = scene.attempt_after(known).await;
        assert_eq!(attempt["outcome"], "applied", "{attempt}");
        let change = attempt["changes"][0].as_str().unwrap();
        assert!(change.starts_with("endpoints of app: 1 in "), "{change}");
        reaches(&scene, &two).await;
        let shown = upstream(&scene).await;
        assert_eq!(shown["discovery"]["state"], "following", "{shown}");
        assert_eq!(
            shown["endpoints"][0]["address"],
            second.address.to_string(),
            "{shown}"
        );
    });
}

/// A DNS server with one answer to everything; none when it is told to be silent.
fn dns(answer: &Arc<Mutex<Option<Vec<Ipv4Addr>>>>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let answer = Arc::clone(answer);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let question = Message::from_vec(&buffer[..length]).unwrap();
            let query = question.queries[0].clone();
            let mut told = Message::response(question.metadata.id, OpCode::Query);
            told.add_query(query.clone());
            let Some(addresses) = answer.lock().unwrap().clone() else {
                continue;
            };
            if addresses.is_empty() {
                told.metadata.response_code = ResponseCode::NXDomain;
            } else if query.query_type() == RecordType::A {
                for address in addresses {
                    let data = RData::A(A(address));
                    told.add_answer(Record::from_rdata(query.name().clone(), 1, data));
                }
            }
            socket.send_to(&told.to_vec().unwrap(), from).unwrap();
        }
    });
    address
}

/// Fault 37: nobody, then one, then another; and a server that falls silent changes nothing.
#[test]
fn an_application_is_found_by_name() {
    run(async {
        let first = Upstream::start();
        let port = first.address.port();
        let second = Upstream::start_at(&format!("127.0.0.2:{port}"), FirstConnection::Serve);
        let (one, two) = (first.stage("load", empty()), second.stage("load", empty()));
        let answer = Arc::new(Mutex::new(Some(Vec::new())));
        let server = dns(&answer);
        let folder = folder(&format!(
            "upstreams: {{ app: {{ url: 'dns:///app.test.:{port}' }} }}\n\
             discovery: {{ dns: {{ servers: ['{server}'], timeout: 200ms }} }}\n"
        ));
        let scene = Scene::started(folder, &[]);
        scene.serves("/get", 503).await;
        let shown = upstream(&scene).await;
        assert_eq!(shown["url"], format!("dns:///app.test.:{port}"), "{shown}");

        let tell = |addresses: Option<Vec<Ipv4Addr>>| *answer.lock().unwrap() = addresses;
        tell(Some(vec![first.address.ip().to_string().parse().unwrap()]));
        scene.serves("/get", 200).await;
        reaches(&scene, &one).await;
        scene
            .until("it is ready", |scene| scene.running.ready().is_ready())
            .await;

        tell(Some(vec![Ipv4Addr::new(127, 0, 0, 2)]));
        reaches(&scene, &two).await;

        tell(None);
        while upstream(&scene).await["discovery"]["state"] != "failing" {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        reaches(&scene, &two).await;
        let (_, metrics) = scene.page("GET /metrics").await;
        for line in [
            "sidegate_discovery_up{upstream=\"app\"} 0",
            "sidegate_discovery_endpoints{upstream=\"app\"} 1",
        ] {
            assert!(metrics.contains(line), "{line} is not in {metrics}");
        }

        tell(Some(vec![Ipv4Addr::new(127, 0, 0, 1)]));
        reaches(&scene, &one).await;
    });
}
