//! Any bytes as what the far side sends: for tests and fuzzers.

use std::task::{Context, Waker};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::frame;
use super::hpack::Request;
use super::session::{Limits, Session};
use super::stream::Pieces;

/// Plays a far side that sends `data`; an odd first byte has it sent in pieces of that size.
/// It panics only if the client has an error.
pub fn feed(data: &[u8]) {
    const LIMITS: Limits = Limits {
        stream_window: 1 << 10,
        connection_window: 1 << 16,
        max_header_list: 1 << 10,
    };
    let Some((size, data)) = data.split_first() else {
        return;
    };
    let mut session = Session::new(LIMITS);
    let metadata = HeaderMap::new();
    let request = Request {
        path: "/",
        authority: "app",
        metadata: &metadata,
        timeout: None,
        told: None,
    };
    let body = Pieces::from_elem(Bytes::from(vec![0; 30_000]), 3);
    let keys: Vec<_> = (0..3).flat_map(|_| session.open(&request, &body)).collect();
    let mut input = BytesMut::new();
    input.extend_from_slice(&[0, 0, 0, frame::SETTINGS, 0, 0, 0, 0, 0]);
    let size = if size % 2 == 1 {
        usize::from(*size)
    } else {
        data.len().max(1)
    };
    for piece in data.chunks(size) {
        input.extend_from_slice(piece);
        if let Err(broken) = session.receive(&mut input) {
            session.break_off(broken);
            break;
        }
        session.send_bodies();
    }
    let context = Context::from_waker(Waker::noop());
    for key in keys {
        let answered = session.poll_head(key, &context).is_ready();
        if answered && session.take_whole(key).is_none() {
            while let std::task::Poll::Ready(super::Next::Data(_)) =
                session.poll_next(key, &context)
            {}
        }
        session.release(key);
    }
    assert!(session.streams.are_over());
}
