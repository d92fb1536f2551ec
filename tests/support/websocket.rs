//! A client of WebSockets that sees every frame, over HTTP/1.1 and in a stream of HTTP/2.

#![allow(
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a failing test may panic, and lengths were looked at"
)]

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use h2::ext::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::patience;

/// A frame as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    /// The connection ended.
    End,
}

/// An open WebSocket.
pub(crate) struct WebSocket {
    io: Io,
    buffer: BytesMut,
    /// The head of the 101, or of what was answered in its place.
    pub(crate) head: String,
    pub(crate) status: u16,
}

enum Io {
    Plain(TcpStream),
    Stream(h2::SendStream<Bytes>, h2::RecvStream),
    Refused,
}

impl WebSocket {
    /// Asks for a WebSocket over HTTP/1.1.
    pub(crate) async fn open(address: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Self {
        let mut ask = format!(
            "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: keep-alive, Upgrade\r\n\
             Upgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for (name, value) in headers {
            ask.push_str(&format!("{name}: {value}\r\n"));
        }
        let version = "sec-websocket-version";
        if headers.iter().all(|(name, _)| *name != version) {
            ask.push_str("Sec-WebSocket-Version: 13\r\n");
        }
        ask.push_str("\r\n");
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("an option");
        stream.write_all(ask.as_bytes()).await.expect("a request");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.get(9..12).and_then(|text| text.parse().ok());
        Self {
            io: Io::Plain(stream),
            buffer: BytesMut::new(),
            status: status.unwrap_or_default(),
            head,
        }
    }

    /// Asks for a WebSocket over HTTP/2 (RFC 8441).
    pub(crate) async fn open_h2(
        address: SocketAddr,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        let (send, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        let mut send = send.ready().await.expect("a place");
        while !send.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
        let mut request = http::Request::builder()
            .method("CONNECT")
            .uri(format!("http://{address}{target}"))
            .header("sec-websocket-version", "13");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).expect("a request");
        let protocol = Protocol::from_static("websocket");
        request.extensions_mut().insert(protocol);
        let (response, body) = send.send_request(request, false).expect("a stream");
        let response = response.await.expect("an answer");
        let status = response.status().as_u16();
        let head = format!("{:?}", response.headers());
        let io = if status == 200 {
            Io::Stream(body, response.into_body())
        } else {
            Io::Refused
        };
        Self {
            io,
            buffer: BytesMut::new(),
            status,
            head,
        }
    }

    /// Sends bytes as they are.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        match &mut self.io {
            Io::Plain(stream) => stream.write_all(bytes).await.expect("written"),
            Io::Stream(stream, _) => stream
                .send_data(Bytes::copy_from_slice(bytes), false)
                .expect("written"),
            Io::Refused => panic!("refused with {}: {}", self.status, self.head),
        }
    }

    pub(crate) async fn text(&mut self, text: &str) {
        self.raw(&frame(0x81, text.as_bytes())).await;
    }

    pub(crate) async fn binary(&mut self, bytes: &[u8]) {
        self.raw(&frame(0x82, bytes)).await;
    }

    /// The next frame.
    pub(crate) async fn hear(&mut self) -> Heard {
        tokio::time::timeout(patience(), self.next())
            .await
            .expect("a frame in time")
    }

    /// What an answer that is no 101 says.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await {
            if self.buffer.ends_with(b"}") {
                break;
            }
        }
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    async fn next(&mut self) -> Heard {
        loop {
            if let Some((first, start, length)) = self.complete() {
                let mut frame = self.buffer.split_to(start + length);
                let payload = frame.split_off(start).to_vec();
                let text = || String::from_utf8(payload.clone()).expect("UTF-8");
                return match first {
                    0x81 => Heard::Text(text()),
                    0x82 => Heard::Binary(payload),
                    0x88 => {
                        let code = u16::from_be_bytes([payload[0], payload[1]]);
                        let reason = String::from_utf8(payload[2..].to_vec());
                        Heard::Close(code, reason.expect("UTF-8"))
                    }
                    0x89 => Heard::Ping(payload),
                    0x8a => Heard::Pong(payload),
                    other => panic!("a frame of kind {other:#x}"),
                };
            }
            if !self.more().await {
                assert!(self.buffer.is_empty(), "half a frame: {:?}", self.buffer);
                return Heard::End;
            }
        }
    }

    /// First byte, where the payload starts, and its length, when a frame is complete.
    fn complete(&self) -> Option<(u8, usize, usize)> {
        let [first, second, ..] = self.buffer[..] else {
            return None;
        };
        let number = |range: std::ops::Range<usize>| {
            let bytes = self.buffer.get(range)?;
            Some(
                bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            )
        };
        let (start, length) = match second {
            126 => (4, number(2..4)?),
            127 => (10, number(2..10)?),
            short => (2, usize::from(short)),
        };
        (self.buffer.len() >= start + length).then_some((first, start, length))
    }

    async fn more(&mut self) -> bool {
        match &mut self.io {
            Io::Plain(stream) => stream.read_buf(&mut self.buffer).await.is_ok_and(|n| n > 0),
            Io::Stream(_, stream) => match stream.data().await {
                Some(Ok(data)) => {
                    self.buffer.extend_from_slice(&data);
                    stream.flow_control().release_capacity(data.len()).is_ok()
                }
                Some(Err(_)) | None => false,
            },
            Io::Refused => false,
        }
    }
}

/// A masked frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x11, 0x22, 0x33, 0xf4];
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        long @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(long as u16).to_be_bytes());
        }
        longer => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(longer as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(b, k)| b ^ k));
    frame
}
