//! Applications that are away, silent, or worse than others (29, 31, 35, 36).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Fault, Found};
use crate::Result;
use crate::app::messages::Ask;
use crate::app::{App, Mood};
use crate::client::grpc::Grpc;
use crate::client::http1;
use crate::scene::Scene;

const THREE: &str = "
upstreams: {app: {endpoints: [\"http://{app0}\", \"http://{app1}\", \"http://{app2}\"]}}
routes:
  faults.v1.Faults.Get: {retry: {attempts: 4, initial_backoff: 1ms,
    codes: [unavailable, resource_exhausted]}}
";

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            29,
            "the app absent at start; killed under load and started anew, retries on",
            "lifecycle: {wait_for_app: 5s}\n\
             routes: {\"*\": {retry: {attempts: 4, initial_backoff: 50ms}}}",
            |scene| Box::pin(away(scene)),
        )
        .waited_for("they wait for the app"),
        Fault::new(
            35,
            "one of three endpoints fails, answers 429 in 1 ms, is 50 times slower",
            THREE,
            |scene| Box::pin(one_of_three(scene)),
        )
        .apps(3),
        Fault::new(
            36,
            "all endpoints fail",
            "upstreams: {app: {endpoints: [\"http://{app0}\", \"http://{app1}\", \"http://{app2}\"]}}",
            |scene| Box::pin(all_of_three(scene)),
        )
        .apps(3)
        .alone("none: every endpoint fails"),
    ]
}

/// Passes when: 503 at once; back in 1 s; idempotent unary with retries: 0 errors.
async fn away(scene: &mut Scene) -> Result<Found> {
    // Absent at the start of another gateway.
    let mut absent = App::start()?;
    let address = absent.address;
    absent.kill();
    let gateway = scene
        .another(&format!(
            "upstreams: {{app: {{url: \"http://{address}\"}}}}"
        ))
        .await?;
    let begun = Instant::now();
    let refused = http1::get(gateway.listen, "/v1/get/x").await?;
    let at_once = begun.elapsed();
    let came = Instant::now();
    let _late = App::on(address)?;
    let back = until_good(gateway.listen, came).await?;
    // Killed under the bystander's load.
    let killed = scene.apps[0].address;
    scene.apps[0].kill();
    tokio::time::sleep(Duration::from_millis(700)).await;
    scene.apps[0] = App::on(killed)?;
    tokio::time::sleep(Duration::from_millis(1000)).await;
    Ok(Found::new(
        refused.status == 503
            && at_once < Duration::from_millis(200)
            && back < Duration::from_secs(1),
        format!(
            "{} in {:.0} ms, back {:.0} ms after it came; killed and away for 0.7 s under the \
             bystander's calls",
            refused.status,
            at_once.as_secs_f64() * 1e3,
            back.as_secs_f64() * 1e3
        ),
    ))
}

/// How long after a moment the first call goes well.
async fn until_good(target: SocketAddr, since: Instant) -> Result<Duration> {
    while http1::get(target, "/v1/get/x").await?.status != 200 {
        if since.elapsed() > Duration::from_secs(10) {
            return Err("it does not come back".into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(since.elapsed())
}

/// Calls for a while over several connections, as `Put`, which is not retried: how many went well.
async fn load(target: SocketAddr, lasts: Duration) -> Result<(usize, usize)> {
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(Grpc::connect(target).await?);
    }
    let begun = Instant::now();
    let (mut good, mut all) = (0, 0);
    while begun.elapsed() < lasts {
        let ask = Ask::default();
        let calls = clients.iter().map(|client| client.unary("Put", &ask, &[]));
        for ended in futures_util::future::join_all(calls).await {
            all += 1;
            good += usize::from(ended.status.as_deref() == Some("0"));
        }
    }
    Ok((good, all))
}

/// Passes when: >= 99 % good after 1 s; its share <= 5 / 33 / 5 %.
async fn one_of_three(scene: &mut Scene) -> Result<Found> {
    let lasts = Duration::from_secs(scene.count(10, 1));
    let mut wrong = Vec::new();
    let mut told = Vec::new();
    // 50 times what an answer takes here.
    let slow = Mood::Slow(Duration::from_millis(15));
    for (mood, name, most) in [
        (Mood::Failing, "fails", 5.0),
        (Mood::Exhausted, "429", 33.0),
        (slow, "slow", 5.0),
    ] {
        let bad = &scene.apps[1].seen;
        bad.set_mood_for_all(mood);
        load(scene.gateway.listen, Duration::from_secs(1)).await?;
        let before: Vec<usize> = scene.apps.iter().map(|app| app.seen.calls()).collect();
        let (good, all) = load(scene.gateway.listen, lasts).await?;
        let after = scene.apps.iter().map(|app| app.seen.calls());
        let shares: Vec<usize> = after
            .zip(before)
            .map(|(after, before)| after - before)
            .collect();
        let percent = |part: usize, whole: usize| part as f64 * 100.0 / whole.max(1) as f64;
        let good = percent(good, all);
        let share = percent(shares[1], shares.iter().sum());
        told.push(format!("{name}: {good:.1} % good, its share {share:.1} %"));
        if good < 99.0 || share > most {
            wrong.push(name.to_owned());
        }
        scene.apps[1].seen.set_mood_for_all(Mood::Good);
    }
    Ok(Found::of(&wrong, told.join("; ")))
}

/// Passes when: 503 in 5 ms, recovery in 2 s.
async fn all_of_three(scene: &mut Scene) -> Result<Found> {
    let target = scene.gateway.listen;
    scene.gateway.ready().await?;
    for app in &scene.apps {
        app.seen.set_mood_for_all(Mood::Failing);
    }
    let grpc = Grpc::connect(target).await?;
    let mut times = Vec::new();
    let mut good = 0;
    for _ in 0..200 {
        let begun = Instant::now();
        let ended = grpc.unary("Put", &Ask::default(), &[]).await;
        times.push(begun.elapsed());
        good += usize::from(ended.status.as_deref() != Some("14"));
    }
    times.sort_unstable();
    let median = times[times.len() / 2];
    for app in &scene.apps {
        app.seen.set_mood_for_all(Mood::Good);
    }
    let since = Instant::now();
    let back = until_good(target, since).await?;
    // All of them are back, not only one.
    let whole = loop {
        let before: Vec<usize> = scene.apps.iter().map(|app| app.seen.calls()).collect();
        load(target, Duration::from_millis(200)).await?;
        let after = scene.apps.iter().map(|app| app.seen.calls());
        if after.zip(before).all(|(after, before)| after > before) {
            break since.elapsed();
        }
        if since.elapsed() > Duration::from_secs(60) {
            return Ok(Found::new(false, "not all come back"));
        }
    };
    Ok(Found::new(
        good == 0 && median < Duration::from_millis(5) && back < Duration::from_secs(2),
        format!(
            "503 in {:.1} ms at p50; the first good answer {:.0} ms after they recovered, all three \
             in use after {:.1} s",
            median.as_secs_f64() * 1e3,
            back.as_secs_f64() * 1e3,
            whole.as_secs_f64()
        ),
    ))
}
