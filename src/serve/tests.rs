//! How long a connection may last, by the clock of the test.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::connection::{self, Context};
use super::workers::Accepted;
use super::{Handler, Params, Stats, http1};
use crate::call::Body;
use crate::life::drain::Drain;
use crate::life::task::{self, Task};

/// A connection that is served with the safe defaults.
async fn connect() -> (TcpStream, Task<()>, Arc<Stats>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (stream, peer) = accepted.unwrap();
    let handler: Handler =
        Rc::new(|_peer, _request| Box::pin(async { Response::new(Body::whole("x".into(), None)) }));
    let stats = Arc::<Stats>::default();
    let context = Rc::new(Context {
        params: Params::new().into(),
        handler,
        drain: Drain::new(),
        stats: Arc::clone(&stats),
        spare: http1::Spare::default(),
        dates: http1::Dates::default(),
    });
    let accepted = Accepted {
        stream: stream.into_std().unwrap(),
        peer,
        open: Stats::begin(&stats, 1).unwrap(),
    };
    let serving = task::spawn_local("connection", connection::serve(context, accepted));
    (client.unwrap(), serving, stats)
}

/// Faults 17 and 18, and connections that rest: each with its limit in seconds.
#[tokio::test(flavor = "local", start_paused = true)]
async fn limits_of_time() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let cut_block = [0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82];
    let rows: &[(&str, Vec<u8>, u64)] = &[
        ("connect only", vec![], 10),
        ("half a preface", preface[..12].to_vec(), 10),
        ("a first byte", b"G".to_vec(), 10),
        ("half a head", b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec(), 10),
        (
            "a request, then rest",
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            60,
        ),
        (
            "a request, then half a head",
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET".to_vec(),
            10,
        ),
        // Told to leave after 60 seconds, and cut off when it has not after 2 more.
        ("no stream", [&preface[..], &settings].concat(), 62),
        (
            "half a header block",
            [&preface[..], &settings, &cut_block].concat(),
            10,
        ),
    ];
    for (name, bytes, seconds) in rows {
        let (mut client, serving, stats) = connect().await;
        let began = Instant::now();
        client.write_all(bytes).await.unwrap();
        let mut all = Vec::new();
        // Cut off or closed, as long as it ends.
        drop(client.read_to_end(&mut all).await);
        assert_eq!(began.elapsed().as_secs(), *seconds, "{name}");
        drop(client);
        serving.await.unwrap();
        assert_eq!(stats.open(), 0, "{name}");
    }
}

/// A head has its time in total: more bytes do not give it more.
#[tokio::test(flavor = "local", start_paused = true)]
async fn a_head_that_drips() {
    let (mut client, _serving, stats) = connect().await;
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 4096];
    assert!(client.read(&mut answer).await.unwrap() > 0);
    tokio::time::sleep(Duration::from_secs(30)).await;
    let began = Instant::now();
    while client.write_all(b"G").await.is_ok() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(began.elapsed() < Duration::from_secs(13), "still open");
    }
    assert_eq!(stats.timed_out(), 1);
}

/// Fault 13: what comes of a body after its answer is no beginning of a head.
#[tokio::test(flavor = "local", start_paused = true)]
async fn a_body_that_comes_after_its_answer() {
    let (mut client, _serving, _stats) = connect().await;
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 4096];
    assert!(client.read(&mut answer).await.unwrap() > 0);
    let began = Instant::now();
    client.write_all(b"abc").await.unwrap();
    assert_eq!(client.read(&mut answer).await.unwrap(), 0);
    assert_eq!(began.elapsed().as_secs(), 60);
}
