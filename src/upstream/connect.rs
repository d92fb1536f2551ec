//! Sockets to the application, and the HTTP/2 handshake on them.
//!
//! A connection counts as made when the far side has sent its SETTINGS: only then is it known to
//! speak HTTP/2 and how many streams it takes. Connections for unary calls are driven by our own
//! client, those for streams by the `h2` crate.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::http2::{self, Driver};
use super::pool::Lane;
use super::{Params, Target};

/// What was read from a connection, for keep-alive.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) bytes_read: Cell<u64>,
    pub(super) last_read: Cell<Instant>,
}

/// A socket that notes what it reads.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Stream,
    traffic: Rc<Traffic>,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

/// A connection whose far side has introduced itself.
pub(super) struct Connected {
    pub(super) link: Link,
    pub(super) traffic: Rc<Traffic>,
}

/// Who speaks HTTP/2 on a connection: a handle for calls, and what has to be driven.
pub(super) enum Link {
    Unary(http2::Client, Driver<Socket>),
    Streams(
        client::SendRequest<Bytes>,
        Box<client::Connection<Socket, Bytes>>,
    ),
}

/// Dials and shakes hands; the error is for the log.
pub(super) async fn connect(params: &Params, lane: Lane) -> Result<Connected, String> {
    let making = async {
        let stream = dial(&params.target, params.user_timeout).await;
        let stream = secure(stream, params)
            .await
            .map_err(|error| format!("cannot connect to {}: {error}", params.target))?;
        shake_hands(stream, params, lane)
            .await
            .map_err(|error| format!("{} does not speak HTTP/2: {error}", params.target))
    };
    match tokio::time::timeout(params.connect_timeout, making).await {
        Ok(made) => made,
        Err(_elapsed) => Err(format!(
            "{} did not answer within {:?}",
            params.target, params.connect_timeout
        )),
    }
}

/// A socket to the application, with nothing said on it.
pub(super) async fn socket(target: &Target, user_timeout: Duration) -> io::Result<Socket> {
    let stream = dial(target, user_timeout).await?;
    Ok(Socket {
        stream,
        traffic: Rc::new(Traffic {
            bytes_read: Cell::new(0),
            last_read: Cell::new(Instant::now()),
        }),
    })
}

async fn dial(target: &Target, user_timeout: Duration) -> io::Result<Stream> {
    match target {
        Target::Tcp { host, port } | Target::Tls { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            SockRef::from(&stream).set_tcp_user_timeout(Some(user_timeout))?;
            Ok(Stream::Tcp(stream))
        }
        Target::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
    }
}

/// Encrypts a connection to a target that wants it, and agrees on HTTP/2.
async fn secure(stream: io::Result<Stream>, params: &Params) -> io::Result<Stream> {
    let (stream, host) = match (stream?, &params.target) {
        (Stream::Tcp(stream), Target::Tls { host, .. }) => (stream, host),
        (stream, _) => return Ok(stream),
    };
    let Some(tls) = &params.tls else {
        return Err(io::Error::other(
            "it wants TLS, and how it is known was not said",
        ));
    };
    let Some(name) = tls.name_at(host) else {
        return Err(io::Error::other(
            "its host can be the name of no certificate, and no other name was said",
        ));
    };
    let connector = TlsConnector::from(tls.config());
    let stream = connector.connect(name, stream).await?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(io::Error::other(
            "it does not agree on HTTP/2 by ALPN, which gRPC needs",
        ));
    }
    Ok(Stream::Tls(Box::new(stream)))
}

async fn shake_hands(stream: Stream, params: &Params, lane: Lane) -> Result<Connected, String> {
    let traffic = Rc::new(Traffic {
        bytes_read: Cell::new(0),
        last_read: Cell::new(Instant::now()),
    });
    let socket = Socket {
        stream,
        traffic: Rc::clone(&traffic),
    };
    let link = match lane {
        Lane::Unary | Lane::Answers => {
            let limits = http2::Limits {
                stream_window: params.stream_window,
                connection_window: params.connection_window,
                max_header_list: params.max_header_list,
            };
            let (client, mut driver) = Driver::new(socket, limits);
            if matches!(params.target, Target::Tls { .. }) {
                driver.say_https();
            }
            driver.introduce().await?;
            Link::Unary(client, driver)
        }
        Lane::Streams => {
            let (send, connection) = shake_hands_by_crate(socket, params).await?;
            Link::Streams(send, Box::new(connection))
        }
    };
    Ok(Connected { link, traffic })
}

async fn shake_hands_by_crate(
    socket: Socket,
    params: &Params,
) -> Result<
    (
        client::SendRequest<Bytes>,
        client::Connection<Socket, Bytes>,
    ),
    String,
> {
    let handshake = builder(params).handshake::<_, Bytes>(socket).await;
    let (send, mut connection) = handshake.map_err(|error| error.to_string())?;
    poll_fn(|context| {
        let ended = Pin::new(&mut connection).poll(context);
        if connection.max_concurrent_send_streams() > 0 {
            return Poll::Ready(Ok(()));
        }
        ended.map(|result| match result {
            Ok(()) => Err(String::from("closed before a SETTINGS frame")),
            Err(error) => Err(error.to_string()),
        })
    })
    .await?;
    Ok((send, connection))
}

/// The application is trusted, so what protects a server from its clients is lifted: one client
/// of ours that leaves often must not cost the others their shared connection.
fn builder(params: &Params) -> client::Builder {
    const REMEMBERED_RESETS: usize = 1024;
    const SMALL_FRAME_BUDGET: usize = 1 << 30;
    let mut builder = client::Builder::new();
    builder
        .initial_window_size(params.stream_window)
        .initial_connection_window_size(params.connection_window)
        .max_header_list_size(params.max_header_list)
        // Nothing is sent before the far side has said how much it takes.
        .initial_max_send_streams(0)
        .max_concurrent_reset_streams(REMEMBERED_RESETS)
        .max_local_error_reset_streams(None)
        .data_frame_budget(SMALL_FRAME_BUDGET)
        .max_send_buffer_size(params.stream_window as usize)
        .enable_push(false);
    builder
}

// === impl Socket ===

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_read(context, buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        let read = buffer.filled().len() - before;
        if read > 0 {
            let total = self.traffic.bytes_read.get();
            self.traffic.bytes_read.set(total + read as u64);
            self.traffic.last_read.set(Instant::now());
        }
        result
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_write(context, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_write_vectored(context, slices),
            Stream::Unix(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_flush(context),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(context),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
