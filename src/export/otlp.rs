//! [`Spans`]: the output that sends batches of spans to a collector by OTLP.
//!
//! A batch that the collector cannot take now is tried a few times with growing pauses, then given
//! up and counted; meanwhile the queue before it fills, drops and counts. So a collector that is
//! away costs a connection attempt now and then, and no memory.

use std::fmt;
use std::io;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use tokio::runtime::{Builder, Runtime};

use super::grpc;
use super::http::{NoAnswer, Place, exchange, within};
use crate::telemetry::queue::Output;
use crate::telemetry::trace::{Resource, count, request};

/// How a collector is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Protobuf over HTTP/1.1, at this path.
    Http(String),
    /// gRPC.
    Grpc,
}

/// Where spans go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    /// Where it listens.
    pub place: Place,
    /// How it is spoken to.
    pub protocol: Protocol,
}

/// How long spans are gathered.
const GATHER: Duration = Duration::from_secs(1);

/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait before a batch is sent again.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// The most of an answer that is read.
const ANSWER: usize = 64 << 10;

const METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Why a batch was not taken.
enum Refused {
    /// It may be taken later.
    Now(String),
    /// It never will.
    Ever(String),
}

/// Sends spans.
pub struct Spans {
    collector: Collector,
    resource: Resource,
    /// Made on the thread that uses it.
    runtime: Option<Runtime>,
    /// Whether the collector did not take the batch before; said once.
    away: bool,
}

impl Spans {
    /// An output to `collector`.
    pub fn new(collector: Collector, resource: Resource) -> Self {
        Self {
            collector,
            resource,
            runtime: None,
            away: false,
        }
    }

    /// As after a collector that was away.
    #[cfg(test)]
    pub(super) fn give_up(&mut self) {
        self.away = true;
    }

    fn attempt(&mut self, batch: &Bytes) -> Result<(), Refused> {
        let runtime = match self.runtime.take() {
            Some(runtime) => runtime,
            None => runtime().map_err(|error| Refused::Now(error.to_string()))?,
        };
        let sent = runtime.block_on(send(&self.collector, batch.clone()));
        self.runtime = Some(runtime);
        sent
    }

    fn tell(&mut self, why: &str) {
        if !self.away {
            self.away = true;
            tracing::warn!(collector = %self.collector, why, "the collector of traces does not take spans");
        }
    }
}

impl Output for Spans {
    fn gather(&self) -> Duration {
        GATHER
    }

    fn take(&mut self, batch: &[u8]) -> u64 {
        let message = Bytes::from(request(&self.resource, batch));
        // While it is away one attempt is enough: the next batch brings the next.
        let pauses = if self.away { &PAUSES[..0] } else { &PAUSES[..] };
        let mut pauses = pauses.iter();
        loop {
            match self.attempt(&message) {
                Ok(()) => {
                    if std::mem::take(&mut self.away) {
                        tracing::info!(collector = %self.collector, "the collector of traces takes spans again");
                    }
                    return 0;
                }
                Err(Refused::Ever(why)) => {
                    self.tell(&why);
                    return count(batch);
                }
                Err(Refused::Now(why)) => {
                    let Some(pause) = pauses.next() else {
                        self.tell(&why);
                        return count(batch);
                    };
                    thread::sleep(*pause);
                }
            }
        }
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

async fn send(collector: &Collector, batch: Bytes) -> Result<(), Refused> {
    let refused = |why: NoAnswer| Refused::Now(why.to_string());
    match &collector.protocol {
        Protocol::Grpc => {
            let call = Box::pin(grpc::call(&collector.place, METHOD, &batch));
            let ended = within(PATIENCE, call).await.map_err(refused)?;
            if ended.is_ok() {
                return Ok(());
            }
            let why = format!("gRPC status {}: {}", ended.status, ended.message);
            // CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, OUT_OF_RANGE,
            // UNAVAILABLE and DATA_LOSS pass, as OTLP says.
            let passes = matches!(&*ended.status, "1" | "4" | "8" | "10" | "11" | "14" | "15");
            Err(if passes {
                Refused::Now(why)
            } else {
                Refused::Ever(why)
            })
        }
        Protocol::Http(path) => {
            let request = Request::builder()
                .method(Method::POST)
                .uri(path)
                .header("host", collector.place.authority())
                .header("content-type", "application/x-protobuf")
                .header(
                    "user-agent",
                    concat!("sidegate/", env!("CARGO_PKG_VERSION")),
                )
                .body(Full::new(batch))
                .map_err(|error| Refused::Ever(error.to_string()))?;
            let asking = Box::pin(exchange(&collector.place, request, ANSWER));
            let answer = within(PATIENCE, asking).await.map_err(refused)?;
            let status = answer.status();
            if status.is_success() {
                return Ok(());
            }
            let why = format!("HTTP {}", status.as_u16());
            let passes = matches!(status.as_u16(), 429 | 502 | 503 | 504);
            Err(if passes {
                Refused::Now(why)
            } else {
                Refused::Ever(why)
            })
        }
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.protocol {
            Protocol::Grpc => write!(f, "grpc://{}", self.place.authority()),
            Protocol::Http(path) => write!(f, "http://{}{path}", self.place.authority()),
        }
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans")
            .field("collector", &self.collector)
            .finish_non_exhaustive()
    }
}
