//! What a call may cost between the connection and the upstream: allocations and the size of its
//! future, counted, and that passthrough copies no message (invariant 10).

#![allow(
    clippy::indexing_slicing,
    clippy::type_complexity,
    reason = "a failing test may panic"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body::{Body as _, Frame};
use sidegate::call::record::{CallRecord, Sink};
use sidegate::call::{Body, Call, Fault, LocalFuture, Peer, Reply, SharedPeer, Stack};
use sidegate::layer::deadline::Deadlines;
use sidegate::layer::gather::Gather;
use sidegate::life::task;
use sidegate::live::Live;
use sidegate::protocol::{FrontDoor, Params, forwarded};
use sidegate::schema::compile::{Input, compile};
use sidegate::source::descriptor_set;
use sidegate::wire::frame;
use tower::Service;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count(bytes: usize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    BYTES.set(BYTES.get() + bytes as u64);
}

#[allow(unsafe_code, reason = "an allocator that counts can not do without")]
// SAFETY: everything is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Forget;

impl Sink for Forget {
    fn finished(&self, _record: &CallRecord) {}
}

/// Chunks that are ready, and nothing else.
struct Chunks(VecDeque<Bytes>, Option<HeaderMap>);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if let Some(chunk) = self.0.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        Poll::Ready(self.1.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }
}

async fn data_of(body: &mut Body) -> Vec<Bytes> {
    let mut data = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
        if let Ok(chunk) = frame.expect("a sound body").into_data() {
            data.push(chunk);
        }
    }
    data
}

/// The application: what it was sent, and what it answers next.
#[derive(Clone, Default)]
struct App(Rc<RefCell<(Vec<Bytes>, Option<Reply>)>>);

impl Service<Call> for App {
    type Response = Reply;
    type Error = Fault;
    type Future = LocalFuture<Result<Reply, Fault>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut call: Call) -> Self::Future {
        let state = Rc::clone(&self.0);
        if let Some(whole) = call.body.take_whole() {
            state.borrow_mut().0 = vec![whole];
            let reply = state.borrow_mut().1.take().expect("an answer is prepared");
            return Box::pin(std::future::ready(Ok(reply)));
        }
        Box::pin(async move {
            let seen = data_of(&mut call.body).await;
            let mut state = state.borrow_mut();
            state.0 = seen;
            Ok(state.1.take().expect("an answer is prepared"))
        })
    }
}

struct Bench {
    door: FrontDoor,
    /// The size of the last future of the layers.
    layers: Rc<Cell<usize>>,
    app: App,
    peer: SharedPeer,
}

impl Bench {
    fn new() -> Self {
        let set = Bytes::from_static(include_bytes!(concat!(env!("OUT_DIR"), "/services.binpb")));
        let loaded = descriptor_set::read_set(&set, &Arc::from("services.binpb"));
        let (mut schema, problems) = compile(&Input {
            files: loaded.files,
            ..Input::default()
        });
        assert!(problems.is_empty(), "{problems:?}");
        schema.allow_unknown_methods = true;
        let app = App::default();
        let service = Deadlines::new(Gather::new(app.clone()));
        let layers = Rc::new(Cell::new(0));
        let size = Rc::clone(&layers);
        let stack: Stack = Rc::new(move |call| {
            let future = service.clone().call(call);
            size.set(size_of_val(&future));
            Box::pin(future)
        });
        let params = Params {
            trusted_proxies: forwarded::TrustedProxies::default(),
            own: Arc::new(compile(&Input::default()).0),
            drain: sidegate::life::drain::Drain::new(),
            reason_header: true,
            cors: None,
            gate: sidegate::protocol::gate::Gate::CLOSED,
        };
        let live = Arc::new(Live::new(schema));
        let [address, local] = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        Self {
            door: FrontDoor::new(params, live, stack, Arc::new(Forget)),
            layers,
            app,
            peer: Rc::new(Peer::new(address, local, false)),
        }
    }
}

impl Bench {
    fn answers(&self, body: Body) {
        let mut metadata = HeaderMap::with_capacity(1);
        metadata.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc"),
        );
        self.app.0.borrow_mut().1 = Some(Reply {
            metadata,
            trailers_only: None,
            body,
        });
    }

    /// One call; its answer, and the allocations between the request and the head of the answer.
    async fn call(&self, request: Request<Body>, answer: Body) -> (Response<Body>, u64) {
        self.answers(answer);
        let peer = Rc::clone(&self.peer);
        let before = ALLOCATIONS.get();
        let handling = self.door.handle(peer, request);
        for (what, size) in [
            ("a call", size_of_val(&*handling)),
            ("the layers", self.layers.get()),
        ] {
            assert!(size <= MOST_FUTURE, "the future of {what} has {size} bytes");
        }
        let response = handling.await;
        (response, ALLOCATIONS.get() - before)
    }
}

/// A future lies in one piece of memory for as long as a call takes, and is copied into it.
const MOST_FUTURE: usize = 192;

fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers
}

/// `Book { name: "shelves/1/books/2", pages: 3 }`, framed.
fn book() -> Bytes {
    frame::frame(0, b"\x0a\x11shelves/1/books/2\x38\x03").expect("it is short")
}

fn get() -> Request<Body> {
    Request::get("/v1/shelves/1/books/2")
        .header("host", "shelf.example")
        .header("user-agent", "test/1")
        .body(Body::empty())
        .expect("a sound request")
}

fn post(json: &'static [u8]) -> Request<Body> {
    let chunks = VecDeque::from([Bytes::from_static(json)]);
    Request::post("/v1/shelves/1/books")
        .header("host", "shelf.example")
        .header("content-type", "application/json")
        .body(Body::raw(Chunks(chunks, None)))
        .expect("a sound request")
}

fn grpc(path: &str, chunks: Vec<Bytes>) -> Request<Body> {
    Request::post(path)
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::raw(Chunks(chunks.into(), None)))
        .expect("a sound request")
}

fn run(test: impl Future<Output = ()>) {
    task::local_runtime().expect("a runtime").block_on(test);
}

/// How many allocations a call takes once everything is warm, and the body of its answer.
async fn warm(
    bench: &Bench,
    request: impl Fn() -> Request<Body>,
    answer: impl Fn() -> Body,
) -> (u64, Vec<Bytes>) {
    let mut last = (0, Vec::new());
    for _ in 0..5 {
        let (response, allocations) = bench.call(request(), answer()).await;
        assert_eq!(response.status(), 200);
        last = (allocations, data_of(&mut response.into_body()).await);
    }
    last
}

#[test]
fn a_rest_get_costs_few_allocations() {
    run(async {
        let bench = Bench::new();
        let (allocations, body) = warm(&bench, get, || Body::whole(book(), Some(trailers()))).await;
        assert_eq!(
            body.concat(),
            b"{\"name\":\"shelves/1/books/2\",\"pages\":3}"
        );
        assert!(allocations <= 28, "{allocations} allocations");
    });
}

#[test]
fn a_rest_post_costs_few_allocations() {
    run(async {
        let bench = Bench::new();
        let request = || post(b"{\"title\":\"x\",\"pages\":3}");
        let (allocations, _) =
            warm(&bench, request, || Body::whole(book(), Some(trailers()))).await;
        assert_eq!(
            bench.app.0.borrow().0.len(),
            1,
            "the message comes in one piece"
        );
        assert!(allocations <= 30, "{allocations} allocations");
    });
}

#[test]
fn a_native_call_costs_few_allocations() {
    run(async {
        let bench = Bench::new();
        let request = || grpc("/bookstore.v1.Bookstore/GetBook", vec![book()]);
        let (allocations, _) =
            warm(&bench, request, || Body::whole(book(), Some(trailers()))).await;
        assert!(allocations <= 18, "{allocations} allocations");
    });
}

#[test]
fn a_message_of_a_rest_stream_costs_one_allocation() {
    run(async {
        const MESSAGES: usize = 100;
        let bench = Bench::new();
        let answer = || {
            let chunks = (0..MESSAGES).map(|_| book()).collect();
            Body::stream(Chunks(chunks, Some(trailers())))
        };
        let request = || {
            Request::get("/v1/shelves/1/books:stream")
                .header("accept", "application/x-ndjson")
                .body(Body::empty())
                .expect("a sound request")
        };
        for round in 0..3 {
            let (response, _) = bench.call(request(), answer()).await;
            let mut body = response.into_body();
            let before = ALLOCATIONS.get();
            let mut frames = 0;
            while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
            {
                frames += usize::from(frame.expect("a sound body").is_data());
            }
            let allocations = ALLOCATIONS.get() - before;
            assert_eq!(frames, MESSAGES, "each message is a chunk of its own");
            let most = 2 * MESSAGES as u64 + 16;
            assert!(
                round == 0 || allocations <= most,
                "{allocations} allocations"
            );
        }
    });
}

/// Invariant 10: what the app gets and what the client gets are the bytes that came, where they
/// lay.
#[test]
fn a_native_message_is_never_copied() {
    run(async {
        const SIZE: usize = 1 << 20;
        let bench = Bench::new();
        let message = frame::frame(0, &vec![7; SIZE]).expect("it is short");
        let chunks: Vec<Bytes> = (0..message.len())
            .step_by(16 << 10)
            .map(|at| message.slice(at..message.len().min(at + (16 << 10))))
            .collect();
        for path in [
            "/bookstore.v1.Bookstore/GetBook",
            "/bookstore.v1.Bookstore/ImportBooks",
            "/x.Y/Z",
        ] {
            let answer = Body::stream(Chunks(chunks.clone().into(), Some(trailers())));
            let before = BYTES.get();
            let (response, _) = bench.call(grpc(path, chunks.clone()), answer).await;
            let answered = data_of(&mut response.into_body()).await;
            let allocated = BYTES.get() - before;
            let seen = std::mem::take(&mut bench.app.0.borrow_mut().0);
            for (what, pieces) in [("request", seen), ("answer", answered)] {
                let places = |pieces: &[Bytes]| -> Vec<_> {
                    pieces
                        .iter()
                        .map(|piece| (piece.as_ptr(), piece.len()))
                        .collect()
                };
                assert_eq!(places(&pieces), places(&chunks), "{path}: the {what}");
            }
            assert!(allocated < SIZE as u64 / 16, "{path}: {allocated} bytes");
        }
    });
}
