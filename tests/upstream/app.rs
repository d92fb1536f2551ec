//! An application of which a test decides every frame, on the test's own thread.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use h2::server::{self, Connection, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use sidegate::life::task::TaskSet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What the application does with a call.
pub(crate) type Handler = Rc<dyn Fn(Incoming) -> sidegate::call::LocalFuture<()>>;

/// A call as the application sees it.
pub(crate) struct Incoming {
    pub(crate) head: http::request::Parts,
    pub(crate) body: RecvStream,
    pub(crate) respond: SendResponse<Bytes>,
    pub(crate) shared: Rc<Shared>,
}

/// An application that listens until it is dropped.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    pub(crate) shared: Rc<Shared>,
    _tasks: Rc<TaskSet>,
}

/// What a test sees of the application, and tells it.
#[derive(Default)]
pub(crate) struct Shared {
    /// Connections that were accepted.
    pub(crate) connections: Cell<usize>,
    /// Calls that reached a handler.
    pub(crate) calls: Cell<usize>,
    /// Calls that the client gave up, as [`Incoming::given_up`] saw them.
    pub(crate) given_up: Cell<usize>,
    changed: Notify,
    order: RefCell<Option<Order>>,
    generation: Cell<usize>,
    ordered: Notify,
}

/// Something to do to every open connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// GOAWAY, and serve what runs.
    GoAway,
    /// Close the socket in the middle of everything.
    Die,
}

/// How the application's connections are set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) streams: u32,
}

impl App {
    /// Listens on a free port of the loopback.
    pub(crate) async fn start<F, R>(handler: F) -> Self
    where
        F: Fn(Incoming) -> R + 'static,
        R: Future<Output = ()> + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, Limits { streams: 1000 }, handler)
    }

    pub(crate) fn on<F, R>(listener: TcpListener, limits: Limits, handler: F) -> Self
    where
        F: Fn(Incoming) -> R + 'static,
        R: Future<Output = ()> + 'static,
    {
        let address = listener.local_addr().unwrap();
        let handler: Handler = Rc::new(move |incoming| Box::pin(handler(incoming)));
        let shared = Rc::new(Shared::default());
        let tasks = Rc::new(TaskSet::new());
        let accepting = accept(
            listener,
            limits,
            Rc::clone(&shared),
            handler,
            Rc::downgrade(&tasks),
        );
        tasks.spawn_local("accept", accepting);
        Self {
            address,
            shared,
            _tasks: tasks,
        }
    }

    /// Waits until something holds; it is looked at whenever a call comes or is given up.
    pub(crate) async fn until(&self, holds: impl Fn(&Shared) -> bool) {
        self.shared.until(holds).await;
    }

    pub(crate) fn order(&self, order: Order) {
        self.shared.order.replace(Some(order));
        self.shared.generation.set(self.shared.generation.get() + 1);
        self.shared.ordered.notify_waiters();
    }
}

async fn accept(
    listener: TcpListener,
    limits: Limits,
    shared: Rc<Shared>,
    handler: Handler,
    tasks: std::rc::Weak<TaskSet>,
) {
    while let Ok((socket, _)) = listener.accept().await {
        socket.set_nodelay(true).unwrap();
        shared.connections.set(shared.connections.get() + 1);
        let Some(tasks) = tasks.upgrade() else { return };
        let serving = serve(socket, limits, Rc::clone(&shared), Rc::clone(&handler));
        tasks.spawn_local("connection", serving);
    }
}

async fn serve(socket: TcpStream, limits: Limits, shared: Rc<Shared>, handler: Handler) {
    let calls = TaskSet::new();
    let shaking = server::Builder::new()
        .max_concurrent_streams(limits.streams)
        .initial_window_size(1 << 20)
        .handshake::<_, Bytes>(socket);
    let Ok(mut connection) = shaking.await else {
        return;
    };
    let mut seen = shared.generation.get();
    loop {
        let next = next(&mut connection, &shared, &mut seen).await;
        match next {
            Next::Order(Order::GoAway) => connection.graceful_shutdown(),
            Next::Order(Order::Die) | Next::Closed => return,
            Next::Call(incoming) => {
                let (request, respond) = *incoming;
                shared.calls.set(shared.calls.get() + 1);
                shared.changed.notify_waiters();
                let (head, body) = request.into_parts();
                calls.spawn_local(
                    "call",
                    handler(Incoming {
                        head,
                        body,
                        respond,
                        shared: Rc::clone(&shared),
                    }),
                );
            }
        }
    }
}

enum Next {
    Call(Box<(Request<RecvStream>, SendResponse<Bytes>)>),
    Order(Order),
    Closed,
}

async fn next(
    connection: &mut Connection<TcpStream, Bytes>,
    shared: &Shared,
    seen: &mut usize,
) -> Next {
    let mut ordered = pin!(shared.ordered.notified());
    ordered.as_mut().enable();
    poll_fn(|context| {
        if *seen != shared.generation.get() {
            *seen = shared.generation.get();
            if let Some(order) = *shared.order.borrow() {
                return Poll::Ready(Next::Order(order));
            }
        }
        if ordered.as_mut().poll(context).is_ready() {
            context.waker().wake_by_ref();
        }
        match connection.poll_accept(context) {
            Poll::Ready(Some(Ok(call))) => Poll::Ready(Next::Call(Box::new(call))),
            Poll::Ready(Some(Err(_)) | None) => Poll::Ready(Next::Closed),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Counts a call that was given up.
pub(crate) struct GivenUp(Rc<Shared>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.given_up.set(self.0.given_up.get() + 1);
        self.0.changed.notify_waiters();
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if holds(self) {
                return;
            }
            changed.await;
        }
    }
}

// === impl Incoming ===

impl Incoming {
    /// Reads the request body to its end; `None` when it was reset.
    pub(crate) async fn read(&mut self) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(data) = self.next().await {
            all.extend_from_slice(&data.ok()?);
        }
        Some(all)
    }

    /// The next piece of the request body.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, h2::Error>> {
        let data = self.body.data().await?;
        if let Ok(data) = &data {
            self.body
                .flow_control()
                .release_capacity(data.len())
                .unwrap();
        }
        Some(data)
    }

    /// Waits until the client gives the call up, and counts it.
    pub(crate) async fn given_up(&mut self, stream: &mut SendStream<Bytes>) -> Reason {
        let _told = self.count_on_drop();
        let reason = poll_fn(|context| stream.poll_reset(context)).await;
        reason.unwrap()
    }

    /// The same before anything was answered.
    pub(crate) async fn given_up_unanswered(&mut self) -> Reason {
        // The connection may end with the call.
        let _told = self.count_on_drop();
        let reason = poll_fn(|context| self.respond.poll_reset(context)).await;
        reason.unwrap()
    }

    /// Counts the call as given up when this is dropped.
    fn count_on_drop(&self) -> GivenUp {
        GivenUp(Rc::clone(&self.shared))
    }

    /// Answers with messages and a status.
    pub(crate) fn answer(&mut self, messages: &[&[u8]]) {
        let mut send = self.respond.send_response(grpc(), false).unwrap();
        for message in messages {
            send.send_data(frame(message), false).unwrap();
        }
        send.send_trailers(status(0)).unwrap();
    }
}

/// The head of an answer.
pub(crate) fn grpc() -> Response<()> {
    Response::builder()
        .header("content-type", "application/grpc")
        .header("x-initial", "yes")
        .body(())
        .unwrap()
}

/// Trailers with a status.
pub(crate) fn status(number: u32) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", number.into());
    trailers
}

/// One message in its frame.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat().into()
}
