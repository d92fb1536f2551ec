//! Asking a registry over HTTP/1.1: one request, one connection, so that one that goes away while
//! nobody asks is nobody's trouble.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HOST};
use http::response::Parts;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::Place;
use crate::life::task::{self, Task};

/// How long an answer may take that is not waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// The largest answer.
const MOST_BYTES: usize = 16 << 20;

/// A request, as far as registries differ.
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    /// The path and query.
    pub(super) path: &'a str,
    /// A header and its value.
    pub(super) header: Option<(&'static str, &'a str)>,
    /// Nothing if it is [`Value::Null`].
    pub(super) body: &'a Value,
}

/// An answer that begins.
pub(super) struct Answer {
    pub(super) head: Parts,
    /// The address of this machine, as the one who answers sees it.
    pub(super) local: IpAddr,
    body: Incoming,
    buffer: BytesMut,
    _connection: Task<()>,
}

/// Sends a request; the beginning of the answer, or why there is none.
pub(super) async fn ask(place: &Place, asked: Asked<'_>) -> Result<Answer, String> {
    // It is large, and everybody who waits for it would be.
    Box::pin(send(place, asked)).await
}

async fn send(place: &Place, asked: Asked<'_>) -> Result<Answer, String> {
    let (stream, local) = connect(place).await?;
    let told = |error: hyper::Error| format!("{place} does not answer: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
    let connection = task::spawn_local("registry", async move {
        // What is wrong with it is told to whoever waits for the answer.
        drop(connection.await);
    });
    let mut request = Request::builder()
        .method(asked.method)
        .uri(asked.path)
        .header(HOST, place.to_string())
        .header(CONTENT_TYPE, "application/json");
    if let Some((name, value)) = asked.header {
        request = request.header(name, value);
    }
    let body = match asked.body {
        Value::Null => Bytes::new(),
        body => body.to_string().into(),
    };
    let request = request.body(Full::new(body));
    let request = request.map_err(|error| format!("{place} cannot be asked: {error}"))?;
    let answer = sender.send_request(request).await.map_err(told)?;
    let (head, body) = answer.into_parts();
    Ok(Answer {
        head,
        local,
        body,
        buffer: BytesMut::new(),
        _connection: connection,
    })
}

async fn connect(place: &Place) -> Result<(TcpStream, IpAddr), String> {
    // A far side that is gone without a word is noticed after half a minute.
    const QUIET: Duration = Duration::from_secs(15);
    const AGAIN: Duration = Duration::from_secs(5);
    let Place::Tcp { host, port } = place else {
        return Err(format!("{place} is no host"));
    };
    let wrong = |error: std::io::Error| format!("{place} cannot be reached: {error}");
    let connecting = TcpStream::connect((host.as_str(), *port));
    let stream = within(PATIENCE, place, async { connecting.await.map_err(wrong) }).await?;
    stream.set_nodelay(true).map_err(wrong)?;
    let alive = TcpKeepalive::new()
        .with_time(QUIET)
        .with_interval(AGAIN)
        .with_retries(3);
    let socket = SockRef::from(&stream);
    socket.set_tcp_keepalive(&alive).map_err(wrong)?;
    socket
        .set_tcp_user_timeout(Some(QUIET + AGAIN * 3))
        .map_err(wrong)?;
    let local = stream.local_addr().map_err(wrong)?.ip();
    Ok((stream, local))
}

/// Gives up after a while.
pub(super) async fn within<T>(
    patience: Duration,
    who: impl fmt::Display,
    asking: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    tokio::time::timeout(patience, asking)
        .await
        .unwrap_or_else(|_elapsed| Err(format!("{who} does not answer within {patience:?}")))
}

impl Answer {
    pub(super) fn status(&self) -> StatusCode {
        self.head.status
    }

    /// All of it.
    pub(super) async fn whole(mut self) -> Result<Bytes, String> {
        while self.more().await? {}
        Ok(self.buffer.freeze())
    }

    /// The next line; `None` at the end.
    pub(super) async fn line(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer) {
                let line = self.buffer.split_to(end).freeze();
                self.buffer.advance(1);
                return Ok(Some(line));
            }
            if !self.more().await? {
                let rest = self.buffer.split().freeze();
                return Ok((!rest.is_empty()).then_some(rest));
            }
        }
    }

    /// Takes in what comes next; whether there was anything.
    async fn more(&mut self) -> Result<bool, String> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| format!("the answer breaks off: {error}"))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if self.buffer.len() + data.len() > MOST_BYTES {
                return Err(format!("the answer has more than {MOST_BYTES} bytes"));
            }
            self.buffer.extend_from_slice(&data);
            return Ok(true);
        }
        Ok(false)
    }
}
