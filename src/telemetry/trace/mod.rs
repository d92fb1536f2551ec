//! Traces: which trace a call belongs to ([`Tracer::begin`]), and its spans on their way to a
//! collector ([`Tracer::end`]).
//!
//! A call that is recorded leaves a server span, and a client span when the app was asked. Spans
//! are encoded where the call ends, as the bytes that leave, and handed to a [`Queue`]: nothing
//! waits, and a collector that is away costs spans, which are counted. That is why OpenTelemetry's
//! own crates are not here: their spans are built of dozens of allocations each, and they would
//! bring a second client of HTTP along, for a message of a few fields.

mod otlp;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use http::header::{HeaderMap, HeaderName};

use super::ids;
use super::log::line::Entry;
use super::queue::Queue;
use crate::call::record::{CallRecord, Trace};
use crate::wire::trace::{self, B3, Context};

pub use otlp::{Resource, count, request};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const B3_SINGLE: HeaderName = HeaderName::from_static("b3");
const B3_TRACE: HeaderName = HeaderName::from_static("x-b3-traceid");
const B3_SPAN: HeaderName = HeaderName::from_static("x-b3-spanid");
const B3_PARENT: HeaderName = HeaderName::from_static("x-b3-parentspanid");
const B3_SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");
const B3_FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");

/// What the app gets in B3's headers besides `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum B3Out {
    /// The form that the client used, if it used one.
    Follow,
    /// The header `b3`.
    Single,
    /// `x-b3-traceid` and its siblings.
    Multi,
    /// Nothing.
    Off,
}

/// How calls are traced.
#[derive(Clone, Debug)]
pub struct Params {
    /// The share of new traces that are recorded, from 0 to 1.
    pub sample: f64,
    /// Whether a trace that a client began goes on, and with its decision.
    pub follow: bool,
    /// What the app gets besides `traceparent`.
    pub b3: B3Out,
    /// Where spans go.
    pub queue: Queue,
}

/// What telemetry does with traces.
#[derive(Clone, Debug, Default)]
pub enum Tracer {
    /// It does not look.
    #[default]
    Off,
    /// Log lines tell the trace that a client named; its headers pass as they are.
    Read,
    /// Spans are made.
    On(Box<Params>),
}

/// The most that the spans of one call take.
const SPANS: usize = 16 << 10;

thread_local! {
    /// Where a worker puts spans together.
    static SPAN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Tracer {
    /// Looks at the head of a request, notes its trace, and takes the headers out that say another
    /// than the app is to be told.
    pub fn begin(&self, record: &mut CallRecord, headers: &mut HeaderMap) {
        match self {
            Self::Off => {}
            Self::Read => {
                record.trace = read(headers).context.map(|context| Trace {
                    trace_id: context.trace_id,
                    span_id: context.span_id,
                    parent: 0,
                    upstream: 0,
                    sampled: false,
                    b3: false,
                    b3_multi: false,
                });
            }
            Self::On(params) => params.begin(record, headers),
        }
    }

    /// Sends the spans of a call that has ended.
    pub fn end(&self, entry: &Entry<'_>) {
        let Self::On(params) = self else { return };
        let Some(of) = entry.record.trace.as_ref().filter(|of| of.sampled) else {
            return;
        };
        SPAN.with_borrow_mut(|spans| {
            spans.clear();
            otlp::spans(entry, of, spans);
            debug_assert!(spans.len() <= SPANS, "a field has no limit");
            // What is dropped is counted by the queue.
            let pieces = count(spans);
            let _kept = params.queue.push_pieces(spans, pieces);
        });
    }

    /// How many spans were lost because there was no room, or nobody took them.
    pub fn dropped(&self) -> Option<u64> {
        match self {
            Self::Off | Self::Read => None,
            Self::On(params) => Some(params.queue.dropped()),
        }
    }
}

impl Params {
    fn begin(&self, record: &mut CallRecord, headers: &mut HeaderMap) {
        let mut seen = read(headers);
        let parent = seen.context.take().filter(|_| self.follow);
        let trace_id = parent.map_or_else(ids::trace_id, |parent| parent.trace_id);
        let told = parent.and_then(|parent| parent.sampled);
        let (b3, b3_multi) = match self.b3 {
            B3Out::Follow => (seen.single, seen.multi),
            B3Out::Single => (true, false),
            B3Out::Multi => (false, true),
            B3Out::Off => (false, false),
        };
        record.trace = Some(Trace {
            trace_id,
            span_id: ids::span_id(),
            parent: parent.map_or(0, |parent| parent.span_id),
            upstream: ids::span_id(),
            sampled: told.unwrap_or_else(|| self.samples(trace_id)),
            b3,
            b3_multi,
        });
        if seen.state && parent.is_none() {
            // It belongs to the trace that is not continued.
            headers.remove(&TRACESTATE);
        }
        if seen.w3c {
            headers.remove(&TRACEPARENT);
        }
        if seen.single {
            headers.remove(&B3_SINGLE);
        }
        if seen.multi {
            for name in [&B3_TRACE, &B3_SPAN, &B3_PARENT, &B3_SAMPLED, &B3_FLAGS] {
                headers.remove(name);
            }
        }
    }

    /// By the part of the id that is random, as OpenTelemetry's sampler does it: whoever samples
    /// the same share samples the same traces.
    fn samples(&self, trace_id: u128) -> bool {
        const RANGE: u64 = 1 << 56;
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of 2^56 is exact enough, and neither negative nor more than that"
        )]
        let bound = (self.sample * RANGE as f64) as u64;
        let random = u64::try_from(trace_id % u128::from(RANGE)).unwrap_or(u64::MAX);
        random < bound
    }
}

/// What a client says of traces.
#[derive(Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a header that is there or not"
)]
struct Seen {
    /// The trace that it names, W3C's first.
    context: Option<Context>,
    w3c: bool,
    state: bool,
    /// B3 in one header.
    single: bool,
    /// B3 in several.
    multi: bool,
}

fn read(headers: &HeaderMap) -> Seen {
    let mut found = B3::default();
    let mut seen = Seen::default();
    let (mut single, mut parents, mut parent) = (None, 0, None);
    for (name, value) in headers {
        match name.as_str() {
            "traceparent" => {
                parents += 1;
                parent = trace::parse_traceparent(value.as_bytes());
            }
            "tracestate" => seen.state = true,
            "b3" => {
                seen.single = true;
                single = trace::parse_b3(value.as_bytes());
            }
            name if name.starts_with("x-b3-") => {
                seen.multi = true;
                match name {
                    "x-b3-traceid" => found.trace_id = value.as_bytes(),
                    "x-b3-spanid" => found.span_id = value.as_bytes(),
                    "x-b3-sampled" => found.sampled = Some(value.as_bytes()),
                    "x-b3-flags" => found.flags = Some(value.as_bytes()),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    seen.w3c = parents > 0;
    // Of two nobody knows which one is meant.
    let parent = parent.filter(|_| parents == 1);
    seen.context = parent.or(single).or_else(|| trace::parse_b3_multi(found));
    seen
}
