//! REST: JSON over HTTP, by the routes of the schema.
//!
//! The adapter finds the route, binds path and query, and leaves the body unread: it is
//! transcoded only when the call is admitted (invariant 11).

mod answer;
mod bound_headers;
mod docs;
mod error;
mod framing;
mod headers;

mod media;
mod packing;
mod raw;
mod request;
mod sent;
mod sent_headers;
mod size;
mod stream;
mod unary;
mod unpacked;
pub(super) mod websocket;

use std::rc::Rc;
use std::sync::Arc;

use http::header::{HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use smallvec::SmallVec;

use super::metadata::{self, Rules};
use super::{Adapter, Entry, Incoming, Params, Respond, forwarded, schema_pending, timeout};
use crate::call::{Blame, Body, Call, Code, Deadline, Fault, Metadata};
use crate::route::path;
use crate::route::trie::{Lookup, LookupOptions, Match};
use crate::schema::binding::Binding;
use crate::schema::policy::Policy;
use crate::schema::{BindingId, Reflection, RouteTarget, Schema};
use crate::transcode::bind::{self, Bound, bind};
use answer::Answer;
use sent::{Form, Sent};

/// The REST adapter.
#[derive(Debug)]
pub struct Rest {
    params: Rc<Params>,
}

/// A route that was found, with everything of path and query bound to fields.
struct Routed {
    id: BindingId,
    policy: Arc<Policy>,
    bound: Bound,
    deadline: Deadline,
    sent: Sent,
}

impl Rest {
    /// An adapter.
    pub fn new(params: Rc<Params>) -> Self {
        Self { params }
    }

    /// A page of the gateway itself, for whoever may have what is no call.
    fn page(&self, incoming: Incoming, answer: Answer, page: Response<Body>) -> Entry {
        let policy = &incoming.schema.default_policy;
        if policy.access.is_none() || policy.rest.open_docs {
            answer.record.note().code = Some(Code::Ok);
            return Entry::Answered(page);
        }
        let passing = self
            .params
            .gate
            .pass(incoming.head.headers, incoming.record);
        Entry::Later(Box::pin(async move {
            match passing.await {
                Ok(_headers) => {
                    answer.record.note().code = Some(Code::Ok);
                    page
                }
                Err(fault) => error::from_fault(&answer, &fault),
            }
        }))
    }

    fn call(&self, incoming: Incoming, routed: Routed, answer: Answer) -> Entry {
        let Routed {
            id,
            policy,
            bound,
            deadline,
            sent,
        } = routed;
        let Incoming {
            schema,
            peer,
            head,
            body,
            record,
            ..
        } = incoming;
        let binding = schema.binding(id);
        let method = schema.method(binding.method);
        let metadata = self.metadata(&head, &peer, &policy, &record);

        let reader = request::Reader {
            schema: Arc::clone(&schema),
            binding: id,
            policy: Arc::clone(&policy),
            bound,
            record: record.clone(),
        };
        let body = request_body(reader, body, sent, &head.headers);
        let call = Call {
            method: Some(binding.method),
            path: method.target.clone(),
            authority: None,
            metadata,
            body,
            deadline,
            policy,
            record,
            schema: Arc::clone(&schema),
        };
        let respond = responder(answer, &head, &schema, id);
        Entry::Call(call, respond)
    }

    fn metadata(
        &self,
        head: &http::request::Parts,
        peer: &crate::call::Peer,
        policy: &Policy,
        record: &crate::call::Record,
    ) -> Metadata {
        const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-original-path");
        const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
        let name = |usual, what| match &policy.rest.original_prefix {
            None => usual,
            Some(prefix) => HeaderName::try_from(format!("{prefix}{what}")).unwrap_or(usual),
        };
        let trusted = forwarded::trusted(&self.params.trusted_proxies, peer);
        let rules = Rules {
            denied: &policy.rest.denied_headers,
            grpc: false,
            trusted,
            strip: policy.rest.metadata_prefix.as_deref(),
            prefix: policy.rest.header_prefix.as_deref(),
        };
        let (mut metadata, dropped) = metadata::from_headers(&head.headers, rules);
        record.note().metadata_dropped = dropped;
        forwarded::write(head, peer, trusted, &mut metadata);
        metadata.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc+proto"),
        );
        let target = head
            .uri
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        if let Ok(value) = HeaderValue::from_str(target) {
            metadata.insert(name(ORIGINAL_PATH, "path"), value);
        }
        if let Some(value) = method_value(&head.method) {
            metadata.insert(name(ORIGINAL_METHOD, "method"), value);
        }
        metadata
    }
}

impl Adapter for Rest {
    fn accept(&self, mut incoming: Incoming) -> Entry {
        let overridden = override_method(&mut incoming);
        let mut answer = Answer::new(&incoming, self.params.reason_header);
        match overridden.and_then(|()| route(&incoming, &mut answer)) {
            Ok(Found::Route(routed)) => self.call(incoming, *routed, answer),
            Ok(Found::Page(page)) => self.page(incoming, answer, page),
            Ok(Found::Options(allow)) => {
                answer.record.note().code = Some(Code::Ok);
                Entry::Answered(options(&allow))
            }
            // The very path of a method belongs to the RPC protocols too: a body that is neither
            // theirs nor JSON is refused in a way that all of them understand.
            Err(fault) if is_method_path(&incoming) && fault.http() == UNSUPPORTED => {
                incoming.record.note().fault(&fault);
                Entry::Answered(super::connect::unsupported(&incoming))
            }
            Err(fault) => Entry::Answered(error::from_fault(&answer, &fault)),
        }
    }
}

const UNSUPPORTED: StatusCode = StatusCode::UNSUPPORTED_MEDIA_TYPE;

fn is_method_path(incoming: &Incoming) -> bool {
    incoming.schema.find(incoming.head.uri.path()).is_some()
}

/// The messages of a request, once they are asked for.
fn request_body(
    reader: request::Reader,
    body: Body,
    sent: Sent,
    headers: &http::HeaderMap,
) -> Body {
    let binding = reader.schema.binding(reader.binding);
    let streams = reader.schema.method(binding.method).kind.client_streams();
    let body = if streams {
        unpacked::unpack(sent.encoding, body)
    } else {
        body
    };
    match sent.form {
        Form::Raw(content_type) if streams => raw::upload(reader, body, content_type),
        _ if streams => request::stream(reader, body, media::RequestStream::of(headers)),
        _ => request::unary(reader, body, sent),
    }
}

/// Who will own the answer.
fn responder(
    answer: Answer,
    head: &http::request::Parts,
    schema: &Schema,
    id: BindingId,
) -> Box<dyn Respond> {
    let binding = schema.binding(id);
    if !schema.method(binding.method).kind.server_streams() {
        Box::new(unary::Unary::new(answer))
    } else if binding.raw_response {
        Box::new(raw::Download(answer))
    } else {
        let framing = media::ResponseStream::of(head, schema, id);
        Box::new(stream::Streaming::new(answer, framing))
    }
}

/// The name of an HTTP method; that of a usual one is not copied.
fn method_value(method: &Method) -> Option<HeaderValue> {
    Some(HeaderValue::from_static(match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => return HeaderValue::from_str(method.as_str()).ok(),
    }))
}

/// Whether a path that no rule has is answered by the gateway itself.
pub(super) fn is_own(path: &str, schema: &Schema) -> bool {
    docs::is_own(path, schema)
}

/// Tells of faults of a request that is no call, as REST does.
pub(super) struct Refusal(Answer);

impl Refusal {
    pub(super) fn new(incoming: &Incoming, reason_header: bool) -> Self {
        Self(Answer::new(incoming, reason_header))
    }

    pub(super) fn answer(&self, fault: &Fault) -> Response<Body> {
        error::from_fault(&self.0, fault)
    }
}

enum Found {
    Route(Box<Routed>),
    /// OPTIONS on a known path: the methods it has.
    Options(String),
    /// The gateway's own description of itself.
    Page(Response<Body>),
}

/// Lets a POST be what its `x-http-method-override` says, for all that comes after (B12).
fn override_method(incoming: &mut Incoming) -> Result<(), Fault> {
    let head = &mut incoming.head;
    if !incoming.schema.default_policy.rest.method_override || head.method != Method::POST {
        return Ok(());
    }
    let Some(value) = head.headers.get("x-http-method-override") else {
        return Ok(());
    };
    // HTTP/1.1 frames the answers to these two in a way of their own, by the method it was sent.
    match Method::from_bytes(value.as_bytes()) {
        Ok(method) if ![Method::HEAD, Method::CONNECT].contains(&method) => {
            head.method = method;
            Ok(())
        }
        Ok(_) | Err(_) => Err(Fault::invalid(
            "BAD_METHOD_OVERRIDE",
            "x-http-method-override: expected a method such as PATCH, PUT, DELETE or GET",
        )),
    }
}

/// Finds the route of a request and binds what path and query say.
fn route(incoming: &Incoming, answer: &mut Answer) -> Result<Found, Fault> {
    let schema = &incoming.schema;
    let uri = &incoming.head.uri;
    path::check(uri.path()).map_err(|error| Fault::invalid("BAD_PATH", error.to_string()))?;

    let method = incoming.head.method.as_str();
    let options = LookupOptions {
        ignore_trailing_slash: schema.default_policy.rest.ignore_trailing_slash,
    };
    let found = match schema.routes.find(method, uri.path(), options) {
        Lookup::Match(found) => found,
        Lookup::MethodNotAllowed { allow } if incoming.head.method == Method::OPTIONS => {
            return Ok(Found::Options(allow.join(", ")));
        }
        Lookup::MethodNotAllowed { allow } => return Err(not_allowed(method, &allow.join(", "))),
        Lookup::NotFound => {
            let page = docs::answer(&incoming.head, schema);
            return page.map_or_else(
                || Err(not_found(schema, uri.path())),
                |page| page.map(Found::Page),
            );
        }
    };
    let id = match found.value {
        RouteTarget::Serve(id) => *id,
        RouteTarget::Conflict(ids) => return Err(conflict(schema, ids)),
    };
    let binding = schema.binding(id);
    let method = schema.method(binding.method);
    answer.routed(&incoming.head, binding, &method.policy);
    {
        let mut record = incoming.record.note();
        record.binding = Some(id);
        record.method = Some(binding.method);
    }

    let asked = timeout::asked(&incoming.head.headers)?;
    let timeouts = &method.policy.timeouts;
    let deadline = timeout::deadline(incoming.now, timeouts, method.kind, asked, true);
    let bound = bind_target(schema, binding, &found, incoming, &method.policy)?;
    let answers = method.kind.server_streams();
    answer.system(&incoming.head, &bound.system, answers)?;
    let place = (binding, &schema.tables);
    let streams = method.kind.client_streams();
    let sent = Sent::of(&incoming.head.headers, &incoming.body, place, streams)?;
    let policy = Arc::clone(&method.policy);
    Ok(Found::Route(Box::new(Routed {
        id,
        policy,
        bound,
        deadline,
        sent,
    })))
}

fn bind_target(
    schema: &Schema,
    binding: &Binding,
    found: &Match<'_, RouteTarget>,
    incoming: &Incoming,
    policy: &Policy,
) -> Result<Bound, Fault> {
    let uri = &incoming.head.uri;
    let captures: SmallVec<[&str; 4]> = binding
        .template
        .captures(uri.path(), &found.spans)
        .collect();
    let headers = bound_headers::given(binding, &incoming.head.headers)?;
    bind(&bind::Input {
        tables: &schema.tables,
        message: schema.method(binding.method).input,
        binding,
        captures: &captures,
        headers: &headers,
        query: uri.query(),
        rest: &policy.rest,
        json: &policy.json,
    })
    .map_err(Fault::violations)
}

fn not_found(schema: &Schema, path: &str) -> Fault {
    if schema.reflection == Reflection::Pending {
        return schema_pending();
    }
    Fault::new(
        Blame::Client,
        Code::NotFound,
        "ROUTE_NOT_FOUND",
        format!("no route leads to {path}"),
    )
}

fn not_allowed(method: &str, allow: &str) -> Fault {
    Fault::new(
        Blame::Client,
        Code::Unimplemented,
        "METHOD_NOT_ALLOWED",
        format!("the method {method} is not allowed here; allowed: {allow}"),
    )
    .with_http(StatusCode::METHOD_NOT_ALLOWED)
    .with_allow(allow)
}

fn conflict(schema: &Schema, ids: &[BindingId]) -> Fault {
    let names: Vec<_> = ids
        .iter()
        .map(|id| {
            let binding = schema.binding(*id);
            format!(
                "{} ({})",
                schema.method(binding.method).path,
                binding.declared
            )
        })
        .collect();
    Fault::new(
        Blame::Gateway,
        Code::Unimplemented,
        "ROUTE_CONFLICT",
        format!("several methods claim this route: {}", names.join(", ")),
    )
}

fn options(allow: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(value) = HeaderValue::from_str(&format!("{allow}, OPTIONS")) {
        response.headers_mut().insert(http::header::ALLOW, value);
    }
    response
}
