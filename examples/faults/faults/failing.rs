//! An application that breaks its answers off, answers nonsense, leaves and fails (25 to 34).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Method;

use super::{Fault, Found};
use crate::Result;
use crate::app::messages::Ask;
use crate::app::{Mood, lock};
use crate::client::grpc::{Ended, Grpc};
use crate::client::http1;
use crate::scene::Scene;

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            25,
            "the app dies after three messages of a stream",
            "",
            |scene| Box::pin(dies(scene)),
        ),
        Fault::new(
            26,
            "odd deadlines, and one that is gone before sending",
            "",
            |scene| Box::pin(odd_deadlines(scene)),
        ),
        Fault::new(
            27,
            "the app answers 502 HTML, no trailers, a bad status, RST 0 to 13, junk details",
            "",
            |scene| Box::pin(nonsense(scene)),
        ),
        Fault::new(30, "the app sends GOAWAY again and again", "", |scene| {
            Box::pin(goaway(scene))
        })
        .for_peers(),
        Fault::new(32, "the app closes connections that rest", "", |scene| {
            Box::pin(resting(scene))
        })
        .for_peers(),
        Fault::new(
            33,
            "100 % UNAVAILABLE, with retries on",
            "routes: {\"*\": {retry: {attempts: 3, initial_backoff: 1ms, methods: all}}}",
            |scene| Box::pin(unavailable(scene)),
        ),
        Fault::new(
            34,
            "a POST of 65 KiB, reset after it was sent, with retries on",
            "routes: {\"*\": {retry: {attempts: 3, initial_backoff: 1ms, methods: all, \
             codes: [unavailable, internal, unknown, cancelled]}}}",
            |scene| Box::pin(large_post(scene)),
        ),
    ]
}

/// Passes when: the client can tell.
async fn dies(scene: &mut Scene) -> Result<Found> {
    let target = scene.gateway.listen;
    let mut wrong = Vec::new();
    let path = "/v1/watch/x?count=3&act=die";
    let get = |accept: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: a\r\naccept: {accept}\r\nconnection: close\r\n\r\n")
    };
    let array = http1::once(target, get("application/json").as_bytes()).await;
    if let Ok(answer) = &array {
        wrong.push(format!("an array looks whole: {}", answer.text()));
    }
    for (accept, mark) in [
        ("application/x-ndjson", "{\"error\":"),
        ("text/event-stream", "event: error"),
    ] {
        let answer = http1::once(target, get(accept).as_bytes()).await?;
        if answer.text().matches("\"id\"").count() != 3 || !answer.text().contains(mark) {
            wrong.push(format!("{accept}: {}", answer.text().escape_debug()));
        }
    }
    let ask = Ask {
        act: "die".to_owned(),
        count: 3,
        ..Ask::default()
    };
    let ended = Grpc::connect(target).await?.unary("Watch", &ask, &[]).await;
    if ended.messages() != 3 || ended.status.as_deref() == Some("0") {
        wrong.push(format!("gRPC: {ended:?}"));
    }
    // The bystander's calls that were on the same connection are the application's to lose; it
    // has others.
    Ok(Found::of(
        &wrong,
        "array broken off, error line, error event, gRPC status, each after three messages",
    ))
}

/// Passes when: 400/504, no upstream call.
async fn odd_deadlines(scene: &mut Scene) -> Result<Found> {
    let mut wrong = Vec::new();
    let grpc = Grpc::connect(scene.gateway.listen).await?;
    let malformed = [
        "1",
        "S",
        "1x",
        "-1S",
        "+1S",
        "1.5S",
        "123456789S",
        "1 S",
        "1s",
        "",
        "S1",
    ];
    for value in malformed {
        let ended = grpc
            .unary("Get", &Ask::default(), &[("grpc-timeout", value)])
            .await;
        let told = ended.status.as_deref();
        if ended.http != 400 && matches!(told, None | Some("0" | "4")) {
            wrong.push(format!("{value:?}: {ended:?}"));
        }
    }
    for value in ["0n", "0S", "1n"] {
        let ended = grpc
            .unary("Get", &Ask::default(), &[("grpc-timeout", value)])
            .await;
        if ended.status.as_deref() != Some("4") {
            wrong.push(format!("{value:?}: {ended:?}"));
        }
    }
    let reached = scene.app().seen.calls();
    if reached > 0 {
        wrong.push(format!("{reached} reached the app"));
    }
    let huge = grpc
        .unary("Get", &Ask::default(), &[("grpc-timeout", "99999999H")])
        .await;
    if huge.status.as_deref() != Some("0") {
        wrong.push(format!("99999999H: {huge:?}"));
    }
    Ok(Found::of(
        &wrong,
        format!(
            "{} malformed refused, 3 too late 504, none reached the app",
            malformed.len()
        ),
    ))
}

/// Passes when: E1 to E4, no panic.
async fn nonsense(scene: &mut Scene) -> Result<Found> {
    let mut wrong = Vec::new();
    let resets = (0..=13).map(|code| format!("reset {code}"));
    let mut acts: Vec<String> = resets.collect();
    let others = [
        "html",
        "bare",
        "status 99",
        "status -1",
        "status abc",
        "status 4294967296",
        "status ",
        "junk",
    ];
    acts.extend(others.map(str::to_owned));
    let grpc = Grpc::connect(scene.gateway.listen).await?;
    for act in &acts {
        let ask = Ask {
            act: act.clone(),
            ..Ask::default()
        };
        let ended = grpc.unary("Get", &ask, &[]).await;
        if matches!(ended.status.as_deref(), None | Some("0")) {
            wrong.push(format!("{act} by gRPC: {ended:?}"));
        }
        let path = format!("/v1/get/x?act={}", act.replace(' ', "%20"));
        let status = http1::get(scene.gateway.listen, &path).await?.status;
        let expected = match act.as_str() {
            "junk" => status == 400,
            "html" => status == 503,
            _ => (400..600).contains(&status),
        };
        if !expected {
            wrong.push(format!("{act} by REST: {status}"));
        }
    }
    let panics = scene.gateway.metric("sidegate_panics_total", "").await?;
    if panics > 0.0 {
        wrong.push(format!("{panics} panics"));
    }
    Ok(Found::of(
        &wrong,
        format!("{} kinds, each a failure by gRPC and REST", acts.len()),
    ))
}

/// Passes when: 0 errors; the bystander's and these.
async fn goaway(scene: &mut Scene) -> Result<Found> {
    let lasts = Duration::from_secs(scene.count(60, 3));
    let every = Duration::from_millis(scene.count(1000, 100));
    let begun = Instant::now();
    let before = scene.app().seen.connections();
    let (mut calls, mut failed) = (0, Vec::new());
    let target = scene.gateway.listen;
    let mut grpc = Grpc::connect(target).await?;
    let mut next = begun;
    while begun.elapsed() < lasts {
        if Instant::now() >= next {
            scene.app().seen.goaway();
            next += every;
        }
        let asks = (0..10).map(|_| async {
            let ask = Ask {
                pause_ms: 2,
                ..Ask::default()
            };
            let ended = grpc.unary("Put", &ask, &[]).await;
            if !ended.never_ran {
                return Ok(ended);
            }
            // The gateway may end a client's connection; what it has not looked at is asked anew.
            let fresh = Grpc::connect(target).await?;
            Ok::<Ended, Box<dyn std::error::Error + Send + Sync>>(
                fresh.unary("Put", &ask, &[]).await,
            )
        });
        for ended in futures_util::future::join_all(asks).await {
            let ended = ended?;
            calls += 1;
            if ended.status.as_deref() != Some("0") {
                failed.push(format!("{ended:?}"));
            }
        }
        if !grpc.is_usable() {
            grpc = Grpc::connect(target).await?;
        }
    }
    let connections = scene.app().seen.connections() - before;
    let text = format!(
        "{} of {calls} failed, {connections} new connections in {} s",
        failed.len(),
        lasts.as_secs()
    );
    failed.truncate(1);
    Ok(Found::of(&failed, text))
}

/// Passes when: 0 of 1e5 fail. The application closes what rests for a little longer than the
/// bystander's calls are apart, so that closing and calling meet all the time.
async fn resting(scene: &mut Scene) -> Result<Found> {
    let count = scene.count(100_000, 2000);
    let rest = Duration::from_millis(9);
    *lock(&scene.app().seen.rest) = Some(rest);
    let before = scene.app().seen.connections();
    let failed = Arc::new(AtomicUsize::new(0));
    let mut grpc = Grpc::connect(scene.gateway.listen).await?;
    for number in 0..count {
        let mut ended = grpc.unary("Put", &Ask::default(), &[]).await;
        if ended.never_ran {
            grpc = Grpc::connect(scene.gateway.listen).await?;
            ended = grpc.unary("Put", &Ask::default(), &[]).await;
        }
        if ended.status.as_deref() != Some("0") {
            failed.fetch_add(1, Ordering::SeqCst);
        }
        if number % 4 == 0 {
            tokio::time::sleep(rest - Duration::from_millis(2)).await;
        }
    }
    let failed = failed.load(Ordering::SeqCst);
    let connections = scene.app().seen.connections() - before;
    Ok(Found::new(
        failed == 0 && connections > 10,
        format!(
            "{failed} of {count} failed, {connections} connections that rested {rest:?} were closed"
        ),
    ))
}

/// Passes when: app load <= 1.2 x.
async fn unavailable(scene: &mut Scene) -> Result<Found> {
    let count = scene.count(20_000, 1000);
    scene.app().seen.set_mood(Mood::Failing);
    let grpc = Grpc::connect(scene.gateway.listen).await?;
    let mut good = 0;
    for _ in 0..count {
        let ended = grpc.unary("Put", &Ask::default(), &[]).await;
        good += usize::from(ended.status.as_deref() != Some("14"));
    }
    let calls = scene.app().seen.calls();
    let load = calls as f64 / f64::from(count);
    // The bystander's calls go well and fill the budget too: a fifth of them, at 200 a second.
    Ok(Found::new(
        load <= 1.2 + 0.05 && good == 0,
        format!("{calls} calls at the app for {count}: {load:.2} x"),
    ))
}

/// Passes when: executed once.
async fn large_post(scene: &mut Scene) -> Result<Found> {
    let grpc = Grpc::connect(scene.gateway.listen).await?;
    let body = |length: usize| {
        let data = "x".repeat(length);
        format!("{{\"act\":\"reset 2\",\"data\":\"{data}\"}}")
    };
    let large = grpc
        .rest(Method::POST, "/v1/put", body(65 << 10).into())
        .await?;
    let once = scene.app().seen.calls();
    let small = grpc.rest(Method::POST, "/v1/put", body(10).into()).await?;
    let more = scene.app().seen.calls() - once;
    Ok(Found::new(
        once == 1 && large.http >= 500 && small.http >= 500,
        format!(
            "executed {once} time (a small one {more} times), answered {}",
            large.http
        ),
    ))
}
