//! Clients that send frames which nobody should: floods, bombs, streams that are dropped (1 to 10).

use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Reason;
use tokio::io::AsyncWriteExt;

use super::{Fault, Found};
use crate::Result;
use crate::app::messages::{Ask, frame as message};
use crate::client::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, PING, PRIORITY,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, field, frame, grpc_head, id, indexed, pseudo,
    until_goaway,
};
use crate::client::grpc::{self, Grpc};
use crate::scene::Scene;

const SLOW: &str = "/v1/get/x?act=never";
/// How long something that should come is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            1,
            "10,000 HEADERS and RST_STREAM on a connection",
            "",
            |scene| Box::pin(rapid_resets(scene)),
        )
        .for_peers(),
        Fault::new(2, "6,000 malformed requests", "", |scene| {
            Box::pin(malformed(scene))
        })
        .for_peers(),
        Fault::new(
            3,
            "CONTINUATION without an end; 5,000 HPACK references",
            "",
            |scene| Box::pin(endless_heads(scene)),
        )
        .for_peers(),
        Fault::new(
            6,
            "floods of PING, SETTINGS, PRIORITY, WINDOW_UPDATE, tiny DATA",
            "",
            |scene| Box::pin(floods(scene)),
        )
        .for_peers(),
        Fault::new(7, "the 101st stream", "", |scene| {
            Box::pin(one_stream_too_many(scene))
        }),
        Fault::new(8, "10,000 uploads cancelled midway", "", |scene| {
            Box::pin(cancelled_uploads(scene))
        }),
        Fault::new(
            9,
            "20,000 server streams cancelled by clients",
            "",
            |scene| Box::pin(cancelled_streams(scene)),
        )
        .for_peers(),
    ]
}

/// Passes when: GOAWAY, closed within 1,000; at most 200 calls reached the app.
async fn rapid_resets(scene: &mut Scene) -> Result<Found> {
    const STREAMS: u32 = 10_000;
    let mut frames = Frames::connect(scene.gateway.listen).await?;
    let begun = Instant::now();
    let sending = async {
        for number in 0..STREAMS {
            let reset = frame(RST_STREAM, 0, id(number), &[0, 0, 0, 8]);
            let pair = [grpc_call(number), reset].concat();
            if frames.writer.write_all(&pair).await.is_err() {
                return number;
            }
        }
        STREAMS
    };
    let ended = tokio::time::timeout(PATIENCE, until_goaway(&mut frames.reader));
    let (sent, ended) = tokio::join!(sending, ended);
    let took = begun.elapsed();
    let goaway = ended.ok().and_then(|(goaway, _)| goaway);
    // What has reached the application a moment later is all that ever will.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let reached = scene.app().seen.calls();
    let last = goaway.map(|(last, _)| last.div_ceil(2));
    Ok(Found::new(
        last.is_some_and(|last| last <= 1000) && reached <= 200,
        format!(
            "{} after {sent} sent and {:.0} ms, {reached} reached the app",
            last.map_or_else(
                || "no GOAWAY".to_owned(),
                |last| format!("GOAWAY at stream {last}")
            ),
            took.as_secs_f64() * 1e3
        ),
    ))
}

/// A call that the application never answers.
fn grpc_call(number: u32) -> Vec<u8> {
    let ask = Ask {
        act: "never".to_owned(),
        ..Ask::default()
    };
    let body = crate::app::messages::framed(&ask);
    let data = frame(DATA, END_STREAM, id(number), &body);
    [grpc_head(number, "Get"), data].concat()
}

/// Passes when: GOAWAY within 1,100 (or closed: a client that still writes may not see the word).
async fn malformed(scene: &mut Scene) -> Result<Found> {
    let mut frames = Frames::connect(scene.gateway.listen).await?;
    let sending = async {
        for number in 0..6000 {
            // `:method` alone.
            let bytes = frame(HEADERS, END_HEADERS | END_STREAM, id(number), &[0x82]);
            if frames.writer.write_all(&bytes).await.is_err() {
                return number;
            }
            tokio::task::yield_now().await;
        }
        6000
    };
    let ended = tokio::time::timeout(PATIENCE, until_goaway(&mut frames.reader));
    let (sent, ended) = tokio::join!(sending, ended);
    let reached = scene.app().seen.calls();
    let resets = ended.map_or(6000, |(_goaway, resets)| resets);
    Ok(Found::new(
        resets <= 1100 && reached == 0,
        format!("closed after {resets} refusals of {sent} sent, {reached} reached the app"),
    ))
}

/// Passes when: closed < 1 s, RSS + < 1 MB.
async fn endless_heads(scene: &mut Scene) -> Result<Found> {
    let before = scene.gateway.resident();
    let mut frames = Frames::connect(scene.gateway.listen).await?;
    let begun = Instant::now();
    frames
        .send(&frame(HEADERS, 0, 1, &pseudo("GET", SLOW)))
        .await;
    let piece = frame(CONTINUATION, 0, 1, &field("x", &"y".repeat(8000)));
    let mut sent = 0_usize;
    while begun.elapsed() < PATIENCE && frames.send(&piece).await {
        sent += piece.len();
    }
    let closed = begun.elapsed();
    // One large field, and 5,000 references to it.
    let mut frames = Frames::connect(scene.gateway.listen).await?;
    let mut block = pseudo("GET", SLOW);
    block.extend(indexed("x", &"y".repeat(3900)));
    block.extend([0xbe; 5000]);
    let begun = Instant::now();
    frames
        .send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block))
        .await;
    let answer = frames
        .next_of(&[HEADERS, RST_STREAM, GOAWAY], PATIENCE)
        .await;
    let refused = begun.elapsed();
    let grown = scene.gateway.resident().saturating_sub(before);
    let reached = scene.app().seen.calls();
    let second = Duration::from_secs(1);
    Ok(Found::new(
        closed < second && refused < second && answer.is_some() && grown < 1024 && reached == 0,
        format!(
            "closed in {:.0} ms after {} KiB; references refused in {:.0} ms; RSS + {grown} KiB",
            closed.as_secs_f64() * 1e3,
            sent >> 10,
            refused.as_secs_f64() * 1e3
        ),
    ))
}

/// Passes when: GOAWAY or bounded.
async fn floods(scene: &mut Scene) -> Result<Found> {
    let count = scene.count(1_000_000, 50_000);
    let before = scene.gateway.resident();
    let mut wrong = Vec::new();
    let mut told = Vec::new();
    for (name, piece) in [
        ("PING", frame(PING, 0, 0, &[0; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[])),
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])),
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("tiny DATA", frame(DATA, 0, 1, &[0])),
    ] {
        let mut frames = Frames::connect(scene.gateway.listen).await?;
        if name == "tiny DATA" {
            frames.send(&grpc_head(0, "Upload")).await;
        }
        let batch = piece.repeat(100);
        let mut sent = 0;
        // What comes back is not read: answers to a flood have to be bounded too.
        while sent < count {
            let sending = frames.send(&batch);
            match tokio::time::timeout(Duration::from_secs(1), sending).await {
                Ok(true) => sent += 100,
                // It is closed, or no more is taken: both are bounds.
                Ok(false) | Err(_) => break,
            }
        }
        let grown = scene.gateway.resident().saturating_sub(before);
        if grown > 4096 {
            wrong.push(format!("{name}: RSS + {grown} KiB"));
        }
        told.push(format!("{name} {sent}"));
    }
    let grown = scene.gateway.resident().saturating_sub(before);
    Ok(Found::of(
        &wrong,
        format!("taken of {count}: {}; RSS + {grown} KiB", told.join(", ")),
    ))
}

/// Passes when: REFUSED_STREAM, app untouched.
async fn one_stream_too_many(scene: &mut Scene) -> Result<Found> {
    let mut frames = Frames::connect(scene.gateway.listen).await?;
    for number in 0..101 {
        frames.send(&grpc_call(number)).await;
    }
    let reset = frames.next_of(&[RST_STREAM, GOAWAY], PATIENCE).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let reached = scene.app().seen.calls();
    let refused = reset.as_ref().is_some_and(|reset| {
        (reset.kind, reset.id, &reset.payload[..]) == (RST_STREAM, id(100), &[0, 0, 0, 7])
    });
    let told = match &reset {
        _ if refused => "REFUSED_STREAM".to_owned(),
        Some(frame) => format!("frame {} on stream {}", frame.kind, frame.id),
        None => "nothing".to_owned(),
    };
    Ok(Found::new(
        refused && reached <= 100,
        format!("stream 101 got {told}, {reached} calls reached the app"),
    ))
}

/// Passes when: the connection still carries 1 MiB.
async fn cancelled_uploads(scene: &mut Scene) -> Result<Found> {
    let count = scene.count(10_000, 900);
    let grpc = Grpc::connect(scene.gateway.listen).await?;
    let seen = &scene.apps[0].seen;
    for round in 0..count / 90 {
        let mut uploads = Vec::new();
        for _ in 0..90 {
            let request = grpc::request("Upload", &[])?;
            let (response, mut stream) = grpc.open(request, None).await?;
            stream.send_data(message(&[b' '; 4096]), false)?;
            uploads.push((response, stream));
        }
        until(|| seen.calls() >= (round + 1) * 90).await?;
        // Who leaves sooner than this, and often, is taken for somebody who floods (fault 1).
        tokio::time::sleep(Duration::from_millis(120)).await;
        for (_, stream) in &mut uploads {
            stream.send_reset(Reason::CANCEL);
        }
    }
    let (response, mut stream) = grpc.open(grpc::request("Upload", &[])?, None).await?;
    let sending = async {
        for number in 0..256 {
            let mut piece = message(&[b' '; 4091]);
            while !piece.is_empty() {
                stream.reserve_capacity(piece.len());
                let room = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
                let room = room.ok_or("the stream has ended")??;
                let part = piece.split_to(room.min(piece.len()));
                stream.send_data(part, false)?;
            }
            if number == 255 {
                stream.send_data(Bytes::new(), true)?;
            }
        }
        Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    };
    let (sent, ended) = tokio::join!(sending, grpc::finish(response));
    let good = sent.is_ok() && ended.status.as_deref() == Some("0");
    let carried = if good { "carried" } else { "did not carry" };
    let count = count / 90 * 90;
    until(|| seen.cancelled() >= count).await?;
    Ok(Found::new(
        good,
        format!("after {count} the connection {carried} 1 MiB; app saw every cancel"),
    ))
}

/// Passes when: 0 other calls fail; the bystander's are the others.
async fn cancelled_streams(scene: &mut Scene) -> Result<Found> {
    let count = scene.count(20_000_usize, 2000);
    let seen = &scene.apps[0].seen;
    let ask = Ask {
        count: 1_000_000,
        pause_ms: 1,
        size: 100,
        ..Ask::default()
    };
    let body = crate::app::messages::framed(&ask);
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(Grpc::connect(scene.gateway.listen).await?);
    }
    let began = Instant::now();
    let mut opened = 0;
    while opened < count {
        let mut streams = Vec::new();
        for client in &clients {
            for _ in 0..25 {
                let request = grpc::request("Watch", &[])?;
                streams.push(client.open(request, Some(body.clone())).await?);
            }
        }
        opened += streams.len();
        for (response, mut stream) in streams {
            let mut body = response.await?.into_body();
            body.data().await.ok_or("a stream without a message")??;
            stream.send_reset(Reason::CANCEL);
        }
    }
    until(|| seen.cancelled() >= count).await?;
    Ok(Found::new(
        true,
        format!(
            "{opened} in {:.1} s, app saw every cancel, {} connections to it",
            began.elapsed().as_secs_f64(),
            seen.connections()
        ),
    ))
}

/// Waits until something holds.
pub(super) async fn until(holds: impl Fn() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !holds() {
        if begun.elapsed() > PATIENCE {
            return Err("what should come does not come".into());
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    Ok(())
}
