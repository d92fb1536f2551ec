//! [`Driver`]: carries bytes between a session and its socket.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};

use super::client::Client;
use super::frame;
use super::session::{Limits, Session};

/// The future that has to be run for a connection. It ends when the connection has; dropped
/// before, it ends the connection.
pub(in crate::upstream) struct Driver<S> {
    socket: S,
    session: Rc<RefCell<Session>>,
    input: BytesMut,
    /// Made with the first stream that it has to watch.
    timer: Option<Pin<Box<Sleep>>>,
}

/// What is read at once.
const INPUT_BYTES: usize = 32 << 10;

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// A connection over a fresh socket.
    pub(in crate::upstream) fn new(socket: S, limits: Limits) -> (Client, Self) {
        let session = Rc::new(RefCell::new(Session::new(limits)));
        let driver = Self {
            socket,
            session: Rc::clone(&session),
            input: BytesMut::with_capacity(INPUT_BYTES),
            timer: None,
        };
        (Client(session), driver)
    }

    /// The connection is encrypted, and calls say so.
    pub(in crate::upstream) fn say_https(&mut self) {
        self.session.borrow_mut().encoder.say_https();
    }

    /// Runs until the far side has introduced itself and takes streams; the error says why it
    /// has not.
    pub(in crate::upstream) async fn introduce(&mut self) -> Result<(), String> {
        poll_fn(|context| {
            let ended = self.poll_io(context);
            let peer = self.session.borrow().peer;
            if peer.introduced && peer.max_streams > 0 {
                return Poll::Ready(Ok(()));
            }
            ended.map(|ended| {
                ended?;
                Err(String::from("closed before a SETTINGS frame"))
            })
        })
        .await
    }

    fn poll_io(&mut self, context: &mut Context<'_>) -> Poll<Result<(), String>> {
        loop {
            if let Poll::Ready(ended) = self.poll_output(context) {
                return Poll::Ready(ended);
            }
            match self.poll_input(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(cause)) => return Poll::Ready(Err(cause)),
                Poll::Pending => {
                    if self.poll_stalls(context).is_ready() {
                        continue;
                    }
                    // The socket has its wakers; this one is for calls that are sent.
                    self.session.borrow_mut().driver = Some(context.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }

    /// Writes what there is; ready when the connection has ended.
    fn poll_output(&mut self, context: &mut Context<'_>) -> Poll<Result<(), String>> {
        let mut session = self.session.borrow_mut();
        loop {
            session.send_bodies();
            if session.output.is_empty() {
                // Encrypted bytes may still wait; a plain socket has nothing to flush.
                match Pin::new(&mut self.socket).poll_flush(context) {
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error.to_string())),
                    Poll::Pending if !session.has_ended() => return Poll::Pending,
                    Poll::Ready(Ok(())) | Poll::Pending => {}
                }
                return if session.has_ended() {
                    Poll::Ready(Ok(()))
                } else {
                    Poll::Pending
                };
            }
            match session.output.poll_write(&mut self.socket, context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.to_string())),
                // A far side that broke the protocol need not read that it did.
                Poll::Pending if session.over => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Reads once; pending too when a far side that does not read has to read first.
    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<Result<(), String>> {
        const MOST_UNREAD: usize = 1 << 20;
        if self.session.borrow().output.len() > MOST_UNREAD {
            return Poll::Pending;
        }
        self.input.reserve(frame::HEAD_BYTES + frame::MAX_PAYLOAD);
        let reading = pin!(self.socket.read_buf(&mut self.input));
        match std::task::ready!(reading.poll(context)) {
            Ok(0) => return Poll::Ready(Err(String::from("closed by the far side"))),
            Ok(_) => {}
            Err(error) => return Poll::Ready(Err(error.to_string())),
        }
        let mut session = self.session.borrow_mut();
        if let Err(broken) = session.receive(&mut self.input) {
            tracing::debug!(%broken, "the app broke the protocol");
            session.break_off(broken);
        }
        drop(session);
        self.wake_calls();
        Poll::Ready(Ok(()))
    }

    /// Ready when it was time to look for answers that nobody reads.
    fn poll_stalls(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.session.borrow().look_at else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        std::task::ready!(timer.as_mut().poll(context));
        self.session.borrow_mut().give_up_stalled(Instant::now());
        self.wake_calls();
        Poll::Ready(())
    }

    /// Tells calls what has come, while nothing is borrowed: what is woken may run at once.
    fn wake_calls(&self) {
        let mut woken = std::mem::take(&mut self.session.borrow_mut().woken);
        for waker in woken.drain(..) {
            waker.wake();
        }
        self.session.borrow_mut().woken = woken;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Driver<S> {
    type Output = Result<(), String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = std::task::ready!(self.poll_io(context));
        if let Err(cause) = &ended {
            self.session.borrow_mut().fail(cause);
            self.wake_calls();
        }
        Poll::Ready(ended)
    }
}

impl<S> Drop for Driver<S> {
    fn drop(&mut self) {
        let mut session = self.session.borrow_mut();
        session.fail("the connection was given up");
        let woken = std::mem::take(&mut session.woken);
        drop(session);
        woken.into_iter().for_each(std::task::Waker::wake);
    }
}
