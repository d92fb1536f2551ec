//! What takes time: deadlines, silence, and clients that do not read. The clock is the test's.

use std::time::Duration;

use h2::Reason;
use sidegate::call::{Body, Code, Deadline, Retry};
use sidegate::life::task;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::app::{App, Incoming, frame, grpc};
use crate::call::{Client, deadline, next};

/// The application is told what is left, and nothing is sent when nothing is.
#[tokio::test(flavor = "local", start_paused = true)]
async fn deadlines_are_passed_on() {
    let app = App::start(async |mut call: Incoming| {
        let left = call.head.headers["grpc-timeout"]
            .to_str()
            .unwrap()
            .to_owned();
        call.read().await.unwrap();
        call.answer(&[left.as_bytes()]);
    })
    .await;
    let client = Client::new(app.address);
    let mut call = client.unary(Body::whole(frame(b"x"), None));
    call.deadline = deadline(Duration::from_millis(1500));
    let mut reply = client.send(call).await.unwrap();
    let (bytes, _) = crate::call::read(&mut reply).await.unwrap();
    let left = sidegate::wire::timeout::parse_grpc(&bytes[5..]).unwrap();
    assert!(left <= Duration::from_millis(1500), "{left:?}");
    assert!(left > Duration::from_millis(1000), "{left:?}");

    let mut call = client.unary(Body::whole(frame(b"x"), None));
    call.deadline = deadline(Duration::ZERO);
    let fault = client.send(call).await.unwrap_err();
    assert_eq!(fault.code(), Code::DeadlineExceeded);
    assert_eq!(app.shared.calls.get(), 1);
}

/// CANCELLED after the deadline is DEADLINE_EXCEEDED.
#[tokio::test(flavor = "local", start_paused = true)]
async fn a_cancellation_after_the_deadline() {
    let app = App::start(async |mut call: Incoming| {
        tokio::time::sleep(Duration::from_secs(2)).await;
        call.respond.send_reset(Reason::CANCEL);
    })
    .await;
    let client = Client::new(app.address);
    for (left, code) in [(1, Code::DeadlineExceeded), (3, Code::Cancelled)] {
        let mut call = client.unary(Body::whole(frame(b"x"), None));
        call.deadline = deadline(Duration::from_secs(left));
        assert_eq!(client.send(call).await.unwrap_err().code(), code);
    }
}

/// Fault 5, the upstream's side: a stream that nobody reads is given up.
#[tokio::test(flavor = "local", start_paused = true)]
async fn a_client_that_does_not_read() {
    let app = App::start(async |mut call: Incoming| {
        let mut send = call.respond.send_response(grpc(), false).unwrap();
        send.send_data(frame(b"first"), false).unwrap();
        let more = frame(&[0; 1000]);
        loop {
            send.reserve_capacity(more.len());
            let room = async {
                while send.capacity() < more.len() {
                    std::future::poll_fn(|context| send.poll_capacity(context)).await;
                }
            };
            if tokio::time::timeout(Duration::from_secs(1), room)
                .await
                .is_err()
            {
                break;
            }
            send.send_data(more.clone(), false).unwrap();
        }
        assert_eq!(call.given_up(&mut send).await, Reason::CANCEL);
    })
    .await;
    let client = Client::new(app.address);
    for (given_up, open) in [(1, Client::bidi as Open), (2, Client::watch)] {
        let call = open(&client, Body::whole(frame(b"x"), None));
        let mut reply = client.send(call).await.unwrap();
        next(&mut reply.body).await.unwrap().unwrap();
        let began = Instant::now();
        app.until(|shared| shared.given_up.get() == given_up).await;
        let took = began.elapsed().as_secs();
        assert!((29..33).contains(&took), "{took}");
        let fault = next(&mut reply.body).await.unwrap().unwrap_err();
        assert_eq!(fault.reason(), "RESPONSE_STALL");
    }
}

/// What opens a call.
type Open = fn(&Client, Body) -> sidegate::call::Call;

/// Each answer has a limit of its own, and one that is read now and then keeps within it.
#[tokio::test(flavor = "local", start_paused = true)]
async fn answers_that_are_read_slowly() {
    let app = App::start(async |mut call: Incoming| {
        let mut send = call.respond.send_response(grpc(), false).unwrap();
        for _ in 0..20 {
            send.send_data(frame(&[0; 10_000]), false).unwrap();
        }
        assert_eq!(call.given_up(&mut send).await, Reason::CANCEL);
    })
    .await;
    let mut client = Client::new(app.address);
    let mut replies = Vec::new();
    for seconds in [600, 20, 60] {
        client.policy.timeouts.response_stall = Duration::from_secs(seconds);
        let call = client.watch(Body::whole(frame(b"x"), None));
        replies.push(client.send(call).await.unwrap());
    }
    // The second is read every 15 seconds, the third never, and the first has time.
    for rounds in 1..=7 {
        tokio::time::sleep(Duration::from_secs(15)).await;
        next(&mut replies[1].body).await.unwrap().unwrap();
        assert_eq!(
            app.shared.given_up.get(),
            usize::from(rounds > 4),
            "{rounds}"
        );
    }
    app.until(|shared| shared.given_up.get() == 2).await;
    for (at, reply) in replies.iter_mut().enumerate() {
        let first = next(&mut reply.body).await.unwrap();
        assert_eq!(first.is_ok(), at == 0, "{at}");
    }
    assert_eq!(app.shared.connections.get(), 1);
}

/// A silent stream that is read is left alone, and so is one that waits for its client alone.
#[tokio::test(flavor = "local", start_paused = true)]
async fn a_stream_that_is_silent_for_long() {
    let app = App::start(async |mut call: Incoming| {
        let mut send = call.respond.send_response(grpc(), false).unwrap();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            send.send_data(frame(b"x"), false).unwrap();
        }
        send.send_trailers(crate::app::status(0)).unwrap();
    })
    .await;
    let client = Client::new(app.address);
    for (count, open) in [(1, Client::bidi as Open), (2, Client::watch)] {
        let call = open(&client, Body::whole(frame(b"x"), None));
        let mut reply = client.send(call).await.unwrap();
        let (bytes, _) = crate::call::read(&mut reply).await.unwrap();
        assert_eq!(bytes.len(), 3 * 6);
        assert_eq!(app.shared.connections.get(), count);
    }
}

/// Fault 31: the application is there and says nothing, not even to a PING.
#[tokio::test(flavor = "local", start_paused = true)]
async fn an_application_that_falls_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(listener.local_addr().unwrap());
    let silent = task::spawn_local("silent", async move {
        let mut pings = 0;
        let (mut socket, _) = listener.accept().await.unwrap();
        // An empty SETTINGS frame, and then nothing.
        socket
            .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        let mut preface = [0; 24];
        socket.read_exact(&mut preface).await.unwrap();
        let mut head = [0; 9];
        while socket.read_exact(&mut head).await.is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            socket.read_exact(&mut payload).await.unwrap();
            if head[3] == 6 && head[4] == 0 {
                pings += 1;
            }
        }
        pings
    });
    let began = Instant::now();
    let fault = client.echo(b"x").await.unwrap_err();
    assert_eq!(fault.reason(), "CONNECTION_LOST", "{fault}");
    assert_eq!(fault.retry(), Retry::Unsafe);
    assert_eq!(began.elapsed().as_secs(), 15);
    assert_eq!(silent.await, Some(1));
}

/// A place that does not come free is not waited for without end.
#[tokio::test(flavor = "local", start_paused = true)]
async fn waiting_for_a_place_is_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limits = crate::app::Limits { streams: 1 };
    let app = App::on(listener, limits, async |mut call: Incoming| {
        call.given_up_unanswered().await;
    });
    let client = Client::with(app.address, |params| {
        params.max_connections = 1;
        params.max_waiting = 2;
    });
    let began = Instant::now();
    let first = client.echo(b"x");
    let others = async {
        let results = futures_util::future::join_all((0..3).map(|_| client.echo(b"x"))).await;
        for result in results {
            assert_eq!(result.unwrap_err().reason(), "APP_BUSY");
        }
    };
    tokio::select! {
        biased;
        _ = first => panic!("answered"),
        () = others => {}
    }
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(app.shared.calls.get(), 1);
}

/// Connections grow old, and nobody notices.
#[tokio::test(flavor = "local", start_paused = true)]
async fn connections_are_replaced_by_age() {
    let app = App::start(async |mut call: Incoming| {
        call.read().await.unwrap();
        call.answer(&[b"y"]);
    })
    .await;
    let client = Client::new(app.address);
    for hours in 1..5 {
        client.echo(b"x").await.unwrap();
        assert_eq!(app.shared.connections.get(), hours);
        tokio::time::advance(Duration::from_secs(3600 * 5 / 4)).await;
    }
    assert_eq!(Deadline::NEVER.at(), None);
}
