//! One stream: a request, its handler, and the answer.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::header::{HOST, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use tokio::time::Instant;

use super::super::Params;
use super::super::connection::Context;
use super::super::host;
use super::super::shield::shield;
use super::inflow;
use super::outflow::{self, Outflow};
use super::state::State;
use super::upgrade;
use crate::call::{Body, SharedPeer};

/// Serves a stream to its end. When this is dropped, so are the handler and both bodies.
pub(super) async fn serve(
    context: Rc<Context>,
    state: Rc<State>,
    peer: SharedPeer,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
) {
    let open = state.begin();
    let params = &context.params;
    let opened = Instant::now();
    let mut stream = Unfinished {
        respond,
        finished: false,
    };
    let (mut head, recv) = request.into_parts();
    if let Some(status) = refuse(&head, params) {
        stream.refuse(status);
        return;
    }
    let offers = upgrade::normalize(&mut head);
    let method = head.method.clone();
    let (body, filling) = if recv.is_end_stream() {
        (Body::empty(), None)
    } else {
        let (body, filling) = inflow::split(recv);
        (body, Some(filling))
    };
    let body = if offers { Body::offer(body) } else { body };
    let mut filling = pin!(filling);
    let request = Request::from_parts(head, body);
    let mut answering = pin!(shield(&context.handler, peer, request));
    let response = poll_fn(|waker| {
        if stream.respond.poll_reset(waker).is_ready() {
            return Poll::Ready(None);
        }
        if let Some(filling) = filling.as_mut().as_pin_mut() {
            // It never ends; it only moves the body on.
            let _never: Poll<()> = filling.poll(waker);
        }
        answering.as_mut().poll(waker).map(Some)
    })
    .await;
    match response {
        None => state.note_reset(opened, params),
        // The handler panicked, and dropping the stream tells.
        Some(None) => {
            context.stats.count_panic();
            return;
        }
        Some(Some(response)) => {
            let response = upgrade::answer(offers, response, &context.stats);
            let outflow = Outflow {
                respond: &mut stream.respond,
                state: &state,
                method: &method,
                stall: params.response_stall,
            };
            let sending = outflow::send(outflow, response);
            beside(sending, filling.as_mut().as_pin_mut()).await;
        }
    }
    stream.finished = true;
    drop(open);
}

/// Runs `main` to its end, and beside it what never ends.
async fn beside(
    main: impl Future<Output = ()>,
    mut other: Option<Pin<&mut impl Future<Output = ()>>>,
) {
    let mut main = pin!(main);
    poll_fn(|waker| {
        if let Some(other) = &mut other {
            let _never: Poll<()> = other.as_mut().poll(waker);
        }
        main.as_mut().poll(waker)
    })
    .await;
}

/// A stream that is reset as a failure of ours unless it is finished.
struct Unfinished {
    respond: SendResponse<Bytes>,
    finished: bool,
}

impl Unfinished {
    fn refuse(mut self, status: StatusCode) {
        let mut response = Response::new(());
        *response.status_mut() = status;
        // If it fails, the client has left already.
        drop(self.respond.send_response(response, true));
        self.finished = true;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            self.respond.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}

/// What never reaches a handler.
fn refuse(head: &Parts, params: &Params) -> Option<StatusCode> {
    if head.method == Method::CONNECT && !upgrade::is_known(head) {
        return Some(if upgrade::is_extended(head) {
            StatusCode::NOT_IMPLEMENTED
        } else {
            StatusCode::METHOD_NOT_ALLOWED
        });
    }
    let length = head
        .uri
        .path_and_query()
        .map_or(0, |path| path.as_str().len());
    if length > params.uri_bytes {
        return Some(StatusCode::URI_TOO_LONG);
    }
    if head.headers.len() > params.head_fields {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    // Whom a request is for must not depend on which of two names is read.
    let mut hosts = head.headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
    let authority = head
        .uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    let first = authority.or_else(|| hosts.next());
    if first.is_some_and(|host| !host::is_sound(host)) {
        return Some(StatusCode::BAD_REQUEST);
    }
    if hosts.any(|host| first.is_none_or(|first| !first.eq_ignore_ascii_case(host))) {
        return Some(StatusCode::BAD_REQUEST);
    }
    None
}
