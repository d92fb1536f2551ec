//! [`Guard`]: the socket as hyper sees it.
//!
//! Bytes in doubt never reach hyper. In place of the first one it gets a NUL, which is wrong
//! wherever it stands, and then nothing more: so it answers what came before, answers this with
//! 400, and closes.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::socket::Socket;
use super::exchange::Exchange;
use super::strict::Strict;

pub(super) struct Guard {
    socket: Socket,
    exchange: Rc<Exchange>,
    strict: Strict,
    over: Option<Over>,
}

/// Why nothing more is read.
#[derive(Clone, Copy, Debug)]
enum Over {
    /// Between two messages, or in a head.
    BeforeBody,
    /// Within a body, whose reader has to know.
    InBody,
}

impl Guard {
    pub(super) fn new(socket: Socket, exchange: Rc<Exchange>) -> Self {
        Self {
            socket,
            exchange,
            strict: Strict::new(),
            over: None,
        }
    }

    /// Whether bytes came that hyper was not given.
    pub(super) fn has_held_back(&self) -> bool {
        self.over.is_some()
    }

    /// Looks at the bytes that were just read.
    fn follow(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        let fresh = buffer.filled().get(before..).unwrap_or_default();
        let Err(at) = self.strict.follow(fresh) else {
            return;
        };
        let in_body = self.strict.is_in_body();
        buffer.set_filled(before + at);
        // The byte in doubt stood here, so there is room.
        buffer.put_slice(&[0]);
        self.over = Some(if in_body {
            Over::InBody
        } else {
            Over::BeforeBody
        });
    }

    /// What hyper is told when nothing more comes. While an answer is made it is told nothing:
    /// it would take the end for a client that left.
    fn poll_over(&self, over: Over) -> Poll<io::Result<()>> {
        match over {
            Over::BeforeBody if self.exchange.is_busy() => {
                self.exchange.hold_back();
                Poll::Pending
            }
            Over::BeforeBody | Over::InBody => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(over) = self.over {
            return self.poll_over(over);
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.follow(buffer, before);
            let in_head = self.strict.is_in_head() || self.over.is_some();
            self.exchange.note_bytes(in_head);
            return Poll::Ready(Ok(()));
        }
        let over = if self.strict.is_in_body() {
            Over::InBody
        } else {
            Over::BeforeBody
        };
        self.over = Some(over);
        if self.exchange.is_busy() {
            self.exchange.half_close();
        }
        self.poll_over(over)
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
