//! [`Record`]: the handle through which everybody notes what happened to one call.
//!
//! The handle is shared by all parts of one call on one worker thread. When the last one is
//! dropped, the [`CallRecord`] goes to its [`Sink`]: exactly one per accepted call (invariant 7),
//! however the call ended.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::{Code, Fault, SharedPeer};
use crate::schema::{BindingId, MethodId, Schema};
use crate::wire::trace::{Context, Told};

/// Takes the records of finished calls. It must never block.
pub trait Sink: Send + Sync {
    /// The head of a request before anybody else looks at it: here its trace is noted, and headers
    /// leave that say another than the app is to be told.
    fn begin(&self, _record: &mut CallRecord, _headers: &mut http::HeaderMap) {}

    /// One call begins.
    fn started(&self) {}

    /// One call is over.
    fn finished(&self, record: &CallRecord);
}

/// A shared handle on the record of one call.
#[derive(Clone)]
pub struct Record(Rc<Shared>);

struct Shared {
    record: RefCell<CallRecord>,
    sink: Arc<dyn Sink>,
}

/// Where a call stands in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The trace.
    pub trace_id: u128,
    /// The span of this call; that of the client when no spans are made here.
    pub span_id: u64,
    /// The span of the client; 0 when the trace begins here.
    pub parent: u64,
    /// The span of asking the app; 0 where the app is told what the client said.
    pub upstream: u64,
    /// Whether spans are made.
    pub sampled: bool,
    /// Whether the app is told in the header `b3` besides.
    pub b3: bool,
    /// Whether the app is told in B3's several headers besides.
    pub b3_multi: bool,
}

impl Trace {
    /// What the app is to be told, by whoever writes the head of a request to it: to put it among
    /// the headers of the client would cost more than all the rest of a trace.
    pub fn told(&self) -> Option<Told> {
        (self.upstream != 0).then_some(Told {
            context: Context {
                trace_id: self.trace_id,
                span_id: self.upstream,
                sampled: Some(self.sampled),
            },
            b3: self.b3,
            b3_multi: self.b3_multi,
        })
    }
}

/// What is remembered of one call. A call whose client left before an answer went out ends with
/// `http_status` 499 and `code` CANCELLED; the front door sees to that before the record is
/// handed on.
#[derive(Debug)]
pub struct CallRecord {
    /// When the request head was complete.
    pub started: Instant,
    /// The client protocol: `rest`, `grpc`, …
    pub protocol: &'static str,
    /// The HTTP method.
    pub http_method: http::Method,
    /// The target as the client sent it; its query may hold tokens.
    pub uri: http::Uri,
    /// The client's connection.
    pub peer: SharedPeer,
    /// `user-agent`.
    pub user_agent: Option<http::HeaderValue>,
    /// Request headers that log lines hold, in the order in which they are configured; what is
    /// secret by its name is hidden already.
    pub logged: Vec<(http::HeaderName, http::HeaderValue)>,
    /// Where it stands in a trace.
    pub trace: Option<Trace>,
    /// The schema the call was pinned to.
    pub schema: Option<Arc<Schema>>,
    /// The REST binding that matched; its template goes to logs and metrics (R10).
    pub binding: Option<BindingId>,
    /// The method.
    pub method: Option<MethodId>,
    /// The HTTP status that went out; 499 when the client left before one did.
    pub http_status: Option<u16>,
    /// How the call ended.
    pub code: Option<Code>,
    /// Reason word of the gateway's own fault.
    pub reason: Option<&'static str>,
    /// What only the log may know.
    pub cause: Option<String>,
    /// Who has called, if he had to be known.
    pub caller: Option<Arc<str>>,
    /// The endpoint that was asked last.
    pub endpoint: Option<Arc<str>>,
    /// How often an endpoint was asked.
    pub attempts: u32,
    /// Request body bytes read from the client.
    pub bytes_in: u64,
    /// Response body bytes handed to the client.
    pub bytes_out: u64,
    /// Messages towards the app.
    pub messages_in: u64,
    /// Messages from the app.
    pub messages_out: u64,
    /// When the request went to the app.
    pub upstream_started: Option<Instant>,
    /// When the app's first byte came.
    pub upstream_answered: Option<Instant>,
    /// Metadata values that gRPC cannot hold and that were left out (M1).
    pub metadata_dropped: u32,
    /// Fields of responses that the schema does not know (J5).
    pub unknown_fields: u64,
}

impl CallRecord {
    /// A record of a request of which only the head is known.
    pub fn new(started: Instant, peer: SharedPeer, head: &http::request::Parts) -> Self {
        Self {
            started,
            protocol: "",
            http_method: head.method.clone(),
            uri: head.uri.clone(),
            peer,
            user_agent: head.headers.get(http::header::USER_AGENT).cloned(),
            logged: Vec::new(),
            trace: None,
            schema: None,
            binding: None,
            method: None,
            http_status: None,
            code: None,
            reason: None,
            cause: None,
            caller: None,
            endpoint: None,
            attempts: 0,
            bytes_in: 0,
            bytes_out: 0,
            messages_in: 0,
            messages_out: 0,
            upstream_started: None,
            upstream_answered: None,
            metadata_dropped: 0,
            unknown_fields: 0,
        }
    }

    /// Notes what really happened.
    pub fn fault(&mut self, fault: &Fault) {
        self.code = Some(fault.code());
        self.reason = Some(fault.reason());
        self.cause = fault.cause().map(String::from);
    }
}

impl Record {
    /// Starts remembering.
    pub fn new(record: CallRecord, sink: Arc<dyn Sink>) -> Self {
        sink.started();
        Self(Rc::new(Shared {
            record: RefCell::new(record),
            sink,
        }))
    }

    /// The time the request head was complete.
    pub fn started(&self) -> Instant {
        self.0.record.borrow().started
    }

    /// What the app is to be told of the trace.
    pub fn told(&self) -> Option<Told> {
        self.0.record.borrow().trace.as_ref().and_then(Trace::told)
    }

    /// Notes something. Do not hold it across a poll.
    pub fn note(&self) -> RefMut<'_, CallRecord> {
        self.0.record.borrow_mut()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.record.fmt(f)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.sink.finished(self.record.get_mut());
    }
}
