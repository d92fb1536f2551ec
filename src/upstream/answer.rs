//! The head of an answer: a reply, or a fault when it is not gRPC (E2).

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response, StatusCode};

use super::drained::Drained;
use super::fault;
use super::http2::Answer;
use super::incoming::{Incoming, Running};
use super::unary::Rest;
use crate::call::{Body, Code, Fault, Reply};

pub(super) const GRPC_STATUS: &str = "grpc-status";

/// Makes a reply of what the application answered to a call that may last.
pub(super) async fn of_stream(
    response: Response<RecvStream>,
    running: Running,
    stall: Duration,
) -> Result<Reply, Fault> {
    let (parts, mut recv) = response.into_parts();
    let has_status = parts.headers.contains_key(GRPC_STATUS);
    if !has_status && !speaks_grpc(parts.status, &parts.headers) {
        let next = async || match poll_fn(|context| recv.poll_data(context)).await {
            Some(Ok(data)) => Some(data),
            Some(Err(_)) | None => None,
        };
        return Err(refuse(parts.status, &parts.headers, next).await);
    }
    if recv.is_end_stream() {
        running.finish();
        return ended(parts.status, parts.headers);
    }
    let mut metadata = parts.headers;
    let incoming = Incoming::new(recv, running, early_status(&mut metadata));
    Ok(Reply {
        metadata,
        trailers_only: None,
        body: Body::stream(Drained::new(incoming, stall)),
    })
}

/// Makes a reply of what the application answered to a unary call.
pub(super) async fn of_unary(answer: Answer, mut rest: Rest) -> Result<Reply, Fault> {
    let Answer {
        status,
        headers,
        whole,
    } = answer;
    let has_status = headers.contains_key(GRPC_STATUS);
    if !has_status && !speaks_grpc(status, &headers) {
        if let Some((data, _)) = whole {
            return Err(not_grpc(status, &headers, &data));
        }
        return Err(refuse(status, &headers, async || rest.next_data().await).await);
    }
    let mut metadata = headers;
    let Some((data, trailers)) = whole else {
        rest.set_early_status(early_status(&mut metadata));
        return Ok(Reply {
            metadata,
            trailers_only: None,
            body: Body::stream(rest),
        });
    };
    if data.is_empty() && trailers.is_none() {
        return ended(status, metadata);
    }
    let early = early_status(&mut metadata);
    let trailers = trailers
        .or_else(|| early.filter(|_| data.is_empty()))
        .filter(|trailers| trailers.contains_key(GRPC_STATUS))
        .ok_or_else(|| fault::no_status(Code::Internal))?;
    Ok(Reply {
        metadata,
        trailers_only: None,
        body: Body::whole(data, Some(trailers)),
    })
}

fn speaks_grpc(status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::OK && is_grpc(headers)
}

/// An answer that is a head and nothing else.
fn ended(status: StatusCode, headers: HeaderMap) -> Result<Reply, Fault> {
    if headers.contains_key(GRPC_STATUS) {
        Ok(trailers_only(headers))
    } else {
        Err(fault::no_status(Code::from_http(status)))
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Takes the status out of a head that is not the end: some servers put it there and end the
/// stream with an empty frame. It counts for nothing once bytes of a message have come. What else
/// the head has stays metadata, or it would be told twice.
fn early_status(metadata: &mut HeaderMap) -> Option<HeaderMap> {
    if !metadata.contains_key(GRPC_STATUS) {
        return None;
    }
    let mut status = HeaderMap::new();
    for name in [GRPC_STATUS, "grpc-message", "grpc-status-details-bin"] {
        if let Some(value) = metadata.remove(name) {
            status.insert(name, value);
        }
    }
    Some(status)
}

/// Everything in such a head is a trailer, but for the content type.
fn trailers_only(headers: HeaderMap) -> Reply {
    let mut trailers = headers;
    let mut metadata = HeaderMap::new();
    if let Some(content_type) = trailers.remove(CONTENT_TYPE) {
        metadata.insert(CONTENT_TYPE, content_type);
    }
    Reply {
        metadata,
        trailers_only: Some(trailers),
        body: Body::empty(),
    }
}

/// How much of what is not gRPC goes to the log.
const BEGINNING: usize = 1024;

/// What is not gRPC is not passed on; its beginning goes to the log.
async fn refuse(
    status: StatusCode,
    headers: &HeaderMap,
    mut next: impl AsyncFnMut() -> Option<Bytes>,
) -> Fault {
    const PATIENCE: Duration = Duration::from_secs(1);
    let mut beginning = Vec::new();
    let reading = async {
        while beginning.len() < BEGINNING
            && let Some(data) = next().await
        {
            beginning.extend_from_slice(&data);
        }
    };
    // What came in time is enough for the log.
    drop(tokio::time::timeout(PATIENCE, reading).await);
    not_grpc(status, headers, &beginning)
}

fn not_grpc(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Fault {
    let content_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    let content_type = String::from_utf8_lossy(content_type.unwrap_or_default());
    let beginning = body.get(..BEGINNING).unwrap_or(body);
    fault::not_grpc(status, &content_type, &String::from_utf8_lossy(beginning))
}
