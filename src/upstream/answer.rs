//! The head of an answer: a reply, or a fault when it is not gRPC (E2).

use std::future::poll_fn;
use std::time::Duration;

use h2::RecvStream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response, StatusCode};

use super::drained::Drained;
use super::fault;
use super::incoming::{Direct, Incoming, Running};
use super::pool::Lane;
use crate::call::{Body, Code, Fault, Reply};

const GRPC_STATUS: &str = "grpc-status";

/// Makes a reply of what the application answered.
pub(super) async fn reply(
    response: Response<RecvStream>,
    running: Running,
    lane: Lane,
    stall: Duration,
) -> Result<Reply, Fault> {
    let (parts, recv) = response.into_parts();
    let has_status = parts.headers.contains_key(GRPC_STATUS);
    let speaks_grpc = parts.status == StatusCode::OK && is_grpc(&parts.headers);
    if !has_status && !speaks_grpc {
        return Err(refuse(parts.status, &parts.headers, recv).await);
    }
    if recv.is_end_stream() {
        running.finish();
        if !has_status {
            return Err(fault::no_status(Code::from_http(parts.status)));
        }
        return Ok(trailers_only(parts.headers));
    }
    let mut metadata = parts.headers;
    let incoming = Incoming::new(recv, running, early_status(&mut metadata));
    let body = match lane {
        Lane::Unary => Body::stream(Direct::new(incoming)),
        Lane::Streams => Body::stream(Drained::new(incoming, stall)),
    };
    Ok(Reply {
        metadata,
        trailers_only: None,
        body,
    })
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Takes the status out of a head that is not the end: some servers put it there and end the
/// stream with an empty frame. What else the head has stays metadata, or it would be told twice.
fn early_status(metadata: &mut HeaderMap) -> Option<HeaderMap> {
    let mut status = HeaderMap::new();
    for name in [GRPC_STATUS, "grpc-message", "grpc-status-details-bin"] {
        if let Some(value) = metadata.remove(name) {
            status.insert(name, value);
        }
    }
    status.contains_key(GRPC_STATUS).then_some(status)
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

/// What is not gRPC is not passed on; its beginning goes to the log.
async fn refuse(status: StatusCode, headers: &HeaderMap, recv: RecvStream) -> Fault {
    const PATIENCE: Duration = Duration::from_secs(1);
    const BEGINNING: usize = 1024;
    let mut recv = recv;
    let mut beginning = Vec::new();
    let reading = async {
        while beginning.len() < BEGINNING
            && let Some(Ok(data)) = poll_fn(|context| recv.poll_data(context)).await
        {
            let room = BEGINNING - beginning.len();
            beginning.extend(data.iter().take(room));
        }
    };
    // What came in time is enough for the log.
    drop(tokio::time::timeout(PATIENCE, reading).await);
    let content_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    let content_type = String::from_utf8_lossy(content_type.unwrap_or_default());
    fault::not_grpc(status, &content_type, &String::from_utf8_lossy(&beginning))
}
