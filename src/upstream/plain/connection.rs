//! [`Connection`]: one connection of plain HTTP, and the task that drives it.

use std::future::poll_fn;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Parts, SendRequest};
use hyper_util::rt::TokioIo;

use super::super::Params;
use super::super::connect::{self, Socket};
use super::broken;
use crate::call::{Body, Fault};
use crate::life::task::{self, Task};

pub(super) struct Connection {
    sender: SendRequest<Body>,
    /// Ends with the connection, or with what is left of it after a 101.
    driver: Task<Option<Parts<TokioIo<Socket>>>>,
}

/// What became of a request.
pub(super) enum Sent {
    Answered(Response<Incoming>),
    /// Nothing of it went out.
    Unsent(Request<Body>),
    Failed(Fault),
}

impl Connection {
    /// Dials; the error is for the log.
    pub(super) async fn open(params: &Params) -> Result<Self, String> {
        let socket = connect::socket(&params.target, params.user_timeout).await;
        let socket =
            socket.map_err(|error| format!("cannot connect to {}: {error}", params.target))?;
        let most = params.max_header_list as usize;
        let shaking = Builder::new()
            .max_buf_size(most.max(8 << 10))
            .handshake(TokioIo::new(socket));
        let (sender, mut connection) = shaking.await.map_err(|error| error.to_string())?;
        let driver = task::spawn_local("plain http", async move {
            match poll_fn(|context| connection.poll_without_shutdown(context)).await {
                Ok(()) => Some(connection.into_parts()),
                Err(error) => {
                    tracing::debug!(%error, "a connection of plain HTTP broke");
                    None
                }
            }
        });
        Ok(Self { sender, driver })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed() && !self.driver.is_finished()
    }

    pub(super) async fn send(&mut self, request: Request<Body>) -> Sent {
        if self.sender.ready().await.is_err() {
            return Sent::Unsent(request);
        }
        match self.sender.try_send_request(request).await {
            Ok(response) => Sent::Answered(response),
            Err(mut error) => match error.take_message() {
                Some(request) => Sent::Unsent(request),
                None => Sent::Failed(fault(error.error())),
            },
        }
    }

    /// The connection after a 101, and what came behind its head.
    pub(super) async fn into_stream(self) -> Option<(Socket, Bytes)> {
        let Self { sender, driver } = self;
        drop(sender);
        let parts = driver.await.flatten()?;
        Some((parts.io.into_inner(), parts.read_buf))
    }
}

/// Why there is no answer: the client's own body, or the far side.
pub(super) fn fault(error: &hyper::Error) -> Fault {
    if error.is_user() {
        return Fault::client_gone().with_cause(error);
    }
    broken("the plain HTTP port did not answer as HTTP has it").with_cause(error)
}
