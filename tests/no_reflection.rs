//! An application that serves no reflection, before a gateway that was given no files: it is
//! asked, has nothing to say, and native gRPC reaches it all the same.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use sidegate::app::{Gateway, Outputs};
use sidegate::config::{self, Input};
use sidegate::life::task::{self, Task};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;

/// A gRPC server without a single service.
async fn app() -> (SocketAddr, Task<()>) {
    let router = tonic::transport::Server::builder().add_routes(tonic::service::Routes::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = async move {
        router
            .serve_with_incoming(TcpListenerStream::new(listener))
            .await
            .expect("it serves");
    };
    (address, task::spawn("app", serving))
}

/// The status line of an answer.
fn get(gateway: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(gateway).expect("a connection");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_app_without_reflection_is_ready_and_has_no_routes() {
    let (app, _serving) = app().await;
    let flag = |name, value: String| (name, vec![value]);
    let input = Input {
        flags: vec![
            flag("--listen", "127.0.0.1:0".to_owned()),
            flag("--admin", "off".to_owned()),
            flag("--upstream", format!("http://{app}")),
            flag("--reflection", "on".to_owned()),
        ],
        ..Input::default()
    };
    let (config, problems) = config::load(&input);
    let mut config = config.unwrap_or_else(|| panic!("{problems:?}"));
    config.sources.proto.clear();
    let bound = Gateway::bind(config, &Outputs::default()).expect("a port");
    let running = bound.start().expect("threads");
    let gateway = running.addresses().listen;

    let until = tokio::time::Instant::now() + support::patience();
    while !running.ready().is_ready() {
        assert!(
            tokio::time::Instant::now() < until,
            "{:?}",
            running.ready().missing()
        );
        tokio::task::yield_now().await;
    }
    let told = get(gateway, "/nowhere");
    assert!(
        told.contains("404"),
        "not that the schema is still to come: {told}"
    );
}
