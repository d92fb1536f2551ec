//! HTTP/2 by hand, for clients that no library would be: frames are written as they are asked for,
//! and what comes back is looked at as frames.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::Result;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame that came.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) id: u32,
    pub(crate) payload: Vec<u8>,
}

/// A connection that has sent its preface and its settings.
#[derive(Debug)]
pub(crate) struct Frames {
    pub(crate) reader: OwnedReadHalf,
    pub(crate) writer: OwnedWriteHalf,
}

/// The id of the client's stream of this number, from 0 on.
pub(crate) fn id(number: u32) -> u32 {
    number * 2 + 1
}

pub(crate) fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    [&length[1..], &[kind, flags], &id.to_be_bytes(), payload].concat()
}

/// A field without the dynamic table.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        integer(text.len(), 7, &mut bytes);
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// A field that goes into the dynamic table, where it is index 62.
pub(crate) fn indexed(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = field(name, value);
    bytes[0] = 0x40;
    bytes
}

fn integer(value: usize, prefix: u32, bytes: &mut Vec<u8>) {
    let most = (1 << prefix) - 1;
    if value < most {
        bytes.push(value as u8);
        return;
    }
    bytes.push(most as u8);
    let mut rest = value - most;
    while rest >= 128 {
        bytes.push(128 | (rest % 128) as u8);
        rest /= 128;
    }
    bytes.push(rest as u8);
}

/// The pseudo fields of a request.
pub(crate) fn pseudo(method: &str, path: &str) -> Vec<u8> {
    let fields = [
        (":method", method),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", path),
    ];
    fields.map(|(name, value)| field(name, value)).concat()
}

/// The head of a gRPC call, whose body follows.
pub(crate) fn grpc_head(number: u32, method: &str) -> Vec<u8> {
    let path = format!("/faults.v1.Faults/{method}");
    let block = [
        pseudo("POST", &path),
        field("content-type", "application/grpc"),
        field("te", "trailers"),
    ];
    frame(HEADERS, END_HEADERS, id(number), &block.concat())
}

impl Frames {
    pub(crate) async fn connect(target: SocketAddr) -> Result<Self> {
        Self::with_settings(target, &[]).await
    }

    /// With settings of its own.
    pub(crate) async fn with_settings(target: SocketAddr, settings: &[(u16, u32)]) -> Result<Self> {
        let stream = TcpStream::connect(target).await?;
        stream.set_nodelay(true)?;
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(key, value)| [&key.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        let (reader, mut writer) = stream.into_split();
        let hello = [PREFACE, &frame(SETTINGS, 0, 0, &payload)].concat();
        writer.write_all(&hello).await?;
        Ok(Self { reader, writer })
    }

    /// `false` when the other side has closed.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.writer.write_all(bytes).await.is_ok()
    }

    /// The next frame; `None` at the end, or when nothing comes for so long.
    pub(crate) async fn next(&mut self, patience: Duration) -> Option<Frame> {
        tokio::time::timeout(patience, read(&mut self.reader))
            .await
            .ok()?
    }

    /// The next frame of some kind, with the same patience for each.
    pub(crate) async fn next_of(&mut self, kinds: &[u8], patience: Duration) -> Option<Frame> {
        loop {
            let frame = self.next(patience).await?;
            if kinds.contains(&frame.kind) {
                return Some(frame);
            }
        }
    }
}

/// One frame.
pub(crate) async fn read(reader: &mut OwnedReadHalf) -> Option<Frame> {
    let mut head = [0; 9];
    reader.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    reader.read_exact(&mut payload).await.ok()?;
    Some(Frame {
        kind: head[3],
        id: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
        payload,
    })
}

/// Reads until GOAWAY or the end: the last stream that counts and the code of a GOAWAY, else
/// `None`; and how many streams were reset.
pub(crate) async fn until_goaway(reader: &mut OwnedReadHalf) -> (Option<(u32, u32)>, usize) {
    let mut resets = 0;
    while let Some(frame) = read(reader).await {
        match frame.kind {
            GOAWAY => {
                let word = |at: usize| {
                    let bytes = frame.payload.get(at..at + 4);
                    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
                    bytes.map_or(0, u32::from_be_bytes)
                };
                return (Some((word(0), word(4))), resets);
            }
            RST_STREAM => resets += 1,
            _ => {}
        }
    }
    (None, resets)
}
