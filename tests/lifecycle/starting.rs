//! Readiness, and an application that is away.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tonic::{Response, Status};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::process::{Process, flags, folder, program};
use super::support::client::{self, Version};
use super::support::upstream::{FirstConnection, Script, Stage, Upstream};
use super::{empty, request, run, text};

#[test]
fn probes_tell_what_is_missing() {
    let absent = Upstream::start_at("127.0.0.1:0", FirstConnection::Absent);
    let gateway = Process::serve("", absent.address);
    until_said(&gateway, "not ready: waiting for app\n");
    assert_eq!(gateway.code("probe"), 1);
    assert_eq!(
        gateway.code("probe live"),
        0,
        "it lives without its application"
    );
    // A file that is wrong by now keeps nobody from asking.
    std::fs::write(gateway.folder.path().join("sidegate.yaml"), "listen: [}").unwrap();
    assert_eq!(gateway.code("probe live"), 0);

    let _app = Upstream::start_at(&absent.address.to_string(), FirstConnection::Serve);
    gateway.ready();
    let addresses = (gateway.admin, gateway.listen);
    drop(gateway);
    assert_ne!(addresses.0, addresses.1);
}

/// Fault 29: with patience, calls wait for the application and none of them fails.
#[test]
fn calls_wait_for_an_application_that_comes_later() {
    run(async {
        let absent = Upstream::start_at("127.0.0.1:0", FirstConnection::Absent);
        let address = absent.address.to_string();
        let gateway = Process::serve("lifecycle: {wait_for_app: 10s}", absent.address);
        let nobody = Arc::new(Stage::new(Script::default()));
        let begun = Instant::now();
        let asking = async {
            let one = request(Version::H1, "/get", "late", &nobody);
            let two = request(Version::H2, "/get", "late", &nobody);
            tokio::join!(
                client::exchange(gateway.listen, &one, &nobody.client),
                client::exchange(gateway.listen, &two, &nobody.client)
            )
        };
        let coming = async {
            tokio::time::sleep(Duration::from_millis(600)).await;
            let app = Upstream::start_at(&address, FirstConnection::Serve);
            app.stage("late", empty());
            app
        };
        let ((one, two), _app) = tokio::join!(asking, coming);
        for answer in [one.unwrap(), two.unwrap()] {
            assert_eq!(answer.status, 200, "{}", text(&answer));
        }
        assert!(begun.elapsed() >= Duration::from_millis(600));
    });
}

/// The same when the application is still to be asked what it serves; and patience has an end.
#[test]
fn patience_has_an_end() {
    run(async {
        let absent = Upstream::start_at("127.0.0.1:0", FirstConnection::Absent);
        for reflection in ["off", "on"] {
            let config = format!(
                "{{lifecycle: {{wait_for_app: 700ms}}, schema: {{reflection: {reflection}}}}}"
            );
            let gateway = Process::serve(&config, absent.address);
            let nobody = Arc::new(Stage::new(Script::default()));
            let begun = Instant::now();
            let asked = request(Version::H1, "/nothing/known", "none", &nobody);
            let known = request(Version::H1, "/get", "none", &nobody);
            let asked = if reflection == "on" { asked } else { known };
            let answer = client::exchange(gateway.listen, &asked, &nobody.client).await;
            let answer = answer.unwrap();
            assert_eq!(answer.status, 503, "{}", text(&answer));
            assert!(
                begun.elapsed() >= Duration::from_millis(700),
                "{reflection}"
            );
        }
    });
}

/// An application that says nothing but whether it serves.
async fn healthy() -> (tonic_health::server::HealthReporter, SocketAddr) {
    let (reporter, service) = tonic_health::server::health_reporter();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(incoming));
    (reporter, address)
}

fn one_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// What the application says of its health counts, as soon as it says it.
#[test]
fn readiness_heeds_the_health_of_the_application() {
    let runtime = one_thread();
    let (reporter, address) = runtime.block_on(healthy());
    let status = |status| runtime.block_on(reporter.set_service_status("", status));
    status(tonic_health::ServingStatus::NotServing);
    let heeds = Process::serve("", address);
    let not = Process::serve("lifecycle: {app_health: off}", address);
    not.ready();
    until_said(&heeds, "not ready: waiting for health\n");
    status(tonic_health::ServingStatus::Serving);
    heeds.ready();
    status(tonic_health::ServingStatus::NotServing);
    until_said(&heeds, "not ready: waiting for health\n");
    assert_eq!(not.code("probe"), 0);
}

/// An application whose health can be asked for and not be watched.
struct CheckOnly(Arc<AtomicBool>);

#[tonic::async_trait]
impl Health for CheckOnly {
    type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        _asked: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        // Their numbers in the protocol.
        let status = if self.0.load(Ordering::Relaxed) { 1 } else { 2 };
        Ok(Response::new(HealthCheckResponse { status }))
    }

    async fn watch(
        &self,
        _asked: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("nobody watches this"))
    }
}

#[test]
fn health_that_cannot_be_watched_is_asked_for() {
    let runtime = one_thread();
    let serves = Arc::new(AtomicBool::new(false));
    let service = HealthServer::new(CheckOnly(Arc::clone(&serves)));
    let address = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(incoming));
        address
    });
    let gateway = Process::serve("", address);
    until_said(&gateway, "not ready: waiting for health\n");
    serves.store(true, Ordering::Relaxed);
    gateway.ready();
    serves.store(false, Ordering::Relaxed);
    until_said(&gateway, "not ready: waiting for health\n");
}

/// One endpoint that serves is enough; which ones do not is shown.
#[test]
fn readiness_is_that_of_all_endpoints() {
    use tonic_health::ServingStatus::{NotServing, Serving};
    let runtime = one_thread();
    let (one, first) = runtime.block_on(healthy());
    let (two, second) = runtime.block_on(healthy());
    let one = |status| runtime.block_on(one.set_service_status("", status));
    let two = |status| runtime.block_on(two.set_service_status("", status));
    one(NotServing);
    two(NotServing);
    let folder = folder("");
    std::fs::write(
        folder.path().join("endpoints.yaml"),
        format!("[\"{first}\", \"{second}\"]"),
    )
    .unwrap();
    let mut flags = flags(first);
    flags.pop();
    flags.push(String::from("file:endpoints.yaml"));
    let mut command = program(folder.path());
    command.args(flags);
    let gateway = Process::start(command, folder);
    until_said(&gateway, "not ready: waiting for health\n");
    two(Serving);
    gateway.ready();
    let shown = |state: &str| {
        let wanted = format!("{{\"address\":\"{first}\",\"state\":\"{state}\"");
        let until = Instant::now() + super::support::patience();
        while !page(gateway.admin, "/upstreams").contains(&wanted) {
            assert!(Instant::now() < until, "never {state}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    shown("not_serving");
    one(Serving);
    shown("in");
    two(NotServing);
    one(NotServing);
    until_said(&gateway, "not ready: waiting for health\n");
}

fn page(admin: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

fn until_said(gateway: &Process, text: &str) {
    let until = Instant::now() + super::support::patience();
    loop {
        let said = gateway.ask("probe").stderr;
        if said == text.as_bytes() {
            return;
        }
        assert!(Instant::now() < until, "{}", String::from_utf8_lossy(&said));
    }
}

/// An application that stops gracefully waits for its calls to end; the gateway's own watch over its
/// health must not be one that never does.
#[test]
fn an_application_that_stops_gracefully_is_not_held_up() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (serving, address) = runtime.block_on(async {
        let (reporter, service) = tonic_health::server::health_reporter();
        let serving = tonic_health::ServingStatus::Serving;
        reporter.set_service_status("", serving).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let server = tonic::transport::Server::builder().add_service(service);
        let serving = tokio::spawn(async move {
            let _reporter = reporter;
            let told = async { drop(stopped.await) };
            server.serve_with_incoming_shutdown(incoming, told).await
        });
        (serving, address)
    });
    let gateway = Process::serve("", address);
    gateway.ready();
    stop.send(()).unwrap();
    let ended = runtime.block_on(async {
        let patience = super::support::patience();
        tokio::time::timeout(patience, serving).await
    });
    ended.expect("the application ends").unwrap().unwrap();
}
