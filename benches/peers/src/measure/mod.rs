//! What is measured. Every part starts the gateways it needs, lets them take turns, and gives a
//! table. A call that fails ends the run: a figure with failures in it means nothing.

pub mod latency;
mod load;
pub mod start;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::fixtures::Fixtures;
use crate::load::{Outcome, Target};
use crate::options::Options;
use crate::peer::{Kind, Peer, Setting};
use crate::process::{Process, free_address};
use crate::rows;
use crate::setup::Tools;
use crate::{Failure, Result};

pub use load::{Loaded, under_load};

/// Calls at one time.
pub const LANES: usize = 32;

/// What every part needs.
#[derive(Debug)]
pub struct Yard<'a> {
    /// The command line.
    pub options: &'a Options,
    /// Where everything is.
    pub tools: &'a Tools,
    /// What is called.
    pub fixtures: &'a Fixtures,
    /// Where the application is.
    pub backend: SocketAddr,
    /// The application; it ends with this value.
    pub process: Process,
}

impl<'a> Yard<'a> {
    /// Starts the application.
    pub async fn open(
        options: &'a Options,
        tools: &'a Tools,
        fixtures: &'a Fixtures,
    ) -> Result<Self> {
        let backend = free_address()?;
        let directory = tools.cache.join("run/backend");
        let args = [backend.to_string()];
        let process = Process::start(&tools.own("backend")?, &args, &directory, 1)?;
        let yard = Self {
            options,
            tools,
            fixtures,
            backend,
            process,
        };
        let fixture = fixtures.get("small");
        patiently(async || rows::check_grpc(backend, fixture).await.map(drop)).await?;
        Ok(yard)
    }

    /// Starts a gateway and waits until it answers.
    pub async fn start(&self, kind: Kind, workers: usize) -> Result<Peer> {
        let setting = Setting {
            workers,
            ..Setting::new(self.tools, self.backend)
        };
        self.start_as(kind, &setting).await
    }

    /// The same with a setting.
    pub async fn start_as(&self, kind: Kind, setting: &Setting<'_>) -> Result<Peer> {
        let peer = Peer::start(kind, setting)?;
        self.answered(&peer).await?;
        Ok(peer)
    }

    /// Waits until a gateway answers its first call well.
    pub async fn answered(&self, peer: &Peer) -> Result<()> {
        let row = first_row(peer.kind);
        patiently(async || row.check(peer, self.fixtures).await.map(drop)).await
    }
}

/// The row that a gateway can surely do.
pub fn first_row(kind: Kind) -> &'static rows::Row {
    rows::ROWS
        .iter()
        .find(|row| kind.cannot(row.ability).is_none())
        .expect("every gateway can do something")
}

/// Tries again and again for some seconds.
async fn patiently(mut attempt: impl AsyncFnMut() -> Result<()>) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        match attempt().await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > until => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

/// An outcome without failures.
pub fn clean(outcome: Outcome, what: &str) -> Result<Outcome> {
    match outcome.failures.first() {
        None => Ok(outcome),
        Some(first) => {
            let count = outcome.failures.len();
            Err(Failure::from(format!(
                "{what}: {count} lanes failed: {first}"
            )))
        }
    }
}

/// The columns of a table of gateways.
pub fn columns(peers: &[Kind]) -> impl Iterator<Item = String> {
    std::iter::once(String::new()).chain(peers.iter().map(|kind| kind.name().to_owned()))
}

/// A closed loop over as many lanes as usual.
pub async fn closed(target: &Target, calls: usize, what: &str) -> Result<Outcome> {
    let lanes = crate::load::Lanes::open(target, LANES).await?;
    clean(lanes.closed(calls).await?, what)
}
