//! One call, as its `act` has it: `reset N`, `die` (after its messages the connection is closed),
//! `html`, `bare` (no trailers), `status X`, `junk`, `deep N`, `never`; without one it is answered
//! well.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use prost::Message;
use tokio::sync::watch;

use super::messages::{Answer, Ask, frame, framed};
use super::{Mood, Seen, lock};
use crate::bystander::BYSTANDER;

/// The other side gave the call up, or its connection has gone.
struct Gone;

/// Serves a call; `dying` closes its connection.
pub(super) async fn serve(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    seen: Arc<Seen>,
    dying: watch::Sender<bool>,
) {
    if request.uri().path().starts_with("/grpc.") {
        // Health and reflection: this application has neither.
        drop(respond.send_response(head(Some("12")), true));
        return;
    }
    if answer(request, respond, &seen, &dying).await.is_err() {
        seen.cancel();
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    seen: &Seen,
    dying: &watch::Sender<bool>,
) -> Result<(), Gone> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let uploads = path.ends_with("/Upload");
    if uploads {
        seen.calls.fetch_add(1, Ordering::SeqCst);
    }
    let (ask, received) = read(body, uploads, seen).await?;
    let bystander = ask.id == BYSTANDER;
    if !bystander {
        let mut metadata = parts.headers;
        if let Ok(path) = HeaderValue::try_from(path.as_str()) {
            metadata.insert("x-path", path);
        }
        *lock(&seen.metadata) = metadata;
        if !uploads {
            seen.calls.fetch_add(1, Ordering::SeqCst);
        }
    }
    let mood = *lock(&seen.mood);
    let spared = bystander && !seen.spares_nobody.load(Ordering::SeqCst);
    let refusal = match mood {
        _ if spared => None,
        Mood::Good => None,
        Mood::Failing => Some("14"),
        Mood::Exhausted => {
            pause(&mut respond, Duration::from_millis(1)).await?;
            Some("8")
        }
        Mood::Slow(time) => {
            pause(&mut respond, time).await?;
            None
        }
    };
    if let Some(status) = refusal {
        return ended(respond.send_response(head(Some(status)), true));
    }
    let ask = Script {
        streams: path.ends_with("/Watch"),
        received,
        ask,
    };
    ask.play(respond, seen, dying).await
}

/// The first message, and the bytes of all.
async fn read(mut body: RecvStream, whole: bool, seen: &Seen) -> Result<(Ask, usize), Gone> {
    let mut first = Vec::new();
    let mut received = 0;
    while let Some(data) = body.data().await {
        let data = data.map_err(|_over| Gone)?;
        drop(body.flow_control().release_capacity(data.len()));
        received += data.len();
        seen.received.fetch_add(data.len() as u64, Ordering::SeqCst);
        if !whole || first.len() < 1024 {
            first.extend_from_slice(&data);
        }
    }
    let end = first.get(1..5).and_then(|length| length.try_into().ok());
    let end = end.map_or(0, |length| 5 + u32::from_be_bytes(length) as usize);
    let message = first.get(5..end).unwrap_or_default();
    Ok((Ask::decode(message).unwrap_or_default(), received))
}

struct Script {
    ask: Ask,
    streams: bool,
    received: usize,
}

impl Script {
    async fn play(
        &self,
        mut respond: SendResponse<Bytes>,
        seen: &Seen,
        dying: &watch::Sender<bool>,
    ) -> Result<(), Gone> {
        let (act, argument) = self.ask.act.split_once(' ').unwrap_or((&self.ask.act, ""));
        let time = match act {
            "never" => Duration::from_secs(3600),
            _ => Duration::from_millis(u64::try_from(self.ask.pause_ms).unwrap_or(0)),
        };
        if !time.is_zero() && !self.streams {
            pause(&mut respond, time).await?;
        }
        match act {
            "reset" => {
                respond.send_reset(Reason::from(argument.parse::<u32>().unwrap_or(2)));
                return Ok(());
            }
            "html" => {
                let page = Response::builder()
                    .status(502)
                    .header("content-type", "text/html");
                let page = page.body(()).map_err(|_over| Gone)?;
                let mut send = respond.send_response(page, false).map_err(|_over| Gone)?;
                return ended(send.send_data(Bytes::from_static(b"<h1>Bad Gateway</h1>"), true));
            }
            _ => {}
        }
        let mut send = respond
            .send_response(head(None), false)
            .map_err(|_over| Gone)?;
        let count = if self.streams { self.ask.count } else { 1 };
        for number in 0..count {
            if self.streams && !time.is_zero() {
                pause_stream(&mut send, time).await?;
            }
            self.send(&mut send, seen, (act, argument, number)).await?;
        }
        match act {
            "die" => {
                // What was sent leaves first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                dying.send_replace(true);
                Ok(())
            }
            "bare" => ended(send.send_data(Bytes::new(), true)),
            "status" => ended(send.send_trailers(trailers(argument, None))),
            "junk" => ended(send.send_trailers(trailers("3", Some("/////w==")))),
            _ => ended(send.send_trailers(trailers("0", None))),
        }
    }

    /// One message, when there is room for it.
    async fn send(
        &self,
        send: &mut SendStream<Bytes>,
        seen: &Seen,
        (act, argument, number): (&str, &str, i32),
    ) -> Result<(), Gone> {
        let mut message = match act {
            "deep" => frame(&deep(argument.parse().unwrap_or(200))),
            _ => framed(&Answer {
                id: if self.streams {
                    number.to_string()
                } else {
                    self.ask.id.clone()
                },
                data: "x".repeat(usize::try_from(self.ask.size).unwrap_or(0)),
                received: i32::try_from(self.received).unwrap_or(i32::MAX),
            }),
        };
        while !message.is_empty() {
            send.reserve_capacity(message.len().min(16 << 10));
            let room = poll_fn(|context| send.poll_capacity(context)).await;
            let room = room.and_then(Result::ok).ok_or(Gone)?;
            let piece = message.split_to(room.min(message.len()));
            seen.sent.fetch_add(piece.len() as u64, Ordering::SeqCst);
            send.send_data(piece, false).map_err(|_over| Gone)?;
        }
        Ok(())
    }
}

/// `Answer.tree`, so many levels deep.
fn deep(levels: usize) -> Vec<u8> {
    let mut message = Vec::new();
    for level in (0..levels).rev() {
        let mut outer = vec![if level == 0 { 0x22 } else { 0x0a }];
        prost::encoding::encode_varint(message.len() as u64, &mut outer);
        outer.append(&mut message);
        message = outer;
    }
    message
}

async fn pause(respond: &mut SendResponse<Bytes>, time: Duration) -> Result<(), Gone> {
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(()),
        _ = poll_fn(|context| respond.poll_reset(context)) => Err(Gone),
    }
}

async fn pause_stream(send: &mut SendStream<Bytes>, time: Duration) -> Result<(), Gone> {
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(()),
        _ = poll_fn(|context| send.poll_reset(context)) => Err(Gone),
    }
}

fn ended<T, E>(result: Result<T, E>) -> Result<(), Gone> {
    result.map(drop).map_err(|_over| Gone)
}

/// The head of an answer; with a status it is all of it.
fn head(status: Option<&'static str>) -> Response<()> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/grpc");
    headers.insert("content-type", kind);
    if let Some(status) = status {
        headers.insert("grpc-status", HeaderValue::from_static(status));
    }
    response
}

fn trailers(status: &str, details: Option<&'static str>) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    let status = HeaderValue::try_from(status).unwrap_or(HeaderValue::from_static("2"));
    trailers.insert("grpc-status", status);
    if let Some(details) = details {
        let details = HeaderValue::from_static(details);
        trailers.insert("grpc-status-details-bin", details);
    }
    trailers
}
