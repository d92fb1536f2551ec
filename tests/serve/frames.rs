//! HTTP/2 by hand, for clients that no library would be.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{PATIENCE, Server};

pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) fn id(number: u32) -> u32 {
    number * 2 + 1
}

pub(crate) fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &id.to_be_bytes(), payload].concat()
}

/// `GET http / a`
pub(crate) fn headers(number: u32) -> Vec<u8> {
    let block = [0x82, 0x86, 0x84, 0x41, 1, b'a'];
    frame(HEADERS, END_HEADERS | END_STREAM, id(number), &block)
}

/// A connection that has shaken hands, byte by byte.
pub(crate) async fn raw(server: &Server) -> TcpStream {
    let mut stream = server.connect().await;
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    stream
}

/// The next frame of some kinds; `None` at the end.
pub(crate) async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
    kinds: &[u8],
) -> Option<(u8, u32, Vec<u8>)> {
    let reading = async {
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            stream.read_exact(&mut payload).await.ok()?;
            if kinds.contains(&head[3]) {
                let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                return Some((head[3], id, payload));
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("no such frame")
}
