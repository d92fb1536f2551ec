//! The TLS handshake with a client, in its time (fault 17).

use std::pin::Pin;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use super::connection::{Context, Protocol};
use super::socket::Socket;
use super::transport::Transport;
use crate::call::Peer;
use crate::tls;

/// A connection after its handshake.
pub(super) struct Secured {
    pub(super) socket: Socket,
    pub(super) peer: Peer,
    /// What was agreed on, if the client has asked.
    pub(super) agreed: Option<Protocol>,
}

/// Shakes hands until `until`; nothing when that has failed, which only the log and a counter
/// are told.
pub(super) async fn shake(
    context: &Context,
    server: &tls::Server,
    (stream, peer): (TcpStream, Peer),
    until: Instant,
) -> Option<Secured> {
    let shaken = timeout_at(until, attempt(server, stream)).await;
    let Ok(shaken) = shaken else {
        context.stats.count_timed_out();
        context.stats.count_handshake(false);
        tracing::debug!(peer = peer.text(), "a TLS handshake took too long");
        return None;
    };
    let shaken = match shaken {
        Ok(shaken) => shaken?,
        Err(error) => {
            context.stats.count_handshake(false);
            tracing::debug!(peer = peer.text(), %error, "a TLS handshake failed");
            return None;
        }
    };
    context.stats.count_handshake(true);
    let (_, session) = shaken.get_ref();
    let agreed = session.alpn_protocol().map(|name| {
        if name == b"h2" {
            Protocol::Http2
        } else {
            Protocol::Http1
        }
    });
    let client = session.peer_certificates().and_then(tls::identity);
    Some(Secured {
        peer: peer.with_client(client),
        agreed,
        socket: Socket::new(Transport::Tls(shaken)),
    })
}

type Shaken = Box<tokio_rustls::server::TlsStream<TcpStream>>;

/// One attempt; nothing when the client has not tried.
async fn attempt(server: &tls::Server, stream: TcpStream) -> std::io::Result<Option<Shaken>> {
    /// The first byte of a handshake (RFC 8446, 5.1).
    const HANDSHAKE: u8 = 22;
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    if first != [HANDSHAKE] {
        let is_http = first.iter().all(u8::is_ascii_uppercase);
        if is_http {
            explain(Socket::new(Transport::Plain(stream))).await?;
        }
        return Err(std::io::Error::other(if is_http {
            "the client speaks HTTP without TLS"
        } else {
            "the client speaks no TLS"
        }));
    }
    if let Some(challenge) = server.challenges().config() {
        // In a box of its own, so that nobody else's handshake has to have room for it.
        return Box::pin(with_authority(server, challenge, stream)).await;
    }
    let acceptor = TlsAcceptor::from(server.config());
    Ok(Some(Box::new(acceptor.accept(stream).await?)))
}

/// An attempt while an authority of ACME may come; nothing when it was one.
async fn with_authority(
    server: &tls::Server,
    challenge: Arc<ServerConfig>,
    stream: TcpStream,
) -> std::io::Result<Option<Shaken>> {
    let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    if tls::is_challenge(&begun.client_hello()) {
        // It has seen what it wants when the handshake is over.
        begun.into_stream(challenge).await?.shutdown().await?;
        return Ok(None);
    }
    Ok(Some(Box::new(begun.into_stream(server.config()).await?)))
}

/// Tells a client without TLS what it lacks; that is no secret.
async fn explain(mut socket: Socket) -> std::io::Result<()> {
    let answer = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n\
                  this port speaks TLS: ask for https://\n";
    Pin::new(&mut socket).write_all(answer.as_bytes()).await?;
    socket.linger().await;
    Ok(())
}
