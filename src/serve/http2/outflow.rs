//! The answer on its way to the client.
//!
//! Nothing is given to h2 that the client has not made room for, so what is buffered for a
//! stream is bounded, and each frame of the body becomes frames of its own (S2).

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Method, Response};
use http_body::{Body as _, Frame};
use tokio::time::timeout;

use super::state::State;
use crate::call::{Body, Fault};

/// Fields of one connection, which HTTP/2 does not have.
const HOP_BY_HOP: [HeaderName; 5] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The stream takes nothing more: the client reset it, or it was given up.
struct Gone;

/// An answer and what it is sent with.
pub(super) struct Outflow<'a> {
    pub(super) respond: &'a mut SendResponse<Bytes>,
    pub(super) state: &'a State,
    pub(super) method: &'a Method,
    pub(super) stall: Duration,
}

/// Sends an answer to its end. A body that breaks off resets the stream: it never looks complete.
pub(super) async fn send(outflow: Outflow<'_>, response: Response<Body>) {
    let Outflow {
        respond,
        state,
        method,
        stall,
    } = outflow;
    let (mut head, mut body) = response.into_parts();
    for name in &HOP_BY_HOP {
        head.headers.remove(name);
    }
    let has_body = *method != Method::HEAD && !body.is_end_stream();
    let whole = if has_body { body.take_whole() } else { None };
    if let Some(data) = &whole {
        note_length(&mut head.headers, data.len());
    }
    let head = Response::from_parts(head, ());
    let mut stream = match respond.send_response(head, !has_body) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, "an answer cannot be sent as HTTP/2");
            respond.send_reset(Reason::INTERNAL_ERROR);
            return;
        }
    };
    let sent = match whole {
        Some(data) => send_data(&mut stream, data, true, stall).await,
        None if has_body => send_body(&mut stream, body, state, stall).await,
        None => Ok(()),
    };
    if let Err(Gone) = sent {
        tracing::trace!("an answer was not taken to its end");
    }
}

fn note_length(headers: &mut HeaderMap, length: usize) {
    if !headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

async fn send_body(
    stream: &mut SendStream<Bytes>,
    body: Body,
    state: &State,
    stall: Duration,
) -> Result<(), Gone> {
    let mut body = body;
    loop {
        match next(stream, &mut body).await? {
            Some(Ok(frame)) => {
                let data = match frame.into_data() {
                    Ok(data) => data,
                    Err(frame) => return send_trailers(stream, frame),
                };
                let end = body.is_end_stream();
                if !data.is_empty() || end {
                    send_data(stream, data, end, stall).await?;
                }
                if end {
                    return Ok(());
                }
            }
            Some(Err(fault)) => {
                tracing::debug!(%fault, "an answer broke off");
                // What came before the break is still good.
                state.turn().await;
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Err(Gone);
            }
            None => return stream.send_data(Bytes::new(), true).map_err(|_over| Gone),
        }
    }
}

fn send_trailers(stream: &mut SendStream<Bytes>, frame: Frame<Bytes>) -> Result<(), Gone> {
    let trailers = frame.into_trailers().unwrap_or_default();
    if let Err(error) = stream.send_trailers(trailers) {
        tracing::debug!(%error, "trailers cannot be sent as HTTP/2");
        stream.send_reset(Reason::INTERNAL_ERROR);
        return Err(Gone);
    }
    Ok(())
}

/// The next frame of the body, unless the client has had enough.
async fn next(
    stream: &mut SendStream<Bytes>,
    body: &mut Body,
) -> Result<Option<Result<Frame<Bytes>, Fault>>, Gone> {
    poll_fn(|context| {
        if stream.poll_reset(context).is_ready() {
            return Poll::Ready(Err(Gone));
        }
        Poll::Ready(Ok(ready!(Pin::new(&mut *body).poll_frame(context))))
    })
    .await
}

async fn send_data(
    stream: &mut SendStream<Bytes>,
    data: Bytes,
    end: bool,
    stall: Duration,
) -> Result<(), Gone> {
    let mut data = data;
    if data.is_empty() {
        return stream.send_data(data, end).map_err(|_over| Gone);
    }
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = match stream.capacity() {
            // Only an increase is told, so what is there already has to be asked for.
            0 => timeout(stall, poll_fn(|context| stream.poll_capacity(context))).await,
            room => Ok(Some(Ok(room))),
        };
        let room = match room {
            Ok(Some(Ok(room))) => room,
            Ok(Some(Err(_)) | None) => return Err(Gone),
            Err(_elapsed) => {
                tracing::debug!("a client does not read its answer");
                stream.send_reset(Reason::CANCEL);
                return Err(Gone);
            }
        };
        let piece = data.split_to(room.min(data.len()));
        let last = end && data.is_empty();
        stream.send_data(piece, last).map_err(|_over| Gone)?;
    }
    Ok(())
}
