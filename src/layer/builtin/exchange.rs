//! Reading requests and writing answers of the built-in services.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body::{Body as _, Frame};
use prost::Message;

use crate::call::{Blame, Body, Call, Code, Fault, Reply, Status};
use crate::wire::compress::{Encoding, decompress};
use crate::wire::frame::{Deframer, HEADER_BYTES, Rules, encode_header};

/// Requests of these services are names; more than this is not one of them.
const REQUEST_BYTES: usize = 64 * 1024;

/// The messages of a request.
pub(super) struct Requests {
    body: Body,
    deframer: Deframer,
    /// `None` when the client compresses in a way that is not known here.
    encoding: Option<Encoding>,
}

impl Requests {
    /// Takes the body out of `call`.
    pub(super) fn of(call: &mut Call) -> Self {
        let encoding = call.metadata.get("grpc-encoding");
        Self {
            body: std::mem::replace(&mut call.body, Body::empty()),
            deframer: Deframer::new(Rules::grpc(REQUEST_BYTES)),
            encoding: encoding.map_or(Some(Encoding::Identity), |name| {
                Encoding::parse(name.as_bytes())
            }),
        }
    }

    /// The next message; `None` when the client has sent its last.
    pub(super) async fn next<M: Message + Default>(&mut self) -> Result<Option<M>, Fault> {
        loop {
            if let Some(message) = self.deframer.next().map_err(unreadable)? {
                let plain = match self.encoding {
                    _ if !message.compressed => message.payload,
                    None => return Err(unknown_encoding()),
                    Some(Encoding::Identity) => {
                        return Err(unreadable("a compressed message, and no word of how"));
                    }
                    Some(encoding) => {
                        decompress(encoding, &message.payload, REQUEST_BYTES).map_err(unreadable)?
                    }
                };
                return M::decode(plain).map(Some).map_err(unreadable);
            }
            let frame = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await;
            match frame.transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => self.deframer.push(data),
                Some(Err(_)) | None => {
                    self.deframer.finish().map_err(unreadable)?;
                    return Ok(None);
                }
            }
        }
    }
}

fn unknown_encoding() -> Fault {
    Fault::new(
        Blame::Client,
        Code::Unimplemented,
        "UNKNOWN_ENCODING",
        format!(
            "requests to this service may be compressed as {}",
            Encoding::ACCEPTED
        ),
    )
}

fn unreadable(error: impl std::fmt::Display) -> Fault {
    Fault::new(
        Blame::Client,
        Code::Internal,
        "BAD_FRAME",
        "the request cannot be read",
    )
    .with_cause(error)
}

/// One message as a gRPC frame.
pub(super) fn frame(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut out = Vec::with_capacity(HEADER_BYTES + length);
    out.extend_from_slice(&encode_header(0, u32::try_from(length).unwrap_or(u32::MAX)));
    // A vector grows as needed, so encoding into it cannot fail.
    if message.encode(&mut out).is_err() {
        out.clear();
    }
    out.into()
}

/// An answer of one message.
pub(super) fn unary(message: &impl Message) -> Reply {
    reply(Body::whole(
        frame(message),
        Some(Status::ok().to_trailers()),
    ))
}

/// An answer that is a status alone.
pub(super) fn status(code: Code, message: impl Into<String>) -> Reply {
    Reply {
        metadata: metadata(),
        trailers_only: Some(Status::new(code, message).to_trailers()),
        body: Body::empty(),
    }
}

/// An answer with this body, which ends with trailers.
pub(super) fn reply(body: Body) -> Reply {
    Reply {
        metadata: metadata(),
        trailers_only: None,
        body,
    }
}

fn metadata() -> HeaderMap {
    let mut metadata = HeaderMap::with_capacity(1);
    metadata.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    metadata
}
