//! An application that counts its calls and whose manner a test changes while it runs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;

/// An application; it ends when this is dropped.
pub(crate) struct App {
    pub(crate) url: String,
    pub(crate) shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What a test sees of it, and tells it.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    calls: AtomicUsize,
    code: AtomicU32,
    pause_ms: AtomicU64,
}

impl App {
    /// Listens on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&own)));
            }
        });
        Self {
            url,
            shared,
            accepting,
        }
    }

    /// Listens on a socket in the file system.
    pub(crate) fn start_at(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&own)));
            }
        });
        Self {
            url: format!("unix:{}", path.display()),
            shared,
            accepting,
        }
    }

    /// Calls that have come.
    pub(crate) fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::SeqCst)
    }

    /// Answers with this code from now on.
    pub(crate) fn fails_with(&self, code: u32) {
        self.shared.code.store(code, Ordering::SeqCst);
    }

    /// Takes its time from now on.
    pub(crate) fn pauses(&self, pause: Duration) {
        let pause = u64::try_from(pause.as_millis()).unwrap();
        self.shared.pause_ms.store(pause, Ordering::SeqCst);
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve<S>(stream: S, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        if request.uri().path().starts_with("/grpc.") {
            // Health and reflection are no calls of a test.
            answer(respond, 12);
            continue;
        }
        shared.calls.fetch_add(1, Ordering::SeqCst);
        let code = shared.code.load(Ordering::SeqCst);
        let pause = Duration::from_millis(shared.pause_ms.load(Ordering::SeqCst));
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(Ok(data)) = body.data().await {
                drop(body.flow_control().release_capacity(data.len()));
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            answer(respond, code);
        });
    }
}

/// An empty message and a status, or the status alone. A client may have gone by then.
fn answer(mut respond: h2::server::SendResponse<Bytes>, code: u32) {
    let mut status = HeaderMap::new();
    status.insert("grpc-status", HeaderValue::from(code));
    let mut head = Response::builder()
        .header("content-type", "application/grpc")
        .body(())
        .unwrap();
    if code != 0 {
        head.headers_mut().extend(status);
        drop(respond.send_response(head, true));
        return;
    }
    let Ok(mut stream) = respond.send_response(head, false) else {
        return;
    };
    drop(stream.send_data(Bytes::from_static(&[0; 5]), false));
    drop(stream.send_trailers(status));
}
