//! Schemas, configurations and processes that change under load (28, 39 to 42).

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Fault, Found};
use crate::Result;
use crate::app::messages::{Ask, framed};
use crate::client::grpc::{self, Grpc};
use crate::client::http1;
use crate::scene::Scene;

/// How long a change may take to be in effect.
const SOON: Duration = Duration::from_secs(2);

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            28,
            "a schema reload under load that removes a method",
            "",
            |scene| Box::pin(method_removed(scene)),
        ),
        Fault::new(
            39,
            "bad YAML, an unknown key, a duplicate route, a key of another certificate, half a \
             file, a ConfigMap swap",
            "",
            |scene| Box::pin(bad_files(scene)),
        ),
        Fault::new(40, "reloads at 5 Hz under load", "", |scene| {
            Box::pin(reloads(scene))
        }),
        Fault::new(41, "a preStop drain, the app exits, SIGTERM", "", |scene| {
            Box::pin(drained(scene))
        }),
        Fault::new(
            42,
            "SIGTERM with a stuck stream",
            "lifecycle: {drain_timeout: {25s|2s}}",
            |scene| Box::pin(stuck(scene)),
        )
        .alone("none: the gateway stops"),
    ]
}

/// Waits until something holds of the gateway, within a time; how long it took.
async fn eventually(
    within: Duration,
    mut holds: impl AsyncFnMut() -> Result<bool>,
) -> Result<Option<Duration>> {
    let begun = Instant::now();
    loop {
        if holds().await? {
            return Ok(Some(begun.elapsed()));
        }
        if begun.elapsed() > within {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Passes when: nothing else fails.
async fn method_removed(scene: &mut Scene) -> Result<Found> {
    let target = scene.gateway.listen;
    let path = scene.gateway.path("proto/faults.proto");
    let whole = fs::read_to_string(&path)?;
    let watch = whole.find("  rpc Watch").ok_or("no Watch")?;
    let upload = whole.find("  rpc Upload").ok_or("no Upload")?;
    // A stream that runs while its method goes.
    let running = Grpc::connect(target).await?;
    let ask = Ask {
        count: 100,
        pause_ms: 20,
        ..Ask::default()
    };
    let running = tokio::spawn(async move { running.unary("Watch", &ask, &[]).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    fs::write(&path, [&whole[..watch], &whole[upload..]].concat())?;
    let gone = eventually(SOON * 3, async || {
        Ok(http1::get(target, "/v1/watch/x?count=1").await?.status == 404)
    })
    .await?;
    let ended = running.await?;
    let whole_stream = ended.messages() == 100 && ended.status.as_deref() == Some("0");
    Ok(Found::new(
        gone.is_some_and(|took| took < SOON) && whole_stream,
        format!(
            "removed {:.0} ms after it was written; its stream that ran had {} of 100 messages",
            gone.unwrap_or_default().as_secs_f64() * 1e3,
            ended.messages()
        ),
    ))
}

/// Passes when: old stays; new in 2 s.
async fn bad_files(scene: &mut Scene) -> Result<Found> {
    let gateway = &scene.gateway;
    let config = gateway.path("sidegate.yaml");
    let sound = fs::read_to_string(&config)?;
    let half = sound.len() / 2;
    let mut wrong = Vec::new();
    let refused = async |wanted: bool| {
        eventually(SOON * 3, async || {
            let refused = gateway.metric("sidegate_reload_refused", "").await?;
            Ok((refused > 0.0) == wanted)
        })
        .await
    };
    let duplicate = format!("{sound}routes: {{x.A: {{}}}}\nroutes: {{x.A: {{}}}}\n");
    let rows = [
        ("bad YAML", format!("{sound}json: [")),
        ("an unknown key", format!("{sound}jason: {{}}\n")),
        ("a key twice", duplicate),
        ("half a file", format!("{}{}", &sound[..half], "\"")),
    ];
    for (what, text) in &rows {
        fs::write(&config, text)?;
        if refused(true).await?.is_none() {
            wrong.push(format!("{what} was not refused"));
        }
        if http1::get(gateway.listen, "/v1/get/x").await?.status != 200 {
            wrong.push(format!("{what}: the old one does not stay"));
        }
        fs::write(&config, &sound)?;
        if refused(false).await?.is_none() {
            wrong.push(format!("after {what} the sound one is not taken"));
        }
    }
    if !keeps_its_certificate(scene).await? {
        wrong.push("a key of another certificate was not refused".to_owned());
    }
    // As a ConfigMap does it: a link to a link, swapped.
    let took = swap(gateway, &sound).await?;
    if took.is_none_or(|took| took > SOON) {
        wrong.push(format!("a swapped link took {took:?}"));
    }
    Ok(Found::of(
        &wrong,
        format!(
            "{} refused and the old one stayed; a swapped link in effect after {:.0} ms",
            rows.len() + 1,
            took.unwrap_or_default().as_secs_f64() * 1e3
        ),
    ))
}

/// A certificate and its key.
fn pair() -> Result<(String, String)> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    Ok((made.cert.pem(), made.signing_key.serialize_pem()))
}

/// Whether a key that does not match its certificate is refused, by a gateway with TLS.
async fn keeps_its_certificate(scene: &Scene) -> Result<bool> {
    let gateway = scene.another("tls: {self_signed: true}").await?;
    let (cert, key) = (gateway.path("a.pem"), gateway.path("a.key"));
    let (made_cert, made_key) = pair()?;
    fs::write(&cert, made_cert)?;
    fs::write(&key, made_key)?;
    let config = fs::read_to_string(gateway.path("sidegate.yaml"))?;
    let files = format!("{{cert: {}, key: {}}}", cert.display(), key.display());
    fs::write(
        gateway.path("sidegate.yaml"),
        config.replace("{self_signed: true}", &files),
    )?;
    let metric = async |name: &str, labels: &str| gateway.metric(name, labels).await;
    let taken = eventually(SOON * 3, async || {
        Ok(metric("sidegate_reload_total", "").await? > 0.0)
    });
    if taken.await?.is_none() || metric("sidegate_reload_refused", "").await? > 0.0 {
        return Err("a sound certificate is not taken".into());
    }
    fs::write(&key, pair()?.1)?;
    let refused = eventually(SOON * 3, async || {
        Ok(metric("sidegate_reload_refused", "").await? > 0.0)
    });
    Ok(refused.await?.is_some())
}

/// Replaces the configuration by links, then swaps them; how long the change took.
async fn swap(gateway: &crate::gateway::Gateway, sound: &str) -> Result<Option<Duration>> {
    use std::os::unix::fs::symlink;
    for (name, text) in [
        ("one", sound.to_owned()),
        ("two", format!("{sound}json: {{indent: 2}}\n")),
    ] {
        fs::create_dir(gateway.path(name))?;
        fs::write(gateway.path(name).join("sidegate.yaml"), text)?;
    }
    symlink("one", gateway.path("..data"))?;
    symlink("..data/sidegate.yaml", gateway.path("link.yaml"))?;
    fs::rename(gateway.path("link.yaml"), gateway.path("sidegate.yaml"))?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    symlink("two", gateway.path("..new"))?;
    fs::rename(gateway.path("..new"), gateway.path("..data"))?;
    eventually(SOON * 3, async || {
        let answer = http1::get(gateway.listen, "/v1/get/x").await?;
        Ok(answer.text().contains("\n  "))
    })
    .await
}

/// Passes when: 0 failed, flat memory and descriptors.
async fn reloads(scene: &mut Scene) -> Result<Found> {
    let lasts = Duration::from_secs(scene.count(600, 4));
    let config = scene.gateway.path("sidegate.yaml");
    let sound = fs::read_to_string(&config)?;
    let begun = Instant::now();
    let mut early = None;
    let mut count = 0;
    while begun.elapsed() < lasts {
        let indent = count % 8;
        fs::write(&config, format!("{sound}json: {{indent: {indent}}}\n"))?;
        http1::once(
            scene.gateway.admin,
            b"POST /reload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n",
        )
        .await?;
        count += 1;
        if early.is_none() && begun.elapsed() > lasts / 2 {
            early = Some((scene.gateway.resident(), scene.gateway.descriptors()));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (memory, files) = early.ok_or("too short")?;
    let grown = scene.gateway.resident().saturating_sub(memory);
    let after = scene.gateway.descriptors();
    let taken = scene.gateway.metric("sidegate_reload_total", "").await?;
    Ok(Found::new(
        grown < 2048 && after <= files + 4,
        format!(
            "{count} reloads ({taken} taken): in the second half RSS + {grown} KiB, descriptors \
             {files} -> {after}"
        ),
    ))
}

/// Passes when: 0 failed on new and old connections, exit in 2 s.
async fn drained(scene: &mut Scene) -> Result<Found> {
    let lasts = Duration::from_secs(scene.count(20, 2));
    let drain = b"POST /drain HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    let answer = http1::once(scene.gateway.admin, drain).await?;
    let begun = Instant::now();
    let mut fresh = 0;
    let mut failed = 0;
    while begun.elapsed() < lasts {
        let answer = http1::get(scene.gateway.listen, "/v1/get/x").await;
        fresh += 1;
        failed += usize::from(!answer.is_ok_and(|answer| answer.status == 200));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let unready = http1::get(scene.gateway.admin, "/readyz").await?.status;
    // The world has heard of it by now; the application goes first.
    scene.quiet();
    tokio::time::sleep(Duration::from_millis(200)).await;
    scene.apps[0].kill();
    scene.gateway.signal(Signal::TERM)?;
    let (status, took) = scene.gateway.ended().await?;
    Ok(Found::new(
        answer.status < 300
            && failed == 0
            && unready == 503
            && status.code() == Some(0)
            && took < Duration::from_secs(2),
        format!(
            "{failed} of {fresh} new connections failed in a drain of {} s; exit {:?} {:.0} ms \
             after SIGTERM",
            lasts.as_secs(),
            status.code(),
            took.as_secs_f64() * 1e3
        ),
    ))
}

/// Passes when: ended at the deadline with a status, exit 0.
async fn stuck(scene: &mut Scene) -> Result<Found> {
    scene.gateway.ready().await?;
    let deadline = Duration::from_secs(scene.count(25, 2));
    let grpc = Grpc::connect(scene.gateway.listen).await?;
    let ask = Ask {
        count: 2,
        pause_ms: 3_600_000,
        ..Ask::default()
    };
    let request = grpc::request("Watch", &[])?;
    let (response, _stream) = grpc.open(request, Some(framed(&ask))).await?;
    super::wire::until(|| scene.app().seen.calls() > 0).await?;
    scene.gateway.signal(Signal::TERM)?;
    let (ended, exited) = tokio::join!(grpc::finish(response), scene.gateway.ended());
    let (status, took) = exited?;
    let told = ended.status.as_deref();
    let slack = Duration::from_secs(3);
    Ok(Found::new(
        told == Some("14") && status.code() == Some(0) && took < deadline + slack,
        format!(
            "grpc-status {}, exit {:?} after {:.1} s (drain_timeout {deadline:?})",
            told.unwrap_or("none"),
            status.code(),
            took.as_secs_f64()
        ),
    ))
}
