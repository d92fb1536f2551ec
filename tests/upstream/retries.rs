//! Calls that the application failed, sent again where the policy has it (gRFC A6).

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use sidegate::call::{Body, Code};
use sidegate::schema::policy::RetryPolicy;

use crate::app::{App, Incoming, frame, grpc, status};
use crate::call::{Client, deadline, read};

/// What the application is asked, in order: `grpc-previous-rpc-attempts` and the body.
type Seen = Rc<RefCell<Vec<(Option<String>, Vec<u8>)>>>;

/// An application that answers with one code after the other, and with the last one for ever.
async fn app(codes: &'static [u32], extra: &'static [(&str, &str)]) -> (App, Seen) {
    let seen = Seen::default();
    let told = Rc::clone(&seen);
    let app = App::start(move |mut call: Incoming| {
        let seen = Rc::clone(&told);
        async move {
            let body = call.read().await.unwrap_or_default();
            let before = call.head.headers.get("grpc-previous-rpc-attempts");
            let before = before.map(|value| value.to_str().unwrap().to_owned());
            let at = seen.borrow().len();
            seen.borrow_mut().push((before, body.clone()));
            let code = codes.get(at).or_else(|| codes.last()).unwrap();
            if *code == 0 {
                call.answer(&[&body]);
                return;
            }
            let mut head = grpc();
            head.headers_mut().extend(status(*code));
            for (name, value) in extra {
                head.headers_mut().insert(*name, value.parse().unwrap());
            }
            drop(call.respond.send_response(head, true));
        }
    })
    .await;
    (app, seen)
}

fn client(app: &App, change: impl Fn(&mut RetryPolicy)) -> Client {
    let mut policy = RetryPolicy {
        initial_backoff: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    change(&mut policy);
    let mut client = Client::new(app.address);
    client.policy.retry = Some(Arc::new(policy));
    client
}

fn code(trailers: &HeaderMap) -> u32 {
    trailers["grpc-status"].to_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "local")]
async fn a_failure_that_passes_is_not_seen() {
    let (app, seen) = app(&[14, 14, 0], &[]).await;
    let client = client(&app, |_| {});
    let (_, trailers) = client.echo(b"hello").await.unwrap();
    assert_eq!(code(&trailers), 0);
    let body = frame(b"hello").to_vec();
    let expected =
        [None, Some("1"), Some("2")].map(|before| (before.map(str::to_owned), body.clone()));
    assert_eq!(*seen.borrow(), expected);
    assert_eq!(
        client.sink.0.lock().unwrap()[0].0,
        3,
        "attempts in the record"
    );
}

/// How often the application is asked, and what the caller is told.
#[tokio::test(flavor = "local")]
async fn what_is_sent_again_and_what_is_not() {
    type Row = (
        &'static str,
        &'static [u32],
        &'static [(&'static str, &'static str)],
        fn(&mut RetryPolicy),
        usize,
        u32,
    );
    let rows: &[Row] = &[
        ("it goes on failing", &[14], &[], |_| {}, 3, 14),
        ("another code", &[13], &[], |_| {}, 1, 13),
        (
            "a code of the policy",
            &[8, 0],
            &[],
            |policy| policy.codes = vec![8],
            2,
            0,
        ),
        (
            "never again",
            &[14],
            &[("grpc-retry-pushback-ms", "-1")],
            |_| {},
            1,
            14,
        ),
        (
            "again after a while",
            &[14, 0],
            &[("grpc-retry-pushback-ms", "5")],
            |_| {},
            2,
            0,
        ),
        (
            "more attempts",
            &[14, 14, 14, 0],
            &[],
            |policy| policy.attempts = 5,
            4,
            0,
        ),
    ];
    for (name, codes, extra, change, asked, told) in rows {
        let (app, seen) = app(codes, extra).await;
        let client = client(&app, change);
        let (_, trailers) = client.echo(b"x").await.unwrap();
        assert_eq!(
            (seen.borrow().len(), code(&trailers)),
            (*asked, *told),
            "{name}"
        );
    }
}

/// Only what is harmless to repeat, unless the policy says that all is.
#[tokio::test(flavor = "local")]
async fn what_may_have_run_is_not_repeated() {
    for (all_methods, expected) in [(false, 1), (true, 3)] {
        let (app, seen) = app(&[14], &[]).await;
        let client = client(&app, |policy| policy.all_methods = all_methods);
        let call = client.watch(Body::whole(frame(b"x"), None));
        let mut reply = client.send(call).await.unwrap();
        let (_, trailers) = read(&mut reply).await.unwrap();
        assert_eq!(code(&trailers), 14);
        assert_eq!(seen.borrow().len(), expected);
    }
}

/// Nobody waits for an attempt that comes too late.
#[tokio::test(flavor = "local")]
async fn no_pause_beyond_the_deadline() {
    let (app, seen) = app(&[14], &[]).await;
    let client = client(&app, |policy| {
        policy.initial_backoff = Duration::from_secs(60);
        policy.max_backoff = Duration::from_secs(60);
    });
    let mut call = client.unary(Body::whole(frame(b"x"), None));
    call.deadline = deadline(Duration::from_secs(30));
    let mut reply = client.send(call).await.unwrap();
    let (_, trailers) = read(&mut reply).await.unwrap();
    assert_eq!((code(&trailers), seen.borrow().len()), (14, 1));
}

/// Fault 33: an application that fails every call is asked a fifth more.
#[tokio::test(flavor = "local")]
async fn fault_33_retries_have_a_budget() {
    let (app, seen) = app(&[14], &[]).await;
    let client = client(&app, |_| {});
    for _ in 0..500 {
        let (_, trailers) = client.echo(b"x").await.unwrap();
        assert_eq!(code(&trailers), u32::from(Code::Unavailable.number()));
    }
    let asked = seen.borrow().len();
    assert!((590..=612).contains(&asked), "{asked} for 500 calls");
}

/// Fault 34: what is larger than 64 KiB is executed once.
#[tokio::test(flavor = "local")]
async fn fault_34_a_large_body_is_not_sent_again() {
    for (length, times) in [(65 << 10, 1), (63 << 10, 3)] {
        let (app, seen) = app(&[14], &[]).await;
        let client = client(&app, |_| {});
        let (_, trailers) = client.echo(&vec![b'x'; length]).await.unwrap();
        assert_eq!(
            (code(&trailers), seen.borrow().len()),
            (14, times),
            "{length}"
        );
    }
}
