//! Clients that take their time, and more of them than there is room for (17 to 20).

use std::time::{Duration, Instant};

use super::{Fault, Found};
use crate::Result;
use crate::client::frames::{CONTINUATION, Frames, GOAWAY, HEADERS, RST_STREAM, frame, pseudo};
use crate::client::http1::{self, Http1};
use crate::scene::Scene;

const TIMES: &str = "limits: {first_byte: {10s|1s}, head_timeout: {10s|1s}, body_idle: {30s|2s}}";

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            17,
            "connect only; half a preface; a stalled TLS hello",
            TIMES,
            |scene| Box::pin(silent(scene)),
        ),
        Fault::new(
            18,
            "heads and bodies that drip, in HTTP/1.1 and HTTP/2",
            TIMES,
            |scene| Box::pin(dripping(scene)),
        ),
        Fault::new(
            19,
            "more connections than the cap",
            "limits: {connections: 40}",
            |scene| Box::pin(too_many(scene)),
        ),
        Fault::new(
            20,
            "no file descriptors left",
            "limits: {connections: 1000}",
            |scene| Box::pin(no_descriptors(scene)),
        )
        .wrapped(&["prlimit", "--nofile=100:100"]),
    ]
}

/// Passes when: closed in 10 s.
async fn silent(scene: &mut Scene) -> Result<Found> {
    let limit = Duration::from_secs(scene.count(10, 1));
    let tls = scene
        .another(&format!("{TIMES}\ntls: {{self_signed: true}}"))
        .await?;
    let hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    let mut waiting = Vec::new();
    for (what, target, bytes) in [
        ("nothing", scene.gateway.listen, &b""[..]),
        (
            "half a preface",
            scene.gateway.listen,
            b"PRI * HTTP/2.0\r\n\r\n",
        ),
        ("nothing to TLS", tls.listen, b""),
        ("half a hello", tls.listen, &hello),
    ] {
        waiting.push(async move {
            let mut client = Http1::connect(target).await?;
            client.send(bytes).await?;
            let closed = client.closed(limit * 2 + Duration::from_secs(3)).await;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((what, closed))
        });
    }
    let mut wrong = Vec::new();
    let mut longest = Duration::ZERO;
    for ended in futures_util::future::join_all(waiting).await {
        match ended? {
            (_, Some((took, _))) => longest = longest.max(took),
            (what, None) => wrong.push(format!("{what}: open")),
        }
    }
    Ok(Found::of(
        &wrong,
        format!(
            "all four closed in {:.2} s (first_byte {limit:?})",
            longest.as_secs_f64()
        ),
    ))
}

/// Passes when: 10 s total / 30 s idle.
async fn dripping(scene: &mut Scene) -> Result<Found> {
    let head = Duration::from_secs(scene.count(10, 1));
    let idle = Duration::from_secs(scene.count(30, 2));
    let target = scene.gateway.listen;
    let (first, second, third) = tokio::join!(
        head_drips(target, head * 3),
        h2_head_drips(target, head * 3),
        body_stops(target, idle * 3)
    );
    let (first, second, third) = (first?, second?, third?);
    let slack = Duration::from_millis(1500);
    let good = first < head + slack && second < head + slack && third < idle + slack;
    let seconds = |time: Duration| time.as_secs_f64();
    Ok(Found::new(
        good && scene.app().seen.calls() == 0,
        format!(
            "closed after {:.2} s and {:.2} s (head_timeout {head:?}), {:.2} s (body_idle {idle:?})",
            seconds(first),
            seconds(second),
            seconds(third)
        ),
    ))
}

async fn head_drips(target: std::net::SocketAddr, most: Duration) -> Result<Duration> {
    let mut client = Http1::connect(target).await?;
    client.send(b"GET /v1/get/x HTTP/1.1\r\nx: ").await?;
    let begun = Instant::now();
    while begun.elapsed() < most && client.send(b"y").await.is_ok() {
        let step = client.closed(Duration::from_millis(100)).await;
        if step.is_some() {
            break;
        }
    }
    Ok(begun.elapsed())
}

async fn h2_head_drips(target: std::net::SocketAddr, most: Duration) -> Result<Duration> {
    let mut frames = Frames::connect(target).await?;
    frames
        .send(&frame(HEADERS, 0, 1, &pseudo("GET", "/v1/get/x")))
        .await;
    let begun = Instant::now();
    while begun.elapsed() < most && frames.send(&frame(CONTINUATION, 0, 1, &[])).await {
        let told = frames.next_of(&[GOAWAY, RST_STREAM], Duration::from_millis(100));
        if told.await.is_some() {
            break;
        }
    }
    Ok(begun.elapsed())
}

async fn body_stops(target: std::net::SocketAddr, most: Duration) -> Result<Duration> {
    let mut client = Http1::connect(target).await?;
    let begun = Instant::now();
    client
        .send(b"POST /v1/put HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{\"id\":")
        .await?;
    let closed = client.closed(most).await;
    closed.ok_or("a body that stopped is waited for without an end")?;
    Ok(begun.elapsed())
}

/// Passes when: new ones refused only, counted.
async fn too_many(scene: &mut Scene) -> Result<Found> {
    let target = scene.gateway.listen;
    let mut kept = Vec::new();
    let mut refused = 0;
    for _ in 0..60 {
        let mut client = Http1::connect(target).await?;
        let get = b"GET /v1/get/x HTTP/1.1\r\nhost: a\r\n\r\n";
        match client.exchange(get).await {
            Ok(answer) if answer.status == 200 => kept.push(client),
            _ => refused += 1,
        }
    }
    let counted = scene
        .gateway
        .metric("sidegate_connections_refused_total", "")
        .await?;
    let held = kept.len();
    drop(kept);
    // A place that comes free is used.
    let begun = Instant::now();
    while http1::get(target, "/v1/get/x").await.is_err() {
        if begun.elapsed() > Duration::from_secs(5) {
            return Ok(Found::new(false, "no place comes free"));
        }
    }
    Ok(Found::new(
        refused >= 20 && counted >= f64::from(refused),
        format!(
            "cap 40: {held} kept besides the bystander's, {refused} refused, {counted} counted"
        ),
    ))
}

/// Passes when: accept backs off and recovers in 1 s.
async fn no_descriptors(scene: &mut Scene) -> Result<Found> {
    let target = scene.gateway.listen;
    let mut kept = Vec::new();
    for _ in 0..200 {
        kept.push(Http1::connect(target).await?);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let full = scene.gateway.descriptors();
    let cpu = scene.gateway.cpu();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let busy = scene.gateway.cpu().saturating_sub(cpu);
    for client in kept {
        client.abort();
    }
    let begun = Instant::now();
    let answer = http1::get(target, "/v1/get/x").await?;
    let took = begun.elapsed();
    Ok(Found::new(
        answer.status == 200 && took < Duration::from_secs(1) && busy < Duration::from_millis(500),
        format!(
            "200 connections with {full} descriptors of 100; {} ms CPU in a second of it; served \
             again after {:.0} ms",
            busy.as_millis(),
            took.as_secs_f64() * 1e3
        ),
    ))
}
