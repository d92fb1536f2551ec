//! Which client protocol a request speaks, from its head alone.

use http::header::CONTENT_TYPE;
use http::request::Parts;

/// A client protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// Native gRPC: everything under `application/grpc`.
    Grpc,
    /// Everything else.
    Rest,
}

impl Front {
    /// The name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Rest => "rest",
        }
    }
}

/// Chooses the front. The whole prefix `application/grpc` belongs to gRPC, so that a family
/// member that is not spoken here is told so (415) instead of being taken for REST.
pub fn classify(head: &Parts) -> Front {
    const GRPC: &[u8] = b"application/grpc";
    let grpc = head.headers.get(CONTENT_TYPE).is_some_and(|value| {
        value
            .as_bytes()
            .get(..GRPC.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
    });
    if grpc { Front::Grpc } else { Front::Rest }
}
