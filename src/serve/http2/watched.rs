//! [`Watched`]: the socket as h2 sees it, with an eye on header blocks that do not end.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::super::socket::Socket;
use super::frames::Frames;
use super::state::State;

pub(super) struct Watched {
    socket: Socket,
    state: Rc<State>,
    frames: Frames,
}

impl Watched {
    pub(super) fn new(socket: Socket, state: Rc<State>) -> Self {
        Self {
            socket,
            state,
            frames: Frames::new(),
        }
    }

    fn follow(&mut self, bytes: &[u8]) {
        let ended = self.frames.ended();
        self.frames.follow(bytes);
        let same = ended == self.frames.ended();
        let since = self.frames.is_in_head().then(|| {
            let before = self.state.head_since().filter(|_| same);
            before.unwrap_or_else(Instant::now)
        });
        self.state.set_head_since(since);
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        self.follow(buffer.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
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
