//! [`Socket`]: an accepted connection that several parts of its task look at.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::transport::Transport;

/// How much is read at once where little is expected.
const CHUNK: usize = 4096;

/// A connection; clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Socket(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    stream: RefCell<Transport>,
    /// Bytes that were read to find out what the client speaks.
    early: RefCell<BytesMut>,
    /// Since when the client takes nothing of what is written.
    stuck_since: Cell<Option<Instant>>,
}

impl Socket {
    pub(super) fn new(stream: Transport) -> Self {
        Self(Rc::new(Inner {
            stream: RefCell::new(stream),
            early: RefCell::default(),
            stuck_since: Cell::new(None),
        }))
    }

    /// Reads some bytes and keeps them for whoever reads next; shows all that is kept, and says
    /// whether any were added: none are when the client has closed its side.
    pub(super) async fn peek<T>(&self, look: impl Fn(&[u8]) -> T) -> io::Result<(T, bool)> {
        poll_fn(|context| {
            let mut chunk = [0; CHUNK];
            let mut buffer = ReadBuf::new(&mut chunk);
            let mut stream = self.0.stream.borrow_mut();
            ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
            let mut early = self.0.early.borrow_mut();
            early.extend_from_slice(buffer.filled());
            Poll::Ready(Ok((look(&early), !buffer.filled().is_empty())))
        })
        .await
    }

    /// Since when the client takes nothing of what is written.
    pub(super) fn stuck_since(&self) -> Option<Instant> {
        self.0.stuck_since.get()
    }

    /// Says goodbye so that the client surely gets what was sent: a socket that is closed with
    /// bytes unread takes back what is still on its way.
    pub(super) async fn linger(&self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        const MOST_BYTES: usize = 1 << 20;
        let is_tls = self.0.stream.borrow().is_tls();
        if is_tls {
            // Without this a client cannot tell the end from a cut.
            let closing = poll_fn(|context| {
                Pin::new(&mut *self.0.stream.borrow_mut()).poll_shutdown(context)
            });
            drop(tokio::time::timeout(PATIENCE, closing).await);
        } else if SockRef::from(self.0.stream.borrow().socket())
            .shutdown(Shutdown::Write)
            .is_err()
        {
            // A connection that is gone needs no goodbye.
            return;
        }
        let mut left = MOST_BYTES;
        let reading = poll_fn(|context| {
            while left > 0 {
                let mut chunk = [0; CHUNK];
                let mut buffer = ReadBuf::new(&mut chunk);
                let mut stream = self.0.stream.borrow_mut();
                // What it means makes no difference any more.
                let read = ready!(Pin::new(stream.socket_mut()).poll_read(context, &mut buffer));
                if read.is_err() || buffer.filled().is_empty() {
                    break;
                }
                left = left.saturating_sub(buffer.filled().len());
            }
            Poll::Ready(())
        });
        drop(tokio::time::timeout(PATIENCE, reading).await);
    }

    /// Makes the close visible as a failure, for clients to which it would look like the end.
    pub(super) fn break_off(&self) {
        let stream = self.0.stream.borrow();
        // If it fails the connection is gone already.
        drop(SockRef::from(stream.socket()).set_linger(Some(Duration::ZERO)));
    }

    fn note_write<T>(&self, result: &Poll<T>) {
        let stuck = &self.0.stuck_since;
        match result {
            Poll::Ready(_) => stuck.set(None),
            Poll::Pending if stuck.get().is_none() => stuck.set(Some(Instant::now())),
            Poll::Pending => {}
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        {
            let mut early = self.0.early.borrow_mut();
            if !early.is_empty() {
                let taken = early.len().min(buffer.remaining());
                buffer.put_slice(early.get(..taken).unwrap_or_default());
                early.advance(taken);
                if early.is_empty() {
                    *early = BytesMut::new();
                }
                return Poll::Ready(Ok(()));
            }
        }
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut *self.0.stream.borrow_mut()).poll_write(context, bytes);
        self.note_write(&result);
        result
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result =
            Pin::new(&mut *self.0.stream.borrow_mut()).poll_write_vectored(context, slices);
        self.note_write(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = self.0.stream.borrow_mut();
        if !stream.is_tls() {
            return Poll::Ready(Ok(()));
        }
        let result = Pin::new(&mut *stream).poll_flush(context);
        self.note_write(&result);
        result
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_shutdown(context)
    }
}
