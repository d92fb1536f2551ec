//! gRPC-Web: gRPC for clients that cannot read HTTP trailers, binary and in base64.
//!
//! Source: grpc/grpc `doc/PROTOCOL-WEB.md`. Pages of other origins need CORS besides, which is
//! not this module's.

use std::rc::Rc;

use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};

use super::rpc::dialect::Spoken;
use super::rpc::{Dialect, plain, reply};
use super::{Adapter, Entry, Incoming, Params};
use crate::call::Code;

/// The gRPC-Web adapter.
#[derive(Debug)]
pub struct GrpcWeb {
    params: Rc<Params>,
}

impl GrpcWeb {
    /// An adapter.
    pub fn new(params: Rc<Params>) -> Self {
        Self { params }
    }
}

impl Adapter for GrpcWeb {
    fn accept(&self, incoming: Incoming) -> Entry {
        let content_type = incoming.head.headers.get(CONTENT_TYPE);
        let spoken = content_type.and_then(|value| Spoken::parse(value.as_bytes()));
        let refusal = match spoken {
            Some(spoken) if matches!(spoken.dialect, Dialect::GrpcWeb | Dialect::GrpcWebText) => {
                if incoming.head.method == Method::POST {
                    return reply::accept(&self.params, incoming, spoken);
                }
                StatusCode::METHOD_NOT_ALLOWED
            }
            Some(_) | None => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        };
        let mut record = incoming.record.note();
        record.code = Some(Code::Unimplemented);
        record.reason = Some("NOT_GRPC_WEB");
        drop(record);
        Entry::Answered(plain(refusal))
    }
}
