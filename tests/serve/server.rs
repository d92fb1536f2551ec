//! A data port whose handlers a test decides, and clients that see every byte.

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use sidegate::call::{Body, Fault, LocalFuture};
use sidegate::life::drain::Drain;
use sidegate::life::task::{self, Task};
use sidegate::serve::{Handler, Listener, MakeHandler, Params, Stats, Workers};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

/// How long anything that has to happen may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running data port. It stops when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) drain: Drain,
    pub(crate) stats: Arc<Stats>,
    pub(crate) seen: Arc<Seen>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) running: Task<bool>,
}

/// What the handlers saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Requests that reached a handler.
    pub(crate) requests: AtomicUsize,
    /// Handlers and bodies that were dropped before they ended.
    pub(crate) cancelled: AtomicUsize,
    /// Bytes that were taken from endless bodies.
    pub(crate) sent: AtomicUsize,
}

/// Counts as cancelled when it is dropped.
pub(crate) struct Watch(Arc<Seen>);

/// What a test's handler is given.
pub(crate) type Answer =
    Arc<dyn Fn(Arc<Seen>, Request<Body>) -> LocalFuture<Response<Body>> + Send + Sync>;

impl Server {
    /// One worker with the safe defaults.
    pub(crate) fn start<F, R>(handler: F) -> Self
    where
        F: Fn(Arc<Seen>, Request<Body>) -> R + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + 'static,
    {
        Self::with(&Params::new(), handler)
    }

    pub(crate) fn with<F, R>(params: &Params, handler: F) -> Self
    where
        F: Fn(Arc<Seen>, Request<Body>) -> R + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + 'static,
    {
        let answer: Answer = Arc::new(move |seen, request| Box::pin(handler(seen, request)));
        let seen = Arc::<Seen>::default();
        let make: MakeHandler = {
            let seen = Arc::clone(&seen);
            Arc::new(move || -> Handler {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                Rc::new(move |_peer, request| {
                    seen.requests.fetch_add(1, Ordering::SeqCst);
                    answer(Arc::clone(&seen), request)
                })
            })
        };
        let drain = Drain::new();
        let workers = Workers::start(1, params, &drain, &make).unwrap();
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.address();
        let stats = Arc::clone(workers.stats());
        let (stop, stopping) = oneshot::channel();
        let running = task::spawn("accept", async move {
            listener
                .run(&workers, async {
                    // A dropped sender stops as well.
                    drop(stopping.await);
                })
                .await;
            workers.stop(PATIENCE).await
        });
        Self {
            address,
            drain,
            stats,
            seen,
            stop: Some(stop),
            running,
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Sends bytes and reads until the server closes.
    pub(crate) async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_to_end(&mut stream).await
    }

    /// An HTTP/2 client, with the task that drives it.
    pub(crate) async fn h2(&self) -> (h2::client::SendRequest<Bytes>, Task<String>) {
        let (send, connection) = h2::client::handshake(self.connect().await).await.unwrap();
        let driving = task::spawn("client", async move {
            match connection.await {
                Ok(()) => String::new(),
                Err(error) => error.to_string(),
            }
        });
        (send, driving)
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    /// Waits until so many handlers were cancelled.
    pub(crate) async fn cancelled(&self, count: usize) {
        let waiting = async {
            while self.seen.cancelled.load(Ordering::SeqCst) < count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }
}

impl Seen {
    /// Watches over something that only ends by being dropped.
    pub(crate) fn watch(self: &Arc<Self>) -> Watch {
        Watch(Arc::clone(self))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.cancelled.fetch_add(1, Ordering::SeqCst);
    }
}

/// A body that a test feeds, and the side it feeds it from.
pub(crate) fn channel() -> (mpsc::Sender<Result<Bytes, Fault>>, Fed) {
    let (sender, receiver) = mpsc::channel(16);
    (sender, Fed(receiver))
}

/// What becomes a fed body.
pub(crate) struct Fed(mpsc::Receiver<Result<Bytes, Fault>>);

impl Fed {
    /// The body; it keeps something for as long as it lives.
    pub(crate) fn holding<T: Unpin + 'static>(self, kept: T) -> Body {
        Body::raw(Holding(self.0, kept))
    }
}

struct Holding<T>(
    mpsc::Receiver<Result<Bytes, Fault>>,
    #[allow(dead_code, reason = "kept for its drop")] T,
);

impl<T: Unpin> http_body::Body for Holding<T> {
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

/// A body that never ends and is always ready.
pub(crate) fn endless(watch: Watch) -> Body {
    Body::raw(Endless(watch))
}

struct Endless(Watch);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Fault>>> {
        let data = Bytes::from_static(&[b'x'; 1000]);
        self.0.0.sent.fetch_add(data.len(), Ordering::SeqCst);
        Poll::Ready(Some(Ok(http_body::Frame::data(data))))
    }
}

pub(crate) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let reading = stream.read_to_end(&mut all);
    match tokio::time::timeout(PATIENCE, reading).await {
        Ok(Ok(_) | Err(_)) => String::from_utf8_lossy(&all).into_owned(),
        Err(_) => panic!("not closed, after {:?}", String::from_utf8_lossy(&all)),
    }
}

/// Reads until some text has come.
pub(crate) async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut all = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&all).contains(text) {
            let mut byte = [0; 1];
            match stream.read(&mut byte).await {
                Ok(1) => all.push(byte[0]),
                _ => break,
            }
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, reading).await.is_ok();
    let all = String::from_utf8_lossy(&all).into_owned();
    assert!(in_time && all.contains(text), "no {text:?} in {all:?}");
    all
}

/// Reads a body to its end; `None` when it breaks off.
pub(crate) async fn read_body(mut body: Body) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let frame = std::future::poll_fn(|context| {
            http_body::Body::poll_frame(Pin::new(&mut body), context)
        })
        .await;
        match frame {
            Some(Ok(frame)) => all.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            Some(Err(_)) => return None,
            None => return Some(all),
        }
    }
}
