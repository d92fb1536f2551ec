//! The demonstration: a good new version, a bad one, and what the guard makes of it.

#![allow(
    clippy::disallowed_methods,
    reason = "a demonstration reads the clock, and its applications live as long as it does"
)]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use sidegate::app::{Gateway, Outputs};
use sidegate::config::{self, Config, Input};
use sidegate::schema::split::Phase;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What ends the demonstration early.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// The share of calls that the new version has.
const SHARE: usize = 10;

/// So many calls of the new version are judged at least.
const MINIMUM: usize = 20;

/// No demonstration lasts longer.
const PATIENCE: Duration = Duration::from_secs(60);

const PROTO: &str = "syntax = \"proto3\";\npackage demo;\nmessage M {}\n\
                     service Greeter { rpc Hello(M) returns (M); }\n";

/// What became of it.
#[derive(Debug)]
pub(crate) struct Told {
    /// Calls while the new version was good, and those that failed.
    pub(crate) good: (usize, usize),
    /// The same from the bad release until it was taken back.
    pub(crate) bad: (usize, usize),
    /// The same afterwards.
    pub(crate) after: (usize, usize),
    /// How long the bad version was in service.
    pub(crate) took: Duration,
}

impl Told {
    /// Whether no more calls have failed than the share of the bad version, chance set aside.
    pub(crate) fn is_sound(&self) -> bool {
        let share = self.bad.0 * SHARE / 100;
        let in_time = self.took < PATIENCE;
        let few = self.bad.1 <= 2 * share + 2 * MINIMUM;
        self.good.1 == 0 && self.after.1 == 0 && few && in_time
    }
}

/// Runs it, with so long for a good version to show itself.
pub(crate) async fn run(pause: Duration, mut say: impl FnMut(&str)) -> Result<Told, Failure> {
    let is_bad = Arc::new(AtomicBool::new(false));
    let stable = version(Arc::new(AtomicBool::new(false))).await?;
    let canary = version(Arc::clone(&is_bad)).await?;
    let folder = tempfile::tempdir()?;
    let config = configuration(folder.path(), stable, canary)?;
    let split = config.splits.first().map(Arc::clone).ok_or("no split")?;
    let running = Gateway::bind(config, &Outputs::default())?.start()?;
    running.reached().await;
    let gateway = running.addresses().listen;
    say(&format!(
        "{SHARE} % of all calls go to a new version, which is good"
    ));
    let began = Instant::now();
    let good = calls(gateway, || began.elapsed() < pause).await?;
    say(&format!("  {} calls, {} failed", good.0, good.1));
    say("a bad version takes its place: every call of it fails");
    is_bad.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let serves = || !matches!(split.phase(), Phase::RolledBack(_));
    let bad = calls(gateway, || serves() && began.elapsed() < PATIENCE).await?;
    let took = began.elapsed();
    let Phase::RolledBack(why) = split.phase() else {
        return Err("the bad version was never taken back".into());
    };
    say(&format!("  taken back after {took:.1?}: {why}"));
    say(&format!("  {} of {} calls failed meanwhile", bad.1, bad.0));
    let began = Instant::now();
    let after = calls(gateway, || began.elapsed() < pause / 4).await?;
    say(&format!("  {} calls since, {} failed", after.0, after.1));
    Ok(Told {
        good,
        bad,
        after,
        took,
    })
}

fn configuration(
    folder: &std::path::Path,
    stable: SocketAddr,
    canary: SocketAddr,
) -> Result<Config, Failure> {
    std::fs::write(folder.join("demo.proto"), PROTO)?;
    let text = format!(
        "listen: 127.0.0.1:0\nadmin: off\nschema: {{proto: [demo.proto], reflection: 'off'}}\n\
         upstreams: {{app: {{url: 'http://{stable}'}}, canary: {{url: 'http://{canary}'}}}}\n\
         routes: {{'*': {{split: {{weights: {{app: {}, canary: {SHARE}}},\n  \
         guard: {{errors: 2, minimum: {MINIMUM}, window: 10s, slower: 0}}}}}}}}\n",
        100 - SHARE
    );
    std::fs::write(folder.join("sidegate.yaml"), text)?;
    let (config, problems) = config::load(&Input {
        directory: folder.to_owned(),
        ..Input::default()
    });
    config.ok_or_else(|| format!("{problems:?}").into())
}

/// Calls by REST on one connection, a few hundred a second, for as long as they should go on; how
/// many there were, and how many failed.
async fn calls(gateway: SocketAddr, goes_on: impl Fn() -> bool) -> Result<(usize, usize), Failure> {
    const BETWEEN: Duration = Duration::from_millis(2);
    let mut stream = TcpStream::connect(gateway).await?;
    let (mut all, mut failed) = (0, 0);
    while goes_on() {
        let request = "POST /demo.Greeter/Hello HTTP/1.1\r\nhost: demo\r\n\
                       content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(request.as_bytes()).await?;
        all += 1;
        failed += usize::from(status(&mut stream).await? != 200);
        tokio::time::sleep(BETWEEN).await;
    }
    Ok((all, failed))
}

/// Reads one answer.
async fn status(stream: &mut TcpStream) -> Result<u16, Failure> {
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.split("\r\n").next());
            let length: usize = length.ok_or("an answer without a length")?.parse()?;
            if body.len() >= length {
                let status = head.split(' ').nth(1).ok_or("an answer without a status")?;
                return Ok(status.parse()?);
            }
        }
        if stream.read_buf(&mut answer).await? == 0 {
            return Err("the gateway closed the connection".into());
        }
    }
}

/// A version of the application: every call of it fails while it is bad.
async fn version(is_bad: Arc<AtomicBool>) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&is_bad)));
        }
    });
    Ok(address)
}

async fn serve(stream: TcpStream, is_bad: Arc<AtomicBool>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((_, respond))) = connection.accept().await {
        answer(respond, if is_bad.load(Ordering::SeqCst) { 13 } else { 0 });
    }
}

/// An empty message, or a status alone. The caller may have gone by then.
fn answer(mut respond: h2::server::SendResponse<Bytes>, code: u16) {
    let mut head = Response::new(());
    let kind = HeaderValue::from_static("application/grpc");
    head.headers_mut().insert("content-type", kind);
    let mut status = HeaderMap::new();
    status.insert("grpc-status", HeaderValue::from(code));
    if code != 0 {
        head.headers_mut().extend(status);
        drop(respond.send_response(head, true));
    } else if let Ok(mut body) = respond.send_response(head, false) {
        drop(body.send_data(Bytes::from_static(&[0; 5]), false));
        drop(body.send_trailers(status));
    }
}
