//! The clients: HTTP/1.1 by hand on one connection, and gRPC by the `h2` crate on another.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::Bytes;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// One keep-alive connection.
pub(crate) struct Http {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Http {
    pub(crate) fn connect(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Sends a request and reads its whole answer, which has to be a 200; the size of the body.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> Outcome<usize> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            self.more()?;
        };
        let text = std::str::from_utf8(self.buffer.get(..head).unwrap_or_default())?;
        if !text.starts_with("HTTP/1.1 200") {
            return Err(format!("answered with {text}").into());
        }
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        match length.map(str::parse::<usize>).transpose()? {
            Some(length) => {
                while self.buffer.len() < head + length {
                    self.more()?;
                }
                Ok(length)
            }
            None => {
                while !self.buffer.ends_with(b"\r\n0\r\n\r\n") {
                    self.more()?;
                }
                Ok(self.buffer.len() - head)
            }
        }
    }

    fn more(&mut self) -> Outcome<()> {
        let mut chunk = [0; 1 << 16];
        let read = self.stream.read(&mut chunk)?;
        if read == 0 {
            return Err("the gateway closed the connection".into());
        }
        self.buffer
            .extend_from_slice(chunk.get(..read).unwrap_or_default());
        Ok(())
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// Calls `path` as often as said, one after the other, on a connection that is new.
pub(crate) struct Grpc {
    runtime: tokio::runtime::Runtime,
    send: h2::client::SendRequest<Bytes>,
    address: SocketAddr,
}

impl Grpc {
    pub(crate) fn connect(address: SocketAddr) -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let send = runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (send, connection) = h2::client::Builder::new()
                .initial_window_size(1 << 20)
                .initial_connection_window_size(1 << 24)
                .handshake::<_, Bytes>(stream)
                .await?;
            tokio::spawn(async move { drop(connection.await) });
            Ok::<_, Box<dyn Error>>(send.ready().await?)
        })?;
        Ok(Self {
            runtime,
            send,
            address,
        })
    }

    /// One call with a framed message; the bytes of its answer, which has to end with OK.
    pub(crate) fn exchange(&mut self, path: &str, message: &Bytes) -> Outcome<usize> {
        let request = http::Request::post(format!("http://{}{path}", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", "instructions/1")
            .body(())?;
        let send = &mut self.send;
        self.runtime.block_on(async {
            let (response, mut stream) = send.send_request(request, false)?;
            stream.send_data(message.clone(), true)?;
            let mut body = response.await?.into_body();
            let mut size = 0;
            while let Some(data) = body.data().await {
                let data = data?;
                size += data.len();
                body.flow_control().release_capacity(data.len())?;
            }
            let trailers = body.trailers().await?.ok_or("an answer without trailers")?;
            if trailers
                .get("grpc-status")
                .is_none_or(|status| status != "0")
            {
                return Err(format!("ended with {trailers:?}").into());
            }
            Ok(size)
        })
    }
}
