//! [`Client`]: how calls reach a connection, and [`Asked`]: a call that is on its way.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::hpack::Request;
use super::session::{Next, Session, Unsent};
use super::stream::{Failure, Key, Pieces};

/// A handle on a connection.
#[derive(Clone, Debug)]
pub(in crate::upstream) struct Client(pub(super) Rc<RefCell<Session>>);

/// A call that was sent. Dropped before its answer has ended, it resets its stream.
#[derive(Debug)]
pub(in crate::upstream) struct Asked {
    session: Rc<RefCell<Session>>,
    /// Gone with the end of the answer.
    key: Option<Key>,
}

/// The head of an answer, and what came with it.
#[derive(Debug)]
pub(in crate::upstream) struct Answer {
    pub(in crate::upstream) status: StatusCode,
    pub(in crate::upstream) headers: HeaderMap,
    /// The data and the trailers, when all is there; the rest has to be asked for otherwise.
    pub(in crate::upstream) whole: Option<(Bytes, Option<HeaderMap>)>,
}

// === impl Client ===

impl Client {
    /// Sends a call.
    pub(in crate::upstream) fn open(
        &self,
        request: &Request<'_>,
        body: &Pieces,
    ) -> Result<Asked, Unsent> {
        let key = self.0.borrow_mut().open(request, body)?;
        Ok(Asked {
            session: Rc::clone(&self.0),
            key: Some(key),
        })
    }

    /// Whether new streams may be opened.
    pub(in crate::upstream) fn is_open(&self) -> bool {
        self.0.borrow().is_open()
    }

    /// How many streams the far side takes at a time.
    pub(in crate::upstream) fn max_streams(&self) -> usize {
        self.0.borrow().peer.max_streams
    }

    /// Asks whether the far side lives.
    pub(in crate::upstream) fn ping(&self) {
        self.0.borrow_mut().ping();
    }

    /// No new streams; the connection ends when none is left.
    pub(in crate::upstream) fn leave(&self) {
        self.0.borrow_mut().leave();
    }
}

// === impl Asked ===

impl Asked {
    /// Gives the answer up when something of it waits unread for `stall`.
    pub(in crate::upstream) fn limit_stall(&self, stall: Duration) {
        if let Some(key) = self.key {
            self.session.borrow_mut().limit_stall(key, stall);
        }
    }

    /// Waits for the head of the answer.
    pub(in crate::upstream) fn poll_answer(
        &mut self,
        context: &Context<'_>,
    ) -> Poll<Result<Answer, Failure>> {
        let Some(key) = self.key else {
            return Poll::Pending;
        };
        let mut session = self.session.borrow_mut();
        let (status, headers) = std::task::ready!(session.poll_head(key, context))?;
        let whole = session.take_whole(key);
        if whole.is_some() {
            self.key = None;
        }
        Poll::Ready(Ok(Answer {
            status,
            headers,
            whole,
        }))
    }

    /// Waits for what comes next after the head.
    pub(in crate::upstream) fn poll_next(&mut self, context: &Context<'_>) -> Poll<Next> {
        match self.key {
            Some(key) => self.session.borrow_mut().poll_next(key, context),
            None => Poll::Ready(Next::End(None)),
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.session.borrow_mut().release(key);
        }
    }
}
