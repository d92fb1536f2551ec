//! A session whose far side is played by hand, frame by frame.

mod broken;
mod exchange;
mod oracle;
mod windows;

use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::frame::{self, Broken, Head};
use super::session::{Limits, Next, Session};
use super::stream::{Failure, Key, Pieces};

const LIMITS: Limits = Limits {
    stream_window: 64 << 10,
    connection_window: 1 << 20,
    max_header_list: 16 << 10,
};

/// `:status: 200`.
const OK: &[u8] = b"\x88";

/// A head or trailers with a status of gRPC.
const STATUS: &[u8] = b"\0\x0bgrpc-status\x010";

/// A frame's kind, flags, stream and payload.
type Frame = (u8, u8, u32, Vec<u8>);

/// One connection under test.
struct Played {
    session: Session,
}

/// How an answer stands.
#[derive(Debug, PartialEq)]
enum Answered {
    Waiting,
    /// Status, fields, data, and the trailers if it has ended.
    So(u16, usize, Vec<u8>, Option<usize>),
    Failed(String),
}

impl Played {
    /// A session that has been introduced to.
    fn new() -> Self {
        let mut played = Self::silent(LIMITS);
        played.takes(&frame(frame::SETTINGS, 0, 0, &[]));
        let acknowledged = (frame::SETTINGS, frame::ACK, 0, Vec::new());
        assert_eq!(played.sent(), [acknowledged]);
        played
    }

    /// A session whose preface has been taken out and which has heard nothing.
    fn silent(limits: Limits) -> Self {
        let mut played = Self {
            session: Session::new(limits),
        };
        let mut preface = played.written();
        assert!(preface.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        preface.drain(..24);
        let kinds: Vec<_> = parse(&preface).iter().map(|frame| frame.0).collect();
        assert_eq!(kinds, [frame::SETTINGS, frame::WINDOW_UPDATE]);
        played
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let mut input = BytesMut::from(bytes);
        let result = self.session.receive(&mut input);
        if result.is_ok() {
            assert!(input.len() < frame::HEAD_BYTES || Head::parse(&input).is_some());
        }
        result
    }

    fn takes(&mut self, bytes: &[u8]) {
        assert_eq!(self.receive(bytes), Ok(()));
    }

    /// What has to be written, as bytes.
    fn written(&mut self) -> Vec<u8> {
        let mut written = Vec::new();
        self.session.send_bodies();
        let mut context = Context::from_waker(Waker::noop());
        let poll = self.session.output.poll_write(&mut written, &mut context);
        assert!(matches!(poll, Poll::Ready(Ok(()))));
        written
    }

    /// The same as frames.
    fn sent(&mut self) -> Vec<Frame> {
        parse(&self.written())
    }

    /// Opens a stream, and forgets what was sent for it.
    fn open(&mut self, body: &[u8]) -> Key {
        let key = self.open_with(&HeaderMap::new(), body);
        self.sent();
        key
    }

    fn open_with(&mut self, metadata: &HeaderMap, body: &[u8]) -> Key {
        let request = super::Request {
            path: "/pkg.Service/Method",
            authority: "app",
            metadata,
            timeout: None,
            told: None,
        };
        let body = Pieces::from_elem(Bytes::copy_from_slice(body), 1);
        self.session.open(&request, &body).unwrap()
    }

    /// Takes out what has come of an answer.
    fn answer(&mut self, key: Key) -> Answered {
        let context = Context::from_waker(Waker::noop());
        let (status, headers) = match self.session.poll_head(key, &context) {
            Poll::Pending => return Answered::Waiting,
            Poll::Ready(Err(failure)) => return failed(&failure),
            Poll::Ready(Ok(head)) => head,
        };
        let (status, fields) = (status.as_u16(), headers.len());
        if let Some((data, trailers)) = self.session.take_whole(key) {
            let trailers = trailers.map_or(0, |trailers| trailers.len());
            return Answered::So(status, fields, data.to_vec(), Some(trailers));
        }
        let mut all = Vec::new();
        loop {
            match self.session.poll_next(key, &context) {
                Poll::Ready(Next::Data(data)) => all.extend(data),
                Poll::Ready(Next::End(trailers)) => {
                    let trailers = trailers.map_or(0, |trailers| trailers.len());
                    return Answered::So(status, fields, all, Some(trailers));
                }
                Poll::Ready(Next::Failed(failure)) => return failed(&failure),
                Poll::Pending => return Answered::So(status, fields, all, None),
            }
        }
    }
}

fn failed(failure: &Failure) -> Answered {
    Answered::Failed(match failure {
        Failure::Reset(reason) => format!("reset: {reason:?}"),
        Failure::Unprocessed(reason) => format!("unprocessed: {reason:?}"),
        Failure::Malformed(what) => format!("malformed: {what}"),
        Failure::Lost(cause) => format!("lost: {cause}"),
        Failure::Stalled => String::from("stalled"),
    })
}

/// The bytes of a frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let head = Head {
        len: payload.len(),
        kind,
        flags,
        stream,
    };
    [&head.encode(), payload].concat()
}

/// A HEADERS frame that is whole.
fn headers(flags: u8, stream: u32, block: &[u8]) -> Vec<u8> {
    frame(frame::HEADERS, flags | frame::END_HEADERS, stream, block)
}

fn data(flags: u8, stream: u32, data: &[u8]) -> Vec<u8> {
    frame(frame::DATA, flags, stream, data)
}

fn setting(id: u8, value: u32) -> Vec<u8> {
    let payload = [&[0, id], &value.to_be_bytes()[..]].concat();
    frame(frame::SETTINGS, 0, 0, &payload)
}

fn window_update(stream: u32, by: u32) -> Vec<u8> {
    frame(frame::WINDOW_UPDATE, 0, stream, &by.to_be_bytes())
}

fn parse(bytes: &[u8]) -> Vec<Frame> {
    let mut rest = bytes;
    let mut frames = Vec::new();
    while let Some(head) = Head::parse(rest) {
        let (payload, after) = rest[frame::HEAD_BYTES..].split_at(head.len);
        frames.push((head.kind, head.flags, head.stream, payload.to_vec()));
        rest = after;
    }
    assert_eq!(rest, b"");
    frames
}
