//! [`Output`]: an answer on its way to the client, in as few writes as its parts allow.
//!
//! Small pieces are put together in one buffer of the worker's; a large one is sent from where it
//! lies. Nothing is asked of the body while much waits to be sent (S2).

use std::cell::RefCell;
use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use tokio::io::AsyncWrite;

use super::super::socket::Socket;
use super::answer;

/// From here on a piece is not copied.
const LARGE: usize = 4 << 10;
/// When so much waits, nothing is added.
const FULL: usize = 16 << 10;

/// Buffers that no answer uses, of one worker.
#[derive(Debug, Default)]
pub(in super::super) struct Spare(RefCell<Vec<Vec<u8>>>);

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// There is no body, whatever is offered.
    Nothing,
    /// So many bytes are to come.
    Length(u64),
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// The body is not what its head has announced.
#[derive(Debug)]
pub(super) struct Mismatch;

#[derive(Debug)]
pub(super) struct Output {
    buffer: Vec<u8>,
    sent: usize,
    large: Bytes,
    /// What follows the large piece.
    tail: &'static [u8],
    coding: Coding,
}

impl Output {
    pub(super) const fn new() -> Self {
        Self {
            buffer: Vec::new(),
            sent: 0,
            large: Bytes::new(),
            tail: b"",
            coding: Coding::Nothing,
        }
    }

    /// Begins an answer: where its head is written.
    pub(super) fn begin(&mut self, coding: Coding, spare: &Spare) -> &mut Vec<u8> {
        self.coding = coding;
        if self.buffer.capacity() == 0 {
            self.buffer = spare.take();
        }
        &mut self.buffer
    }

    /// Whether something has to be sent before more is added.
    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= FULL || !self.large.is_empty() || !self.tail.is_empty()
    }

    /// Adds a piece of the body.
    pub(super) fn push(&mut self, data: Bytes) -> Result<(), Mismatch> {
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.coding {
            Coding::Nothing => return Ok(()),
            Coding::Length(left) => {
                let length = data.len() as u64;
                *left = left.checked_sub(length).ok_or(Mismatch)?;
            }
            Coding::Chunked => {
                push_hex(&mut self.buffer, data.len());
                self.buffer.extend_from_slice(b"\r\n");
            }
            Coding::UntilClose => {}
        }
        let chunked = self.coding == Coding::Chunked;
        if data.len() >= LARGE {
            self.large = data;
            self.tail = if chunked { b"\r\n" } else { b"" };
        } else {
            self.buffer.extend_from_slice(&data);
            if chunked {
                self.buffer.extend_from_slice(b"\r\n");
            }
        }
        Ok(())
    }

    /// Ends the body.
    pub(super) fn end(&mut self) -> Result<(), Mismatch> {
        match self.coding {
            Coding::Length(1..) => Err(Mismatch),
            Coding::Chunked if self.tail.is_empty() => {
                self.buffer.extend_from_slice(b"0\r\n\r\n");
                Ok(())
            }
            Coding::Chunked => {
                self.tail = b"\r\n0\r\n\r\n";
                Ok(())
            }
            Coding::Nothing | Coding::Length(0) | Coding::UntilClose => Ok(()),
        }
    }

    /// Ends the body with trailers, where there is a place for them.
    pub(super) fn end_with(&mut self, trailers: &HeaderMap) -> Result<(), Mismatch> {
        if self.coding != Coding::Chunked || trailers.is_empty() {
            return self.end();
        }
        self.buffer.extend_from_slice(b"0\r\n");
        answer::write_trailers(&mut self.buffer, trailers);
        self.buffer.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Sends what there is.
    pub(super) fn poll_send(
        &mut self,
        socket: &mut Socket,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let rest = self.buffer.get(self.sent..).unwrap_or_default();
            let written = if self.large.is_empty() && self.tail.is_empty() {
                if rest.is_empty() {
                    // Encrypted bytes may still wait.
                    ready!(Pin::new(&mut *socket).poll_flush(context))?;
                    self.buffer.clear();
                    self.sent = 0;
                    return Poll::Ready(Ok(()));
                }
                ready!(Pin::new(&mut *socket).poll_write(context, rest))?
            } else {
                let slices = [rest, &self.large, self.tail].map(IoSlice::new);
                ready!(Pin::new(&mut *socket).poll_write_vectored(context, &slices))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
    }

    fn advance(&mut self, written: usize) {
        let of_buffer = written.min(self.buffer.len() - self.sent);
        self.sent += of_buffer;
        let of_large = (written - of_buffer).min(self.large.len());
        self.large.advance(of_large);
        if self.large.is_empty() {
            self.large = Bytes::new();
        }
        let of_tail = written - of_buffer - of_large;
        self.tail = self.tail.get(of_tail..).unwrap_or_default();
    }

    /// Gives the buffer back.
    pub(super) fn rest(&mut self, spare: &Spare) {
        self.sent = 0;
        spare.put(std::mem::take(&mut self.buffer));
    }
}

fn push_hex(buffer: &mut Vec<u8>, size: usize) {
    // A vector takes all that is written to it.
    drop(write!(buffer, "{size:x}"));
}

// === impl Spare ===

impl Spare {
    fn take(&self) -> Vec<u8> {
        const USUAL: usize = 1024;
        let spare = self.0.borrow_mut().pop();
        spare.unwrap_or_else(|| Vec::with_capacity(USUAL))
    }

    fn put(&self, mut buffer: Vec<u8>) {
        const MOST: usize = 8;
        let mut spare = self.0.borrow_mut();
        if (1..=2 * FULL).contains(&buffer.capacity()) && spare.len() < MOST {
            buffer.clear();
            spare.push(buffer);
        }
    }
}
