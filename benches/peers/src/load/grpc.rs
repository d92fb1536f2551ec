//! gRPC as a client that measures answers and keeps nothing of them.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::SendRequest;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use crate::Result;

/// A connection that calls are made on.
#[derive(Clone, Debug)]
pub struct Stub {
    address: SocketAddr,
    sender: SendRequest<Bytes>,
}

impl Stub {
    /// Connects, with windows that never hold an answer up.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = h2::client::Builder::new()
            .initial_window_size(4 << 20)
            .initial_connection_window_size(16 << 20)
            .enable_push(false)
            .handshake(stream)
            .await?;
        // A connection that ends badly is seen by the calls on it.
        spawn_local(async move { drop(connection.await) });
        Ok(Self { address, sender })
    }

    /// Makes a call and returns the length of the answer with its frames. Another status than OK
    /// is a failure.
    pub async fn call(&mut self, rpc: &str, frame: &Bytes) -> Result<usize> {
        let mut received = 0;
        self.exchange(rpc, frame, |chunk| received += chunk.len())
            .await?;
        Ok(received)
    }

    /// Makes a call and keeps the answer's frames.
    pub async fn ask(&mut self, rpc: &str, frame: &Bytes) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        self.exchange(rpc, frame, |chunk| body.extend_from_slice(chunk))
            .await?;
        Ok(body)
    }

    async fn exchange(
        &mut self,
        rpc: &str,
        frame: &Bytes,
        mut keep: impl FnMut(&[u8]),
    ) -> Result<()> {
        let mut sender = self.sender.clone().ready().await?;
        let mut request = Request::post(format!("http://{}{rpc}", self.address)).body(())?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        let (response, mut body) = sender.send_request(request, false)?;
        body.send_data(frame.clone(), true)?;
        let (head, mut data) = response.await?.into_parts();
        if head.status != StatusCode::OK {
            return Err(format!("status {}", head.status).into());
        }
        while let Some(chunk) = data.data().await {
            let chunk = chunk?;
            keep(&chunk);
            data.flow_control().release_capacity(chunk.len())?;
        }
        let trailers = data.trailers().await?.unwrap_or(head.headers);
        fine(&trailers)
    }
}

fn fine(trailers: &HeaderMap) -> Result<()> {
    let field = |name| {
        trailers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("missing")
    };
    match field("grpc-status") {
        "0" => Ok(()),
        status => Err(format!("grpc-status {status}: {}", field("grpc-message")).into()),
    }
}
