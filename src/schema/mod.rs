//! Everything that can be known before a request: [`Schema`] and its [`Method`]s.
//!
//! A schema is compiled from descriptors and rules ([`compile`]), is immutable, and is published
//! whole through [`Live`](crate::live::Live). A call pins one schema and never sees two.
//!
//! This module never does I/O and never panics on what it is given: a broken rule or file is a
//! [`Problem`](problem::Problem), and what is sound is served.

pub mod access;
pub mod binding;
pub mod builtin;
pub mod compile;
pub mod descriptor;
pub mod features;
mod field_path;
pub mod files;
mod header_binding;
mod http_rule;
mod load;
mod method;
mod name;
pub mod openapi;
mod place;
pub mod plan;
pub mod policy;
pub mod problem;
pub mod quota;
mod routing;
mod rules;
mod selector;
pub mod split;
#[cfg(test)]
pub(crate) mod tests;
pub mod traffic;
mod view;

pub use name::nearest;

use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::route::trie::Trie;
use binding::Binding;
use files::Files;
use plan::{MessageId, Tables};
use policy::{Policies, Policy};

/// Index of a [`Method`] in its [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MethodId(pub u32);

/// Index of a [`Binding`] in its [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindingId(pub u32);

/// One immutable view of what the application offers and how it is reached.
#[derive(Debug)]
pub struct Schema {
    /// Changes exactly when the descriptors, rules or policies do.
    pub digest: u64,
    /// The codec's tables.
    pub tables: Tables,
    /// Every method of every service, services in order of their names.
    pub methods: Vec<Method>,
    /// By `/pkg.Service/Method`.
    pub by_path: FxHashMap<Arc<str>, MethodId>,
    /// Every binding that is served or conflicts.
    pub bindings: Vec<Binding>,
    /// Where a REST path leads.
    pub routes: Trie<RouteTarget>,
    /// The descriptor files, raw, for reflection.
    pub files: Files,
    /// What holds for methods that the schema does not know.
    pub default_policy: Arc<Policy>,
    /// All policies, for methods that the schema does not know but selectors may.
    pub policies: Policies,
    /// Whether callers of anything have to show something.
    pub guarded: bool,
    /// `unknown_methods: allow`: native gRPC calls to methods not in the schema pass.
    pub allow_unknown_methods: bool,
    /// Who answers reflection.
    pub reflection: Reflection,
    /// What is described to readers, once one asks.
    pub described: openapi::Described,
}

/// Who answers the server reflection calls of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reflection {
    /// The gateway, from the schema.
    #[default]
    Gateway,
    /// The app: it serves `grpc.reflection.v1`, and nothing was added to what it says.
    AppV1,
    /// The same for an app that serves `grpc.reflection.v1alpha` only.
    AppV1Alpha,
    /// The gateway, from what it has; the app is still to be asked, so more may come.
    Pending,
}

/// What a route leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteTarget {
    /// A binding to serve.
    Serve(BindingId),
    /// Two or more methods claim the route (R4): answered with 501 naming all.
    Conflict(Vec<BindingId>),
}

/// One RPC.
#[derive(Debug)]
pub struct Method {
    /// `/pkg.Service/Method`, as it stands on the wire.
    pub path: Arc<str>,
    /// The same, ready to be the target of a request.
    pub target: http::uri::PathAndQuery,
    /// Full name of the service, without a leading dot.
    pub service: Arc<str>,
    /// Name of the method within its service.
    pub name: Box<str>,
    /// Request type.
    pub input: MessageId,
    /// Response type.
    pub output: MessageId,
    /// Which sides stream.
    pub kind: StreamKind,
    /// Whether repeating a call is harmless.
    pub idempotency: Idempotency,
    /// Whether a call may be sent twice: by its idempotency, or because every HTTP rule of it is a
    /// GET, HEAD, PUT or DELETE.
    pub repeatable: bool,
    /// Marked deprecated.
    pub deprecated: bool,
    /// What the configuration says about it.
    pub policy: Arc<Policy>,
}

/// Which sides of a method stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the field's standard terms")]
pub enum StreamKind {
    Unary,
    ClientStream,
    ServerStream,
    Bidi,
}

/// `idempotency_level` of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Idempotency {
    /// Nothing is said.
    Unknown,
    /// Safe to repeat and to GET.
    NoSideEffects,
    /// Safe to repeat.
    Idempotent,
}

impl Method {
    /// `pkg.Service.Method`, as selectors and problems have it.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.service, self.name)
    }
}

impl StreamKind {
    /// Whether the client may send more than one message.
    pub fn client_streams(self) -> bool {
        matches!(self, Self::ClientStream | Self::Bidi)
    }

    /// Whether the server may send more than one message.
    pub fn server_streams(self) -> bool {
        matches!(self, Self::ServerStream | Self::Bidi)
    }
}

impl fmt::Display for StreamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unary => "unary",
            Self::ClientStream => "client_stream",
            Self::ServerStream => "server_stream",
            Self::Bidi => "bidi",
        })
    }
}

impl Schema {
    /// The method behind an index.
    #[allow(
        clippy::indexing_slicing,
        reason = "ids are only made by the compiler of this schema"
    )]
    pub fn method(&self, id: MethodId) -> &Method {
        &self.methods[id.0 as usize]
    }

    /// The binding behind an index.
    #[allow(
        clippy::indexing_slicing,
        reason = "ids are only made by the compiler of this schema"
    )]
    pub fn binding(&self, id: BindingId) -> &Binding {
        &self.bindings[id.0 as usize]
    }

    /// A method by its path on the wire, `/pkg.Service/Method`.
    pub fn find(&self, path: &str) -> Option<MethodId> {
        self.by_path.get(path).copied()
    }
}
