//! Connections come, are spread, are told to go, and end.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use sidegate::call::Body;
use sidegate::life::drain::Drain;
use sidegate::serve::{Handler, Listener, MakeHandler, Params, Workers};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::server::{PATIENCE, Server, read_to_end, read_until};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn request() -> Request<()> {
    Request::builder().uri("http://a/").body(()).unwrap()
}

/// Answers `/` at once and anything else when it is told to.
fn patient(go: &Arc<Notify>) -> Server {
    let go = Arc::clone(go);
    Server::start(move |_seen, request| {
        let go = Arc::clone(&go);
        async move {
            if request.uri().path() != "/" {
                go.notified().await;
            }
            Response::new(Body::whole("done".into(), None))
        }
    })
}

async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

/// What runs is finished, what rests is closed, and what is new is still served.
#[tokio::test]
async fn draining() {
    let go = Arc::new(Notify::new());
    let server = patient(&go);
    let mut idle = server.connect().await;
    idle.write_all(GET).await.unwrap();
    read_until(&mut idle, "done").await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let (mut send, driving) = server.h2().await;
    let mut wait = request();
    *wait.uri_mut() = "http://a/wait".parse().unwrap();
    let (response, _) = send.send_request(wait, true).unwrap();
    until(|| server.requests() == 3).await;
    assert_eq!(server.drain.count(), 3);

    server.drain.start();
    assert_eq!(read_to_end(&mut idle).await, "", "it rested");
    // New connections are served, once each.
    let said = server.exchange(GET).await;
    assert!(said.ends_with("done"), "{said}");
    assert!(said.to_lowercase().contains("connection: close"), "{said}");
    let (mut late, late_driving) = server.h2().await;
    let (late_response, _) = late.send_request(request(), true).unwrap();
    assert_eq!(late_response.await.unwrap().status(), 200);
    assert_eq!(late_driving.await.unwrap(), "");
    // HTTP/2 clients are told before their calls end.
    let told = async {
        while send.clone().ready().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();

    until(|| server.drain.count() == 2).await;
    let left = server.drain.finished(Duration::from_millis(10)).await;
    assert_eq!(left, Err(2));
    go.notify_waiters();
    let said = read_to_end(&mut busy).await;
    assert!(said.ends_with("done"), "{said}");
    assert!(said.to_lowercase().contains("connection: close"), "{said}");
    assert_eq!(response.await.unwrap().status(), 200);
    assert_eq!(driving.await.unwrap(), "");
    assert_eq!(server.drain.finished(PATIENCE).await, Ok(()));
}

/// Nothing is accepted any more; what runs is finished.
#[tokio::test]
async fn stopping() {
    let go = Arc::new(Notify::new());
    let mut server = patient(&go);
    let mut busy = server.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    until(|| server.requests() == 1).await;
    drop(server.stop.take());
    let refused = async { while TcpStream::connect(server.address).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert!(!server.running.is_finished());
    go.notify_waiters();
    let said = read_to_end(&mut busy).await;
    assert!(said.ends_with("done"), "{said}");
    assert_eq!(server.running.await, Some(true));
}

/// Who has not asked for anything does not hold a stop up.
#[tokio::test]
async fn stopping_does_not_wait_for_the_silent() {
    const LONG: Duration = Duration::from_secs(3600);
    let mut params = Params::new();
    (params.opening, params.idle) = (LONG, LONG);
    let mut server = Server::with(&params, async |_seen, _request| {
        Response::new(Body::whole("done".into(), None))
    });
    let _silent = server.connect().await;
    let mut half = server.connect().await;
    half.write_all(b"PRI * HTTP/2.0").await.unwrap();
    let mut rests = server.connect().await;
    rests.write_all(GET).await.unwrap();
    read_until(&mut rests, "done").await;
    // It shakes hands and never reads again.
    let (_send, deaf) = h2::client::handshake(server.connect().await).await.unwrap();
    until(|| server.stats.open() == 4 && server.drain.count() == 2).await;
    server.drain.start();
    drop(server.stop.take());
    let stopped = tokio::time::timeout(PATIENCE / 2, server.running).await;
    assert_eq!(stopped.unwrap(), Some(true));
    drop(deaf);
}

/// Fault 42, as far as connections go: what does not end is ended.
#[tokio::test]
async fn stopping_what_does_not_end() {
    let never: MakeHandler =
        Arc::new(|| -> Handler { Rc::new(|_peer, _request| Box::pin(std::future::pending())) });
    let drain = Drain::new();
    let workers = Workers::start(2, &Params::new(), &drain, &never).unwrap();
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.address();
    let mut stuck = tokio::select! {
        () = listener.run(&workers, std::future::pending()) => unreachable!("it never stops"),
        stuck = async {
            let mut stuck = TcpStream::connect(address).await.unwrap();
            stuck.write_all(GET).await.unwrap();
            until(|| drain.count() == 1).await;
            stuck
        } => stuck,
    };
    assert!(!workers.stop(Duration::from_millis(10)).await);
    assert_eq!(read_to_end(&mut stuck).await, "");
    assert_eq!(drain.count(), 0);
}

/// Fault 19: new connections are refused and counted, and a place that comes free is used.
#[tokio::test]
async fn one_connection_too_many() {
    let mut params = Params::new();
    params.max_connections = 2;
    let server = Server::with(&params, async |_seen, _request| {
        Response::new(Body::whole("done".into(), None))
    });
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut stream = server.connect().await;
        stream.write_all(GET).await.unwrap();
        read_until(&mut stream, "done").await;
        kept.push(stream);
    }
    let mut refused = server.connect().await;
    assert_eq!(read_to_end(&mut refused).await, "");
    assert_eq!((server.stats.open(), server.stats.refused()), (2, 1));
    for stream in &mut kept {
        stream.write_all(GET).await.unwrap();
        read_until(stream, "done").await;
    }
    drop(kept);
    until(|| server.stats.open() == 0).await;
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    read_until(&mut stream, "done").await;
    assert_eq!(server.stats.accepted(), 3);
}

/// Few long connections must not meet on one worker.
#[tokio::test]
async fn connections_are_spread() {
    let name: MakeHandler = Arc::new(|| -> Handler {
        Rc::new(|_peer, _request| {
            let name = std::thread::current().name().unwrap().to_owned();
            Box::pin(async { Response::new(Body::whole(name.into(), None)) })
        })
    });
    let workers = Workers::start(3, &Params::new(), &Drain::new(), &name).unwrap();
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.address();
    let asking = async {
        let mut kept = Vec::new();
        let mut count = BTreeMap::<u8, usize>::new();
        for _ in 0..6 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(GET).await.unwrap();
            read_until(&mut stream, "worker-").await;
            let mut number = [0];
            stream.read_exact(&mut number).await.unwrap();
            *count.entry(number[0]).or_default() += 1;
            kept.push(stream);
        }
        count
    };
    let count = tokio::select! {
        () = listener.run(&workers, std::future::pending()) => unreachable!("it never stops"),
        count = asking => count,
    };
    assert_eq!(count.into_values().collect::<Vec<_>>(), [2, 2, 2]);
}

/// A connection that is in use is told to leave with its next answer, not behind its client's
/// back; half a head holds nothing up.
#[tokio::test]
async fn draining_a_connection_in_use() {
    let server = patient(&Arc::default());
    let mut used = server.connect().await;
    used.write_all(GET).await.unwrap();
    read_until(&mut used, "done").await;
    let mut half = server.connect().await;
    half.write_all(b"GET / HT").await.unwrap();
    until(|| server.drain.count() == 2).await;
    let begun = tokio::time::Instant::now();
    server.drain.start();
    tokio::time::sleep(Duration::from_millis(50)).await;
    used.write_all(GET).await.unwrap();
    let said = read_to_end(&mut used).await;
    assert!(said.ends_with("done"), "{said}");
    assert!(said.to_lowercase().contains("connection: close"), "{said}");
    assert_eq!(server.drain.finished(PATIENCE).await, Ok(()));
    assert!(
        begun.elapsed() < PATIENCE / 2,
        "after {:?}",
        begun.elapsed()
    );
    assert_eq!(read_to_end(&mut half).await, "");
    assert_eq!(server.stats.timed_out(), 1);
}
