//! Requests that two readers understand differently (11 to 16).

use std::time::Duration;

use super::{Fault, Found};
use crate::Result;
use crate::app::lock;
use crate::app::messages::Ask;
use crate::client::grpc::Grpc;
use crate::client::http1::{self, Answer, Http1};
use crate::scene::Scene;

const SECOND: &str = "GET /v1/get/second HTTP/1.1\r\nhost: a\r\n\r\n";

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            11,
            "CL+TE, double TE, bad CL, obs-fold, bare CR and LF, NUL, space before the colon",
            "",
            |scene| Box::pin(smuggled(scene)),
        )
        .for_rest_peers(),
        Fault::new(
            12,
            "HTTP/1.0 with TE, upgrades with early bytes, CONNECT, a foreign absolute form, h2c",
            "",
            |scene| Box::pin(other_protocols(scene)),
        ),
        Fault::new(
            13,
            "an early 4xx with its body unread, then reuse",
            "",
            |scene| Box::pin(early_answers(scene)),
        ),
        Fault::new(
            14,
            "101 headers, 17 KiB of head, 9 KiB of URI, `Connection: authorization`",
            "",
            |scene| Box::pin(large_heads(scene)),
        ),
        Fault::new(
            15,
            "`//`, `/../`, `%2f`, `%00`, `%2e%2e`, over-long UTF-8 in paths",
            "",
            |scene| Box::pin(odd_paths(scene)),
        ),
        Fault::new(
            16,
            "forged x-forwarded-*, forwarded, XFCC, grpc-*",
            "",
            |scene| Box::pin(forged(scene)),
        ),
    ]
}

/// Sends bytes; the answer, and whether the connection was closed with nothing after it.
async fn said(scene: &Scene, bytes: &[u8]) -> Result<(Option<Answer>, bool)> {
    let mut connection = Http1::connect(scene.gateway.listen).await?;
    let answer = connection.exchange(bytes).await.ok();
    let closed = connection.closed(Duration::from_secs(5)).await;
    let quiet = closed.is_some_and(|(_, rest)| rest.is_empty());
    Ok((answer, quiet))
}

fn status(answer: Option<&Answer>) -> u16 {
    answer.map_or(0, |answer| answer.status)
}

/// Passes when: 400 and close; the second pipelined request never runs.
async fn smuggled(scene: &mut Scene) -> Result<Found> {
    let first = [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "content-length: 4\r\ncontent-length: 5\r\n\r\nabcd",
        "content-length: +4\r\n\r\nabcd",
        "content-length: 0x4\r\n\r\nabcd",
        "content-length: 4, 5\r\n\r\nabcd",
        "content-length: 99999999999999999999\r\n\r\nabcd",
        "x: a\r\n b\r\n\r\n",
        "x: a\rb\r\n\r\n",
        "x: a\nb: c\r\n\r\n",
        "x: a\0b\r\n\r\n",
        "x : a\r\n\r\n",
        " x: a\r\n\r\n",
        "content-length : 4\r\n\r\nabcd",
    ];
    let mut wrong = Vec::new();
    for rest in first {
        let request = format!("POST /v1/put HTTP/1.1\r\nhost: a\r\n{rest}{SECOND}");
        let (answer, quiet) = said(scene, request.as_bytes()).await?;
        let status = status(answer.as_ref());
        if !(status == 400 || status == 501) || !quiet {
            let rest = rest.escape_debug();
            wrong.push(format!("{rest}: {status}, closed quietly: {quiet}"));
        }
    }
    let reached = scene.app().seen.calls();
    if reached > 0 {
        wrong.push(format!("{reached} reached the app"));
    }
    // The gateway is none the worse for it.
    if http1::get(scene.gateway.listen, "/v1/get/x").await?.status != 200 {
        wrong.push("the next good request failed".to_owned());
    }
    let refused = first.len();
    Ok(Found::of(
        &wrong,
        format!("{refused} refused and closed, no second request ran"),
    ))
}

/// Passes when: 400/405/501, 0 bytes upstream; h2c is ignored, served as HTTP/1.1, never forwarded.
async fn other_protocols(scene: &mut Scene) -> Result<Found> {
    let rows = [
        "POST /v1/put HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\nearly",
        "GET http://b/v1/get/x HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /v1/get/x HTTP/1.1\r\n\r\n",
        "GET /v1/get/x HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET /v1/get/x HTTP/2.0\r\nhost: a\r\n\r\n",
        "TRACE /v1/get/x HTTP/1.1\r\nhost: a\r\n\r\n",
    ];
    let mut wrong = Vec::new();
    for request in rows {
        let (answer, _) = said(scene, request.as_bytes()).await?;
        let status = status(answer.as_ref());
        if !matches!(status, 400 | 405 | 501 | 505) {
            wrong.push(format!("{}: {status}", request.escape_debug()));
        }
    }
    let reached = scene.app().seen.calls();
    if reached > 0 {
        wrong.push(format!("{reached} reached the app"));
    }
    // Bytes before the 101 are in neither protocol: the offer is none, and they are refused.
    let upgrade = "GET /v1/watch/x HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n\
                   upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut client = Http1::connect(scene.gateway.listen).await?;
    let early = [upgrade.as_bytes(), b"\x81\x05hello"].concat();
    let first = client.exchange(&early).await?.status;
    let second = client.answer().await.map_or(0, |answer| answer.status);
    if first == 101 || second != 400 {
        wrong.push(format!("early bytes: {first}, {second}"));
    }
    let h2c = "GET /v1/get/x HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\n\
               upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    let answer = http1::once(scene.gateway.listen, h2c.as_bytes()).await?;
    let forwarded = lock(&scene.app().seen.metadata).contains_key("upgrade");
    if answer.status != 200 || forwarded {
        wrong.push(format!("h2c: {}, forwarded: {forwarded}", answer.status));
    }
    Ok(Found::of(
        &wrong,
        format!(
            "{} refused, none reached the app; early bytes refused; h2c served as HTTP/1.1",
            rows.len()
        ),
    ))
}

/// Passes when: drained <= 64 KiB, else closed; no desync.
async fn early_answers(scene: &mut Scene) -> Result<Found> {
    let mut wrong = Vec::new();
    let get = "GET /v1/get/good HTTP/1.1\r\nhost: a\r\n\r\n";
    // The body would be a request, if it were read as one.
    for (length, reusable) in [(60 << 10, true), (200 << 10, false)] {
        let mut body = SECOND.repeat(length / SECOND.len() + 1);
        body.truncate(length);
        let mut client = Http1::connect(scene.gateway.listen).await?;
        let head = format!("POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
        let answer = client.exchange(head.as_bytes()).await?;
        if answer.status != 404 {
            wrong.push(format!("{length}: {}", answer.status));
        }
        // It may be closed by now.
        drop(client.send(body.as_bytes()).await);
        let next = client.exchange(get.as_bytes()).await;
        let good = match &next {
            Ok(answer) => answer.status == 200 && answer.text().contains("good"),
            Err(_) => answer.closes && !reusable,
        };
        if !good {
            wrong.push(format!("{length}: then {next:?}"));
        }
    }
    let reached = scene.app().seen.calls();
    if reached > 1 {
        wrong.push(format!("{reached} reached the app"));
    }
    Ok(Found::of(
        &wrong,
        "60 KiB drained and the connection used again, 200 KiB closed",
    ))
}

/// Passes when: 431/431/414/stripped.
async fn large_heads(scene: &mut Scene) -> Result<Found> {
    let mut wrong = Vec::new();
    let mut told = Vec::new();
    let head = |rest: &str| format!("GET /v1/get/x HTTP/1.1\r\nhost: a\r\n{rest}\r\n");
    for (request, wanted) in [
        (head(&"x: y\r\n".repeat(100)), 431),
        (head(&format!("x: {}\r\n", "y".repeat(17 << 10))), 431),
        (
            head("").replace("get/x", &format!("get/{}", "x".repeat(9 << 10))),
            414,
        ),
    ] {
        let (answer, _) = said(scene, request.as_bytes()).await?;
        let status = status(answer.as_ref());
        told.push(status.to_string());
        if status != wanted {
            wrong.push(format!("{status} instead of {wanted}"));
        }
    }
    let named = head("connection: authorization\r\nauthorization: Bearer sesame\r\n");
    let answer = http1::once(scene.gateway.listen, named.as_bytes()).await?;
    let passed = lock(&scene.app().seen.metadata).contains_key("authorization");
    if passed || answer.status != 200 {
        wrong.push(format!(
            "authorization that Connection names: {}",
            answer.status
        ));
    }
    Ok(Found::of(&wrong, format!("{}, stripped", told.join(", "))))
}

/// Passes when: one rule, same for routing and auth.
async fn odd_paths(scene: &mut Scene) -> Result<Found> {
    let mut wrong = Vec::new();
    let refused = [
        "//v1/get/x",
        "/v1//get/x",
        "/v1/get//x",
        "/v1/get/../put",
        "/v1/x/../get/x",
        "/v1/get/..",
        "/v1/get/%2e%2e",
        "/v1/get/.%2E",
        "/v1/get/a%2f..%2fb",
        "/v1/get/%2e%2e%2fput",
        "/v1/get/%00",
        "/v1/get/a%00b",
        "/v1/get/%c0%af",
        "/v1/get/%e0%80%af",
        "/v1/get/%ff",
        "/v1/get/%",
        "/v1/get/%2",
        "/v1/get/%zz",
        "/v1/get",
        "/v1/get/",
        "\\v1\\get\\x",
    ];
    for path in refused {
        let answer = http1::get(scene.gateway.listen, path).await;
        let status = answer.map_or(0, |answer| answer.status);
        if !matches!(status, 400 | 404) {
            wrong.push(format!("{path}: {status}"));
        }
    }
    let reached = scene.app().seen.calls();
    if reached > 0 {
        wrong.push(format!("{reached} reached the app"));
    }
    // An escaped slash is data, and never a separator.
    let answer = http1::get(scene.gateway.listen, "/v1/get/a%2Fb").await?;
    if answer.status != 200 || !answer.text().contains("\"a/b\"") {
        wrong.push(format!("a%2Fb: {}", answer.text()));
    }
    Ok(Found::of(
        &wrong,
        format!("{} refused, `%2F` is data", refused.len()),
    ))
}

/// Passes when: the app never sees them.
async fn forged(scene: &mut Scene) -> Result<Found> {
    // What gRPC itself sends, such as `grpc-previous-rpc-attempts`, passes from gRPC clients.
    let names = [
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-client-cert",
        "x-forwarded-user",
        "forwarded",
        "x-original-path",
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "grpc-internal-encoding-request",
        "grpc-retry-pushback-ms",
    ];
    let mut wrong = Vec::new();
    let fields: String = names
        .iter()
        .map(|name| format!("{name}: evil\r\n"))
        .collect();
    let get = format!("GET /v1/get/x HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    let answer = http1::once(scene.gateway.listen, get.as_bytes()).await?;
    if answer.status != 200 {
        wrong.push(format!("REST: {}", answer.status));
    }
    let by_rest = evil(scene);
    let pairs: Vec<(&str, &str)> = names.iter().map(|name| (*name, "evil")).collect();
    let grpc = Grpc::connect(scene.gateway.listen).await?;
    let ended = grpc.unary("Get", &Ask::default(), &pairs).await;
    if ended.status.as_deref() != Some("0") {
        wrong.push(format!("gRPC: {ended:?}"));
    }
    for (front, seen) in [("REST", by_rest), ("gRPC", evil(scene))] {
        if !seen.is_empty() {
            wrong.push(format!("by {front} the app saw {}", seen.join(", ")));
        }
    }
    Ok(Found::of(
        &wrong,
        format!("{} forged by REST and gRPC, none passed", names.len()),
    ))
}

/// What of it the application saw.
fn evil(scene: &Scene) -> Vec<String> {
    let metadata = lock(&scene.app().seen.metadata);
    let evil = metadata.iter().filter(|(_, value)| *value == "evil");
    evil.map(|(name, _)| name.to_string()).collect()
}
