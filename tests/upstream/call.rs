//! Calls as a layer would hand them to the upstream, and what comes of them.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body as _;
use sidegate::call::record::{CallRecord, Sink};
use sidegate::call::{Body, Call, Deadline, Fault, Peer, Record, Reply};
use sidegate::schema::plan::MessageId;
use sidegate::schema::policy::Policy;
use sidegate::schema::{Idempotency, Method, MethodId, Schema, StreamKind};
use sidegate::upstream::{Params, Target, Upstreams};
use tokio::sync::mpsc;
use tower::ServiceExt;

/// Keeps what was remembered of calls.
#[derive(Debug, Default)]
pub(crate) struct Remembered(pub(crate) Mutex<Vec<(u32, Option<Arc<str>>)>>);

impl Sink for Remembered {
    fn finished(&self, record: &CallRecord) {
        let line = (record.attempts, record.endpoint.clone());
        self.0.lock().unwrap().push(line);
    }
}

/// An upstream and what calls to it need.
pub(crate) struct Client {
    pub(crate) upstreams: Upstreams,
    pub(crate) sink: Arc<Remembered>,
    pub(crate) policy: Policy,
    schema: Arc<Schema>,
}

impl Client {
    pub(crate) fn new(address: impl std::fmt::Display) -> Self {
        Self::with(address, |_| {})
    }

    pub(crate) fn with(address: impl std::fmt::Display, change: impl Fn(&mut Params)) -> Self {
        Self::at(&format!("http://{address}"), change)
    }

    pub(crate) fn at(target: &str, change: impl Fn(&mut Params)) -> Self {
        let mut params = Params::new(Target::parse(target).unwrap());
        change(&mut params);
        Self {
            upstreams: Upstreams::new(params),
            sink: Arc::default(),
            policy: Policy::default(),
            schema: Arc::new(schema()),
        }
    }

    /// A unary call.
    pub(crate) fn unary(&self, body: Body) -> Call {
        self.call("/test.Echo/Unary", body)
    }

    /// A call whose answer streams.
    pub(crate) fn watch(&self, body: Body) -> Call {
        self.call("/test.Echo/Watch", body)
    }

    /// A call that streams both ways.
    pub(crate) fn bidi(&self, body: Body) -> Call {
        self.call("/test.Echo/Bidi", body)
    }

    fn call(&self, path: &'static str, body: Body) -> Call {
        let head = http::Request::new(()).into_parts().0;
        let [address, local] = [1, 2].map(|port| ([127, 0, 0, 1], port).into());
        let peer = Rc::new(Peer::new(address, local, false));
        let now = tokio::time::Instant::now().into_std();
        let record = CallRecord::new(now, peer, &head);
        let sink: Arc<dyn Sink> = self.sink.clone();
        Call {
            method: self.schema.find(path),
            schema: Arc::clone(&self.schema),
            path: http::uri::PathAndQuery::from_static(path),
            authority: None,
            metadata: HeaderMap::new(),
            body,
            deadline: Deadline::NEVER,
            policy: Arc::new(self.policy.clone()),
            record: Record::new(record, sink),
        }
    }

    /// Sends a call and waits for the head of its answer.
    pub(crate) async fn send(&self, call: Call) -> Result<Reply, Fault> {
        self.upstreams.clone().oneshot(call).await
    }

    /// A whole unary call: the bytes of the answer and its trailers.
    pub(crate) async fn echo(&self, message: &[u8]) -> Result<(Vec<u8>, HeaderMap), Fault> {
        let call = self.unary(Body::whole(super::app::frame(message), None));
        let mut reply = self.send(call).await?;
        read(&mut reply).await
    }
}

/// Deadline from now.
pub(crate) fn deadline(left: Duration) -> Deadline {
    Deadline::after(tokio::time::Instant::now().into_std(), left)
}

/// Reads an answer to its end.
pub(crate) async fn read(reply: &mut Reply) -> Result<(Vec<u8>, HeaderMap), Fault> {
    if let Some(trailers) = reply.trailers_only.take() {
        return Ok((Vec::new(), trailers));
    }
    let mut all = Vec::new();
    while let Some(frame) = next(&mut reply.body).await {
        match frame?.into_data() {
            Ok(data) => all.extend_from_slice(&data),
            Err(frame) => return Ok((all, frame.into_trailers().unwrap())),
        }
    }
    panic!("an answer ended without trailers and without a fault");
}

/// The next frame of a body.
pub(crate) async fn next(body: &mut Body) -> Option<Result<http_body::Frame<Bytes>, Fault>> {
    poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}

/// A request body that a test feeds, and the side it feeds it from.
pub(crate) fn channel() -> (mpsc::Sender<Result<Bytes, Fault>>, Body) {
    let (sender, receiver) = mpsc::channel(16);
    (sender, Body::stream(Channel(receiver)))
}

struct Channel(mpsc::Receiver<Result<Bytes, Fault>>);

impl http_body::Body for Channel {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Fault>>> {
        let next = std::task::ready!(self.0.poll_recv(context));
        Poll::Ready(next.map(|item| item.map(http_body::Frame::data)))
    }
}

fn schema() -> Schema {
    let method = |name: &str, kind| Method {
        path: format!("/test.Echo/{name}").into(),
        target: format!("/test.Echo/{name}").parse().unwrap(),
        service: "test.Echo".into(),
        name: name.into(),
        input: MessageId(0),
        output: MessageId(0),
        kind,
        idempotency: Idempotency::Unknown,
        repeatable: name == "Unary",
        deprecated: false,
        policy: Arc::default(),
    };
    let methods = vec![
        method("Unary", StreamKind::Unary),
        method("Watch", StreamKind::ServerStream),
        method("Bidi", StreamKind::Bidi),
    ];
    Schema {
        digest: 0,
        tables: Default::default(),
        by_path: (0..)
            .zip(&methods)
            .map(|(at, method)| (Arc::clone(&method.path), MethodId(at)))
            .collect(),
        methods,
        bindings: Vec::new(),
        routes: Default::default(),
        files: Default::default(),
        default_policy: Arc::default(),
        policies: Default::default(),
        guarded: false,
        allow_unknown_methods: true,
        reflection: Default::default(),
        described: Default::default(),
    }
}
