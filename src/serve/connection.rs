//! One accepted connection: what its client speaks, and who serves it.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::secure::{self, Secured};
use super::socket::Socket;
use super::stats::Stats;
use super::transport::Transport;
use super::workers::Accepted;
use super::{Handler, Params, http1, http2};
use crate::call::{Peer, SharedPeer};
use crate::life::drain::Drain;

/// What the connections of a worker share.
pub(super) struct Context {
    pub(super) params: Arc<Params>,
    pub(super) handler: Handler,
    pub(super) drain: Drain,
    pub(super) stats: Arc<Stats>,
    pub(super) spare: http1::Spare,
    pub(super) dates: http1::Dates,
}

impl Context {
    /// The same for the connections that come from now on.
    pub(super) fn with(&self, params: Arc<Params>) -> Self {
        Self {
            params,
            handler: Rc::clone(&self.handler),
            drain: self.drain.clone(),
            stats: Arc::clone(&self.stats),
            spare: http1::Spare::default(),
            dates: http1::Dates::default(),
        }
    }
}

/// A connection whose client has said something.
pub(super) struct Opened {
    pub(super) socket: Socket,
    pub(super) peer: SharedPeer,
    /// When it was accepted.
    pub(super) at: Instant,
}

/// How a connection is closed after its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// So that the client surely gets what was sent.
    Linger,
    /// At once.
    Close,
    /// Visibly as a failure.
    BreakOff,
}

/// Serves a connection to its end.
pub(super) async fn serve(context: Rc<Context>, accepted: Accepted) {
    let at = Instant::now();
    let Accepted { stream, peer, open } = accepted;
    // A connection that is lost before it began needs no word.
    let Ok((stream, peer)) = prepare(&context, stream, peer) else {
        return;
    };
    let (socket, peer, agreed, at) = match &context.params.tls {
        None => (Socket::new(Transport::Plain(stream)), peer, None, at),
        Some(server) => {
            let until = at + context.params.opening;
            let shaking = secure::shake(&context, server, (stream, peer), until);
            // Its state is large, and is needed but once.
            let Some(secured) = Box::pin(shaking).await else {
                return;
            };
            let Secured {
                socket,
                peer,
                agreed,
            } = secured;
            (socket, peer, agreed, Instant::now())
        }
    };
    let protocol = match agreed {
        Some(Protocol::Http2) => Protocol::Http2,
        Some(Protocol::Http1) | None => {
            match timeout_at(at + context.params.opening, listen(&socket)).await {
                // What was agreed on holds, whatever comes.
                Ok(Ok(Some(spoken))) => agreed.unwrap_or(spoken),
                Ok(Ok(None) | Err(_)) => return,
                Err(_elapsed) => {
                    context.stats.count_timed_out();
                    return;
                }
            }
        }
    };
    let in_flight = context.drain.in_flight();
    let opened = Opened {
        socket: socket.clone(),
        peer: Rc::new(peer),
        at,
    };
    let farewell = match protocol {
        Protocol::Http1 => http1::serve(&context, opened).await,
        // Its state is large, and most connections have no use for room for it.
        Protocol::Http2 => Box::pin(http2::serve(&context, opened)).await,
    };
    // All is sent; nobody has to wait for a client that does not hang up.
    drop(in_flight);
    match farewell {
        Farewell::Linger => socket.linger().await,
        Farewell::Close => {}
        Farewell::BreakOff => socket.break_off(),
    }
    drop(open);
}

fn prepare(
    context: &Context,
    stream: std::net::TcpStream,
    address: SocketAddr,
) -> io::Result<(TcpStream, Peer)> {
    /// What the kernel may hold of an answer that is not on its way yet. Left to itself it takes
    /// megabytes for every client that does not read, out of the memory that the gateway is given.
    const UNSENT: u32 = 64 * 1024;
    let stream = TcpStream::from_std(stream)?;
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT)?;
    let peer = Peer::new(address, stream.local_addr()?, context.params.tls.is_some());
    Ok((stream, peer))
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Listens until the first bytes tell; `None` when the client left before that.
async fn listen(socket: &Socket) -> io::Result<Option<Protocol>> {
    loop {
        let (protocol, more) = socket.peek(recognize).await?;
        if protocol.is_some() || !more {
            return Ok(protocol);
        }
    }
}

/// What some first bytes say; `None` when they may still become either.
fn recognize(early: &[u8]) -> Option<Protocol> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    if early.starts_with(PREFACE) {
        return Some(Protocol::Http2);
    }
    if PREFACE.starts_with(early) {
        return None;
    }
    Some(Protocol::Http1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        let rows: &[(&[u8], Option<Protocol>)] = &[
            (b"", None),
            (b"P", None),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n", None),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(Protocol::Http2)),
            (
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0",
                Some(Protocol::Http2),
            ),
            (b"PO", Some(Protocol::Http1)),
            (b"G", Some(Protocol::Http1)),
            (b"PRI * HTTP/1.1\r\n", Some(Protocol::Http1)),
        ];
        for (early, expected) in rows {
            assert_eq!(recognize(early), *expected, "{early:?}");
        }
    }
}
