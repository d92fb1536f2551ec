//! What the gateway tells and to whom, when nobody listens and when what is told is hostile
//! (43 to 45, 47), and every input that a fuzzer ever kept (48).

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Fault, Found};
use crate::Result;
use crate::app::lock;
use crate::app::messages::{Ask, frame as message};
use crate::client::frames::{self, DATA, END_STREAM, Frames, grpc_head, id};
use crate::client::grpc::Grpc;
use crate::client::http1::{self, Http1};
use crate::scene::Scene;

pub(super) fn faults() -> Vec<Fault> {
    vec![
        {
            let mut fault = Fault::new(
                43,
                "stdout is not read; the trace collector is down",
                "telemetry: {traces: {collector: \"grpc://127.0.0.1:1\"}}",
                |scene| Box::pin(nobody_reads(scene)),
            );
            fault.reads_stdout = false;
            fault
        },
        Fault::new(
            44,
            "CRLF, ANSI, bad UTF-8, long paths and tokens in what is logged",
            "limits: {uri: 64KiB, head: 128KiB}\ntelemetry: {log: {headers: [x-odd, authorization]}}",
            |scene| Box::pin(hostile_lines(scene)),
        ),
        Fault::new(45, "random paths by the thousand", "", |scene| {
            Box::pin(random_paths(scene))
        }),
        Fault::new(
            47,
            "the admin port from elsewhere and by a foreign Host",
            "ops: 127.0.0.1:0",
            |scene| Box::pin(foreign(scene)),
        ),
        Fault::new(
            48,
            "every input of the fuzzers' corpora, by three doors",
            "",
            |scene| Box::pin(corpora(scene)),
        ),
    ]
}

/// Passes when: dropped and counted, p99 + < 10 % (here: the bystander's bound).
async fn nobody_reads(scene: &mut Scene) -> Result<Found> {
    let count = scene.count(200_000, 3000);
    let grpc = Grpc::connect(scene.gateway.listen).await?;
    let memory = scene.gateway.resident();
    for _ in 0..count / 5 {
        // A load that leaves the processors some time.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let ask = Ask::default();
        let calls = (0..5).map(|_| grpc.unary("Put", &ask, &[]));
        for ended in futures_util::future::join_all(calls).await {
            if ended.status.as_deref() != Some("0") {
                return Ok(Found::new(false, format!("a call failed: {ended:?}")));
            }
        }
    }
    let metric = async |name: &str| scene.gateway.metric(name, "").await;
    let lines = metric("sidegate_access_log_dropped_lines_total").await?;
    // A batch is tried a few times, over seconds, before it is given up.
    let mut spans = 0.0;
    let patience = Instant::now() + Duration::from_secs(30);
    while spans <= 0.0 && Instant::now() < patience {
        tokio::time::sleep(Duration::from_millis(200)).await;
        spans = metric("sidegate_trace_dropped_spans_total").await?;
    }
    let grown = scene.gateway.resident().saturating_sub(memory) >> 10;
    Ok(Found::new(
        lines > 0.0 && spans > 0.0 && grown < 64,
        format!(
            "{count} calls: {lines} lines and {spans} spans dropped and counted, RSS + {grown} MiB"
        ),
    ))
}

/// Passes when: one valid JSON line each, redacted.
async fn hostile_lines(scene: &mut Scene) -> Result<Found> {
    let target = scene.gateway.listen;
    let long = format!("/v1/get/{}", "x".repeat(60 << 10));
    let paths = [
        "/v1/get/a%0d%0aINFO:%20forged",
        "/v1/get/a%1b%5b31mred",
        "/v1/get/%ff%fe",
        "/v1/get/x?access_token=sesame&token=sesame",
        "/v1/get/x?api_key=sesame",
        "/v1/get/\"quote\\",
        long.as_str(),
    ];
    for path in paths {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: a\r\nuser-agent: \u{1b}[2J\u{e9}\r\nx-odd: \u{fffd}\t\"\\\r\n\
             authorization: Bearer sesame\r\nconnection: close\r\n\r\n"
        );
        // What cannot be read is refused, and told all the same.
        drop(http1::once(target, request.as_bytes()).await);
        let mut bytes = request.into_bytes();
        let at = bytes.windows(5).position(|window| window == b"x-odd");
        if let Some(at) = at {
            bytes.splice(at + 7..at + 7, [0xff, 0xfe, 0x80]);
        }
        drop(http1::once(target, &bytes).await);
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    let lines = lock(&scene.gateway.lines).clone();
    let mut wrong = Vec::new();
    let mut ours = 0;
    for line in &lines {
        let parsed: std::result::Result<serde_json::Value, _> = serde_json::from_str(line);
        match parsed {
            Ok(_) if line.len() > 8 << 10 => wrong.push(format!("a line of {} bytes", line.len())),
            Ok(_) => ours += usize::from(!line.contains("bystander")),
            Err(error) => wrong.push(format!("{error} in {line:?}")),
        }
        if line.contains("sesame") {
            wrong.push(format!("a token in {line}"));
        }
        if line.bytes().any(|byte| byte < 0x20) {
            wrong.push(format!("a control character in {line:?}"));
        }
    }
    wrong.truncate(3);
    Ok(Found::new(
        wrong.is_empty() && ours >= paths.len(),
        format!(
            "{} lines, each one JSON, {ours} of hostile requests {}",
            lines.len(),
            wrong.join("; ")
        ),
    ))
}

/// Passes when: series count constant.
async fn random_paths(scene: &mut Scene) -> Result<Found> {
    let count = scene.count(1_000_000, 4000);
    let series = async || -> Result<usize> {
        let page = scene.gateway.page("/metrics").await?;
        Ok(page.lines().filter(|line| !line.starts_with('#')).count())
    };
    let mut client = Http1::connect(scene.gateway.listen).await?;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut before = 0;
    for number in 0..count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let verb = ["GET", "POST", "DELETE"][number % 3];
        let path = match number % 4 {
            0 => format!("/v1/get/{state:x}"),
            1 => format!("/{state:x}"),
            2 => format!("/faults.v1.Faults/M{state:x}"),
            _ => format!("/v1/{state:x}/x?a={state}"),
        };
        let request = format!("{verb} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
        let answer = client.exchange(request.as_bytes()).await?;
        if answer.closes {
            client = Http1::connect(scene.gateway.listen).await?;
        }
        if number == 200 {
            before = series().await?;
        }
    }
    let after = series().await?;
    Ok(Found::new(
        before > 0 && after <= before + 2,
        format!("{count} paths: {before} -> {after} series"),
    ))
}

/// Passes when: 403 (the ops listener: its three pages, any Host).
async fn foreign(scene: &mut Scene) -> Result<Found> {
    let mut wrong = Vec::new();
    let by_host = async |target: SocketAddr, path: &str, host: &str| -> Result<u16> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        Ok(http1::once(target, request.as_bytes()).await?.status)
    };
    let admin = scene.gateway.admin;
    for path in ["/metrics", "/config", "/", "/upstreams"] {
        let status = by_host(admin, path, "evil.example").await?;
        if status != 403 {
            wrong.push(format!("{path} by a foreign Host: {status}"));
        }
    }
    if by_host(admin, "/config", &admin.to_string()).await? != 200 {
        wrong.push("not served to the host itself".to_owned());
    }
    let ops = scene.gateway.ops.ok_or("no ops listener")?;
    for (path, wanted) in [
        ("/livez", 200),
        ("/metrics", 200),
        ("/config", 404),
        ("/drain", 404),
    ] {
        let status = by_host(ops, path, "evil.example").await?;
        if status != wanted {
            wrong.push(format!("ops {path}: {status}"));
        }
    }
    // A client that is not this host: an address of another interface at the far end.
    let elsewhere = match own_address() {
        Some(own) => {
            let status = from_elsewhere(own, admin, "GET /config").await?;
            let changing = from_elsewhere(own, admin, "POST /drain").await?;
            if status != 403 || changing != 403 {
                wrong.push(format!("from {own}: {status}, {changing}"));
            }
            "403 from elsewhere"
        }
        None => "no other address to come from",
    };
    Ok(Found::of(
        &wrong,
        format!("403 by a foreign Host, {elsewhere}; ops has its pages only"),
    ))
}

/// Asks from an address that the connection's other end is not.
async fn from_elsewhere(own: IpAddr, admin: SocketAddr, line: &str) -> Result<u16> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(own, 0))?;
    let mut client = Http1::over(socket.connect(admin).await?, admin)?;
    let request = format!("{line} HTTP/1.1\r\nhost: {admin}\r\ncontent-length: 0\r\n\r\n");
    Ok(client.exchange(request.as_bytes()).await?.status)
}

/// An address of this host that is none of the loopback's. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_loopback() && !own.is_unspecified()).then_some(own)
}

/// Passes when: corpora in the tree, replayed as tests; here also by the process itself.
async fn corpora(scene: &mut Scene) -> Result<Found> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut files = Vec::new();
    collect(&folder, &mut files)?;
    files.sort();
    let step = scene.count(1, files.len() / 300 + 1);
    let target = scene.gateway.listen;
    let mut sent = 0;
    let begun = Instant::now();
    for path in files.iter().step_by(step) {
        let bytes = std::fs::read(path)?;
        // As a connection.
        let mut raw = Http1::connect(target).await?;
        drop(raw.send(&bytes).await);
        drop(raw.closed(Duration::from_millis(2)).await);
        raw.abort();
        // As JSON.
        drop(http1::post(target, "/v1/put", &bytes).await);
        // As a message, and as frames after a good beginning.
        let mut wire = Frames::connect(target).await?;
        let body = message(&bytes);
        let body = &body[..body.len().min(16 << 10)];
        let data = frames::frame(DATA, END_STREAM, id(0), body);
        wire.send(&[grpc_head(0, "Put"), data, bytes].concat())
            .await;
        drop(wire.next(Duration::from_millis(2)).await);
        sent += 1;
    }
    let good = http1::get(target, "/v1/get/x").await?.status == 200;
    let panics = scene.gateway.metric("sidegate_panics_total", "").await?;
    let lives = scene.gateway.lives();
    Ok(Found::new(
        good && lives && panics == 0.0 && sent > 100,
        format!(
            "{sent} of {} inputs by three doors in {:.1} s, {panics} panics",
            files.len(),
            begun.elapsed().as_secs_f64()
        ),
    ))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
