//! A connection of HTTP/1.1 whose client and handler go on in another protocol.
//!
//! The request carries an offer ([`Body::offer`]); a handler that answers with 101 takes it, and
//! then this one has no more to do: what the answer's body yields is written as it is, and whoever
//! holds what was offered reads the socket. Bytes that come before the 101 are no part of either
//! protocol for sure, so an offer with such bytes is none (fault 12).

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, Version};
use http_body::{Body as _, Frame};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::super::Params;
use super::super::socket::Socket;
use super::drive::End;
use super::head;
use super::phase::{self, Phase};
use crate::call::{Body, Fault};

/// What is read at once.
const CHUNK: usize = 8 << 10;

/// Whether a head offers to change the protocol.
pub(super) fn is_offered(version: Version, headers: &HeaderMap) -> bool {
    version == Version::HTTP_11 && headers.contains_key(UPGRADE) && names_upgrade(headers)
}

fn names_upgrade(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONNECTION).iter();
    values.any(|value| head::mentions(value.as_bytes(), b"upgrade"))
}

/// An offer and what has become of it; clones are the same one.
#[derive(Clone)]
pub(super) struct Offer(Rc<Shared>);

struct Shared {
    socket: Socket,
    state: Cell<State>,
    reader: RefCell<Option<Waker>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Taken,
    Over,
}

impl Offer {
    pub(super) fn new(socket: Socket) -> Self {
        Self(Rc::new(Shared {
            socket,
            state: Cell::new(State::Open),
            reader: RefCell::new(None),
        }))
    }

    /// The body of the request that makes the offer.
    pub(super) fn body(&self) -> Body {
        Body::offer(After(self.clone()))
    }

    fn set(&self, state: State) {
        self.0.state.set(state);
        if let Some(reader) = self.0.reader.take() {
            reader.wake();
        }
    }

    /// The answer was something else.
    pub(super) fn decline(&self) {
        self.set(State::Over);
    }
}

/// What the client sends after the 101.
struct After(Offer);

impl http_body::Body for After {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let shared = &self.0.0;
        match shared.state.get() {
            State::Open => {
                *shared.reader.borrow_mut() = Some(context.waker().clone());
                return Poll::Pending;
            }
            State::Over => return Poll::Ready(None),
            State::Taken => {}
        }
        let mut chunk = [0; CHUNK];
        let mut buffer = ReadBuf::new(&mut chunk);
        let mut socket = shared.socket.clone();
        let read = ready!(Pin::new(&mut socket).poll_read(context, &mut buffer));
        let data = Bytes::copy_from_slice(buffer.filled());
        if let Err(error) = read {
            self.as_mut().0.decline();
            return Poll::Ready(Some(Err(Fault::client_gone().with_cause(error))));
        }
        if data.is_empty() {
            self.as_mut().0.decline();
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

/// Serves a connection whose 101 is out, to its end. Only the client's reading has a limit; how
/// long the rest may last is the handler's to say.
pub(super) async fn run(params: &Params, offer: Offer, body: Body) -> End {
    offer.set(State::Taken);
    let end = {
        let socket = &offer.0.socket;
        let mut writing = pin!(write(socket.clone(), body));
        let first_look = Instant::now() + phase::nap(params);
        let mut sleep = pin!(tokio::time::sleep_until(first_look));
        poll_fn(|waker| {
            if let Poll::Ready(end) = writing.as_mut().poll(waker) {
                return Poll::Ready(end);
            }
            let ends = || Phase::Busy.ends(socket.stuck_since(), params);
            phase::poll_too_long(sleep.as_mut(), ends, params, waker).map(|()| End::TooSlow)
        })
        .await
    };
    offer.set(State::Over);
    end
}

async fn write(mut socket: Socket, mut body: Body) -> End {
    loop {
        match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else {
                    continue;
                };
                if write_all(&mut socket, data).await.is_err() {
                    return End::Gone;
                }
            }
            Some(Err(fault)) => {
                tracing::debug!(%fault, "an upgraded connection broke off");
                return End::Cut;
            }
            None => return End::Done,
        }
    }
}

async fn write_all(socket: &mut Socket, mut data: Bytes) -> io::Result<()> {
    while data.has_remaining() {
        let written = poll_fn(|context| Pin::new(&mut *socket).poll_write(context, &data)).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        data.advance(written);
    }
    poll_fn(|context| Pin::new(&mut *socket).poll_flush(context)).await
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn offers() {
        for (version, connection, upgrade, expected) in [
            (Version::HTTP_11, "Upgrade", "websocket", true),
            (Version::HTTP_11, "keep-alive, upgrade", "x", true),
            (Version::HTTP_10, "Upgrade", "websocket", false),
            (Version::HTTP_11, "keep-alive", "websocket", false),
            (Version::HTTP_11, "upgrades", "websocket", false),
            (Version::HTTP_11, "Upgrade", "", false),
        ] {
            let mut request = Request::builder().version(version);
            request = request.header("connection", connection);
            if !upgrade.is_empty() {
                request = request.header("upgrade", upgrade);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(
                is_offered(head.version, &head.headers),
                expected,
                "{connection} {upgrade}"
            );
        }
    }
}
