//! Those who know where the application is, and those who are told of calls, fail (37, 38).

use std::time::{Duration, Instant};

use super::{Fault, Found};
use crate::Result;
use crate::client::http1;
use crate::nameserver::{Manner, NameServer};
use crate::scene::Scene;

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            37,
            "DNS says NXDOMAIN, SERVFAIL, nothing, and a TTL of 0",
            "discovery: {dns: {servers: [\"{dns}\"], timeout: 500ms}}\n\
             upstreams: {app: {url: \"dns:///app.test:{port}\"}}",
            |scene| Box::pin(names(scene)),
        )
        .named(),
        Fault::new(
            38,
            "the collector of traces and the receiver of logs are away",
            "telemetry:\n  traces: {collector: \"grpc://127.0.0.1:1\"}\n  access_log: fluent\n  \
             log: {fluent: \"127.0.0.1:1\"}",
            |scene| Box::pin(collectors(scene)),
        ),
    ]
}

/// Passes when: last good kept, <= 1 query/s.
async fn names(scene: &mut Scene) -> Result<Found> {
    let lasts = Duration::from_secs(scene.count(30, 3));
    let server: &NameServer = scene.names.as_ref().ok_or("no name server")?;
    let mut wrong = Vec::new();
    let mut told = Vec::new();
    for (name, manner) in [
        ("TTL 0", Manner::NoTtl),
        ("NXDOMAIN", Manner::NotFound),
        ("SERVFAIL", Manner::Fails),
        ("nothing", Manner::Silent),
    ] {
        server.be(manner);
        let before = server.queries();
        let begun = Instant::now();
        while begun.elapsed() < lasts {
            let status = http1::get(scene.gateway.listen, "/v1/get/x").await?.status;
            if status != 200 {
                wrong.push(format!("{name}: {status}"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let queries = (server.queries() - before) as f64 / begun.elapsed().as_secs_f64();
        told.push(format!("{name} {queries:.1}"));
        // One that has just begun when the time begins counts too.
        if queries > 1.0 + 1.0 / lasts.as_secs_f64() {
            wrong.push(format!("{name}: {queries:.1} queries a second"));
        }
    }
    wrong.truncate(3);
    Ok(Found::of(
        &wrong,
        format!("last good kept; queries of A a second: {}", told.join(", ")),
    ))
}

/// Passes when: last known, CPU < 1 %, flat memory.
async fn collectors(scene: &mut Scene) -> Result<Found> {
    let lasts = Duration::from_secs(scene.count(60, 5));
    // The bystander's calls keep the queues full; another gateway shows what waiting costs.
    let idle = scene.another(&scene.start.config).await?;
    idle.ready().await?;
    for _ in 0..50 {
        http1::get(idle.listen, "/v1/get/x").await?;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (cpu, memory, own) = (idle.cpu(), idle.resident(), scene.gateway.resident());
    tokio::time::sleep(lasts).await;
    let busy = idle.cpu().saturating_sub(cpu).as_secs_f64() * 100.0 / lasts.as_secs_f64();
    let grown = idle.resident().saturating_sub(memory);
    let loaded = scene.gateway.resident().saturating_sub(own) >> 10;
    Ok(Found::new(
        busy < 1.0 && grown < 512 && loaded < 16,
        format!(
            "CPU {busy:.2} % while nobody calls, RSS + {grown} KiB; under 200 calls a second + \
             {loaded} MiB"
        ),
    ))
}
