//! One exchange with a neighbour over HTTP/1.1, on a connection of its own.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Where a neighbour listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Why there is no answer, in words.
#[derive(Debug)]
pub(super) struct NoAnswer(String);

impl NoAnswer {
    pub(super) fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Place {
    /// As `:authority` and `Host` have it.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    pub(super) async fn connect(&self) -> Result<TcpStream, NoAnswer> {
        let stream = TcpStream::connect((self.host.as_str(), self.port));
        let stream = stream.await.map_err(NoAnswer::new)?;
        stream.set_nodelay(true).map_err(NoAnswer::new)?;
        Ok(stream)
    }
}

/// Sends a request and reads the answer whole, `limit` bytes of it at the most.
pub(super) async fn exchange(
    place: &Place,
    request: Request<Full<Bytes>>,
    limit: usize,
) -> Result<Response<Bytes>, NoAnswer> {
    exchange_on(place.connect().await?, request, limit).await
}

/// The same on a connection that stands already.
pub(super) async fn exchange_on(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    limit: usize,
) -> Result<Response<Bytes>, NoAnswer> {
    let stream = TokioIo::new(stream);
    let (mut sender, connection) = http1::handshake(stream).await.map_err(NoAnswer::new)?;
    let asking = async {
        let answer = sender.send_request(request).await.map_err(NoAnswer::new)?;
        let (head, mut body) = answer.into_parts();
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(NoAnswer::new)?.into_data() else {
                continue;
            };
            if whole.len() + data.len() > limit {
                return Err(NoAnswer(format!("the answer has more than {limit} bytes")));
            }
            whole.extend_from_slice(&data);
        }
        Ok(Response::from_parts(head, whole.freeze()))
    };
    tokio::pin!(asking);
    tokio::select! {
        biased;
        answer = &mut asking => answer,
        ended = connection => match ended {
            // The answer may have come whole with the end of the connection.
            Ok(()) => asking.await,
            Err(error) => Err(NoAnswer::new(error)),
        },
    }
}

/// Gives up after `patience`.
pub(super) async fn within<T>(
    patience: Duration,
    asking: impl Future<Output = Result<T, NoAnswer>>,
) -> Result<T, NoAnswer> {
    tokio::time::timeout(patience, asking)
        .await
        .unwrap_or_else(|_elapsed| Err(NoAnswer(format!("no answer within {patience:?}"))))
}
