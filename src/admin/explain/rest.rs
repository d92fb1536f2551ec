//! What becomes of a request as REST sees it: the route, the fields, or what is nearest.

use std::time::Instant;

use http::Method;
use http::request::Parts;

use super::near::nearest;
use super::{Allowed, Bound, Explanation, Outcome, World};
use crate::admin::routes_view::{RouteView, field_name, rpc};
use crate::protocol;
use crate::route::path;
use crate::route::trie::{Lookup, LookupOptions, Match};
use crate::schema::binding::{Binding, BodyTarget};
use crate::schema::policy::HeaderSource;
use crate::schema::{BindingId, Reflection, RouteTarget, Schema};
use crate::transcode::bind;

/// More parameters of a query are not listed.
const MOST_PARAMETERS: usize = 32;

pub(super) fn explain(world: &World<'_>, head: &Parts, now: Instant, said: &mut Explanation) {
    let schema = world.schema;
    let (method, at) = (head.method.as_str(), head.uri.path());
    if let Err(error) = path::check(at) {
        return said.refuse(400, "BAD_PATH", error.to_string());
    }
    let options = LookupOptions {
        ignore_trailing_slash: schema.default_policy.rest.ignore_trailing_slash,
    };
    match schema.routes.find(method, at, options) {
        Lookup::Match(found) => match found.value {
            RouteTarget::Serve(id) => route(world, head, now, (*id, &found), said),
            RouteTarget::Conflict(ids) => conflict(schema, ids, said),
        },
        Lookup::MethodNotAllowed { allow } => not_allowed(schema, head, &allow, said),
        Lookup::NotFound if protocol::is_own_page(at, schema) => {
            said.outcome = Outcome::Answered;
            said.status = Some(200);
            said.say("the gateway describes itself here (`rest.docs`); no route takes the path");
            let everybody = &schema.default_policy;
            let access = everybody.access.as_deref();
            said.access(schema, access.filter(|_| !everybody.rest.open_docs));
        }
        Lookup::NotFound if schema.reflection == Reflection::Pending => said.refuse_while_pending(),
        Lookup::NotFound => not_found(schema, method, at, said),
    }
}

fn route(
    world: &World<'_>,
    head: &Parts,
    now: Instant,
    (id, found): (BindingId, &Match<'_, RouteTarget>),
    said: &mut Explanation,
) {
    let schema = world.schema;
    let binding = schema.binding(id);
    let method = schema.method(binding.method);
    said.say(format!(
        "the path fits `{}`, declared at {}",
        binding.template, binding.declared
    ));
    if head.method == Method::HEAD && &*binding.http_method == "GET" {
        said.say("HEAD is answered as GET, without a body");
    }
    said.route = Some(RouteView::new(schema, binding));
    said.found(world, binding.method);
    let captures: Vec<&str> = binding
        .template
        .captures(head.uri.path(), &found.spans)
        .collect();
    said.bindings = bindings(schema, binding, &captures, head);
    let bound = bind::bind(&bind::Input {
        tables: &schema.tables,
        message: method.input,
        binding,
        captures: &captures,
        headers: &[],
        query: head.uri.query(),
        rest: &method.policy.rest,
        json: &method.policy.json,
    });
    for violation in bound.err().into_iter().flatten() {
        let why = format!("{}: {}", violation.field, violation.description);
        said.refuse(400, "INVALID_REQUEST", why);
    }
    said.deadline(method, head, now, true);
}

/// What path, query, headers and body say, and of which field.
fn bindings(schema: &Schema, binding: &Binding, captures: &[&str], head: &Parts) -> Vec<Bound> {
    let variables = binding.variables.iter().zip(captures);
    let mut all: Vec<Bound> = variables
        .map(|(variable, raw)| Bound {
            from: "path",
            field: variable.text.to_string(),
            value: (*raw).to_owned(),
        })
        .collect();
    let pairs = head.uri.query().unwrap_or_default().split('&');
    let given = pairs.filter(|pair| !pair.is_empty());
    all.extend(given.take(MOST_PARAMETERS).map(|pair| {
        let (field, value) = pair.split_once('=').unwrap_or((pair, ""));
        Bound {
            from: "query",
            field: field.to_owned(),
            value: value.to_owned(),
        }
    }));
    all.extend(binding.headers.iter().map(|header| Bound {
        from: match header.source {
            HeaderSource::Header(_) => "header",
            HeaderSource::Cookie(_) => "cookie",
        },
        field: header.path.text.to_string(),
        value: format!("the {}", header.source),
    }));
    let body = match &binding.body {
        BodyTarget::None => None,
        BodyTarget::Whole => Some((String::from("*"), "the whole request")),
        BodyTarget::Field(step) => Some((field_name(schema, *step), "this field")),
    };
    all.extend(body.map(|(field, what)| Bound {
        from: "body",
        field,
        value: match binding.raw_request {
            true => format!("{what}: bytes of any content type"),
            false if binding.body_message.is_some() => {
                format!("{what}: JSON, a form or protobuf")
            }
            false => format!("{what}: JSON"),
        },
    }));
    all
}

fn conflict(schema: &Schema, ids: &[BindingId], said: &mut Explanation) {
    let claims: Vec<String> = ids
        .iter()
        .map(|id| {
            let binding = schema.binding(*id);
            format!("{} ({})", rpc(schema, binding), binding.declared)
        })
        .collect();
    let claims = claims.join(", ");
    said.refuse(
        501,
        "ROUTE_CONFLICT",
        format!("several methods claim this route: {claims}"),
    );
    said.say("`rest.conflicts: first` or `last` lets one of them have it");
}

fn not_allowed(schema: &Schema, head: &Parts, allow: &[&str], said: &mut Explanation) {
    let (method, at) = (head.method.as_str(), head.uri.path());
    said.allowed = allow
        .iter()
        .filter_map(|method| {
            let rpc = leads_to(schema, method, at)?;
            Some(Allowed {
                method: (*method).to_owned(),
                rpc,
            })
        })
        .collect();
    if head.method == Method::OPTIONS {
        said.outcome = Outcome::Answered;
        said.status = Some(204);
        said.say("the gateway answers OPTIONS itself, with the methods that lead somewhere");
        return;
    }
    let allow = allow.join(", ");
    let why = format!("the path is known, but not with {method}; allowed: {allow}");
    said.refuse(405, "METHOD_NOT_ALLOWED", why);
}

fn leads_to(schema: &Schema, method: &str, path: &str) -> Option<String> {
    let options = LookupOptions {
        ignore_trailing_slash: schema.default_policy.rest.ignore_trailing_slash,
    };
    let Lookup::Match(found) = schema.routes.find(method, path, options) else {
        return None;
    };
    let id = match found.value {
        RouteTarget::Serve(id) => id,
        RouteTarget::Conflict(ids) => ids.first()?,
    };
    Some(rpc(schema, schema.binding(*id)))
}

fn not_found(schema: &Schema, method: &str, at: &str, said: &mut Explanation) {
    said.refuse(404, "ROUTE_NOT_FOUND", format!("no route leads to {at}"));
    if let Some(id) = schema.find(at) {
        let name = schema.method(id).full_name();
        said.say(format!(
            "it is the path of {name} for gRPC, gRPC-Web and Connect; REST reaches it by the \
             routes below (`rest.auto` decides which methods have one of this form)"
        ));
        said.nearest = routes_of(schema, id);
        return;
    }
    let slash = LookupOptions {
        ignore_trailing_slash: true,
    };
    let tolerant = schema.routes.find(method, at, slash);
    if !matches!(tolerant, Lookup::NotFound) {
        said.say("`rest.trailing_slash: ignore` would let the slash at its end be");
    }
    said.nearest = nearest(schema, method, at);
    if schema.bindings.is_empty() {
        said.say("there are no routes at all: `/problems` may say why");
    } else if said.nearest.is_empty() {
        said.say("nothing is near to it; `/routes` lists what there is");
    }
}

/// How REST reaches a method.
fn routes_of(schema: &Schema, id: crate::schema::MethodId) -> Vec<super::Near> {
    let bindings = schema.bindings.iter().filter(|one| one.method == id);
    bindings
        .map(|binding| super::Near {
            method: binding.http_method.to_string(),
            template: binding.template.to_string(),
            rpc: rpc(schema, binding),
            differences: Vec::new(),
        })
        .collect()
}
