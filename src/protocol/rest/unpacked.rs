//! Compressed bodies of streams: undone as they come, never held together (B13).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame};

use super::sent;
use crate::call::{Body, Fault};
use crate::wire::compress::{Decompressor, Encoding};

/// More than any piece becomes. What a piece becomes is all that is held of a body; how large a
/// message may be is for its reader to say.
const MOST: usize = 4 << 20;

/// So much of a body is undone at once, in bytes: gzip and deflate make at most 1,032 of one, zstd
/// makes a block of 128 KiB of four.
fn piece_bytes(encoding: Encoding) -> usize {
    match encoding {
        Encoding::Zstd => 64,
        Encoding::Identity | Encoding::Gzip | Encoding::Deflate | Encoding::Brotli => 1 << 10,
    }
}

/// The body as it was before it was compressed, however long it is.
pub(super) fn unpack(encoding: Encoding, body: Body) -> Body {
    if encoding == Encoding::Identity || body.is_end_stream() {
        return body;
    }
    Body::stream(Unpacked {
        decompressor: Some(Decompressor::new(encoding, MOST)),
        piece_bytes: piece_bytes(encoding),
        body,
        rest: Bytes::new(),
        begun: false,
    })
}

struct Unpacked {
    body: Body,
    piece_bytes: usize,
    /// What came and is not undone yet.
    rest: Bytes,
    /// `None` after the end, and after what went wrong.
    decompressor: Option<Decompressor>,
    begun: bool,
}

impl Unpacked {
    /// What the next piece becomes; nothing if it cannot be told yet.
    fn piece(&mut self) -> Result<Bytes, Fault> {
        let piece = self.rest.split_to(self.rest.len().min(self.piece_bytes));
        let Some(decompressor) = &mut self.decompressor else {
            return Ok(Bytes::new());
        };
        decompressor.renew();
        decompressor.write(&piece).map_err(sent::refused)
    }

    /// What is left when the body is over. Nothing at all is nothing, whatever is said of it.
    fn end(&mut self) -> Result<Bytes, Fault> {
        match self.decompressor.take() {
            Some(mut decompressor) if self.begun => {
                decompressor.renew();
                decompressor.finish().map_err(sent::refused)
            }
            Some(_) | None => Ok(Bytes::new()),
        }
    }
}

impl http_body::Body for Unpacked {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = self.get_mut();
        loop {
            while !this.rest.is_empty() && this.decompressor.is_some() {
                match this.piece() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    Err(fault) => {
                        this.decompressor = None;
                        return Poll::Ready(Some(Err(fault)));
                    }
                }
            }
            if this.decompressor.is_none() {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        this.begun |= !data.is_empty();
                        this.rest = data;
                    }
                }
                Some(Err(fault)) => {
                    this.decompressor = None;
                    return Poll::Ready(Some(Err(fault)));
                }
                None => {
                    let last = this.end();
                    if !matches!(&last, Ok(data) if data.is_empty()) {
                        return Poll::Ready(Some(last.map(Frame::data)));
                    }
                }
            }
        }
    }
}
