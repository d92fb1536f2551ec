//! A gRPC client that behaves, over one connection of HTTP/2.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Method, Request, Response};
use tokio::net::TcpStream;

use crate::Result;
use crate::app::messages::{Ask, framed};

/// A connection; its clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Grpc {
    send: SendRequest<Bytes>,
    target: SocketAddr,
    given_up: Arc<AtomicBool>,
}

/// How a call ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended {
    /// HTTP's status.
    pub(crate) http: u16,
    /// `grpc-status`, when there was one.
    pub(crate) status: Option<String>,
    pub(crate) message: Option<String>,
    /// Bytes of the answer.
    pub(crate) body: Vec<u8>,
    /// What ended the stream instead.
    pub(crate) error: Option<String>,
    /// The application surely has not seen it.
    pub(crate) never_ran: bool,
}

impl Grpc {
    pub(crate) async fn connect(target: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(target).await?;
        stream.set_nodelay(true)?;
        let (send, connection) = h2::client::Builder::new()
            .initial_window_size(1 << 20)
            .initial_connection_window_size(16 << 20)
            .max_concurrent_reset_streams(0)
            .handshake(stream)
            .await?;
        let given_up = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&given_up);
        tokio::spawn(async move {
            drop(connection.await);
            over.store(true, Ordering::SeqCst);
        });
        Ok(Self {
            send,
            target,
            given_up,
        })
    }

    pub(crate) fn target(&self) -> SocketAddr {
        self.target
    }

    pub(crate) fn is_usable(&self) -> bool {
        !self.given_up.load(Ordering::SeqCst)
    }

    /// No new calls on this connection.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::SeqCst);
    }

    /// Opens a call; its body follows, unless it is here.
    pub(crate) async fn open(
        &self,
        request: Request<()>,
        body: Option<Bytes>,
    ) -> std::result::Result<(h2::client::ResponseFuture, h2::SendStream<Bytes>), h2::Error> {
        let mut send = self.send.clone().ready().await?;
        let (response, mut stream) = send.send_request(request, false)?;
        if let Some(body) = body {
            stream.send_data(body, true)?;
        }
        Ok((response, stream))
    }

    /// A call with one message.
    pub(crate) async fn unary(&self, method: &str, ask: &Ask, headers: &[(&str, &str)]) -> Ended {
        let request = match request(method, headers) {
            Ok(request) => request,
            Err(error) => return Ended::failed(&error.to_string()),
        };
        match self.open(request, Some(framed(ask))).await {
            Ok((response, _stream)) => finish(response).await,
            // GOAWAY came before the call was sent.
            Err(error) => Ended {
                never_ran: true,
                ..Ended::failed(&error.to_string())
            },
        }
    }

    /// `GET` or another method on a path, as REST over HTTP/2.
    pub(crate) async fn rest(&self, method: Method, path: &str, body: Bytes) -> Result<Ended> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://a{path}"))
            .header("content-type", "application/json")
            .body(())?;
        let (response, _stream) = self.open(request, Some(body)).await?;
        Ok(finish(response).await)
    }
}

/// A head of a gRPC call.
pub(crate) fn request(
    method: &str,
    headers: &[(&str, &str)],
) -> std::result::Result<Request<()>, http::Error> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://a/faults.v1.Faults/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(())
}

/// Reads an answer to its end.
pub(crate) async fn finish(response: h2::client::ResponseFuture) -> Ended {
    match response.await {
        Ok(response) => read(response).await,
        Err(error) => {
            let refused = error.reason() == Some(Reason::REFUSED_STREAM);
            let left = error.is_go_away() && error.reason() == Some(Reason::NO_ERROR);
            Ended {
                never_ran: refused || left,
                ..Ended::failed(&error.to_string())
            }
        }
    }
}

async fn read(response: Response<RecvStream>) -> Ended {
    let (head, mut stream) = response.into_parts();
    let mut ended = Ended {
        http: head.status.as_u16(),
        ..Ended::default()
    };
    ended.take_status(&head.headers);
    while let Some(data) = stream.data().await {
        match data {
            Ok(data) => {
                drop(stream.flow_control().release_capacity(data.len()));
                ended.body.extend_from_slice(&data);
            }
            Err(error) => {
                ended.error = Some(error.to_string());
                return ended;
            }
        }
    }
    match stream.trailers().await {
        Ok(Some(trailers)) => ended.take_status(&trailers),
        Ok(None) => {}
        Err(error) => ended.error = Some(error.to_string()),
    }
    ended
}

impl Ended {
    fn failed(error: &str) -> Self {
        Self {
            error: Some(error.to_owned()),
            ..Self::default()
        }
    }

    fn take_status(&mut self, headers: &HeaderMap) {
        let text = |name: &str| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        if let Some(status) = text("grpc-status") {
            self.status = Some(status);
            self.message = text("grpc-message");
        }
    }

    /// Messages in the answer.
    pub(crate) fn messages(&self) -> usize {
        let mut rest = &self.body[..];
        let mut count = 0;
        while let Some(length) = rest.get(1..5).and_then(|bytes| bytes.try_into().ok()) {
            rest = rest
                .get(5 + u32::from_be_bytes(length) as usize..)
                .unwrap_or_default();
            count += 1;
        }
        count
    }
}
