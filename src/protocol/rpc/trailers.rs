//! How an answer ends: in HTTP trailers, in a last envelope of trailers, or of JSON.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use super::{Dialect, text, told};
use crate::call::{Fault, Status};
use crate::protocol::connect;
use crate::protocol::metadata::is_hop_by_hop;
use crate::schema::Schema;
use crate::wire::frame::{END_STREAM, TRAILERS, frame};

/// The end of an answer in a dialect.
#[derive(Clone, Debug)]
pub(in crate::protocol) struct Ending {
    pub(in crate::protocol) dialect: Dialect,
    /// The types of error details, for the dialect that shows what they hold.
    schema: Option<Arc<Schema>>,
}

impl Ending {
    /// The end of a call that the app may have answered.
    pub(in crate::protocol) fn of(dialect: Dialect, schema: &Arc<Schema>) -> Self {
        Self {
            dialect,
            schema: (dialect == Dialect::Connect).then(|| Arc::clone(schema)),
        }
    }

    /// The end of what the app never heard of.
    pub(in crate::protocol) fn own(dialect: Dialect) -> Self {
        Self {
            dialect,
            schema: None,
        }
    }

    /// The last frame of an answer whose app ended it with `trailers`.
    pub(in crate::protocol) fn end(&self, status: &Status, trailers: HeaderMap) -> Frame<Bytes> {
        let schema = self.schema.as_deref();
        let (flag, last) = match self.dialect {
            Dialect::Grpc => return Frame::trailers(trailers),
            Dialect::GrpcWeb | Dialect::GrpcWebText => (TRAILERS, block(&trailers)),
            Dialect::Connect => {
                let last = connect::error::end_stream(status, &trailers, schema);
                (END_STREAM, last)
            }
        };
        // Header blocks have limits far below what an envelope can hold.
        let last = frame(flag, &last).unwrap_or_default();
        Frame::data(match self.dialect {
            Dialect::GrpcWebText => text::encode(&last),
            Dialect::Grpc | Dialect::GrpcWeb | Dialect::Connect => last,
        })
    }

    /// The last frame of an answer that broke off.
    pub(in crate::protocol) fn broken(&self, fault: &Fault) -> Frame<Bytes> {
        let status = told(fault);
        let trailers = status.to_trailers();
        self.end(&status, trailers)
    }
}

/// Trailers as lines; names are lower-case already, and nothing closes the block.
fn block(trailers: &HeaderMap) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in trailers {
        if is_hop_by_hop(name.as_str()) {
            continue;
        }
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Appends metadata of the app that a client may see as headers.
pub(in crate::protocol) fn append(headers: &mut HeaderMap, metadata: &HeaderMap) {
    for (name, value) in metadata {
        if !is_ours(name.as_str()) {
            headers.append(name, value.clone());
        }
    }
}

/// Whether metadata of this name is about the wire between the app and the gateway.
pub(in crate::protocol) fn is_ours(name: &str) -> bool {
    matches!(
        name,
        "content-type"
            | "content-length"
            | "content-encoding"
            | "grpc-encoding"
            | "grpc-accept-encoding"
    ) || is_hop_by_hop(name)
}
