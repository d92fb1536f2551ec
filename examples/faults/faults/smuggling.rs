//! Requests that two readers understand differently (11 to 16).

use std::time::Duration;

use super::{Fault, Found};
use crate::Result;
use crate::client::http1::{self, Http1};
use crate::scene::Scene;

pub(super) fn faults() -> Vec<Fault> {
    vec![Fault::new(
        11,
        "CL+TE, double TE, bad CL, obs-fold, bare CR and LF, NUL, space before the colon",
        "",
        |scene| Box::pin(smuggled(scene)),
    )]
}

/// Passes when: 400 and close; the second pipelined request never runs.
async fn smuggled(scene: &mut Scene) -> Result<Found> {
    const SECOND: &str = "GET /v1/get/second HTTP/1.1\r\nhost: a\r\n\r\n";
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
        let mut connection = Http1::connect(scene.gateway.listen).await?;
        let answer = connection.exchange(request.as_bytes()).await;
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        let closed = connection.closed(Duration::from_secs(5)).await;
        let quiet = closed.as_ref().is_some_and(|(_, rest)| rest.is_empty());
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
    let good = http1::get(scene.gateway.listen, "/v1/get/x").await?.status == 200;
    if !good {
        wrong.push("the next good request failed".to_owned());
    }
    let refused = first.len();
    Ok(Found::of(
        &wrong,
        format!("{refused} refused and closed, 0 second requests ran"),
    ))
}
