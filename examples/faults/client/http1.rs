//! HTTP/1.1 by hand: any bytes are sent, and answers are read as strictly as they have to be told
//! apart.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Result;

/// How long an answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
#[derive(Debug)]
pub(crate) struct Http1 {
    pub(crate) stream: TcpStream,
    target: SocketAddr,
    buffer: Vec<u8>,
    /// Bytes of the answer that is being read have come.
    touched: bool,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// The connection ends with it.
    pub(crate) closes: bool,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Http1 {
    pub(crate) async fn connect(target: SocketAddr) -> Result<Self> {
        Self::over(TcpStream::connect(target).await?, target)
    }

    pub(crate) fn over(stream: TcpStream, target: SocketAddr) -> Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            target,
            buffer: Vec::new(),
            touched: false,
        })
    }

    pub(crate) fn target(&self) -> SocketAddr {
        self.target
    }

    /// Whether nothing of an answer had come when it failed.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.touched
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.touched = false;
        Ok(self.stream.write_all(bytes).await?)
    }

    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer> {
        self.send(request).await?;
        self.answer().await
    }

    /// The next final answer.
    pub(crate) async fn answer(&mut self) -> Result<Answer> {
        timeout(PATIENCE, self.read_answer())
            .await
            .map_err(|_late| "no answer")?
    }

    async fn read_answer(&mut self) -> Result<Answer> {
        loop {
            let end = self.find(b"\r\n\r\n").await? + 4;
            let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
            self.buffer.drain(..end);
            let status: u16 = head.get(9..12).unwrap_or_default().parse()?;
            if status >= 200 || status == 101 {
                return self.body(status, head).await;
            }
        }
    }

    async fn body(&mut self, status: u16, head: String) -> Result<Answer> {
        let header = |name: &str| {
            head.lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim().to_ascii_lowercase())
        };
        let closes = header("connection").is_some_and(|value| value.contains("close"));
        let body = if let Some(length) = header("content-length") {
            self.take(length.parse()?).await?
        } else if header("transfer-encoding").is_some() {
            self.chunks().await?
        } else if status == 101 || status == 204 || status == 304 {
            Vec::new()
        } else {
            while self.fill().await? > 0 {}
            std::mem::take(&mut self.buffer)
        };
        Ok(Answer {
            status,
            body,
            closes,
        })
    }

    async fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let end = self.find(b"\r\n").await?;
            let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
            self.buffer.drain(..end + 2);
            let length = usize::from_str_radix(line.trim(), 16)?;
            let chunk = self.take(length + 2).await?;
            all.extend_from_slice(&chunk[..length]);
            if length == 0 {
                return Ok(all);
            }
        }
    }

    async fn find(&mut self, needle: &[u8]) -> Result<usize> {
        loop {
            let at = self.buffer.windows(needle.len()).position(|w| w == needle);
            match at {
                Some(at) => return Ok(at),
                None if self.fill().await? == 0 => return Err("closed before its answer".into()),
                None => {}
            }
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.buffer.len() < length {
            if self.fill().await? == 0 {
                return Err("closed in the middle of its answer".into());
            }
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn fill(&mut self) -> Result<usize> {
        let length = self.stream.read_buf(&mut self.buffer).await?;
        self.touched |= length > 0;
        Ok(length)
    }

    /// Waits for the beginning of an answer.
    pub(crate) async fn first_bytes(&mut self) -> Result<()> {
        match timeout(PATIENCE, self.fill()).await?? {
            0 => Err("closed before its answer".into()),
            _ => Ok(()),
        }
    }

    /// Reads until the other side closes; how long that took, and what came meanwhile.
    pub(crate) async fn closed(&mut self, within: Duration) -> Option<(Duration, Vec<u8>)> {
        let begun = Instant::now();
        let reading = async { while !matches!(self.fill().await, Ok(0) | Err(_)) {} };
        timeout(within, reading).await.ok()?;
        Some((begun.elapsed(), std::mem::take(&mut self.buffer)))
    }

    /// Closes by a reset, which leaves no port waiting.
    pub(crate) fn abort(self) {
        let socket = socket2::SockRef::from(&self.stream);
        // Then it is closed in the ordinary way.
        drop(socket.set_linger(Some(Duration::ZERO)));
    }
}

/// One exchange on a connection of its own.
pub(crate) async fn once(target: SocketAddr, request: &[u8]) -> Result<Answer> {
    Http1::connect(target).await?.exchange(request).await
}

/// `GET` of a path on a connection of its own.
pub(crate) async fn get(target: SocketAddr, path: &str) -> Result<Answer> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {target}\r\nconnection: close\r\n\r\n");
    once(target, request.as_bytes()).await
}

/// `POST` of JSON on a connection of its own.
pub(crate) async fn post(target: SocketAddr, path: &str, body: &[u8]) -> Result<Answer> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {target}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    once(target, &[head.as_bytes(), body].concat()).await
}
