//! The admin port as a client sees it, over real connections.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use serde_json::{Value, json};

use super::explain::Setting;
use super::views::UpstreamView;
use super::{Facts, Params, Reload, Running, Views, bind};
use crate::life::drain::Drain;
use crate::life::ready::{Condition, Ready};
use crate::live::Live;
use crate::schema::descriptor::FileDescriptorSet;
use crate::schema::problem::{Location, Problem};
use crate::schema::tests::schema;
use crate::telemetry::clock::Clock;
use crate::telemetry::tap::Filter;
use crate::telemetry::{self, Telemetry};
use crate::upstream::Seen;

pub(super) const BOOKS: &str = r#"
    syntax = "proto3";
    package books;
    import "google/api/annotations.proto";
    message Book { string name = 1; string title = 2; }
    service Shop {
      rpc Get(Book) returns (Book) {
        option idempotency_level = NO_SIDE_EFFECTS;
        option (google.api.http) = {
          get: "/v1/{name=books/*}"
          additional_bindings { get: "/v1/titles/{title}" response_body: "name" }
        };
      }
      rpc Put(stream Book) returns (Book) {
        option (google.api.http) = {put: "/v1/books:all" body: "title"};
      }
      rpc Plain(Book) returns (stream Book);
    }
"#;

/// What an admin port is told.
struct Told;

impl Facts for Told {
    fn config(&self) -> Value {
        json!({"keys": [{"key": "listen", "value": "0.0.0.0:8081", "source": "default"}]})
    }

    fn settings(&self, method: &crate::schema::Method) -> Vec<Setting> {
        vec![Setting {
            key: method.full_name(),
            value: json!(1),
            source: "default",
            at: None,
        }]
    }

    fn upstreams(&self) -> Vec<UpstreamView> {
        let seen = Seen {
            failed: 1,
            last_failure: Some((Duration::from_secs(2), "refused".to_owned())),
            ..Seen::default()
        };
        vec![UpstreamView::new(
            "app",
            "http://127.0.0.1:1".to_owned(),
            seen,
        )]
    }

    fn splits(&self) -> Vec<Arc<crate::schema::split::Split>> {
        Vec::new()
    }

    fn fallback(&self) -> Option<String> {
        None
    }
}

/// A running admin port and what it looks at.
struct Port {
    admin: SocketAddr,
    ops: SocketAddr,
    ready: Ready,
    drain: Drain,
    telemetry: Telemetry,
    _running: Running,
}

fn port() -> Port {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let bound = bind(Params {
        admin: Some(any),
        ops: Some(any),
    })
    .unwrap();
    let (ready, drain) = (Ready::new(), Drain::new());
    let problem = Problem::warning(Location::at("a.proto", 3, 7), "something is odd")
        .with_note(Location::file("b.proto"), "it began here")
        .with_help("mend it");
    let telemetry = Telemetry::new(telemetry::Params {
        access_log: None,
        tracer: telemetry::trace::Tracer::Off,
        target: "app:50051".to_owned(),
        workers: 1,
        clock: Clock::system(),
    });
    let views = Views {
        schema: Arc::new(Live::new(schema(BOOKS))),
        problems: Arc::new(Live::new(vec![problem])),
        ready: ready.clone(),
        drain: drain.clone(),
        telemetry: telemetry.clone(),
        own: Arc::new(schema(BOOKS)),
        facts: Arc::new(Told),
        log_level: None,
        scrape: None,
        token: None,
        data: None,
        reload: Reload {
            ask: Box::new(|| Box::pin(async { Some(json!({"outcome": "refused"})) })),
            history: Box::new(|| json!([{"outcome": "applied"}])),
        },
        app_config: Arc::new(Live::new(None)),
    };
    Port {
        admin: bound.admin_address().unwrap(),
        ops: bound.ops_address().unwrap(),
        ready,
        drain,
        telemetry,
        _running: bound.run(views).unwrap(),
    }
}

/// Sends a request head and reads the answer to its end: status, head, body.
fn exchange(address: SocketAddr, head: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).unwrap();
    let status = head.split(' ').nth(1).unwrap();
    (status.parse().unwrap(), head, body)
}

fn get(address: SocketAddr, path: &str) -> (u16, String, Vec<u8>) {
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    exchange(address, &head)
}

fn get_json(address: SocketAddr, path: &str) -> (u16, Value) {
    let (status, head, body) = get(address, path);
    assert!(
        head.contains("content-type: application/json\r\n"),
        "{head}"
    );
    (status, serde_json::from_slice(&body).unwrap())
}

#[test]
fn probes_tell_whether_work_may_come() {
    let port = port();
    for address in [port.admin, port.ops] {
        assert_eq!(get(address, "/livez").0, 200);
        let (status, body) = get_json(address, "/readyz");
        assert_eq!(status, 503);
        assert_eq!(
            body,
            json!({"ready": false, "waiting_for": ["listening", "schema", "app", "health"]})
        );
    }
    let held = Condition::ALL.map(|condition| port.ready.hold(condition));
    assert_eq!(get_json(port.ops, "/readyz"), (200, json!({"ready": true})));

    port.drain.start();
    let expected = json!({"ready": false, "draining": true});
    assert_eq!(get_json(port.admin, "/readyz"), (503, expected));
    assert_eq!(get(port.admin, "/livez").0, 200, "draining is not dying");
    drop(held);
}

#[test]
fn pages_show_what_is_live() {
    let port = port();
    let (status, head, body) = get(port.admin, "/metrics");
    assert_eq!(status, 200);
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert!(head.contains("cache-control: no-store\r\n"), "{head}");
    assert!(body.starts_with(b"# HELP "));

    let (_, routes) = get_json(port.admin, "/routes");
    assert_eq!(routes["routes"][0]["rpc"], "books.Shop/Plain");
    let (_, _, table) = get(port.admin, "/routes?format=table");
    assert!(table.starts_with(b"METHOD"));
    assert_eq!(get(port.admin, "/routes?format=xml").0, 400);

    let (_, schema) = get_json(port.admin, "/schema");
    assert_eq!(
        schema["services"][0]["methods"][0],
        json!({
            "name": "Get", "path": "/books.Shop/Get", "stream": "unary",
            "input": "books.Book", "output": "books.Book", "idempotency": "no_side_effects",
        })
    );
    let (_, _, set) = get(port.admin, "/schema?format=binpb");
    let set = FileDescriptorSet::decode(set.as_slice()).unwrap();
    assert!(set.file.iter().any(|file| file.name() == "test.proto"));
    let names: Vec<Value> = set.file.iter().map(|file| file.name().into()).collect();
    assert_eq!(schema["files"], Value::Array(names));

    let expected = json!({"problems": [{
        "severity": "warning", "file": "a.proto", "line": 3, "column": 7,
        "message": "something is odd",
        "notes": [{"file": "b.proto", "message": "it began here"}],
        "help": "mend it",
    }]});
    assert_eq!(get_json(port.admin, "/problems"), (200, expected));
    let (_, config) = get_json(port.admin, "/config");
    assert_eq!(config["keys"][0]["source"], "default");
    let (_, upstreams) = get_json(port.admin, "/upstreams");
    assert_eq!(
        upstreams["upstreams"][0],
        json!({
            "name": "app", "url": "http://127.0.0.1:1", "state": "unreachable", "in_flight": 0,
            "connections_made": 0, "connects_failed": 1, "connections": [],
            "last_failure": {"cause": "refused", "seconds_ago": 2},
        })
    );
    let (_, openapi) = get_json(port.admin, "/openapi.json");
    assert_eq!(openapi["openapi"], "3.1.0");
    assert_eq!(
        get_json(port.admin, "/nothing").1["error"]["status"],
        "NOT_FOUND"
    );
    assert_eq!(get(port.admin, "/").0, 200);
}

/// Fault 47.
#[test]
fn only_who_names_this_host_sees_the_admin_pages() {
    let port = port();
    let ask = |address, host: &str| {
        let head = format!("GET /livez HTTP/1.1\r\n{host}connection: close\r\n\r\n");
        exchange(address, &head).0
    };
    assert_eq!(ask(port.admin, "host: localhost:1\r\n"), 200);
    for host in [
        "host: evil.example\r\n",
        "host: 127.0.0.1\r\nhost: evil.example\r\n",
        "host: evil@127.0.0.1\r\n",
        "host: \r\n",
        "",
    ] {
        assert!([400, 403].contains(&ask(port.admin, host)), "{host:?}");
    }
    let head = format!(
        "GET http://evil.example/config HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        port.admin
    );
    assert_eq!(exchange(port.admin, &head).0, 403);

    // The ops listener: its three pages, any Host.
    assert_eq!(ask(port.ops, "host: evil.example\r\n"), 200);
    for page in ["/config", "/routes", "/schema", "/problems", "/"] {
        assert_eq!(get(port.ops, page).0, 404, "{page}");
    }
}

#[test]
fn draining_is_asked_for_by_this_host_alone() {
    let port = port();
    let ask = |address, method: &str, more: &str| {
        let head = format!(
            "{method} /drain HTTP/1.1\r\nhost: {address}\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n"
        );
        exchange(address, &head)
    };
    assert_eq!(ask(port.admin, "GET", "").0, 405);
    assert_eq!(ask(port.ops, "POST", "").0, 404);
    for origin in [
        "http://evil.example",
        "http://localhost:9901",
        "null",
        "http://localhost.evil.example",
    ] {
        let origin = format!("origin: {origin}\r\n");
        assert_eq!(ask(port.admin, "POST", &origin).0, 403, "{origin}");
    }
    assert!(!port.drain.is_draining());
    let _call = port.drain.in_flight();
    let (status, _, body) = ask(
        port.admin,
        "POST",
        &format!("origin: http://{}\r\n", port.admin),
    );
    assert_eq!(status, 200);
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body, json!({"draining": true, "in_flight": 1}));
    assert!(port.drain.is_draining());
}

#[test]
fn a_request_is_explained() {
    let port = port();
    let (status, said) = get_json(port.admin, "/explain?path=/v1/books/a");
    assert_eq!((status, &said["outcome"]), (200, &json!("served")));
    assert_eq!(said["settings"][0]["key"], "books.Shop.Get");
    assert_eq!(said["upstream"], "http://127.0.0.1:1");
    let query = "method=POST&path=/books.Shop/Get&header=content-type:%20application/grpc";
    let (_, said) = get_json(port.admin, &format!("/explain?{query}"));
    assert_eq!(said["protocol"], "grpc");
    let (_, _, text) = get(port.admin, "/explain?path=/v1/boks/a&format=text");
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.starts_with("GET /v1/boks/a (rest) is refused with 404"),
        "{text}"
    );
    for wrong in [
        "",
        "?path=",
        "?path=/&header=x",
        "?path=/&format=xml",
        "?path=/&paht=/",
        "?path=/&method=%20",
    ] {
        assert_eq!(
            get(port.admin, &format!("/explain{wrong}")).0,
            400,
            "{wrong}"
        );
    }
}

#[test]
fn a_tap_is_open_while_somebody_listens() {
    let port = port();
    assert_eq!(get(port.admin, "/tap?errors=perhaps").0, 400);
    assert_eq!(get(port.admin, "/tap?rote=x").0, 400);
    let others: Vec<_> =
        std::iter::from_fn(|| port.telemetry.tap().listen(Filter::default())).collect();
    assert_eq!(get(port.admin, "/tap").0, 503);
    drop(others);
    assert!(!port.telemetry.tap().is_open());

    let mut stream = TcpStream::connect(port.admin).unwrap();
    let head = format!(
        "GET /tap?errors=true HTTP/1.1\r\nhost: {}\r\n\r\n",
        port.admin
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    while !answer.contains("listening") {
        let mut some = [0; 512];
        let count = stream.read(&mut some).unwrap();
        answer.push_str(std::str::from_utf8(&some[..count]).unwrap());
    }
    assert!(
        answer.contains("content-type: text/event-stream\r\n"),
        "{answer}"
    );
    assert!(port.telemetry.tap().is_open());
}

#[test]
fn the_level_belongs_to_who_set_it_up() {
    assert_eq!(get(port().admin, "/loglevel").0, 501);
}

#[test]
fn the_port_is_free_when_it_has_stopped() {
    let port = port();
    let address = port.admin;
    drop(port);
    assert!(TcpStream::connect(address).is_err());
}

/// The page and all its parts are there, and nothing of it can come from elsewhere.
#[test]
fn the_console_is_whole_in_itself() {
    let port = port();
    let (_, head, page) = get(port.admin, "/");
    assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self'"));
    let page = String::from_utf8(page).unwrap();
    for part in ["console.css", "docs.css", "console.js"] {
        assert!(page.contains(&format!("\"console/{part}\"")), "{part}");
    }
    for part in ["views.js", "charts.js", "schema.js", "try.js", "console.js"] {
        let (status, head, body) = get(port.admin, &format!("/console/{part}"));
        assert_eq!(status, 200, "{part}");
        assert!(head.contains("content-type: text/javascript"), "{head}");
        let body = String::from_utf8(body).unwrap();
        assert!(
            !body.contains("http://www.") || part == "charts.js",
            "{part}"
        );
        assert_eq!(get(port.ops, &format!("/console/{part}")).0, 404, "{part}");
    }
    let head = format!(
        "POST /try HTTP/1.1\r\nhost: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        port.admin
    );
    assert_eq!(
        exchange(port.admin, &head).0,
        501,
        "nothing is tried over TLS"
    );
}
