//! The client against a server of the `h2` crate: random calls through random windows, the bytes
//! cut anywhere.

use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use h2::server;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::super::session::{Limits, Next};
use super::super::stream::Pieces;
use super::super::{Client, Driver, Request, window};
use crate::life::task::{self, TaskSet};

/// No case takes a hundredth of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A call and its answer.
#[derive(Clone, Debug)]
struct Plan {
    metadata: HeaderMap,
    pieces: Vec<usize>,
    status: u16,
    head: HeaderMap,
    messages: Vec<usize>,
    /// None ends the answer with its last message.
    trailers: Option<HeaderMap>,
}

#[derive(Clone, Debug)]
struct Case {
    calls: Vec<Plan>,
    limits: Limits,
    /// How many bytes are on their way between the two.
    pipe: usize,
    window: u32,
    connection_window: u32,
    max_frame: u32,
    table: u32,
}

fn fields() -> impl Strategy<Value = HeaderMap> {
    let name = prop_oneof![
        Just(String::from("date")),
        Just(String::from("x-often")),
        "[a-z][a-z0-9-]{0,8}"
    ];
    let value = prop_oneof![
        Just(String::from("often")),
        "[ -~\u{80}-\u{ff}]{0,30}",
        "x{100,900}"
    ];
    vec((name, value, any::<bool>()), 0..6).prop_map(|fields| {
        let mut map = HeaderMap::new();
        for (name, value, secret) in fields {
            let name = HeaderName::try_from(name).unwrap();
            let ours = [
                "te",
                "upgrade",
                "connection",
                "keep-alive",
                "content-length",
            ];
            if !ours.contains(&name.as_str()) {
                let mut value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                value.set_sensitive(secret);
                map.append(name, value);
            }
        }
        map
    })
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![0_usize..100, 0_usize..100_000], 0..4)
}

fn plans() -> impl Strategy<Value = Plan> {
    let status = prop_oneof![Just(200_u16), 200_u16..600];
    (
        fields(),
        sizes(),
        status,
        fields(),
        sizes(),
        proptest::option::of(fields()),
    )
        .prop_map(
            |(metadata, pieces, status, head, messages, trailers)| Plan {
                metadata,
                pieces,
                status,
                head,
                messages,
                trailers,
            },
        )
}

fn cases() -> impl Strategy<Value = Case> {
    let limits = (1_u32..200_000, 65_535_u32..300_000).prop_map(|(stream, connection)| Limits {
        stream_window: stream,
        connection_window: connection,
        max_header_list: 64 << 10,
    });
    let pipe = prop_oneof![1_usize..64, 1_usize..100_000];
    let server = (
        1_u32..200_000,
        65_535_u32..300_000,
        16_384_u32..70_000,
        0_u32..9000,
    );
    (vec(plans(), 1..8), limits, pipe, server).prop_map(|(calls, limits, pipe, server)| Case {
        calls,
        limits,
        // Byte by byte is for what is small.
        pipe: pipe.max(server.0 as usize % 3),
        window: server.0,
        connection_window: server.1,
        max_frame: server.2,
        table: server.3,
    })
}

fn bytes(len: usize) -> Bytes {
    (0..len)
        .map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1])
        .collect()
}

fn joined(sizes: &[usize]) -> Vec<u8> {
    sizes.iter().flat_map(|size| bytes(*size)).collect()
}

/// Answers each call as its `x-call` says.
async fn serve(far: tokio::io::DuplexStream, case: Rc<Case>) {
    let shaking = server::Builder::new()
        .initial_window_size(case.window)
        .initial_connection_window_size(case.connection_window)
        .max_frame_size(case.max_frame)
        .header_table_size(case.table)
        .handshake::<_, Bytes>(far);
    let mut connection = shaking.await.unwrap();
    let calls = TaskSet::new();
    while let Some(call) = connection.accept().await {
        let (request, mut respond) = call.unwrap();
        let case = Rc::clone(&case);
        calls.spawn_local("call", async move {
            let (head, mut body) = request.into_parts();
            let at: usize = head.headers["x-call"].to_str().unwrap().parse().unwrap();
            let plan = &case.calls[at];
            let mut expected = plan.metadata.clone();
            expected.insert("te", HeaderValue::from_static("trailers"));
            expected.insert("x-call", at.into());
            if !expected.contains_key("content-type") {
                expected.insert("content-type", HeaderValue::from_static("application/grpc"));
            }
            assert_eq!(head.headers, expected);
            assert_eq!(head.method, "POST");
            assert_eq!(head.uri.path(), format!("/call/{at}"));
            let mut got = Vec::new();
            while let Some(data) = body.data().await {
                let data = data.unwrap();
                body.flow_control().release_capacity(data.len()).unwrap();
                got.extend_from_slice(&data);
            }
            assert!(got == joined(&plan.pieces), "the request came changed");
            let mut answer = Response::new(());
            *answer.status_mut() = plan.status.try_into().unwrap();
            *answer.headers_mut() = plan.head.clone();
            let mut send = respond.send_response(answer, false).unwrap();
            for size in &plan.messages {
                send.send_data(bytes(*size), false).unwrap();
            }
            match plan.trailers.clone() {
                Some(trailers) => send.send_trailers(trailers).unwrap(),
                None => send.send_data(Bytes::new(), true).unwrap(),
            }
        });
    }
}

async fn call(client: &Client, at: usize, plan: &Plan) {
    let mut metadata = plan.metadata.clone();
    metadata.insert("x-call", at.into());
    let path = format!("/call/{at}");
    let request = Request {
        path: &path,
        authority: "app.example",
        metadata: &metadata,
        timeout: None,
        told: None,
    };
    let body: Pieces = plan.pieces.iter().map(|size| bytes(*size)).collect();
    let mut asked = client.open(&request, &body).unwrap();
    let answer = poll_fn(|context| asked.poll_answer(context)).await.unwrap();
    assert_eq!(answer.status.as_u16(), plan.status);
    assert_eq!(answer.headers, plan.head);
    let mut got = Vec::new();
    let trailers = match answer.whole {
        Some((data, trailers)) => {
            got.extend_from_slice(&data);
            trailers
        }
        None => loop {
            match poll_fn(|context| asked.poll_next(context)).await {
                Next::Data(data) => got.extend_from_slice(&data),
                Next::End(trailers) => break trailers,
                Next::Failed(failure) => panic!("{failure:?}"),
            }
        },
    };
    assert!(got == joined(&plan.messages), "the answer came changed");
    assert_eq!(trailers, plan.trailers);
}

/// How many calls may begin before the server's SETTINGS have come.
///
/// A server of the h2 crate whose window is smaller than the usual one must not have to let an
/// early call go on. It gives back what it read only when that is half a window, and does not
/// look again when its SETTINGS have made the window smaller: what it read before then is never
/// given back, and the call waits for ever. The gateway itself sends nothing so early.
fn early_calls(case: &Case) -> usize {
    let half = case.calls.len() / 2;
    if case.window >= window::INITIAL {
        return half;
    }
    let mut room = window::INITIAL as usize;
    let fits = case.calls.iter().take_while(|plan| {
        let left = room.checked_sub(plan.pieces.iter().sum());
        room = left.unwrap_or(0);
        left.is_some()
    });
    fits.count().min(half)
}

fn check(case: Case) {
    let runtime = task::local_runtime().unwrap();
    let case = Rc::new(case);
    let calls = async {
        let (near, far) = tokio::io::duplex(case.pipe);
        let (client, mut driver) = Driver::new(near, case.limits);
        let serving = task::spawn_local("server", serve(far, Rc::clone(&case)));
        let (introduced, introduction) = tokio::sync::oneshot::channel();
        let driving = task::spawn_local("client", async move {
            driver.introduce().await?;
            introduced.send(()).unwrap();
            driver.await
        });
        // The first ones are sent before the two know each other.
        let (early, late) = case.calls.split_at(early_calls(&case));
        let calls = join_all((0..).zip(early).map(|(at, plan)| call(&client, at, plan)));
        calls.await;
        introduction.await.unwrap();
        let calls = (early.len()..)
            .zip(late)
            .map(|(at, plan)| call(&client, at, plan));
        join_all(calls).await;
        client.leave();
        assert_eq!(driving.await, Some(Ok(())));
        assert!(serving.await.is_some(), "the server found nothing wrong");
    };
    // Calls that wait for one another end as a failure, not as a test that never ends.
    let in_time = runtime.block_on(async { tokio::time::timeout(PATIENCE, calls).await });
    assert!(in_time.is_ok(), "the calls wait for one another");
}

fn rounds() -> Option<u32> {
    std::env::var("FUZZ_ROUNDS").ok()?.parse().ok()
}

proptest! {
    // The same cases each time; other ones, and many, when `FUZZ_ROUNDS` says how often.
    #![proptest_config(ProptestConfig {
        cases: 48 * rounds().unwrap_or(1),
        rng_seed: if rounds().is_some() { RngSeed::Random } else { RngSeed::Fixed(3) },
        ..ProptestConfig::default()
    })]
    #[test]
    fn calls_to_the_h2_crate(case in cases()) {
        check(case);
    }
}
