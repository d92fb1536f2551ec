//! Client protocols: an [`Adapter`] and its responders each, behind one [`FrontDoor`].
//!
//! An adapter turns a request into a [`Call`] and hands out, with it, the responder that owns the
//! whole answer. Nobody after the adapter asks which protocol it was. Above the front door there
//! are no errors, only responses (invariant 2).

pub mod classify;
pub mod connect;
pub mod cors;
pub mod forwarded;
pub mod gate;
pub mod grpc;
pub mod grpc_web;
mod late;
pub mod metadata;
pub mod observe;
mod proxy;
pub mod reader;
pub mod replies;
pub mod rest;
mod rpc;
pub mod timeout;
mod websocket;

pub use connect::feed_query;
pub use rpc::text::feed as feed_text;

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use http::header::{
    ACCEPT_ENCODING, ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{Request, Response, StatusCode};

use crate::call::record::{CallRecord, Sink};
use crate::call::{
    Body, Call, Code, Fallback, Fault, LocalFuture, Record, Reply, SharedPeer, Stack, Status,
};
use crate::life::drain::Drain;
use crate::live::Live;
use crate::schema::Schema;
use crate::transcode::detail;
use classify::Front;
use observe::Observed;
use websocket::bridge;
use websocket::handshake::{self, Subprotocol};

/// What the front door needs to know besides the schema.
#[derive(Clone, Debug)]
pub struct Params {
    /// Peers whose `x-forwarded-*` headers are believed (M3).
    pub trusted_proxies: forwarded::TrustedProxies,
    /// The descriptors of the services that the gateway answers itself.
    pub own: Arc<Schema>,
    /// Tells WebSockets when their calls have to end.
    pub drain: Drain,
    /// Whether the gateway's own faults say `x-sidegate-reason`.
    pub reason_header: bool,
    /// What pages of other origins may do; nothing if `None`.
    pub cors: Option<Arc<cors::Cors>>,
    /// Who may have what is no call.
    pub gate: gate::Gate,
}

/// A request on its way through an adapter.
#[derive(Debug)]
pub struct Incoming {
    /// The schema this request is pinned to.
    pub schema: Arc<Schema>,
    /// The connection it came in on.
    pub peer: SharedPeer,
    /// The head.
    pub head: Parts,
    /// The body, raw and unread.
    pub body: Body,
    /// What will be remembered.
    pub record: Record,
    /// When the head was complete.
    pub now: Instant,
}

/// What becomes of a request at the edge.
pub enum Entry {
    /// It is a call, and this one will answer for it.
    Call(Call, Box<dyn Respond>),
    /// It is answered already.
    Answered(Response<Body>),
    /// It is no call, and answered when it is known who asks.
    Later(LocalFuture<Response<Body>>),
}

/// One client protocol.
pub trait Adapter {
    /// Turns a request into a call, or answers it at once.
    fn accept(&self, incoming: Incoming) -> Entry;
}

/// Owns the answer of one call: chosen per protocol and stream kind, because a unary answer picks
/// its HTTP status after the trailers and a streaming one before them.
pub trait Respond {
    /// How long the answer can wait for the app's head; after that `respond` gets a reply that has
    /// none, and whose body brings what comes. `None` waits for ever.
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// Turns what the app answered, or what went wrong, into a response.
    fn respond(self: Box<Self>, outcome: Result<Reply, Fault>) -> LocalFuture<Response<Body>>;
}

/// Who answers a request that asks for no WebSocket; `fallback` says whether there is somewhere to
/// send what no rule knows.
pub fn front(head: &Parts, schema: &Schema, own: &Schema, fallback: bool) -> Front {
    match classify::classify(head, schema) {
        Front::Rest if fallback && proxy::is_for(schema, own, &head.uri) => Front::Http,
        front => front,
    }
}

/// Whether a path is that of a page of the gateway's own, where no route takes it.
pub fn is_own_page(path: &str, schema: &Schema) -> bool {
    rest::is_own(path, schema)
}

/// Where every request of one worker enters.
pub struct FrontDoor {
    live: Arc<Live<Schema>>,
    stack: Stack,
    sink: Arc<dyn Sink>,
    /// Where paths lead that no rule knows.
    fallback: Option<Fallback>,
    params: Rc<Params>,
    grpc: grpc::Grpc,
    grpc_web: Rc<grpc_web::GrpcWeb>,
    connect: connect::Connect,
    rest: rest::Rest,
}

impl FrontDoor {
    /// A front door before `stack`; finished calls go to `sink`.
    pub fn new(params: Params, live: Arc<Live<Schema>>, stack: Stack, sink: Arc<dyn Sink>) -> Self {
        let params = Rc::new(params);
        Self {
            live,
            stack,
            sink,
            fallback: None,
            grpc: grpc::Grpc::new(Rc::clone(&params)),
            grpc_web: Rc::new(grpc_web::GrpcWeb::new(Rc::clone(&params))),
            connect: connect::Connect::new(Rc::clone(&params)),
            rest: rest::Rest::new(Rc::clone(&params)),
            params,
        }
    }

    /// The same, with somewhere to send what no rule knows.
    pub fn with_fallback(self, fallback: Option<Fallback>) -> Self {
        Self { fallback, ..self }
    }

    /// Who answers a request.
    fn front(&self, head: &Parts, body: &Body, schema: &Schema) -> Front {
        let own = &self.params.own;
        if !websocket::is_asked(head, body) {
            return front(head, schema, own, self.fallback.is_some());
        }
        if self.fallback.is_some() && proxy::is_for(schema, own, &head.uri) {
            Front::Http
        } else {
            Front::WebSocket
        }
    }

    /// Answers one request. Dropping the future is the client going away.
    ///
    /// What needs no waiting is done before the future is made, so that it holds nothing but what
    /// it waits for.
    pub fn handle(&self, peer: SharedPeer, request: Request<Body>) -> LocalFuture<Response<Body>> {
        let now = tokio::time::Instant::now().into_std();
        let (mut head, body) = request.into_parts();
        let schema = self.live.load();
        let front = self.front(&head, &body, &schema);
        let mut record = CallRecord::new(now, Rc::clone(&peer), &head);
        record.schema = Some(Arc::clone(&schema));
        record.protocol = front.name();
        self.sink.begin(&mut record, &mut head.headers);
        let record = Record::new(record, Arc::clone(&self.sink));
        let watch = observe::Departure::new(record.clone());
        let incoming = Incoming {
            schema,
            peer,
            head,
            body,
            record,
            now,
        };
        let grant = match &self.params.cors {
            None => None,
            Some(cors) => match self.preflight(cors, &incoming) {
                Some(response) => {
                    return Box::pin(std::future::ready(Observed::wrap(response, watch)));
                }
                None => Some(Box::new(cors.grant(&incoming.head.headers))),
            },
        };
        let entry = match (front, &self.fallback) {
            (Front::Http, Some(fallback)) => {
                let answering = proxy::pass(&self.params, fallback, incoming);
                return Box::pin(Handling {
                    stage: Stage::Answering(answering),
                    end: Ending {
                        watch: Some(watch),
                        grant,
                    },
                });
            }
            (front, _) => self.accept(front, incoming),
        };
        let end = Ending {
            watch: Some(watch),
            grant,
        };
        answer(entry, &self.stack, end)
    }

    fn accept(&self, front: Front, incoming: Incoming) -> Entry {
        match front {
            Front::Grpc => self.grpc.accept(incoming),
            Front::GrpcWeb => self.grpc_web.accept(incoming),
            Front::Connect => self.connect.accept(incoming),
            Front::WebSocket => self.websocket(incoming),
            Front::Rest | Front::Http => self.rest.accept(incoming),
        }
    }

    /// Answers a request for a WebSocket.
    fn websocket(&self, incoming: Incoming) -> Entry {
        let mut incoming = incoming;
        let shake = match handshake::shake(&mut incoming.head, self.params.cors.as_deref()) {
            Ok(shake) => shake,
            Err(fault) => return rest::websocket::refuse(&self.rest, &incoming, &fault),
        };
        if shake.subprotocol == Subprotocol::Plain {
            return rest::websocket::accept(&self.rest, incoming, shake);
        }
        let (stack, adapter) = (Rc::clone(&self.stack), Rc::clone(&self.grpc_web));
        let inner: bridge::Inner = Rc::new(move |incoming: Incoming| {
            // The outer answer is the one that is watched.
            answer(adapter.accept(incoming), &stack, Ending::default())
        });
        bridge::accept(&self.params, incoming, shake, inner)
    }
}

/// Asks the stack where an adapter says so.
fn answer(entry: Entry, stack: &Stack, end: Ending) -> LocalFuture<Response<Body>> {
    match entry {
        Entry::Call(call, respond) => {
            let outcome = stack(call);
            let outcome = match respond.patience() {
                Some(patience) => Box::pin(late::within(patience, outcome)),
                None => outcome,
            };
            Box::pin(Handling {
                stage: Stage::Asking(outcome, Some(respond)),
                end,
            })
        }
        Entry::Answered(response) => Box::pin(std::future::ready(end.finish(response))),
        Entry::Later(answering) => Box::pin(Handling {
            stage: Stage::Answering(answering),
            end,
        }),
    }
}

/// What is done with an answer that is complete.
#[derive(Default)]
struct Ending {
    watch: Option<observe::Departure>,
    grant: Option<Box<cors::Grant>>,
}

impl Ending {
    fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    fn finish(self, mut response: Response<Body>) -> Response<Body> {
        // What CORS has to say, if it is on.
        if let Some(grant) = self.grant {
            grant.write(response.headers_mut());
        }
        match self.watch {
            Some(watch) => Observed::wrap(response, watch),
            None => response,
        }
    }
}

impl FrontDoor {
    /// The answer to a preflight; there is one only if it may be allowed something.
    fn preflight(&self, cors: &Arc<cors::Cors>, incoming: &Incoming) -> Option<Response<Body>> {
        let served = cors::Served {
            schema: &incoming.schema,
            own: &self.params.own,
        };
        let response = cors.preflight(&incoming.head, served)?;
        incoming.record.note().code = Some(Code::Ok);
        Some(response)
    }
}

/// A call whose answer is waited for.
struct Handling {
    stage: Stage,
    end: Ending,
}

enum Stage {
    /// The app has not begun to answer.
    Asking(LocalFuture<Result<Reply, Fault>>, Option<Box<dyn Respond>>),
    /// The head of the response is not known yet.
    Answering(LocalFuture<Response<Body>>),
}

impl Future for Handling {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response<Body>> {
        loop {
            let next = match &mut self.stage {
                Stage::Asking(outcome, respond) => {
                    let outcome = ready!(outcome.as_mut().poll(context));
                    // The stage changes as soon as there is an outcome.
                    let Some(respond) = respond.take() else {
                        return Poll::Pending;
                    };
                    Stage::Answering(respond.respond(outcome))
                }
                Stage::Answering(answering) => {
                    let response = ready!(answering.as_mut().poll(context));
                    return Poll::Ready(self.end.take().finish(response));
                }
            };
            self.stage = next;
        }
    }
}

/// The app is still to be asked what it serves, so that nobody can say that it lacks something.
fn schema_pending() -> Fault {
    Fault::unavailable(
        "SCHEMA_PENDING",
        "the application has not been asked yet what it serves",
    )
    .never_processed()
}

/// What a header says of a fault besides, and its name, which the status decides.
fn hint(fault: &Fault) -> Option<(HeaderName, HeaderValue)> {
    let value = HeaderValue::from_str(fault.allow()?).ok()?;
    let name = match fault.http() {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ACCEPT_ENCODING,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => WWW_AUTHENTICATE,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => RETRY_AFTER,
        _ => ALLOW,
    };
    Some((name, value))
}

/// What a caller is told of a fault: its public half, as a status with details (invariant 9).
fn told(fault: &Fault) -> Status {
    if let Some(status) = fault.app_status() {
        return status.clone();
    }
    let mut status = Status::new(fault.code(), fault.message());
    let own = detail::OwnError {
        code: status.number,
        message: fault.message(),
        reason: fault.reason(),
        metadata: &[],
        violations: fault.field_violations(),
    };
    status.details = detail::own_status(&own).into();
    status
}

impl std::fmt::Debug for FrontDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrontDoor").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Call(call, _) => f.debug_tuple("Call").field(call).finish(),
            Self::Answered(response) => f.debug_tuple("Answered").field(response).finish(),
            Self::Later(_) => f.debug_tuple("Later").finish_non_exhaustive(),
        }
    }
}
