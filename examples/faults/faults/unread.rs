//! Clients that do not read what they asked for, and clients that go away (4, 5, 10).

use std::time::{Duration, Instant};

use h2::Reason;

use super::wire::until;
use super::{Fault, Found};
use crate::Result;
use crate::app::lock;
use crate::app::messages::{Ask, framed};
use crate::client::frames::{
    DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, RST_STREAM, WINDOW_UPDATE, field,
    frame, grpc_head, id, indexed, pseudo,
};
use crate::client::grpc::{self, Grpc};
use crate::client::http1::Http1;
use crate::scene::Scene;

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            4,
            "HPACK references on 100 streams with a window of 0, slow app",
            "limits: {response_stall: {30s|2s}}",
            |scene| Box::pin(bombs(scene)),
        ),
        Fault::new(
            5,
            "clients that stop reading in the middle of a body",
            "limits: {response_stall: {30s|2s}}",
            |scene| Box::pin(unread(scene)),
        ),
        Fault::new(
            10,
            "clients that go away in the middle of a stream",
            "",
            |scene| Box::pin(gone(scene)),
        )
        .for_rest_peers(),
    ]
}

fn stall(scene: &Scene) -> Duration {
    Duration::from_secs(scene.count(30, 2))
}

/// Passes when: <= 4 MB a connection, gone in 30 s.
async fn bombs(scene: &mut Scene) -> Result<Found> {
    const CONNECTIONS: usize = 5;
    let before = scene.gateway.resident();
    let ask = Ask {
        size: 1000,
        pause_ms: 500,
        ..Ask::default()
    };
    let mut all = Vec::new();
    let begun = Instant::now();
    for _ in 0..CONNECTIONS {
        // SETTINGS_INITIAL_WINDOW_SIZE
        let mut frames = Frames::with_settings(scene.gateway.listen, &[(4, 0)]).await?;
        for number in 0..100 {
            let mut block = pseudo("POST", "/faults.v1.Faults/Get");
            block.extend(field("content-type", "application/grpc"));
            block.extend(field("te", "trailers"));
            match number {
                0 => block.extend(indexed("x", &"y".repeat(3000))),
                _ => block.push(0xbe),
            }
            block.extend([0xbe; 3]);
            let head = frame(HEADERS, END_HEADERS, id(number), &block);
            let body = frame(DATA, END_STREAM, id(number), &framed(&ask));
            frames.send(&[head, body].concat()).await;
        }
        all.push(frames);
        // The application is not what is tried here.
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let seen = &scene.apps[0].seen;
    until(|| seen.calls() >= CONNECTIONS * 100).await?;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let each = scene.gateway.resident().saturating_sub(before) / CONNECTIONS as u64;
    let patience = stall(scene) * 3 + Duration::from_secs(5);
    let mut ended = 0;
    for frames in &mut all {
        for _ in 0..100 {
            match frames.next_of(&[RST_STREAM, GOAWAY], patience).await {
                Some(frame) if frame.kind == RST_STREAM => ended += 1,
                _ => break,
            }
        }
    }
    let took = begun.elapsed();
    Ok(Found::new(
        each <= 4096 && ended == CONNECTIONS * 100 && took < patience,
        format!(
            "{each} KiB a connection, {ended} of {} streams reset after {:.1} s (response_stall {:?})",
            CONNECTIONS * 100,
            took.as_secs_f64(),
            stall(scene)
        ),
    ))
}

/// Passes when: <= 64 KiB buffered a stream, reset in 30 s, app sees the cancel.
async fn unread(scene: &mut Scene) -> Result<Found> {
    const STREAMS: u32 = 20;
    let mut frames = Frames::connect(scene.gateway.listen).await?;
    frames
        .send(&frame(WINDOW_UPDATE, 0, 0, &(64_u32 << 20).to_be_bytes()))
        .await;
    let ask = Ask {
        count: 1_000_000,
        size: 10_000,
        ..Ask::default()
    };
    let begun = Instant::now();
    for number in 0..STREAMS {
        let body = frame(DATA, END_STREAM, id(number), &framed(&ask));
        frames
            .send(&[grpc_head(number, "Watch"), body].concat())
            .await;
    }
    let patience = stall(scene) * 2 + Duration::from_secs(5);
    let mut resets = 0;
    let mut came = 0;
    while resets < STREAMS {
        match frames.next_of(&[DATA, RST_STREAM, GOAWAY], patience).await {
            Some(frame) if frame.kind == DATA => came += frame.payload.len() as u64,
            Some(frame) if frame.kind == RST_STREAM => resets += 1,
            _ => break,
        }
    }
    let took = begun.elapsed();
    let seen = &scene.apps[0].seen;
    until(|| seen.cancelled() >= STREAMS as usize).await?;
    let held = seen.sent().saturating_sub(came) / u64::from(STREAMS);
    // The same over HTTP/1.1, where the kernel's buffers take a share too.
    let mut client = Http1::connect(scene.gateway.listen).await?;
    socket2::SockRef::from(&client.stream).set_recv_buffer_size(4096)?;
    let get = b"GET /v1/watch/x?count=1000000&size=10000 HTTP/1.1\r\nhost: a\r\n\r\n";
    client.send(get).await?;
    until(|| seen.cancelled() > STREAMS as usize).await?;
    Ok(Found::new(
        resets == STREAMS && held <= 64 << 10 && took < patience,
        format!(
            "{} KiB held a stream, {resets} of {STREAMS} reset after {:.1} s, app saw every cancel, \
             HTTP/1.1 too (response_stall {:?})",
            held >> 10,
            took.as_secs_f64(),
            stall(scene)
        ),
    ))
}

/// Passes when: app sees the cancel in 100 ms, nothing leaks in 1e5.
async fn gone(scene: &mut Scene) -> Result<Found> {
    let count = scene.count(100_000, 1000);
    let mut times = Vec::new();
    let mut half = (0, 0);
    let mut grpc = Grpc::connect(scene.gateway.listen).await?;
    for number in 0..count {
        let before = scene.app().seen.cancelled();
        let left = if number % 2 == 0 {
            let mut client = Http1::connect(scene.gateway.listen).await?;
            let get = b"GET /v1/watch/x?count=1000000&pause_ms=2 HTTP/1.1\r\nhost: a\r\n\r\n";
            client.send(get).await?;
            client.first_bytes().await?;
            let left = Instant::now();
            client.abort();
            left
        } else {
            // A connection is left now and then too.
            if number % 101 == 0 {
                grpc = Grpc::connect(scene.gateway.listen).await?;
            }
            let ask = Ask {
                count: 1_000_000,
                pause_ms: 2,
                ..Ask::default()
            };
            let request = grpc::request("Watch", &[])?;
            let (response, mut stream) = grpc.open(request, Some(framed(&ask))).await?;
            let mut body = response.await?.into_body();
            body.data().await.ok_or("no message")??;
            let left = Instant::now();
            stream.send_reset(Reason::CANCEL);
            left
        };
        let seen = &scene.apps[0].seen;
        until(|| seen.cancelled() > before).await?;
        let at = lock(&seen.cancelled_at).ok_or("no cancel")?;
        times.push(at.saturating_duration_since(left));
        if number == count / 2 {
            half = (scene.gateway.resident(), scene.gateway.descriptors());
        }
    }
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];
    let (memory, files) = (scene.gateway.resident(), scene.gateway.descriptors());
    let grown = memory.saturating_sub(half.0);
    Ok(Found::new(
        p99 < Duration::from_millis(100) && grown < 2048 && files <= half.1 + 8,
        format!(
            "{count}: app saw it in {:.1} ms at p99; in the second half RSS + {grown} KiB, \
             descriptors {} -> {files}",
            p99.as_secs_f64() * 1e3,
            half.1
        ),
    ))
}
