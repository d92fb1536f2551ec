//! Plays one call of a script.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::sync::mpsc;

use super::{Stage, Step};

/// Serves one call by the stage's script; a call without a stage is UNIMPLEMENTED.
pub(super) async fn call(
    stage: Option<Arc<Stage>>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    go_away: mpsc::Sender<Reason>,
) {
    let (head, body) = request.into_parts();
    let Some(stage) = stage else {
        let head = answer_head(&status_trailers(12, "no script for this call"), 200);
        let _ = respond.send_response(head, true);
        return;
    };
    let call = stage.begin(&head);
    let steps = stage
        .script
        .calls
        .get(call)
        .or_else(|| stage.script.calls.last())
        .cloned();
    let steps = steps.unwrap_or_default();
    let mut actor = Actor {
        stage: &stage,
        call,
        body,
        unread: BytesMut::new(),
        respond,
        out: None,
    };
    let reads_whole = !steps.iter().any(Step::reads);
    let at_once = matches!(
        steps.first(),
        Some(Step::Reset(_) | Step::GoAway(_) | Step::Stall)
    );
    if reads_whole && !at_once {
        actor.receive_end().await;
    }
    for step in &steps {
        if let Err(complaint) = actor.step(step, &go_away).await {
            // Whoever is cancelled cannot do what else its script says.
            stage.note(call, |seen| {
                if !seen.cancelled {
                    seen.complaints.push(complaint);
                }
            });
            return;
        }
    }
    if !steps.last().is_some_and(Step::ends) {
        let _ = actor
            .step(&Step::Trailers(status_trailers(0, "")), &go_away)
            .await;
    }
}

struct Actor<'a> {
    stage: &'a Stage,
    call: usize,
    body: RecvStream,
    unread: BytesMut,
    respond: SendResponse<Bytes>,
    out: Option<SendStream<Bytes>>,
}

impl Actor<'_> {
    async fn step(&mut self, step: &Step, go_away: &mpsc::Sender<Reason>) -> Result<(), String> {
        match step {
            Step::Receive => {
                if !self.receive().await {
                    return Err("the script wants a message, and none came".to_owned());
                }
            }
            Step::ReceiveEnd => self.receive_end().await,
            Step::Headers(headers) => self.open(headers)?,
            Step::Send(message) => {
                let mut frame = BytesMut::with_capacity(message.len() + 5);
                frame.put_u8(0);
                frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
                frame.put_slice(message);
                self.send(frame.freeze())?;
            }
            Step::Raw(bytes) => self.send(bytes.clone())?,
            Step::ClientHas(text) => self.client_has(text).await?,
            Step::Trailers(trailers) => {
                let sent = self.opened()?.send_trailers(trailers.clone());
                sent.map_err(|error| format!("trailers were not taken: {error}"))?;
            }
            Step::TrailersOnly(headers) => self.close_at_once(&answer_head(headers, 200))?,
            Step::NoTrailers => {
                let sent = self.opened()?.send_data(Bytes::new(), true);
                sent.map_err(|error| format!("the end was not taken: {error}"))?;
            }
            Step::Reset(reason) => match &mut self.out {
                Some(out) => out.send_reset(*reason),
                None => self.respond.send_reset(*reason),
            },
            Step::GoAway(reason) => {
                let _ = go_away.send(*reason).await;
            }
            Step::Stall => self.stall().await,
            Step::Http {
                status,
                content_type,
                body,
            } => {
                self.as_web_server(*status, content_type, body)?;
            }
            Step::Flood(message) => self.flood(message).await?,
        }
        Ok(())
    }

    fn open(&mut self, headers: &HeaderMap) -> Result<(), String> {
        let head = answer_head(headers, 200);
        let out = self.respond.send_response(head, false);
        self.out = Some(out.map_err(|error| format!("the head was not taken: {error}"))?);
        Ok(())
    }

    fn opened(&mut self) -> Result<&mut SendStream<Bytes>, String> {
        if self.out.is_none() {
            self.open(&HeaderMap::new())?;
        }
        self.out
            .as_mut()
            .ok_or_else(|| "no stream to answer on".to_owned())
    }

    fn send(&mut self, bytes: Bytes) -> Result<(), String> {
        let sent = self.opened()?.send_data(bytes, false);
        sent.map_err(|error| format!("a message was not taken: {error}"))
    }

    fn close_at_once(&mut self, head: &Response<()>) -> Result<(), String> {
        let sent = self.respond.send_response(head.clone(), true);
        sent.map(drop)
            .map_err(|error| format!("the head was not taken: {error}"))
    }

    fn as_web_server(
        &mut self,
        status: u16,
        content_type: &str,
        body: &Bytes,
    ) -> Result<(), String> {
        let mut head = Response::new(());
        *head.status_mut() = http::StatusCode::from_u16(status).expect("a status");
        if !content_type.is_empty() {
            let value = HeaderValue::from_str(content_type).expect("a content type");
            head.headers_mut().insert("content-type", value);
        }
        let sent = self.respond.send_response(head, body.is_empty());
        let mut out = sent.map_err(|error| format!("the head was not taken: {error}"))?;
        if !body.is_empty() {
            let _ = out.send_data(body.clone(), true);
        }
        Ok(())
    }

    /// Reads one message; false at the end.
    async fn receive(&mut self) -> bool {
        loop {
            if let Some(message) = self.take_message() {
                self.stage
                    .note(self.call, |seen| seen.messages.push(message));
                return true;
            }
            match self.body.data().await {
                Some(Ok(data)) => {
                    let _ = self.body.flow_control().release_capacity(data.len());
                    self.unread.extend_from_slice(&data);
                }
                Some(Err(_)) => {
                    self.stage.note(self.call, |seen| seen.cancelled = true);
                    return false;
                }
                None => {
                    let rest = self.unread.len();
                    self.stage.note(self.call, |seen| {
                        seen.ended = true;
                        if rest > 0 {
                            seen.complaints
                                .push(format!("{rest} bytes after the last frame"));
                        }
                    });
                    return false;
                }
            }
        }
    }

    async fn receive_end(&mut self) {
        while self.receive().await {}
    }

    fn take_message(&mut self) -> Option<Bytes> {
        let head: [u8; 5] = self.unread.get(..5)?.try_into().ok()?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if self.unread.len() < 5 + length {
            return None;
        }
        if head[0] != 0 {
            let complaint = format!("a frame with flag {}", head[0]);
            self.stage
                .note(self.call, |seen| seen.complaints.push(complaint));
        }
        let _ = self.unread.split_to(5);
        Some(self.unread.split_to(length).freeze())
    }

    async fn client_has(&self, text: &str) -> Result<(), String> {
        let mut client = self.stage.client.subscribe();
        let has = client.wait_for(|body| contains(body, text.as_bytes()));
        let within = tokio::time::timeout(crate::support::patience(), has).await;
        within
            .map(|_| ())
            .map_err(|_| format!("the client never had {text:?}"))
    }

    async fn stall(&mut self) {
        let reset = match &mut self.out {
            Some(out) => poll_fn(|context| out.poll_reset(context)).await,
            None => poll_fn(|context| self.respond.poll_reset(context)).await,
        };
        let _ = reset;
        self.stage.note(self.call, |seen| seen.cancelled = true);
    }

    async fn flood(&mut self, message: &Bytes) -> Result<(), String> {
        /// Nobody takes more when nothing moves for this long.
        const STILL: Duration = Duration::from_millis(400);
        let mut frame = BytesMut::with_capacity(message.len() + 5);
        frame.put_u8(0);
        frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
        frame.put_slice(message);
        let frame = frame.freeze();
        let stage = self.stage;
        let call = self.call;
        let out = self.opened()?;
        let mut sent = 0_usize;
        loop {
            out.reserve_capacity(frame.len());
            while out.capacity() < frame.len() {
                let room = poll_fn(|context| out.poll_capacity(context));
                match tokio::time::timeout(STILL, room).await {
                    Ok(Some(Ok(_))) => {}
                    Ok(_) => return Err("the stream was reset under the flood".to_owned()),
                    Err(_) => {
                        stage.note(call, |seen| seen.flooded = sent);
                        return Ok(());
                    }
                }
            }
            let taken = out.send_data(frame.clone(), false);
            taken.map_err(|error| format!("a message was not taken: {error}"))?;
            sent += frame.len();
        }
    }
}

/// Whether `needle` stands somewhere in `haystack`.
pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty()
        || haystack
            .windows(needle.len())
            .any(|window| window == needle)
}

fn answer_head(headers: &HeaderMap, status: u16) -> Response<()> {
    let mut head = Response::new(());
    *head.status_mut() = http::StatusCode::from_u16(status).expect("a status");
    head.headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    for (name, value) in headers {
        if name == "content-type" {
            head.headers_mut().insert(name, value.clone());
        } else {
            head.headers_mut().append(name, value.clone());
        }
    }
    head
}

/// `grpc-status` and `grpc-message` of trailers.
pub(crate) fn status_trailers(number: u32, message: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(number));
    if !message.is_empty() {
        let value = HeaderValue::from_str(message).expect("a message that a header can hold");
        trailers.insert("grpc-message", value);
    }
    trailers
}
