//! HTTP/1.1 as a client that measures answers and keeps nothing of them.

use std::net::SocketAddr;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Result;
use crate::fixtures::Fixture;

/// Room for one read: a whole answer of the common rows.
const READ: usize = 128 << 10;
/// More header fields than any peer sends.
const MOST_FIELDS: usize = 32;

/// The bytes of a fixture's call.
pub(super) fn request(address: SocketAddr, fixture: &Fixture) -> Bytes {
    let accept = match fixture.streamed {
        Some(_) => "application/x-ndjson",
        None => "application/json",
    };
    let mut head = format!(
        "{} {} HTTP/1.1\r\nhost: {address}\r\naccept: {accept}\r\nuser-agent: yardstick\r\n",
        fixture.method, fixture.path
    );
    let body = fixture.body.clone().unwrap_or_default();
    if fixture.body.is_some() {
        head += &format!(
            "content-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
    }
    [head.as_bytes(), b"\r\n", &body].concat().into()
}

/// A POST with these header lines, each with its line break.
pub fn post(address: SocketAddr, path: &str, lines: &str, body: &[u8]) -> Bytes {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nuser-agent: yardstick\r\n{lines}\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat().into()
}

/// An answer that was kept.
#[derive(Debug)]
pub struct Plain {
    /// The status.
    pub status: u16,
    /// The body, without its chunks.
    pub body: Vec<u8>,
}

/// A connection that is kept alive.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

/// How the body of an answer ends.
#[derive(Clone, Copy, Debug)]
enum Length {
    Known(usize),
    Chunked,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: BytesMut::with_capacity(READ),
        })
    }

    /// Makes a call and returns the length of the answer's body. Another status than 200 is a
    /// failure.
    pub async fn call(&mut self, request: &[u8]) -> Result<usize> {
        self.stream.write_all(request).await?;
        let (status, length) = self.head().await?;
        let received = self.body(length, |_| ()).await?;
        if status == 200 {
            Ok(received)
        } else {
            Err(format!("status {status}").into())
        }
    }

    /// Makes a call and keeps the answer.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Plain> {
        self.stream.write_all(request).await?;
        let (status, length) = self.head().await?;
        let mut body = Vec::new();
        self.body(length, |bytes| body.extend_from_slice(bytes))
            .await?;
        Ok(Plain { status, body })
    }

    async fn fill(&mut self) -> Result<()> {
        self.buffer.reserve(READ);
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err("the connection was closed".into());
        }
        Ok(())
    }

    async fn head(&mut self) -> Result<(u16, Length)> {
        loop {
            let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
            let mut response = httparse::Response::new(&mut fields);
            if let httparse::Status::Complete(end) = response.parse(&self.buffer)? {
                let status = response.code.unwrap_or(0);
                let length = length_of(response.headers)?;
                self.buffer.advance(end);
                return Ok((status, length));
            }
            self.fill().await?;
        }
    }

    async fn body(&mut self, length: Length, mut keep: impl FnMut(&[u8])) -> Result<usize> {
        match length {
            Length::Known(length) => {
                self.take(length, &mut keep).await?;
                Ok(length)
            }
            Length::Chunked => {
                let mut received = 0;
                loop {
                    let size = self.chunk_size().await?;
                    self.take(size, &mut keep).await?;
                    received += size;
                    if size == 0 {
                        while self.line().await? > 0 {}
                        return Ok(received);
                    }
                    self.line().await?;
                }
            }
        }
    }

    async fn take(&mut self, mut length: usize, keep: &mut impl FnMut(&[u8])) -> Result<()> {
        while length > 0 {
            if self.buffer.is_empty() {
                self.fill().await?;
            }
            let part = length.min(self.buffer.len());
            keep(&self.buffer[..part]);
            self.buffer.advance(part);
            length -= part;
        }
        Ok(())
    }

    async fn chunk_size(&mut self) -> Result<usize> {
        loop {
            match httparse::parse_chunk_size(&self.buffer) {
                Ok(httparse::Status::Complete((end, size))) => {
                    self.buffer.advance(end);
                    return Ok(usize::try_from(size)?);
                }
                Ok(httparse::Status::Partial) => self.fill().await?,
                Err(_) => return Err("a chunk without a size".into()),
            }
        }
    }

    /// Drops a line; its length without the end.
    async fn line(&mut self) -> Result<usize> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                self.buffer.advance(end + 2);
                return Ok(end);
            }
            self.fill().await?;
        }
    }
}

fn length_of(fields: &[httparse::Header<'_>]) -> Result<Length> {
    for field in fields {
        if field.name.eq_ignore_ascii_case("content-length") {
            return Ok(Length::Known(std::str::from_utf8(field.value)?.parse()?));
        }
        if field.name.eq_ignore_ascii_case("transfer-encoding") {
            return Ok(Length::Chunked);
        }
    }
    Err("an answer without a length".into())
}
