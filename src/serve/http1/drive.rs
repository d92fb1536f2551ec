//! [`Connection`]: one request after the other, and the answer to each before the next is begun.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll, ready};

use http::header::{CONNECTION, HeaderValue};
use http::response::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use tokio::time::Instant;

use super::super::connection::{Context, Opened};
use super::super::shield::{Shielded, shield};
use super::super::socket::Socket;
use super::answer::{self, Asked};
use super::body::RequestBody;
use super::head::{self, Framing, Head, Limits, Stop};
use super::input::{Client, Fate, Input};
use super::output::{Coding, Output};
use super::phase::Phase;
use super::request;
use super::upgrade::{self, Offer};
use crate::call::{Body, SharedPeer};

pub(super) struct Connection {
    context: Rc<Context>,
    socket: Socket,
    peer: SharedPeer,
    input: Rc<Input>,
    output: Output,
    stage: Stage,
    phase: Phase,
    asked: Asked,
    /// What the request offers.
    offer: Option<Offer>,
    /// The connection goes on in another protocol, with this as what the client gets.
    taken: Option<(Offer, Body)>,
    /// No request follows the one that is answered.
    last: bool,
    /// An answer is being sent whose end only the close of the connection tells.
    until_close: bool,
}

enum Stage {
    /// Nothing is asked.
    Rest,
    /// A handler runs.
    Asked(Shielded),
    /// An answer goes out; what is left of its body.
    Answering(Option<Body>),
    /// An answer broke off; what came before is sent.
    Breaking,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    /// The client's bytes or an answer broke off.
    Broken,
    Gone,
    TooSlow,
    /// After an upgrade: what the handler had to say did not come to its end.
    Cut,
}

impl Connection {
    pub(super) fn new(context: &Rc<Context>, opened: Opened) -> Self {
        let Opened { socket, peer, at } = opened;
        let limits = Limits {
            bytes: context.params.head_bytes as usize,
            fields: context.params.head_fields,
        };
        Self {
            context: Rc::clone(context),
            peer,
            input: Rc::new(Input::new(socket.clone(), limits)),
            socket,
            output: Output::new(),
            stage: Stage::Rest,
            // The first head is on its way.
            phase: Phase::Head(at),
            asked: Asked::UNKNOWN,
            offer: None,
            taken: None,
            last: false,
            until_close: false,
        }
    }

    /// The client has to go elsewhere after its next request.
    pub(super) fn leave(&mut self) {
        self.last = true;
        self.phase = self.phase.leave(&self.context.params);
    }

    /// When the client has been too slow, as things are.
    pub(super) fn ends(&self) -> Option<Instant> {
        let stuck_since = self.socket.stuck_since();
        self.phase.ends(stuck_since, &self.context.params)
    }

    /// How it ends when its time is over.
    pub(super) fn end_of_time(&self) -> End {
        match self.phase {
            // Nobody was too slow.
            Phase::Leaving(_) if !self.input.is_in_head() => End::Done,
            _ => End::TooSlow,
        }
    }

    /// Whether the close of the connection would make a broken answer look complete.
    pub(super) fn is_cut(&self) -> bool {
        self.until_close
    }

    /// How the connection goes on after its last answer, if it does.
    pub(super) fn taken_over(&mut self) -> Option<(Offer, Body)> {
        self.taken.take()
    }

    /// Whether bytes came that belong to no request.
    pub(super) fn has_early_bytes(&self) -> bool {
        !self.input.is_empty()
    }

    /// Serves until the connection ends.
    pub(super) fn poll(&mut self, context: &mut task::Context<'_>) -> Poll<End> {
        self.input.begin_turn();
        let polled = self.poll_stages(context);
        self.input.end_turn(context);
        polled
    }

    fn poll_stages(&mut self, context: &mut task::Context<'_>) -> Poll<End> {
        loop {
            match &mut self.stage {
                Stage::Rest => {
                    if let Some(end) = ready!(self.poll_request(context)) {
                        return Poll::Ready(end);
                    }
                }
                Stage::Asked(handler) => match Pin::new(handler).poll(context) {
                    Poll::Ready(Some(response)) => self.begin_answer(response, context),
                    Poll::Ready(None) => {
                        self.context.stats.count_panic();
                        self.refuse(StatusCode::INTERNAL_SERVER_ERROR, context);
                    }
                    Poll::Pending => return self.watch(context),
                },
                Stage::Answering(_) => match self.poll_answer(context) {
                    Poll::Ready(Ok(())) => {
                        if let Some(end) = self.end_answer() {
                            return Poll::Ready(end);
                        }
                    }
                    Poll::Ready(Err(end)) => return Poll::Ready(end),
                    Poll::Pending => return self.watch(context),
                },
                Stage::Breaking => {
                    let sent = ready!(self.output.poll_send(&mut self.socket, context));
                    return Poll::Ready(sent.map_or(End::Gone, |()| End::Broken));
                }
            }
        }
    }

    /// Looks at the client while its request is answered (E6).
    fn watch(&self, context: &mut task::Context<'_>) -> Poll<End> {
        let most = self.context.params.unwanted_body;
        // A client that closed its side might still read an answer, but one that left looks the
        // same until something is written to it; so it counts as gone, as with most servers.
        match self.input.watch(context, most) {
            Client::Gone => Poll::Ready(End::Gone),
            Client::Waits => Poll::Pending,
        }
    }

    /// Ready when there is something to answer, or with the end.
    fn poll_request(&mut self, context: &mut task::Context<'_>) -> Poll<Option<End>> {
        if !ready!(
            self.input
                .poll_rest(context, self.context.params.unwanted_body)
        ) {
            return Poll::Ready(Some(End::Done));
        }
        loop {
            match self.input.take_head() {
                Ok(head) => {
                    self.ask(head, context);
                    return Poll::Ready(None);
                }
                Err(Stop::More) => {}
                Err(stop) => {
                    self.asked = Asked::UNKNOWN;
                    self.refuse(stop.status(), context);
                    return Poll::Ready(None);
                }
            }
            let in_head = self.input.is_in_head();
            if in_head && matches!(self.phase, Phase::Idle(_)) {
                self.phase = Phase::Head(Instant::now());
            }
            match ready!(self.input.poll_fill(context)) {
                Ok(0) if in_head => return Poll::Ready(Some(End::Broken)),
                Ok(0) => return Poll::Ready(Some(End::Done)),
                Ok(_) => {}
                Err(_lost) => return Poll::Ready(Some(End::Gone)),
            }
        }
    }

    /// Begins to answer a request whose head is sound.
    fn ask(&mut self, head: Head, context: &mut task::Context<'_>) {
        self.phase = Phase::Busy;
        self.asked = Asked {
            version: head.version,
            head_only: head.method == Method::HEAD,
            trailers: head.trailers,
            keep_alive: head.keep_alive,
        };
        let most = self.context.params.uri_bytes;
        if let Some(status) = request::refuse(&head.method, &head.uri, &head.headers, most) {
            self.refuse(status, context);
            return;
        }
        let body = self.body(&head);
        let mut request = Request::new(body);
        *request.method_mut() = head.method;
        *request.uri_mut() = head.uri;
        *request.version_mut() = head.version;
        *request.headers_mut() = head.headers;
        let peer = Rc::clone(&self.peer);
        self.stage = Stage::Asked(shield(&self.context.handler, peer, request));
    }

    /// The body of the request whose head was taken.
    fn body(&mut self, head: &Head) -> Body {
        let offers = head.framing == Framing::Length(0)
            && upgrade::is_offered(head.version, &head.headers)
            && self.input.is_sound();
        if offers {
            let offer = Offer::new(self.socket.clone());
            return self.offer.insert(offer).body();
        }
        let body = self.input.take_whole_body();
        body.unwrap_or_else(|| Body::raw(RequestBody::new(Rc::clone(&self.input))))
    }

    /// Answers with a status alone, and that is the end.
    fn refuse(&mut self, status: StatusCode, context: &mut task::Context<'_>) {
        self.phase = Phase::Busy;
        self.last = true;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        self.begin_answer(response, context);
    }

    fn begin_answer(&mut self, response: Response<Body>, context: &mut task::Context<'_>) {
        let (mut head, mut body) = response.into_parts();
        // Whoever had the request's body is dropped before it is asked about.
        self.stage = Stage::Answering(None);
        if let Some(offer) = self.offer.take() {
            if head.status == StatusCode::SWITCHING_PROTOCOLS {
                self.change_protocol(&head, offer, body);
                return;
            }
            offer.decline();
        }
        if head.status.is_informational() {
            tracing::error!(status = %head.status, "a handler's answer is none");
            self.refuse(StatusCode::INTERNAL_SERVER_ERROR, context);
            return;
        }
        let asked = self.asked;
        let plan = answer::plan(&head, &body, asked);
        if plan.0 == Coding::Nothing || body.is_there() {
            // Whoever still has the request's body will not have read it when this is out.
            self.input.take_back();
        }
        let wants_close = head.headers.get(CONNECTION).map(HeaderValue::as_bytes);
        // The rest of a request that took too long is not waited for (RFC 9110, 15.5.9).
        self.last |= !asked.keep_alive
            || plan.0 == Coding::UntilClose
            || head.status == StatusCode::REQUEST_TIMEOUT
            || wants_close.is_some_and(|value| head::mentions(value, b"close"))
            || self.input.fate(context, self.context.params.unwanted_body) == Fate::Close;
        let connection: Option<&[u8]> = match asked.version {
            _ if self.last => Some(b"close"),
            Version::HTTP_10 => Some(b"keep-alive"),
            _ => None,
        };
        head.version = asked.version;
        self.until_close = plan.0 == Coding::UntilClose;
        let worker = &self.context;
        let out = self.output.begin(plan.0, &worker.spare);
        answer::write(out, &head, plan, connection, &worker.dates);
        if plan.0 == Coding::Nothing {
            return;
        }
        match body.take_whole() {
            Some(data) => {
                // Both have the length of the same bytes.
                if self
                    .output
                    .push(data)
                    .and_then(|()| self.output.end())
                    .is_err()
                {
                    self.stage = Stage::Breaking;
                }
            }
            None => self.stage = Stage::Answering(Some(body)),
        }
    }

    /// Answers with a 101 and leaves the rest to the other protocol.
    fn change_protocol(&mut self, head: &Parts, offer: Offer, body: Body) {
        let worker = &self.context;
        let out = self.output.begin(Coding::Nothing, &worker.spare);
        answer::write_switch(out, head, &worker.dates);
        self.last = true;
        self.taken = Some((offer, body));
    }

    /// Sends the answer to its end.
    fn poll_answer(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), End>> {
        if ready!(self.input.poll_interim(context)).is_err() {
            return Poll::Ready(Err(End::Gone));
        }
        loop {
            let Stage::Answering(Some(body)) = &mut self.stage else {
                let sent = ready!(self.output.poll_send(&mut self.socket, context));
                return Poll::Ready(sent.map_err(|_lost| End::Gone));
            };
            if self.output.is_full() {
                let sent = ready!(self.output.poll_send(&mut self.socket, context));
                if sent.is_err() {
                    return Poll::Ready(Err(End::Gone));
                }
            }
            let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(context) else {
                // What is there is not held back.
                let sent = ready!(self.output.poll_send(&mut self.socket, context));
                if sent.is_err() {
                    return Poll::Ready(Err(End::Gone));
                }
                return Poll::Pending;
            };
            let taken = match frame.transpose() {
                Ok(frame) => take_frame(&mut self.output, body, frame, self.asked.trailers),
                Err(fault) => {
                    tracing::debug!(%fault, "an answer broke off");
                    None
                }
            };
            match taken {
                Some(false) => {}
                Some(true) => self.stage = Stage::Answering(None),
                None => {
                    self.stage = Stage::Breaking;
                    let sent = ready!(self.output.poll_send(&mut self.socket, context));
                    return Poll::Ready(Err(sent.map_or(End::Gone, |()| End::Broken)));
                }
            }
        }
    }

    /// The answer is out.
    fn end_answer(&mut self) -> Option<End> {
        self.output.rest(&self.context.spare);
        self.until_close = false;
        if self.last {
            return Some(End::Done);
        }
        self.input.take_back();
        self.stage = Stage::Rest;
        self.phase = Phase::Idle(Instant::now());
        None
    }
}

/// Takes a frame of an answer; whether it was the last, and nothing when the body is not what its
/// head says.
fn take_frame(
    output: &mut Output,
    body: &Body,
    frame: Option<http_body::Frame<bytes::Bytes>>,
    trailers: bool,
) -> Option<bool> {
    let Some(frame) = frame else {
        return output.end().ok().map(|()| true);
    };
    match frame.into_data() {
        Ok(data) => {
            output.push(data).ok()?;
            if body.is_end_stream() {
                output.end().ok()?;
                return Some(true);
            }
            Some(false)
        }
        Err(frame) => {
            let last = frame.into_trailers().ok().filter(|_| trailers);
            output.end_with(&last.unwrap_or_default()).ok()?;
            Some(true)
        }
    }
}
