//! [`Guarded`]: a listener whose connections cannot be many or last without an answer.
//!
//! The admin server has no timers of its own. One rule stands for all of them: a connection to
//! which nothing was written for thirty seconds is closed. It ends half a request, an idle
//! keep-alive and a client that does not read alike; whoever is being answered stays.
//!
//! When all places are taken the oldest connection gives up its own: whoever keeps them all could
//! otherwise keep probes out, and a gateway whose probes fail is killed.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::gate::Gate;

/// As many connections as one listener has at a time.
const CONNECTIONS: usize = 64;

/// How long a connection may go without an answer.
const QUIET: Duration = Duration::from_secs(30);

/// How long accepting rests when it fails, for want of file descriptors usually.
const REST: Duration = Duration::from_millis(100);

/// Accepts connections within limits.
#[derive(Debug)]
pub(super) struct Guarded {
    listener: TcpListener,
    room: Arc<Semaphore>,
    /// One end for each connection, the oldest first; dropping it closes the connection.
    open: VecDeque<oneshot::Sender<()>>,
    gate: Gate,
}

/// A connection within limits.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    /// Passes when the client was not answered for too long.
    quiet: Pin<Box<Sleep>>,
    /// Ends when the place is needed.
    needed: oneshot::Receiver<()>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Guarded {
    /// Takes a bound listener over; it belongs on the runtime that will serve it.
    pub(super) fn new(listener: StdListener, gate: Gate) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: TcpListener::from_std(listener)?,
            room: Arc::new(Semaphore::new(CONNECTIONS)),
            open: VecDeque::new(),
            gate,
        })
    }

    /// A place for a connection that is there, if need be that of the oldest.
    async fn place(&mut self) -> Option<OwnedSemaphorePermit> {
        self.open.retain(|connection| !connection.is_closed());
        if self.room.available_permits() == 0 {
            self.open.pop_front();
        }
        // The semaphore is never closed.
        Arc::clone(&self.room).acquire_owned().await.ok()
    }
}

impl Listener for Guarded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            self.gate.opened().await;
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = self.gate.left() => continue,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let place = self.place().await;
                    let (open, needed) = oneshot::channel();
                    self.open.push_back(open);
                    let connection = Connection {
                        stream,
                        quiet: Box::pin(sleep(QUIET)),
                        needed,
                        _place: place,
                    };
                    return (connection, peer);
                }
                Err(error) => {
                    tracing::warn!(%error, "the admin port cannot accept a connection");
                    sleep_until(Instant::now() + REST).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connection {
    /// The address the client connected to.
    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    fn check_quiet(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.needed.is_terminated() || Pin::new(&mut self.needed).poll(context).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        match self.quiet.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }

    fn answered(&mut self) {
        self.quiet.as_mut().reset(Instant::now() + QUIET);
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_quiet(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_quiet(context)?;
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.answered();
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_quiet(context)?;
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, pieces))?;
        self.answered();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn connected() -> (Connection, TcpStream, Guarded) {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut guarded = Guarded::new(listener, Gate::new(true)).unwrap();
        let (client, (connection, _)) = tokio::join!(TcpStream::connect(address), guarded.accept());
        (connection, client.unwrap(), guarded)
    }

    /// Fault 18, on this port: what drips is cut off as well as what is silent.
    #[tokio::test(start_paused = true)]
    async fn half_a_request_does_not_last() {
        let (mut connection, mut client, _guarded) = connected().await;
        let began = Instant::now();
        let drip = async {
            while client.write_all(b"x").await.is_ok() {
                sleep_until(Instant::now() + QUIET / 4).await;
            }
        };
        let read = async {
            loop {
                if let Err(error) = connection.read(&mut [0; 16]).await {
                    return error.kind();
                }
            }
        };
        tokio::select! {
            () = drip => panic!("the connection is open still"),
            error = read => assert_eq!(error, io::ErrorKind::TimedOut),
        }
        assert!(began.elapsed() >= QUIET && began.elapsed() < 2 * QUIET);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_answered_stays() {
        let (mut connection, mut client, _guarded) = connected().await;
        for _ in 0..10 {
            sleep_until(Instant::now() + QUIET * 3 / 4).await;
            connection.write_all(b"x").await.unwrap();
            client.read_exact(&mut [0]).await.unwrap();
        }
    }

    /// Who takes all places does not keep a probe out.
    #[tokio::test(start_paused = true)]
    async fn the_oldest_makes_room() {
        let (mut oldest, _client, mut guarded) = connected().await;
        let address = guarded.local_addr().unwrap();
        let mut others = Vec::new();
        for _ in 1..CONNECTIONS {
            let client = TcpStream::connect(address).await.unwrap();
            others.push((guarded.accept().await.0, client));
        }
        assert_eq!(guarded.room.available_permits(), 0);
        let began = Instant::now();
        let closed = async {
            let error = oldest.read(&mut [0; 16]).await.unwrap_err();
            drop(oldest);
            error.kind()
        };
        let (kind, (mut probe, _), client) =
            tokio::join!(closed, guarded.accept(), TcpStream::connect(address));
        assert_eq!(kind, io::ErrorKind::ConnectionAborted);
        assert_eq!(began.elapsed(), Duration::ZERO, "it did not wait");
        probe.write_all(b"x").await.unwrap();
        client.unwrap().read_exact(&mut [0]).await.unwrap();
        for (other, client) in &mut others {
            other.write_all(b"x").await.unwrap();
            client.read_exact(&mut [0]).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_limited_and_given_back() {
        let (connection, _client, guarded) = connected().await;
        assert_eq!(guarded.room.available_permits(), CONNECTIONS - 1);
        drop(connection);
        assert_eq!(guarded.room.available_permits(), CONNECTIONS);
    }
}
