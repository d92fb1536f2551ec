//! More than there is time, room or depth for (21 to 24), and an application that has fallen
//! silent (31).

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Fault, Found};
use crate::Result;
use crate::app::messages::Ask;
use crate::client::grpc::Grpc;
use crate::client::http1::{self, Http1};
use crate::scene::Scene;

/// What the bystander asks has an application of its own.
const SILENT: &str = "
upstreams: {app: {url: \"http://{relay}\"}, steady: {url: \"http://{app1}\"}}
routes:
  faults.v1.Faults.Get: {upstream: steady}
  faults.v1.Faults.Put: {upstream: app}
";

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(21, "as many calls as the processors can do", "", |scene| {
            Box::pin(full_load(scene))
        })
        .waited_for("it shares the processors"),
        Fault::missing(
            22,
            "four times the load in a cgroup of 64 MiB",
            "the driver makes no cgroup yet; that load is shed has its tests",
        ),
        Fault::new(
            23,
            "JSON 10,000 levels deep, an answer 200 levels deep",
            "",
            |scene| Box::pin(deep(scene)),
        ),
        Fault::new(
            24,
            "4 MiB of `[0,0,...]`, a million map keys, a gzip bomb",
            "",
            |scene| Box::pin(large(scene)),
        ),
        Fault::new(
            31,
            "the app is there and says nothing any more",
            SILENT,
            |scene| Box::pin(silent(scene)),
        )
        .apps(2)
        .relayed(),
    ]
}

/// Passes when: admin answers in 100 ms at p99.
async fn full_load(scene: &mut Scene) -> Result<Found> {
    let lasts = Duration::from_secs(scene.count(30, 3));
    let target = scene.gateway.listen;
    let over = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..32 {
        let (over, count) = (Arc::clone(&over), Arc::clone(&count));
        clients.push(tokio::spawn(async move {
            let mut client = Http1::connect(target).await?;
            while !over.load(Ordering::SeqCst) {
                let get = b"GET /v1/get/x HTTP/1.1\r\nhost: a\r\n\r\n";
                client.exchange(get).await?;
                count.fetch_add(1, Ordering::SeqCst);
            }
            Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        }));
    }
    let begun = Instant::now();
    let mut times = Vec::new();
    for page in ["/livez", "/readyz", "/metrics", "/upstreams"]
        .iter()
        .cycle()
    {
        if begun.elapsed() > lasts {
            break;
        }
        let asked = Instant::now();
        scene.gateway.page(page).await?;
        times.push(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    over.store(true, Ordering::SeqCst);
    for client in clients {
        client.await??;
    }
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];
    Ok(Found::new(
        p99 < Duration::from_millis(100),
        format!(
            "{:.0} calls a second; admin answers in {:.1} ms at p99 of {}",
            count.load(Ordering::SeqCst) as f64 / begun.elapsed().as_secs_f64(),
            p99.as_secs_f64() * 1e3,
            times.len()
        ),
    ))
}

/// Passes when: 400 / 500 in 10 ms, no overflow.
async fn deep(scene: &mut Scene) -> Result<Found> {
    const LEVELS: usize = 10_000;
    let target = scene.gateway.listen;
    let body = format!(
        "{{\"tree\":{}{{}}{}}}",
        "{\"child\":".repeat(LEVELS),
        "}".repeat(LEVELS)
    );
    let mut best = [Duration::MAX; 2];
    let mut told = [0; 2];
    for _ in 0..20 {
        let begun = Instant::now();
        told[0] = http1::post(target, "/v1/put", body.as_bytes())
            .await?
            .status;
        best[0] = best[0].min(begun.elapsed());
        let begun = Instant::now();
        told[1] = http1::get(target, "/v1/get/x?act=deep%20200").await?.status;
        best[1] = best[1].min(begun.elapsed());
    }
    let limit = Duration::from_millis(10);
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(Found::new(
        told == [400, 500] && best.iter().all(|time| *time < limit),
        format!(
            "{} in {:.1} ms, {} in {:.1} ms",
            told[0],
            ms(best[0]),
            told[1],
            ms(best[1])
        ),
    ))
}

/// Passes when: within limits, RSS <= 10 x body.
async fn large(scene: &mut Scene) -> Result<Found> {
    const LIMIT: usize = 4 << 20;
    let zeros = format!("{{\"numbers\":[{}0]}}", "0,".repeat(LIMIT / 2 - 20));
    let entries = |count: usize| {
        let entries: Vec<String> = (0..count)
            .map(|number| format!("\"k{number}\":1"))
            .collect();
        format!("{{\"entries\":{{{}}}}}", entries.join(","))
    };
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(b"{\"data\":\"")?;
    for _ in 0..256 {
        gzip.write_all(&[b'x'; 1 << 20])?;
    }
    let bomb = gzip.finish()?;
    let before = scene.gateway.peak();
    let target = scene.gateway.listen;
    let mut wrong = Vec::new();
    let mut told = Vec::new();
    for (name, body, coding, wanted) in [
        ("zeros", zeros.into_bytes(), "identity", 200),
        (
            "300,000 keys",
            entries(300_000).into_bytes(),
            "identity",
            200,
        ),
        (
            "1,000,000 keys",
            entries(1_000_000).into_bytes(),
            "identity",
            413,
        ),
        ("256 MiB in gzip", bomb, "gzip", 413),
    ] {
        let head = format!(
            "POST /v1/put HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             content-encoding: {coding}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        let mut client = Http1::connect(target).await?;
        client.send(head.as_bytes()).await?;
        // It may be refused before it is all there.
        drop(client.send(&body).await);
        let status = client.answer().await.map_or(0, |answer| answer.status);
        told.push(format!("{name}: {status}"));
        if status != wanted {
            wrong.push(format!("{name}: {status} instead of {wanted}"));
        }
    }
    let grown = scene.gateway.peak().saturating_sub(before) >> 10;
    if grown > 40 {
        wrong.push("more than ten times the largest body".to_owned());
    }
    Ok(Found::of(
        &wrong,
        format!("{}; RSS + {grown} MiB at its peak", told.join(", ")),
    ))
}

/// Passes when: found in 15 s, calls end at their deadline.
async fn silent(scene: &mut Scene) -> Result<Found> {
    let relay = scene.relay.as_ref().ok_or("no relay")?;
    let grpc = Grpc::connect(scene.gateway.listen).await?;
    let good = grpc.unary("Put", &Ask::default(), &[]).await;
    if good.status.as_deref() != Some("0") {
        return Err(format!("not served before: {good:?}").into());
    }
    relay.fall_silent();
    let began = Instant::now();
    let endless = async {
        let ended = grpc.unary("Put", &Ask::default(), &[]).await;
        (ended, began.elapsed())
    };
    let timed = async {
        let mut longest = Duration::ZERO;
        for _ in 0..5 {
            let begun = Instant::now();
            let ended = grpc
                .unary("Put", &Ask::default(), &[("grpc-timeout", "500m")])
                .await;
            if ended.status.as_deref() != Some("4") {
                return Err(format!("{ended:?}"));
            }
            longest = longest.max(begun.elapsed());
        }
        Ok(longest)
    };
    let ((ended, found), timed) = tokio::join!(endless, timed);
    let longest = timed?;
    Ok(Found::new(
        found < Duration::from_secs(17)
            && ended.status.as_deref() == Some("14")
            && longest < Duration::from_millis(1500),
        format!(
            "calls of 500 ms ended after {:.0} ms at most; a call without a deadline ended after \
             {:.1} s with status {}",
            longest.as_secs_f64() * 1e3,
            found.as_secs_f64(),
            ended.status.unwrap_or_default()
        ),
    ))
}
