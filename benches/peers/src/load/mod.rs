//! The load generator: lanes that each make one call at a time, in a closed loop (the next call as
//! soon as the last has its answer) or in an open one (at a fixed rate, whatever the answers do).
//! It runs on one thread and does as little as it can: requests are prepared, answers are measured
//! and thrown away.

mod grpc;
mod http;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::spawn_local;

use crate::Result;
use crate::fixtures::Fixture;

pub use grpc::Stub;
pub use http::{Connection, Plain, post};

/// What is called, how, and what its answer measures.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where.
    pub address: SocketAddr,
    /// In which protocol.
    pub call: Call,
    /// The bytes of a good answer: of the JSON, or of all gRPC frames.
    pub length: usize,
}

/// A prepared request.
#[derive(Clone, Debug)]
pub enum Call {
    /// HTTP/1.1 with everything that is sent.
    Rest(Bytes),
    /// gRPC: the path and the framed message.
    Grpc(&'static str, Bytes),
}

impl Target {
    /// A fixture over REST.
    pub fn rest(address: SocketAddr, fixture: &Fixture, length: usize) -> Self {
        Self {
            address,
            call: Call::Rest(http::request(address, fixture)),
            length,
        }
    }

    /// Bytes over HTTP/1.1.
    pub fn http(address: SocketAddr, request: Bytes, length: usize) -> Self {
        Self {
            address,
            call: Call::Rest(request),
            length,
        }
    }

    /// A fixture over gRPC; what a good answer measures is known.
    pub fn grpc(address: SocketAddr, fixture: &Fixture) -> Self {
        let frame = crate::frame::framed(&fixture.answer).len();
        Self {
            address,
            call: Call::Grpc(fixture.rpc, crate::frame::framed(&fixture.request)),
            length: frame * fixture.streamed.unwrap_or(1),
        }
    }
}

/// Something that makes one call at a time.
#[derive(Debug)]
enum Lane {
    Rest(Connection),
    Grpc(Stub),
}

/// Lanes that are connected.
#[derive(Debug)]
pub struct Lanes {
    lanes: Vec<Lane>,
    target: Target,
}

impl Lanes {
    /// Opens them: for REST each has a connection of its own, for gRPC four share one.
    pub async fn open(target: &Target, count: usize) -> Result<Self> {
        const LANES_OF_CONNECTION: usize = 4;
        let mut lanes = Vec::with_capacity(count);
        match &target.call {
            Call::Rest(_) => {
                for _ in 0..count {
                    lanes.push(Lane::Rest(Connection::open(target.address).await?));
                }
            }
            Call::Grpc(..) => {
                while lanes.len() < count {
                    let stub = Stub::open(target.address).await?;
                    let more = LANES_OF_CONNECTION.min(count - lanes.len());
                    lanes.extend((0..more).map(|_| Lane::Grpc(stub.clone())));
                }
            }
        }
        Ok(Self {
            lanes,
            target: target.clone(),
        })
    }

    /// Makes so many calls, each lane the next as soon as it is free.
    pub async fn closed(self, calls: usize) -> Result<Outcome> {
        let begun = Instant::now();
        let next = Rc::new(Cell::new(0));
        let take = move || {
            let mine = next.get();
            next.set(mine + 1);
            (mine < calls).then_some(None)
        };
        self.run(begun, take).await
    }

    /// Makes calls at a rate for some time. A call that finds no free lane counts from the moment
    /// when it was due, so that a gateway that stalls cannot hide it by slowing the generator.
    pub async fn at_rate(self, rate: usize, time: Duration) -> Result<Outcome> {
        let begun = Instant::now();
        let calls = (rate as f64 * time.as_secs_f64()) as usize;
        let next = Rc::new(Cell::new(0));
        let take = move || {
            let mine = next.get();
            next.set(mine + 1);
            let due = begun + Duration::from_secs_f64(mine as f64 / rate as f64);
            (mine < calls).then_some(Some(due))
        };
        self.run(begun, take).await
    }

    async fn run<T>(self, begun: Instant, take: T) -> Result<Outcome>
    where
        T: Fn() -> Option<Option<Instant>> + Clone + 'static,
    {
        let all = Rc::new(RefCell::new(Outcome::default()));
        let mut tasks = Vec::new();
        for mut lane in self.lanes {
            let (all, take, target) = (all.clone(), take.clone(), self.target.clone());
            tasks.push(spawn_local(async move {
                while let Some(due) = take() {
                    let from = start_of(due).await;
                    let outcome = lane.call(&target).await;
                    let mut all = all.borrow_mut();
                    match outcome {
                        Ok(()) => all.latencies.push(from.elapsed()),
                        Err(error) => {
                            all.failures.push(error.to_string());
                            return;
                        }
                    }
                }
            }));
        }
        for task in tasks {
            task.await?;
        }
        let mut outcome = all.take();
        outcome.elapsed = begun.elapsed();
        outcome.latencies.sort_unstable();
        Ok(outcome)
    }
}

/// Waits until a call is due; the moment its latency is counted from. The timer's own coarseness
/// (a millisecond) is no latency of the gateway's: after a sleep, time begins when it ends.
async fn start_of(due: Option<Instant>) -> Instant {
    match due {
        Some(due) if due > Instant::now() => {
            tokio::time::sleep_until(due.into()).await;
            Instant::now()
        }
        Some(late) => late,
        None => Instant::now(),
    }
}

impl Lane {
    async fn call(&mut self, target: &Target) -> Result<()> {
        let length = match (self, &target.call) {
            (Self::Rest(connection), Call::Rest(request)) => connection.call(request).await?,
            (Self::Grpc(stub), Call::Grpc(rpc, frame)) => stub.call(rpc, frame).await?,
            _ => return Err("a lane of another protocol".into()),
        };
        if length == target.length {
            Ok(())
        } else {
            Err(format!("an answer of {length} bytes instead of {}", target.length).into())
        }
    }
}

/// What became of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Of the calls that were answered well, sorted.
    pub latencies: Vec<Duration>,
    /// What went wrong; a lane ends with its first failure.
    pub failures: Vec<String>,
    /// From the first call to the last answer.
    pub elapsed: Duration,
}

impl Outcome {
    /// The latency that this share of the calls did not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let at = (self.latencies.len() as f64 * share) as usize;
        self.latencies
            .get(at.min(last))
            .copied()
            .unwrap_or_default()
    }

    /// Calls a second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }
}
