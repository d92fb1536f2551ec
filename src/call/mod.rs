//! The call model: what every client protocol becomes and what every upstream answers.
//!
//! An adapter turns a request into a [`Call`]; layers look at it and pass it on; the upstream
//! answers with a [`Reply`], or anything on the way ends it with a [`Fault`]. The [`Body`] of
//! both directions is gRPC-framed bytes, whatever the client spoke; only plain HTTP proxying
//! carries another kind.
//!
//! Everything here is poll-based and belongs to one worker thread: nothing is `Send`, nothing
//! spawns, and no clock is read.
//!
//! Nothing below `protocol` may ask which protocol the client spoke.

pub mod body;
pub mod deadline;
pub mod fault;
pub mod identity;
pub mod metadata;
pub mod record;
pub mod status;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue};

pub use body::Body;
pub use deadline::Deadline;
pub use fault::{Blame, Fault, Retry};
pub use identity::Identity;
pub use metadata::Metadata;
pub use record::Record;
pub use status::{Code, Status};

use crate::schema::policy::Policy;
use crate::schema::{Method, MethodId, Schema, StreamKind};

/// A future of one worker thread.
pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// The whole stack of layers and the upstream behind one pointer, as adapters see it.
pub type Stack = Rc<dyn Fn(Call) -> LocalFuture<Result<Reply, Fault>>>;

/// Where requests go that are no calls: the application's plain HTTP. Bodies are raw, and an offer
/// is taken as [`Body::offer`] has it.
pub type Fallback =
    Rc<dyn Fn(http::Request<Body>) -> LocalFuture<Result<http::Response<Body>, Fault>>>;

/// One call on its way to the application.
#[derive(Debug)]
pub struct Call {
    /// The schema this call was pinned to when it came in.
    pub schema: Arc<Schema>,
    /// The method, when the schema knows it.
    pub method: Option<MethodId>,
    /// `/pkg.Service/Method`.
    pub path: PathAndQuery,
    /// `:authority` towards the app; `None` takes the upstream's own.
    pub authority: Option<Authority>,
    /// Request metadata, already filtered by the adapter: nothing in it belongs to one hop.
    pub metadata: Metadata,
    /// gRPC-framed request messages.
    pub body: Body,
    /// When the caller stops waiting.
    pub deadline: Deadline,
    /// What the configuration says about this method.
    pub policy: Arc<Policy>,
    /// What will be remembered of the call.
    pub record: Record,
}

/// What the application answered.
///
/// The body yields gRPC-framed bytes and then trailers; `grpc-status` is among the trailers. An
/// answer of trailers alone has `trailers_only` set and an empty body.
#[derive(Debug)]
pub struct Reply {
    /// Initial metadata, without `:status`; still as the app sent it.
    pub metadata: Metadata,
    /// The trailers of an answer that is nothing else (`grpc-status` among them).
    pub trailers_only: Option<HeaderMap>,
    /// gRPC-framed response messages, then trailers.
    pub body: Body,
}

impl Reply {
    /// The trailers of an answer without any message, when that is known already.
    pub fn early_trailers(&self) -> Option<&HeaderMap> {
        self.trailers_only
            .as_ref()
            .or_else(|| self.body.bare_trailers())
    }

    /// Its code: how a call has ended of which nothing was answered.
    pub fn early_code(&self) -> Option<Code> {
        let number = metadata::lookup(self.early_trailers()?, "grpc-status")?;
        let number = number.to_str().ok()?.trim().parse().ok()?;
        Some(Code::from_number(number))
    }
}

/// The connection a call came in on.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    /// The address the client connected to.
    pub local: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Who the client is by its certificate, if it has shown one.
    pub client: Option<Box<Identity>>,
    /// `address` as logs have it: written once a connection, not once a call.
    text: Box<str>,
    /// The IP address as `x-forwarded-for` has it.
    forwarded_for: Option<HeaderValue>,
}

/// A shared [`Peer`].
pub type SharedPeer = Rc<Peer>;

impl Peer {
    /// The client at `address`, who connected to `local`.
    pub fn new(address: SocketAddr, local: SocketAddr, tls: bool) -> Self {
        let ip = address.ip().to_canonical().to_string();
        Self {
            address,
            local,
            tls,
            client: None,
            text: address.to_string().into(),
            forwarded_for: HeaderValue::try_from(ip).ok(),
        }
    }

    /// The same, known by a certificate that was verified.
    pub fn with_client(self, client: Option<Identity>) -> Self {
        Self {
            client: client.map(Box::new),
            ..self
        }
    }

    /// The client's address and port, as logs have them.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The client's IP address, as `x-forwarded-for` has it.
    pub fn forwarded_for(&self) -> Option<&HeaderValue> {
        self.forwarded_for.as_ref()
    }
}

impl Call {
    /// The method's facts, when the schema knows it.
    pub fn method(&self) -> Option<&Method> {
        self.method.map(|id| self.schema.method(id))
    }

    /// Which sides stream; a method that no schema knows may do anything.
    pub fn kind(&self) -> StreamKind {
        self.method().map_or(StreamKind::Bidi, |method| method.kind)
    }
}
