//! A connection after a 101: what the client sends goes out, what comes is the body.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf, split};
use tokio::sync::OwnedSemaphorePermit;

use super::super::connect::Socket;
use super::broken;
use crate::call::{Body, Fault};
use crate::life::task::{self, Task};

/// What is read at once.
const CHUNK: usize = 8 << 10;

/// What the client gets, while a task sends what it says.
pub(super) fn open(
    stream: Socket,
    early: Bytes,
    client: Body,
    place: OwnedSemaphorePermit,
) -> Body {
    let (read, write) = split(stream);
    Body::raw(Tunnel {
        read,
        early,
        _sending: task::spawn_local("tunnel", send(write, client)),
        _place: place,
    })
}

/// Dropping it ends both directions.
struct Tunnel {
    read: ReadHalf<Socket>,
    early: Bytes,
    _sending: Task<()>,
    _place: OwnedSemaphorePermit,
}

async fn send(mut write: WriteHalf<Socket>, client: Body) {
    let mut client = client;
    while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut client).poll_frame(context)).await {
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if write.write_all(&data).await.is_err() {
            return;
        }
    }
    // The far side may still have something to say; if this fails, it has left.
    drop(write.shutdown().await);
}

impl http_body::Body for Tunnel {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if !self.early.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.early)))));
        }
        let mut chunk = [0; CHUNK];
        let mut buffer = ReadBuf::new(&mut chunk);
        let read = ready!(Pin::new(&mut self.read).poll_read(context, &mut buffer));
        if let Err(error) = read {
            return Poll::Ready(Some(Err(broken("a tunnel broke off").with_cause(error))));
        }
        let data = Bytes::copy_from_slice(buffer.filled());
        Poll::Ready((!data.is_empty()).then(|| Ok(Frame::data(data))))
    }
}
