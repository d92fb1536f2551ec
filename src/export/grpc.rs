//! One unary gRPC call to a neighbour, on a connection of its own.

use bytes::Bytes;
use h2::client;
use http::{HeaderMap, Method, Request};

use super::http::{NoAnswer, Place};
use crate::wire::frame::frame;

/// The status that says that all went well.
const OK: &str = "0";

/// How a call ended.
pub(super) struct Ended {
    /// `grpc-status`.
    pub(super) status: String,
    /// `grpc-message`.
    pub(super) message: String,
}

impl Ended {
    pub(super) fn is_ok(&self) -> bool {
        self.status == OK
    }
}

/// Calls `path` with one message; what is answered besides the status is not looked at.
pub(super) async fn call(place: &Place, path: &str, message: &[u8]) -> Result<Ended, NoAnswer> {
    let stream = place.connect().await?;
    let (sender, connection) = client::handshake(stream).await.map_err(NoAnswer::new)?;
    let asking = ask(sender, place, path, message);
    tokio::pin!(asking);
    tokio::select! {
        biased;
        ended = &mut asking => ended,
        ended = connection => match ended {
            Ok(()) => asking.await,
            Err(error) => Err(NoAnswer::new(error)),
        },
    }
}

async fn ask(
    sender: client::SendRequest<Bytes>,
    place: &Place,
    path: &str,
    message: &[u8],
) -> Result<Ended, NoAnswer> {
    let mut sender = sender.ready().await.map_err(NoAnswer::new)?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{}{path}", place.authority()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header(
            "user-agent",
            concat!("sidegate/", env!("CARGO_PKG_VERSION")),
        )
        .body(())
        .map_err(NoAnswer::new)?;
    let (answer, mut body) = sender.send_request(request, false).map_err(NoAnswer::new)?;
    let framed = frame(0, message).map_err(NoAnswer::new)?;
    send(&mut body, framed).await?;
    let (head, mut answer) = answer.await.map_err(NoAnswer::new)?.into_parts();
    while let Some(data) = answer.data().await {
        let data = data.map_err(NoAnswer::new)?;
        let flow = answer.flow_control().release_capacity(data.len());
        flow.map_err(NoAnswer::new)?;
    }
    let trailers = answer.trailers().await.map_err(NoAnswer::new)?;
    let of = trailers.as_ref().unwrap_or(&head.headers);
    let status = text(of, "grpc-status");
    if status.is_empty() {
        let wrong = format!("no gRPC, but HTTP {}", head.status.as_u16());
        return Err(NoAnswer::new(wrong));
    }
    Ok(Ended {
        status,
        message: text(of, "grpc-message"),
    })
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).map(|value| value.as_bytes());
    String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
}

/// Sends as the window allows.
async fn send(body: &mut h2::SendStream<Bytes>, mut data: Bytes) -> Result<(), NoAnswer> {
    while !data.is_empty() {
        body.reserve_capacity(data.len());
        let room = std::future::poll_fn(|context| body.poll_capacity(context)).await;
        let room = room.ok_or_else(|| NoAnswer::new("the stream is closed"))?;
        let room = room.map_err(NoAnswer::new)?.min(data.len());
        let piece = data.split_to(room);
        body.send_data(piece, data.is_empty())
            .map_err(NoAnswer::new)?;
    }
    Ok(())
}
