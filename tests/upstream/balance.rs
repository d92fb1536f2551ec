//! Several endpoints: who gets calls, who is left out, and how he comes back (faults 35 and 36).

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sidegate::call::Code;
use sidegate::upstream::{Endpoints, States, Target};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::app::{App, Incoming, Order, grpc, status};
use crate::call::Client;

/// What an endpoint does with its calls.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Good,
    /// A code, at once.
    Fails(u32),
    /// An answer after a while.
    Slow(Duration),
    /// Nothing.
    Silent,
}

/// An endpoint whose manner can change.
async fn endpoint(manner: Manner) -> (App, Rc<Cell<Manner>>) {
    let cell = Rc::new(Cell::new(manner));
    let manner = Rc::clone(&cell);
    let app = App::start(move |mut call: Incoming| {
        let manner = manner.get();
        async move {
            let body = call.read().await.unwrap_or_default();
            match manner {
                Manner::Good => {
                    sleep(Duration::from_millis(1)).await;
                    call.answer(&[&body]);
                }
                Manner::Slow(pause) => {
                    sleep(pause).await;
                    call.answer(&[&body]);
                }
                Manner::Fails(code) => {
                    let mut head = grpc();
                    head.headers_mut().extend(status(code));
                    drop(call.respond.send_response(head, true));
                }
                Manner::Silent => drop(call.given_up_unanswered().await),
            }
        }
    })
    .await;
    (app, cell)
}

fn targets(apps: &[&App]) -> Vec<Target> {
    let target = |app: &&App| Target::parse(&format!("http://{}", app.address)).unwrap();
    apps.iter().map(target).collect()
}

fn client(apps: &[&App]) -> (Client, Arc<Endpoints>) {
    let endpoints = Arc::new(Endpoints::new(targets(apps)));
    let shared = Arc::clone(&endpoints);
    let client = Client::at("http://app", move |params| {
        params.endpoints = Arc::clone(&shared);
    });
    (client, endpoints)
}

/// Sends calls, eight at a time, and counts those that went well.
async fn calls(client: &Client, count: usize) -> usize {
    let mut good = 0;
    for _ in 0..count / 8 {
        let eight = (0..8).map(|_| client.echo(b"x"));
        for result in futures_util::future::join_all(eight).await {
            let is_good = result.is_ok_and(|(_, trailers)| trailers["grpc-status"] == "0");
            good += usize::from(is_good);
        }
    }
    good
}

/// One that says that it does not serve gets no calls; if all say so, they get them all the same.
#[tokio::test(flavor = "local")]
async fn an_endpoint_that_does_not_serve_gets_no_calls() {
    let (a, _) = endpoint(Manner::Good).await;
    let (b, _) = endpoint(Manner::Good).await;
    let (client, endpoints) = client(&[&a, &b]);
    let all = endpoints.load();
    assert!(all[0].say(false));
    assert_eq!(calls(&client, 80).await, 80);
    assert_eq!((a.shared.calls.get(), b.shared.calls.get()), (0, 80));
    assert!(all[1].say(false));
    assert_eq!(calls(&client, 80).await, 80);
    assert!(all[0].say(true));
    let before = b.shared.calls.get();
    assert_eq!(calls(&client, 80).await, 80);
    assert_eq!(b.shared.calls.get(), before);
}

#[tokio::test(flavor = "local")]
async fn equal_endpoints_share_the_calls() {
    let (a, _) = endpoint(Manner::Good).await;
    let (b, _) = endpoint(Manner::Good).await;
    let (c, _) = endpoint(Manner::Good).await;
    let (client, _) = client(&[&a, &b, &c]);
    assert_eq!(calls(&client, 1200).await, 1200);
    for app in [&a, &b, &c] {
        let share = app.shared.calls.get();
        assert!((200..=600).contains(&share), "{share} of 1200");
    }
}

/// Fault 35: its share is at most 5 %, were it out or only avoided.
#[tokio::test(flavor = "local")]
async fn fault_35_an_endpoint_that_fails_gets_next_to_nothing() {
    for code in [14, 13, 8] {
        let (a, _) = endpoint(Manner::Good).await;
        let (b, _) = endpoint(Manner::Fails(code)).await;
        let (c, _) = endpoint(Manner::Good).await;
        let (client, endpoints) = client(&[&a, &b, &c]);
        let good = calls(&client, 1200).await;
        assert!(good >= 1188, "{good} of 1200 with code {code}");
        let share = b.shared.calls.get();
        assert!(
            (1..=12).contains(&share),
            "{share} of 1200 with code {code}"
        );
        assert!(!endpoints.load()[0].is_out());
    }
}

/// Fault 35: 50 times slower, and its share is at most 5 %.
#[tokio::test(flavor = "local")]
async fn fault_35_a_slow_endpoint_gets_little() {
    let (a, _) = endpoint(Manner::Good).await;
    let (b, _) = endpoint(Manner::Slow(Duration::from_millis(100))).await;
    let (c, _) = endpoint(Manner::Good).await;
    let (client, endpoints) = client(&[&a, &b, &c]);
    assert_eq!(calls(&client, 1200).await, 1200);
    let share = b.shared.calls.get();
    assert!(share <= 60, "{share} of 1200");
    assert!(!endpoints.load()[1].is_out(), "slow is not broken");
}

/// An endpoint that takes calls and says nothing fails whoever stops waiting.
#[tokio::test(flavor = "local")]
async fn an_endpoint_that_is_silent_is_left_out() {
    let (a, _) = endpoint(Manner::Good).await;
    let (b, _) = endpoint(Manner::Silent).await;
    let (client, endpoints) = client(&[&a, &b]);
    for _ in 0..40 {
        let mut call = client.unary(sidegate::call::Body::whole(crate::app::frame(b"x"), None));
        call.deadline = crate::call::deadline(Duration::from_millis(20));
        // The layer of deadlines drops what is late.
        let sent = client.send(call);
        drop(tokio::time::timeout(Duration::from_millis(25), sent).await);
    }
    let silent = b.shared.calls.get();
    assert!(silent <= 10, "{silent} of 40 calls went to the silent one");
    assert!(endpoints.load()[1].times_out() > 0 || silent < 5);
}

/// A call that finds nobody goes elsewhere unseen, and nobody else looks there again.
#[tokio::test(flavor = "local")]
async fn an_endpoint_that_cannot_be_reached_costs_no_call() {
    let (a, _) = endpoint(Manner::Good).await;
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let mut all = targets(&[&a]);
    all.push(Target::parse(&format!("http://{nobody}")).unwrap());
    let endpoints = Arc::new(Endpoints::new(all));
    let shared = Arc::clone(&endpoints);
    let client = Client::at("http://app", move |params| {
        params.endpoints = Arc::clone(&shared);
    });
    assert_eq!(calls(&client, 160).await, 160);
    assert!(endpoints.load()[1].is_out());
}

/// It comes back with one call at a time, and for good when that succeeds.
#[tokio::test(flavor = "local")]
async fn an_endpoint_that_has_recovered_comes_back() {
    let (a, _) = endpoint(Manner::Good).await;
    let (b, manner) = endpoint(Manner::Fails(14)).await;
    let endpoints = Arc::new(Endpoints::new(targets(&[&a, &b])));
    let shared = Arc::clone(&endpoints);
    let states = Arc::<States>::default();
    let counted = Arc::clone(&states);
    let client = Client::at("http://app", move |params| {
        params.endpoints = Arc::clone(&shared);
        params.states = Arc::clone(&counted);
        params.ejection.first = Duration::from_millis(100);
        params.outliers.consecutive = 1;
    });
    calls(&client, 160).await;
    assert!(endpoints.load()[1].times_out() > 0);
    assert!(states.seen().put_out > 0);
    manner.set(Manner::Good);
    while endpoints.load()[1].is_out() || endpoints.load()[1].is_on_probation() {
        assert_eq!(calls(&client, 8).await, 8);
    }
    let before = b.shared.calls.get();
    assert_eq!(calls(&client, 800).await, 800);
    let share = b.shared.calls.get() - before;
    assert!(share >= 100, "{share} of 800");
}

/// Fault 36: the last one is never left out, so that there is an answer at once and calls go well
/// as soon as anybody is well.
#[tokio::test(flavor = "local")]
async fn fault_36_when_all_fail_the_last_one_is_asked() {
    let (a, first) = endpoint(Manner::Fails(14)).await;
    let (b, second) = endpoint(Manner::Fails(14)).await;
    let (client, endpoints) = client(&[&a, &b]);
    assert_eq!(calls(&client, 80).await, 0);
    let out = endpoints.load().iter().filter(|one| one.is_out()).count();
    assert_eq!(out, 1);
    first.set(Manner::Good);
    second.set(Manner::Good);
    assert_eq!(calls(&client, 80).await, 80);
}

/// Discovery replaces the list: new endpoints are found, and calls that run on old ones end well.
#[tokio::test(flavor = "local")]
async fn a_list_that_changes_costs_no_call() {
    let (a, _) = endpoint(Manner::Slow(Duration::from_millis(50))).await;
    let (b, _) = endpoint(Manner::Good).await;
    let (client, endpoints) = client(&[&a]);
    let running = (0..8).map(|_| client.echo(b"x"));
    let changing = async {
        a.until(|shared| shared.calls.get() == 8).await;
        assert!(endpoints.set(targets(&[&b])));
        assert_eq!(calls(&client, 80).await, 80);
        assert_eq!(b.shared.calls.get(), 80);
    };
    let (results, ()) =
        futures_util::future::join(futures_util::future::join_all(running), changing).await;
    for result in results {
        result.unwrap();
    }
    endpoints.set(Vec::new());
    let fault = client.echo(b"x").await.unwrap_err();
    assert_eq!(
        (fault.code(), fault.reason()),
        (Code::Unavailable, "APP_UNREACHABLE")
    );
    endpoints.set(targets(&[&a]));
    client.echo(b"x").await.unwrap();
}

/// One that dies under load is left out; what it had begun is all that is lost.
#[tokio::test(flavor = "local")]
async fn an_endpoint_that_dies_costs_what_it_had_begun() {
    let (a, _) = endpoint(Manner::Good).await;
    let (b, _) = endpoint(Manner::Good).await;
    let (client, _) = client(&[&a, &b]);
    assert_eq!(calls(&client, 160).await, 160);
    b.order(Order::Die);
    let b_address = b.address;
    drop(b);
    let good = calls(&client, 400).await;
    assert!(good >= 392, "{good} of 400 after {b_address} died");
}
