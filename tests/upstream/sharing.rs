//! Many calls on few connections: what one of them does costs the others nothing.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use futures_util::future::join_all;
use h2::Reason;
use sidegate::call::{Body, Code, Fault};
use sidegate::life::ready::{Condition, Ready};
use sidegate::life::task;
use tokio::net::TcpListener;

use crate::app::{App, Incoming, Limits, Order, frame, grpc, status};
use crate::call::{Client, channel, next, read};

async fn echo(mut call: Incoming) {
    if let Some(body) = call.read().await {
        call.answer(&[&body]);
    }
}

/// Answers unary calls; streams send one message and go on until they are given up.
async fn echo_or_stream(mut call: Incoming) {
    if call.head.uri.path().ends_with("/Unary") {
        return echo(call).await;
    }
    let mut send = call.respond.send_response(grpc(), false).unwrap();
    send.send_data(frame(b"first"), false).unwrap();
    assert_eq!(call.given_up(&mut send).await, Reason::CANCEL);
}

/// Fault 9, in short: streams that their clients leave cost other calls nothing.
#[tokio::test(flavor = "local")]
async fn streams_that_are_left_in_the_middle() {
    const STREAMS: usize = 2000;
    let app = App::start(echo_or_stream).await;
    let client = Rc::new(Client::new(app.address));
    let failed = Rc::new(Cell::new(0));
    let beside = {
        let (client, failed) = (Rc::clone(&client), Rc::clone(&failed));
        task::spawn_local("beside", async move {
            loop {
                if client.echo(b"x").await.is_err() {
                    failed.set(failed.get() + 1);
                }
            }
        })
    };
    for round in 0..STREAMS / 100 {
        let streams = (0..100).map(|_| async {
            let body = Body::whole(frame(b"x"), None);
            let call = if round % 2 == 0 {
                client.bidi(body)
            } else {
                client.watch(body)
            };
            let mut reply = client.send(call).await.unwrap();
            next(&mut reply.body).await.unwrap().unwrap();
        });
        join_all(streams).await;
    }
    app.until(|shared| shared.given_up.get() == STREAMS).await;
    drop(beside);
    assert_eq!(failed.get(), 0);
}

/// A client with many calls that leaves all at once, before any is answered. The application
/// here closes a connection with more than 20 resets of calls that it has not looked at.
#[tokio::test(flavor = "local")]
async fn calls_that_are_left_at_once_before_they_are_answered() {
    let app = App::start(async |mut call: Incoming| {
        if call.head.headers.contains_key("x-answer") {
            return echo(call).await;
        }
        call.given_up_unanswered().await;
    })
    .await;
    let client = Rc::new(Client::new(app.address));
    let answered = |message: &'static [u8]| {
        let mut call = client.unary(Body::whole(frame(message), None));
        call.metadata
            .insert("x-answer", http::HeaderValue::from_static("1"));
        client.send(call)
    };
    answered(b"warm").await.unwrap();
    for _ in 0..5 {
        let mut leaving: Vec<_> = (0..90).map(|_| Box::pin(client.echo(b"x"))).collect();
        let beside = join_all((0..10).map(|_| answered(b"y")));
        // All are sent, and left before the application can have seen any.
        poll_fn(|context| {
            for call in &mut leaving {
                assert!(call.as_mut().poll(context).is_pending());
            }
            Poll::Ready(())
        })
        .await;
        drop(leaving);
        for result in beside.await {
            result.unwrap();
        }
    }
    // Those that reached the application are told there.
    app.until(|shared| shared.given_up.get() == shared.calls.get() - 51)
        .await;
    assert!(app.shared.given_up.get() > 0);
}

/// Fault 30: GOAWAY again and again, and nobody notices.
#[tokio::test(flavor = "local")]
async fn an_application_that_says_goaway_all_the_time() {
    let app = App::start(echo).await;
    let client = Client::new(app.address);
    for round in 0..50 {
        let calls = join_all((0..20).map(|_| client.echo(b"x")));
        let (results, ()) = tokio::join!(calls, async {
            for _ in 0..round % 7 {
                tokio::task::yield_now().await;
            }
            app.order(Order::GoAway);
        });
        for result in results {
            result.unwrap();
        }
    }
    assert!(app.shared.connections.get() > 10);
}

/// The application refuses a call once: nobody notices, whatever the body is (E6).
#[tokio::test(flavor = "local")]
async fn a_refused_call_is_sent_again_unseen() {
    let app = App::start(async |mut call: Incoming| {
        let times = call.shared.calls.get();
        if times % 2 == 1 {
            if times == 3 {
                // The body has begun to come, and comes again.
                call.next().await.unwrap().unwrap();
            }
            call.respond.send_reset(Reason::REFUSED_STREAM);
            return;
        }
        echo(call).await;
    })
    .await;
    let client = Client::new(app.address);
    let (bytes, _) = client.echo(b"whole").await.unwrap();
    assert_eq!(bytes, frame(&frame(b"whole")));
    assert_eq!(
        client.sink.0.lock().unwrap()[0].0,
        2,
        "attempts are counted"
    );

    let (sender, body) = channel();
    sender.send(Ok(frame(b"1"))).await.unwrap();
    let feeding = async {
        app.until(|shared| shared.calls.get() == 4).await;
        sender.send(Ok(frame(b"2"))).await.unwrap();
        drop(sender);
    };
    let (reply, ()) = tokio::join!(client.send(client.bidi(body)), feeding);
    let (bytes, _) = read(&mut reply.unwrap()).await.unwrap();
    assert_eq!(bytes, frame(&[frame(b"1"), frame(b"2")].concat()));
}

/// Refused twice is told, and can still be retried by whoever may.
#[tokio::test(flavor = "local")]
async fn a_call_that_is_refused_twice() {
    let app = App::start(async |mut call: Incoming| {
        call.respond.send_reset(Reason::REFUSED_STREAM);
    })
    .await;
    let fault = Client::new(app.address).echo(b"x").await.unwrap_err();
    assert_eq!(fault.code(), Code::Unavailable);
    assert_eq!(fault.retry(), sidegate::call::Retry::NeverProcessed);
    assert_eq!(app.shared.calls.get(), 2);
}

/// The application takes two streams on a connection: more connections are made, up to a limit,
/// and then calls wait.
#[tokio::test(flavor = "local")]
async fn the_limit_of_streams_is_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = Rc::new(Cell::new((0, 0)));
    let app = {
        let running = Rc::clone(&running);
        App::on(listener, Limits { streams: 2 }, move |call: Incoming| {
            let running = Rc::clone(&running);
            async move {
                let (now, most) = running.get();
                running.set((now + 1, most.max(now + 1)));
                tokio::task::yield_now().await;
                let (now, most) = running.get();
                running.set((now - 1, most));
                echo(call).await;
            }
        })
    };
    let client = Client::with(app.address, |params| params.max_connections = 3);
    for result in join_all((0..200).map(|_| client.echo(b"x"))).await {
        result.unwrap();
    }
    assert_eq!(app.shared.connections.get(), 3);
    assert!(running.get().1 <= 6, "{running:?}");
    assert_eq!(app.shared.calls.get(), 200, "none was refused");
}

/// Streams of tiny messages that nobody reads: they wait in bounded buffers of their own, and
/// the connection lives.
#[tokio::test(flavor = "local")]
async fn streams_that_are_not_read() {
    const MESSAGES: usize = 7000;
    let app = App::start(async |mut call: Incoming| {
        let mut send = call.respond.send_response(grpc(), false).unwrap();
        for _ in 0..MESSAGES {
            let message = frame(b"tiny!");
            send.reserve_capacity(message.len());
            while send.capacity() < message.len() {
                let more = poll_fn(|context| send.poll_capacity(context)).await;
                let Some(Ok(_)) = more else { return };
            }
            send.send_data(message, false).unwrap();
        }
        send.send_trailers(status(0)).unwrap();
    })
    .await;
    let client = Client::new(app.address);
    for (count, open) in [(1, Client::bidi as fn(&_, _) -> _), (2, Client::watch)] {
        let open = || client.send(open(&client, Body::whole(frame(b"x"), None)));
        let mut replies: Vec<_> = join_all((0..20).map(|_| open())).await;
        // One is read to its end while the others are not.
        let mut read_one = replies.pop().unwrap().unwrap();
        let (bytes, _) = read(&mut read_one).await.unwrap();
        assert_eq!(bytes.len(), MESSAGES * 10);
        for reply in replies {
            let (bytes, _) = read(&mut reply.unwrap()).await.unwrap();
            assert_eq!(bytes.len(), MESSAGES * 10);
        }
        assert_eq!(app.shared.connections.get(), count);
    }
}

/// The application has its say before the client has finished.
#[tokio::test(flavor = "local")]
async fn an_answer_that_comes_before_the_request_has_ended() {
    let app = App::start(async |mut call: Incoming| {
        call.next().await.unwrap().unwrap();
        call.answer(&[b"enough"]);
    })
    .await;
    let client = Client::new(app.address);
    let (sender, body) = channel();
    sender.send(Ok(frame(b"1"))).await.unwrap();
    let mut reply = client.send(client.bidi(body)).await.unwrap();
    let (bytes, trailers) = read(&mut reply).await.unwrap();
    assert_eq!(
        (bytes, &trailers["grpc-status"]),
        (frame(b"enough").to_vec(), &0.into())
    );
    // The rest of the request is not wanted any more.
    sender.closed().await;
}

/// Messages go both ways as they come.
#[tokio::test(flavor = "local")]
async fn a_conversation() {
    let app = App::start(async |mut call: Incoming| {
        let mut send = call.respond.send_response(grpc(), false).unwrap();
        while let Some(Ok(data)) = call.next().await {
            send.send_data(data, false).unwrap();
        }
        send.send_trailers(status(0)).unwrap();
    })
    .await;
    let client = Client::new(app.address);
    let (sender, body) = channel();
    let mut reply = client.send(client.bidi(body)).await.unwrap();
    for word in ["one", "two", "three"] {
        let message = frame(word.as_bytes());
        sender.send(Ok(message.clone())).await.unwrap();
        let got = next(&mut reply.body).await.unwrap().unwrap();
        assert_eq!(got.into_data().unwrap(), message);
    }
    drop(sender);
    let (rest, trailers) = read(&mut reply).await.unwrap();
    assert_eq!((rest.len(), &trailers["grpc-status"]), (0, &0.into()));
}

/// Readiness follows the connection without a call being made.
#[tokio::test(flavor = "local")]
async fn readiness_follows_the_application() {
    let app = App::start(echo).await;
    let address = app.address;
    let client = Client::new(address);
    let ready = Ready::new();
    let mut connected = client.upstreams.connected();
    let _watching = client.upstreams.keep_connected(ready.clone());
    connected.wait_for(|count| *count == 1).await.unwrap();
    while !ready.holds(Condition::App) {
        tokio::task::yield_now().await;
    }
    app.order(Order::Die);
    drop(app);
    while ready.holds(Condition::App) {
        tokio::task::yield_now().await;
    }
    let listener = TcpListener::bind(address).await.unwrap();
    let _app = App::on(listener, Limits { streams: 100 }, echo);
    connected.wait_for(|count| *count == 2).await.unwrap();
    while !ready.holds(Condition::App) {
        tokio::task::yield_now().await;
    }
    let result: Result<_, Fault> = client.echo(b"x").await;
    result.unwrap();
}
