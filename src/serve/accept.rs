//! [`Listener`]: accepts connections and hands each to the least loaded worker.
//!
//! Accepting never ends because of an error: what fails is counted, and when the system has no
//! more to give, the loop waits a little.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::stats::Stats;
use super::workers::{Accepted, Workers};

/// A bound address. The kernel queues connections from now on; [`Listener::run`] serves them.
#[derive(Debug)]
pub struct Listener {
    socket: std::net::TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds; port 0 takes a free one.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        const BACKLOG: i32 = 1024;
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Self::from_std(socket.into())
    }

    /// Takes a socket that is bound already.
    pub fn from_std(socket: std::net::TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// The socket, once more.
    pub fn socket(&self) -> io::Result<std::net::TcpListener> {
        self.socket.try_clone()
    }

    /// The real address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until `stop` ends. Connections that were accepted live on.
    pub async fn run(self, workers: &Workers, stop: impl Future<Output = ()>) {
        let listener = match TcpListener::from_std(self.socket) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, address = %self.address, "cannot listen");
                return;
            }
        };
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => {
                    take_the_rest(listener, workers).await;
                    return;
                }
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => hand_on(workers, stream, peer).await,
                Err(error) => back_off(&error, workers.stats()).await,
            }
        }
    }
}

/// Accepts what the kernel has queued: those clients believe that they are connected.
async fn take_the_rest(listener: TcpListener, workers: &Workers) {
    let Ok(listener) = listener.into_std() else {
        return;
    };
    // It does not block, so this ends with the queue.
    while let Ok((stream, peer)) = listener.accept() {
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            hand_on(workers, stream, peer).await;
        }
    }
}

async fn hand_on(workers: &Workers, stream: TcpStream, peer: SocketAddr) {
    // Beyond the limit the connection is closed at once: it costs nothing, and others go on.
    let Some(open) = Stats::begin(workers.stats(), workers.max_connections()) else {
        return;
    };
    match stream.into_std() {
        Ok(stream) => workers.hand_on(Accepted { stream, peer, open }).await,
        Err(error) => tracing::debug!(%error, "a new connection was lost"),
    }
}

/// Waits when accepting cannot succeed at once; a client that left while queued is no reason.
async fn back_off(error: &io::Error, stats: &Arc<Stats>) {
    const PAUSE: Duration = Duration::from_millis(100);
    stats.count_accept_error();
    if matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    ) {
        return;
    }
    tracing::warn!(%error, "cannot accept connections");
    tokio::time::sleep(PAUSE).await;
}
