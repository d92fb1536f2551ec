//! One route as an operation: parameters, bodies and answers.

use super::beyond;
use super::comment;
use super::errors;
use super::form::Form;
use super::json::Object;
use super::path::{Parameter, Path};
use super::query;
use super::scalar;
use super::types::{Types, Without, below, describe};
use crate::schema::binding::{Binding, BodyTarget, FieldStep};
use crate::schema::plan::{Cardinality, Field, Kind, Message, MessageId};
use crate::schema::policy::{HeaderSource, StreamShape, UnknownFields};
use crate::schema::{Method, StreamKind};

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const EVENTS: &str = "text/event-stream";

/// A route to describe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'s> {
    pub(super) binding: &'s Binding,
    pub(super) method: &'s Method,
    pub(super) path: &'s Path,
    /// The names of the parameters of the path, which all routes of its shape share.
    pub(super) names: &'s [String],
    pub(super) id: &'s str,
    pub(super) tag: &'s str,
}

/// The operation of a route.
pub(super) fn operation(types: &mut Types<'_>, subject: Subject<'_>) -> Object {
    let Subject {
        binding, method, ..
    } = subject;
    let form = Form::of(&method.policy.json);
    let note = types.notes.of(&method.full_name());
    let summary = comment::summary(&note.comment).unwrap_or_else(|| method.name.to_string());
    // A comment of one sentence is the summary already.
    let is_said = note.comment.trim_end_matches('.') == summary;
    let description = Some(note.comment).filter(|text| !text.is_empty() && !is_said);
    let mut parameters = path_parameters(types, subject, form);
    if binding.body != BodyTarget::Whole {
        let mut without = bound(binding);
        if let BodyTarget::Field(step) = &binding.body {
            without.push(vec![step.number]);
        }
        parameters.extend(query::parameters(types, method.input, form, &without));
    }
    // Neither parameters nor answers are where unknown fields matter.
    drop(types.take_referred());
    let refuses = method.policy.json.unknown_fields == UnknownFields::Reject;
    types.closing = refuses;
    let body = request_body(types, subject, form);
    types.closing = false;
    let referred = types.take_referred();
    if refuses {
        types.mark_closed(referred);
    }
    let answer = answer(types, subject, form).maybe("headers", sent(types, binding, form));
    drop(types.take_referred());
    let shape = method.policy.rest.errors;
    let error = format!("#/components/responses/{}", errors::name(shape));
    let responses = Object::new()
        .with("200", answer)
        .with("default", Object::new().with("$ref", error));
    Object::new()
        .with("tags", vec![subject.tag])
        .with("summary", summary)
        .maybe("description", description)
        .with("operationId", subject.id)
        .maybe("deprecated", method.deprecated.then_some(true))
        .maybe(
            "parameters",
            Some(parameters).filter(|list| !list.is_empty()),
        )
        .maybe("requestBody", body)
        .with("responses", responses)
        .with("x-grpc-method", &*method.path)
        .maybe("x-grpc-stream", stream(method.kind))
        .maybe("x-websocket", beyond::is_websocket(method).then_some(true))
}

fn stream(kind: StreamKind) -> Option<&'static str> {
    match kind {
        StreamKind::Unary => None,
        StreamKind::ClientStream => Some("client"),
        StreamKind::ServerStream => Some("server"),
        StreamKind::Bidi => Some("both"),
    }
}

/// What the path sets, as field numbers from the request down.
fn bound(binding: &Binding) -> Without {
    let variables = binding.variables.iter();
    variables
        .map(|path| path.steps.iter().map(|step| step.number).collect())
        .collect()
}

fn path_parameters(types: &mut Types<'_>, subject: Subject<'_>, form: Form) -> Vec<Object> {
    let parameters = subject.path.parameters.iter().zip(subject.names);
    parameters
        .map(|(parameter, name)| {
            let (schema, description) = path_parameter(types, subject, parameter, form);
            Object::new()
                .with("name", &**name)
                .with("in", "path")
                .with("required", true)
                .maybe(
                    "description",
                    Some(description).filter(|text| !text.is_empty()),
                )
                .with("schema", schema)
        })
        .collect()
}

fn path_parameter(
    types: &mut Types<'_>,
    subject: Subject<'_>,
    parameter: &Parameter,
    form: Form,
) -> (Object, String) {
    let binding = subject.binding;
    let variable = parameter.variable.and_then(|at| binding.variables.get(at));
    let step = variable.and_then(|path| path.steps.last());
    let field = step.and_then(|step| find(types, *step));
    let (Some(variable), Some((message, field))) = (variable, field) else {
        return (segment(parameter), String::new());
    };
    let note = types.note(message, field);
    if parameter.whole && !parameter.many {
        let schema = match field.kind {
            Kind::String => Object::new()
                .with("type", "string")
                .with("minLength", 1_i64),
            kind => types.value(kind, form),
        };
        // The parameter says the rest itself.
        let schema = describe(schema, field, &note).without("description");
        return (schema, note.comment);
    }
    let template = binding.template.variables();
    let template = template.get(parameter.variable.unwrap_or_default());
    let pattern = template.map(|variable| {
        let segments = binding
            .template
            .segments()
            .get(variable.first..variable.end);
        let segments = segments.unwrap_or_default().iter().map(ToString::to_string);
        segments.collect::<Vec<_>>().join("/")
    });
    let text = match pattern {
        Some(pattern) => format!("Part of `{}`, which is `{pattern}`.", variable.text),
        None => String::new(),
    };
    let text = if parameter.many {
        format!("{text} May have slashes, which are not to be escaped.")
    } else {
        text
    };
    let text = format!("{text} {}", note.comment);
    (segment(parameter), text.trim().to_owned())
}

/// A segment of a path, or any number of them.
fn segment(parameter: &Parameter) -> Object {
    let schema = Object::new().with("type", "string");
    if parameter.many {
        schema.with("x-multi-segment", true)
    } else {
        schema.with("pattern", "^[^/]+$")
    }
}

fn find<'t>(types: &Types<'t>, step: FieldStep) -> Option<(&'t Message, &'t Field)> {
    let message = types.schema.tables.message(step.message);
    Some((message, message.by_number(step.number)?))
}

// === Request bodies ===

fn request_body(types: &mut Types<'_>, subject: Subject<'_>, form: Form) -> Option<Object> {
    let Subject {
        binding, method, ..
    } = subject;
    let without = bound(binding);
    if binding.raw_request {
        return Some(Object::new().with("content", binary()));
    }
    let (schema, required, description) = match &binding.body {
        BodyTarget::None => return None,
        BodyTarget::Whole => {
            let (schema, required) = message_without(types, method.input, form, &without);
            (schema, required, None)
        }
        BodyTarget::Field(step) => {
            let (message, field) = find(types, *step)?;
            let note = types.note(message, field);
            let below = below(&without, step.number);
            let singular = field.cardinality == Cardinality::Singular;
            let schema = match field.kind.message() {
                Some(inner) if singular => message_without(types, inner, form, &below).0,
                _ => types.field(field, form),
            };
            let description = Some(note.comment.clone()).filter(|text| !text.is_empty());
            (schema, note.is_required(), description)
        }
    };
    let content = if method.kind.client_streams() {
        let list = Object::new()
            .with("type", "array")
            .with("items", schema.clone());
        Object::new()
            .with(JSON, media(list))
            .with(LINES, media(schema).with("x-each-line", true))
    } else {
        let parts = beyond::multipart(types, (binding, method), form, &without);
        Object::new()
            .with(JSON, media(schema))
            .maybe(beyond::MULTIPART, parts.map(media))
    };
    let others = beyond::media_types(types.schema, binding, method);
    Some(
        Object::new()
            .maybe("description", description)
            .with("content", content)
            // A stream of nothing is one, too.
            .maybe(
                "required",
                (required && !method.kind.client_streams()).then_some(true),
            )
            .maybe("x-media-types", others),
    )
}

/// A message in a body, without what the path has, and whether something of it is required.
fn message_without(
    types: &mut Types<'_>,
    id: MessageId,
    form: Form,
    without: &Without,
) -> (Object, bool) {
    let object = types.object(id, form, without);
    let required = object.get("required").is_some();
    let known = types.schema.tables.message(id).well_known.is_some();
    if without.is_empty() || known {
        drop(types.take_referred());
        (types.message(id, form), required && !known)
    } else {
        (object, required)
    }
}

fn media(schema: Object) -> Object {
    Object::new().with("schema", schema)
}

/// Bytes of any kind.
fn binary() -> Object {
    let schema = Object::new()
        .with("type", "string")
        .with("format", "binary");
    Object::new().with("*/*", media(schema))
}

// === Answers ===

fn answer(types: &mut Types<'_>, subject: Subject<'_>, form: Form) -> Object {
    let Subject {
        binding, method, ..
    } = subject;
    if binding.raw_response {
        return described("The bytes, under their own content type.", binary());
    }
    let schema = match binding.response_body.and_then(|step| find(types, step)) {
        Some((_, field)) => types.field(field, form),
        None => types.message(method.output, form),
    };
    if !method.kind.server_streams() {
        return described("The answer.", Object::new().with(JSON, media(schema)));
    }
    let each = |schema: &Object| media(schema.clone()).with("x-each-line", true);
    let (lines, events) = (each(&schema), each(&schema));
    let list = || {
        let list = Object::new().with("type", "array");
        media(list.with("items", schema.clone()))
    };
    let content = match method.policy.rest.stream {
        StreamShape::Array => Object::new()
            .with(JSON, list())
            .with(LINES, lines)
            .with(EVENTS, events),
        StreamShape::Ndjson => Object::new().with(LINES, lines).with(EVENTS, events),
        StreamShape::Sse => Object::new().with(EVENTS, events).with(LINES, lines),
        StreamShape::Result => Object::new()
            .with(JSON, results(&schema))
            .with(LINES, lines)
            .with(EVENTS, events),
    };
    described("The messages, as they come.", content)
}

/// The headers that say what fields of the answer say (B14).
fn sent(types: &mut Types<'_>, binding: &Binding, form: Form) -> Option<Object> {
    let fields = binding.sent_headers.as_deref()?;
    let mut headers = Object::new();
    let mut cookies = Vec::new();
    for sent in fields {
        match &sent.target {
            HeaderSource::Header(name) => {
                let step = sent.path.steps.last();
                let field = step.and_then(|step| find(types, *step));
                let schema = field.map_or_else(Object::new, |(_, field)| types.field(field, form));
                let description = format!("What `{}` of the message says.", sent.path.text);
                let header = Object::new().with("description", description);
                headers.put(name.to_string(), header.with("schema", schema));
            }
            HeaderSource::Cookie(name) => {
                cookies.push(format!("`{name}` as `{}` of the message", sent.path.text));
            }
        }
    }
    if !cookies.is_empty() {
        let description = format!("Sets the cookie {}.", cookies.join(", and "));
        let text = Object::new().with("type", "string");
        let header = Object::new().with("description", description);
        headers.put("set-cookie", header.with("schema", text));
    }
    Some(headers)
}

/// The lines of grpc-gateway.
fn results(schema: &Object) -> Object {
    let error = scalar::any().without("description");
    let properties = Object::new()
        .with("result", schema.clone())
        .with("error", error);
    let line = Object::new()
        .with("type", "object")
        .with("properties", properties);
    media(line).with("x-each-line", true)
}

fn described(description: &str, content: Object) -> Object {
    Object::new()
        .with("description", description)
        .with("content", content)
}
