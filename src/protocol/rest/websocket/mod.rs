//! Calls of streaming methods over WebSocket (S7), and of unary ones with a message each way.
//!
//! The URL is the one that REST has. The method is that of its GET rule when it streams, else the
//! only streaming one that has a rule for the path, else that of the HTTP method that `?method=`
//! names, else that of the GET rule, whatever it is. Path and query bind into the first message
//! as ever; text frames are JSON where REST's body would be, binary frames are whole messages in
//! protobuf. An empty text frame is the end of the request, and the close code is the end of the
//! answer.

mod asked;
mod told;

use std::rc::Rc;
use std::sync::Arc;

use http::Uri;

use super::answer::Answer;
use super::{Rest, bind_target, conflict, error, not_allowed, not_found};
use crate::call::{Body, Call, Code, Fault, LocalFuture, Metadata, Reply};
use crate::protocol::websocket::handshake::{self, Handshake};
use crate::protocol::websocket::{Conversation, Talk};
use crate::protocol::{Entry, Incoming, Params, Respond, timeout};
use crate::route::path;
use crate::route::trie::{Lookup, LookupOptions, Match};
use crate::schema::policy::Policy;
use crate::schema::{BindingId, RouteTarget, Schema};
use crate::transcode::bind::Bound;

/// A way into a method, and the URI without what chose it.
struct Chosen<'s> {
    found: Match<'s, RouteTarget>,
    uri: Uri,
}

/// A call that will become a WebSocket.
struct Ready {
    id: BindingId,
    policy: Arc<Policy>,
    bound: Bound,
    metadata: Metadata,
    deadline: crate::call::Deadline,
}

/// Turns a request for a WebSocket into a call.
pub(in crate::protocol) fn accept(rest: &Rest, mut incoming: Incoming, shake: Handshake) -> Entry {
    let mut answer = Answer::new(&incoming, rest.params.reason_header);
    let ready = match prepare(rest, &mut incoming, &mut answer) {
        Ok(ready) => ready,
        Err(fault) => return Entry::Answered(error::from_fault(&answer, &fault)),
    };
    call(rest, incoming, ready, (answer, shake))
}

/// Refuses a request for a WebSocket whose handshake is wrong.
pub(in crate::protocol) fn refuse(rest: &Rest, incoming: &Incoming, fault: &Fault) -> Entry {
    let answer = Answer::new(incoming, rest.params.reason_header);
    let mut response = error::from_fault(&answer, fault);
    handshake::tell_version(&mut response);
    Entry::Answered(response)
}

/// Everything that can be wrong before there is a WebSocket.
fn prepare(rest: &Rest, incoming: &mut Incoming, answer: &mut Answer) -> Result<Ready, Fault> {
    let schema = Arc::clone(&incoming.schema);
    path::check(incoming.head.uri.path())
        .map_err(|error| Fault::invalid("BAD_PATH", error.to_string()))?;
    let chosen = choose(&schema, &incoming.head.uri)?;
    let id = match chosen.found.value {
        RouteTarget::Serve(id) => *id,
        RouteTarget::Conflict(ids) => return Err(conflict(&schema, ids)),
    };
    let binding = schema.binding(id);
    let method = schema.method(binding.method);
    let policy = Arc::clone(&method.policy);
    answer.routed(&incoming.head, binding, &policy);
    {
        let mut record = incoming.record.note();
        record.binding = Some(id);
        record.method = Some(binding.method);
    }
    let asked = timeout::asked(&incoming.head.headers)?;
    let deadline = timeout::deadline(incoming.now, &policy.timeouts, method.kind, asked, true);
    let metadata = rest.metadata(&incoming.head, &incoming.peer, &policy, &incoming.record);
    incoming.head.uri = chosen.uri;
    let bound = bind_target(&schema, binding, &chosen.found, incoming, &policy)?;
    // Each message has a frame of its own, so that `alt` means what it does for one.
    answer.system(&incoming.head, &bound.system, false)?;
    Ok(Ready {
        id,
        policy,
        bound,
        metadata,
        deadline,
    })
}

fn call(rest: &Rest, incoming: Incoming, ready: Ready, end: (Answer, Handshake)) -> Entry {
    let (answer, shake) = end;
    let Incoming {
        schema,
        mut body,
        record,
        ..
    } = incoming;
    let Ready {
        id,
        policy,
        bound,
        metadata,
        deadline,
    } = ready;
    let client = body.take_offer().unwrap_or_else(Body::empty);
    let talk = Talk::new(client, policy.limits.message_bytes);
    let binding = schema.binding(id);
    let method = schema.method(binding.method);
    let asked = asked::Asked::new(
        talk.clone(),
        asked::Reader {
            schema: Arc::clone(&schema),
            binding: id,
            policy: Arc::clone(&policy),
            bound,
            record: record.clone(),
        },
    );
    let call = Call {
        method: Some(binding.method),
        path: method.target.clone(),
        authority: None,
        metadata,
        body: Body::stream(asked),
        deadline,
        policy,
        record,
        schema: Arc::clone(&schema),
    };
    let responder = Responder {
        params: Rc::clone(&rest.params),
        answer,
        shake,
        talk,
        streams: method.kind.server_streams(),
    };
    Entry::Call(call, Box::new(responder))
}

/// Finds the method that a WebSocket on a path is for.
fn choose<'s>(schema: &'s Schema, uri: &Uri) -> Result<Chosen<'s>, Fault> {
    let options = LookupOptions {
        ignore_trailing_slash: schema.default_policy.rest.ignore_trailing_slash,
    };
    let find = |method: &str| schema.routes.find(method, uri.path(), options);
    let get = match find("GET") {
        Lookup::Match(found) if streams(schema, &found) => {
            let uri = uri.clone();
            return Ok(Chosen { found, uri });
        }
        Lookup::Match(found) => Some(found),
        Lookup::MethodNotAllowed { .. } => None,
        Lookup::NotFound => return Err(not_found(schema, uri.path())),
    };
    // No method is called so: what is found is what takes every one, or the list of all others.
    let named = match find("WebSocket") {
        Lookup::MethodNotAllowed { allow } => allow,
        Lookup::Match(_) | Lookup::NotFound => vec!["*"],
    };
    let mut streaming = named.iter().filter_map(|method| match find(method) {
        Lookup::Match(found) if streams(schema, &found) => Some((*method, found)),
        _ => None,
    });
    if let (Some((method, found)), None) = (streaming.next(), streaming.next()) {
        let uri = without_method(uri, method);
        return Ok(Chosen { found, uri });
    }
    if let Some(wanted) = wanted(uri) {
        let wanted = wanted.to_ascii_uppercase();
        return match find(&wanted) {
            Lookup::Match(found) => {
                let uri = without_method(uri, &wanted);
                Ok(Chosen { found, uri })
            }
            _ => Err(not_allowed(&wanted, &named.join(", "))),
        };
    }
    if let Some(found) = get {
        let uri = uri.clone();
        return Ok(Chosen { found, uri });
    }
    Err(Fault::invalid(
        "METHOD_NOT_NAMED",
        format!(
            "several methods can be meant by this path; say which with ?method=, one of {}",
            named.join(", ")
        ),
    ))
}

/// Whether a route leads to one method, and that streams.
fn streams(schema: &Schema, found: &Match<'_, RouteTarget>) -> bool {
    let RouteTarget::Serve(id) = found.value else {
        return false;
    };
    let kind = schema.method(schema.binding(*id).method).kind;
    kind.client_streams() || kind.server_streams()
}

/// What `?method=` names.
fn wanted(uri: &Uri) -> Option<&str> {
    let mut pairs = uri.query()?.split('&');
    pairs.find_map(|pair| pair.strip_prefix("method="))
}

/// The URI without a `method=` that names this one, which is no field of the message.
fn without_method(uri: &Uri, method: &str) -> Uri {
    let names = |pair: &&str| {
        let named = pair.strip_prefix("method=");
        named.is_some_and(|named| named.eq_ignore_ascii_case(method))
    };
    let Some(query) = uri
        .query()
        .filter(|query| query.split('&').any(|pair| names(&pair)))
    else {
        return uri.clone();
    };
    let rest: Vec<&str> = query.split('&').filter(|pair| !names(pair)).collect();
    let target = match &*rest {
        [] => uri.path().to_owned(),
        rest => format!("{}?{}", uri.path(), rest.join("&")),
    };
    // What is left of a sound target is one.
    Uri::try_from(target).unwrap_or_else(|_| uri.clone())
}

/// Answers a call with a WebSocket.
struct Responder {
    params: Rc<Params>,
    answer: Answer,
    shake: Handshake,
    talk: Talk,
    streams: bool,
}

impl Respond for Responder {
    fn patience(&self) -> Option<std::time::Duration> {
        // The client says nothing before it has its 101.
        Some(std::time::Duration::ZERO)
    }

    fn respond(
        self: Box<Self>,
        outcome: Result<Reply, Fault>,
    ) -> LocalFuture<http::Response<Body>> {
        let Self {
            params,
            answer,
            shake,
            talk,
            streams,
        } = *self;
        let record = answer.record.clone();
        // Who may not call learns it before there is a WebSocket.
        let outcome = match outcome {
            Err(fault)
                if matches!(fault.code(), Code::Unauthenticated | Code::PermissionDenied) =>
            {
                let response = error::from_fault(&answer, &fault);
                return Box::pin(std::future::ready(response));
            }
            outcome => outcome,
        };
        let period = answer.policy.rest.sse_keep_alive;
        let speaker = told::Told::new(answer, talk.clone(), streams, outcome);
        let conversation = Conversation::new(talk, speaker, record, &params.drain, period);
        let response = shake.answer(Body::raw(conversation));
        Box::pin(std::future::ready(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s7_what_names_the_method_is_no_field() {
        for (uri, method, expected) in [
            ("/a?method=POST", "POST", "/a"),
            ("/a?b=1&method=post&c=2", "POST", "/a?b=1&c=2"),
            ("/a?method=PUT", "POST", "/a?method=PUT"),
            ("/a?methods=POST", "POST", "/a?methods=POST"),
            ("/a", "POST", "/a"),
        ] {
            let uri = uri.parse().unwrap();
            assert_eq!(without_method(&uri, method).to_string(), expected);
        }
    }
}
