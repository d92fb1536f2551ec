//! From the head of a request to a call without its body.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};

use super::Codec;
use super::codec::Translator;
use crate::call::{Blame, Body, Call, Code, Fault};
use crate::protocol::metadata::{self, Rules};
use crate::protocol::{Incoming, Params, forwarded, schema_pending, timeout};
use crate::schema::access::is_plain;
use crate::schema::policy::Policy;
use crate::schema::{MethodId, Reflection, Schema, StreamKind};

/// A method that a path names.
#[derive(Clone, Debug)]
pub(in crate::protocol) struct Found {
    /// The method in the schema the call is pinned to.
    pub(in crate::protocol) pinned: Option<MethodId>,
    /// Where its types are; a method that no schema knows has none.
    types: Option<(Arc<Schema>, MethodId)>,
    pub(in crate::protocol) policy: Arc<Policy>,
}

/// Finds the method of a path: among those of the app, then among the gateway's own, then, where
/// that is allowed, as one that nobody knows.
pub(in crate::protocol) fn find(
    schema: &Arc<Schema>,
    own: &Arc<Schema>,
    path: &str,
) -> Option<Found> {
    let among = |schema: &Arc<Schema>| schema.find(path).map(|id| (Arc::clone(schema), id));
    if let Some(id) = schema.find(path) {
        return Some(Found {
            pinned: Some(id),
            types: Some((Arc::clone(schema), id)),
            policy: Arc::clone(&schema.method(id).policy),
        });
    }
    let types = among(own);
    // Selectors count by their names alone, so that a method needs no schema to be guarded; a path
    // of which a server may make what it likes has no name (fault 15).
    let passes = schema.allow_unknown_methods && (!schema.guarded || is_plain(path));
    (types.is_some() || passes).then(|| Found {
        pinned: None,
        types,
        policy: schema.policies.of_path(path),
    })
}

/// The fault of a path that names no method.
pub(in crate::protocol) fn unknown(schema: &Schema, path: &str) -> Fault {
    if schema.reflection == Reflection::Pending {
        return schema_pending();
    }
    Fault::new(
        Blame::Client,
        Code::Unimplemented,
        "UNKNOWN_METHOD",
        format!("the method {path} is not known here"),
    )
}

impl Found {
    /// Which sides stream, where that is known.
    pub(in crate::protocol) fn kind(&self) -> Option<StreamKind> {
        let (schema, id) = self.types.as_ref()?;
        Some(schema.method(*id).kind)
    }

    /// Whether a call of it is harmless.
    pub(in crate::protocol) fn is_safe(&self) -> bool {
        self.types.as_ref().is_some_and(|(schema, id)| {
            schema.method(*id).idempotency == crate::schema::Idempotency::NoSideEffects
        })
    }

    /// What turns its messages into a codec and back; JSON needs its types.
    pub(in crate::protocol) fn translator(&self, codec: Codec) -> Result<Translator, Fault> {
        match (codec, &self.types) {
            (Codec::Proto, _) => Ok(Translator::Proto),
            (Codec::Json, Some((schema, id))) => Ok(Translator::Json(Arc::clone(schema), *id)),
            (Codec::Json, None) => Err(Fault::new(
                Blame::Client,
                Code::Unimplemented,
                "UNKNOWN_METHOD",
                "the types of this method are not known here, so that it has no JSON",
            )),
        }
    }
}

/// What a front says about a call.
#[derive(Clone, Copy, Debug)]
pub(in crate::protocol) struct Ask<'a> {
    pub(in crate::protocol) params: &'a Params,
    /// gRPC's own headers pass.
    pub(in crate::protocol) grpc: bool,
    /// The content type towards the app.
    pub(in crate::protocol) content_type: &'a HeaderValue,
}

/// gRPC in protobuf, as the gateway asks the app.
pub(in crate::protocol) const GRPC_PROTO: HeaderValue =
    HeaderValue::from_static("application/grpc+proto");

/// A call whose body is still to be set, the client's own body, and the head it came from.
pub(in crate::protocol) struct Opened {
    pub(in crate::protocol) call: Call,
    pub(in crate::protocol) body: Body,
    pub(in crate::protocol) head: Parts,
}

/// Opens a call of the method that was found.
pub(in crate::protocol) fn open(
    incoming: Incoming,
    found: &Found,
    ask: Ask<'_>,
) -> Result<Opened, Fault> {
    let Incoming {
        schema,
        peer,
        head,
        body,
        record,
        now,
    } = incoming;
    record.note().method = found.pinned;
    // A method that nobody knows may do anything.
    let kind = found.kind().unwrap_or(StreamKind::Bidi);
    let policy = &found.policy;
    let trusted = forwarded::trusted(&ask.params.trusted_proxies, &peer);
    let rules = Rules {
        denied: &policy.rest.denied_headers,
        grpc: ask.grpc,
        trusted,
        strip: None,
        prefix: None,
    };
    let (mut metadata, dropped) = metadata::from_headers(&head.headers, rules);
    record.note().metadata_dropped = dropped;
    forwarded::write(&head, &peer, trusted, &mut metadata);
    metadata.insert(CONTENT_TYPE, ask.content_type.clone());
    let asked = timeout::asked(&head.headers)?;
    let call = Call {
        method: found.pinned,
        path: path(&head),
        authority: ask.grpc.then(|| authority(&head)).flatten(),
        metadata,
        body: Body::empty(),
        // These protocols say themselves what no timeout means: none.
        deadline: timeout::deadline(now, &policy.timeouts, kind, asked, false),
        policy: Arc::clone(policy),
        record,
        schema,
    };
    Ok(Opened { call, body, head })
}

/// The path without the query, which gRPC does not have.
fn path(head: &Parts) -> PathAndQuery {
    let root = || PathAndQuery::from_static("/");
    match head.uri.path_and_query() {
        Some(target) if target.query().is_none() => target.clone(),
        Some(target) => PathAndQuery::try_from(target.path()).unwrap_or_else(|_| root()),
        None => root(),
    }
}

/// Towards the app a gRPC call keeps the authority that its client named (M2).
fn authority(head: &Parts) -> Option<Authority> {
    head.uri.authority().cloned().or_else(|| {
        let host = head.headers.get(HOST)?;
        Authority::try_from(host.as_bytes()).ok()
    })
}
