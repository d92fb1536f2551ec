//! What there is besides JSON, said once for all routes: other forms of bodies (B13), system
//! parameters (B8), WebSocket (S7).
//!
//! Forms and protobuf stand in an extension of a body and not among its media types: a generated
//! client would make a function of each, and what tests by a description would send any bytes as a
//! message. Only where a message holds a file (`google.api.HttpBody`) is `multipart/form-data` a media
//! type, since JSON is then the odd one.

use super::form::Form;
use super::json::{Json, Object};
use super::types::{Types, Without};
use crate::schema::binding::{Binding, BodyTarget};
use crate::schema::plan::{Cardinality, Field, Kind, MessageId, WellKnown};
use crate::schema::{Method, Schema};

/// The media type of forms with files.
pub(super) const MULTIPART: &str = "multipart/form-data";

/// The system parameters that change no type of an answer, by the names of their components.
const PARAMETERS: [(&str, &str, &str); 2] = [
    (
        "fields",
        "$fields",
        "What to send of the answer, as `name,author(name),books/title`; all of it when empty.",
    ),
    (
        "prettyPrint",
        "$prettyPrint",
        "Whether the answer has line breaks and indentation.",
    ),
];

/// What a description says of all routes together; nothing where it holds for none.
pub(super) fn guide(schema: &Schema, bindings: &[&Binding]) -> Option<String> {
    let any = |fits: &dyn Fn(&Binding, &Method) -> bool| {
        bindings
            .iter()
            .any(|binding| fits(binding, schema.method(binding.method)))
    };
    let mut said: Vec<&str> = Vec::new();
    if any(&|binding, method| body(schema, binding, method).is_some()) {
        said.push(
            "Where the body of a request is a message, JSON is not the only form of it: see \
             `x-media-types` there. The fields of a form are named as those of a query, a file fills \
             a field of bytes, and `application/x-protobuf` is the message itself. Bodies may be \
             compressed (`gzip`, `deflate`, `br`, `zstd`).",
        );
    }
    if any(&|binding, _| !binding.raw_response) {
        said.push(
            "An answer that is one message comes in protobuf with `$alt=proto`, or to who accepts \
             `application/x-protobuf`. `$alt=json;enum-encoding=int` writes enums as numbers.",
        );
    }
    if any(&|_, method| is_websocket(method)) {
        said.push(
            "Streaming operations are WebSockets too, at the same URL (`x-websocket`): text frames \
             are JSON and binary frames protobuf, an empty text frame ends the request, and the close \
             code says how the call ended, 1000 or 4000 and the gRPC code. Where a path has several, \
             `method` in the query chooses one.",
        );
    }
    (!said.is_empty()).then(|| said.join("\n\n"))
}

/// Whether a method can be called by WebSocket.
pub(super) fn is_websocket(method: &Method) -> bool {
    method.kind.client_streams() || method.kind.server_streams()
}

/// `components.parameters`.
pub(super) fn parameters() -> Object {
    let mut all = Object::new();
    for (component, name, description) in PARAMETERS {
        let schema = match component {
            "prettyPrint" => Object::new().with("type", "boolean"),
            _ => Object::new()
                .with("type", "string")
                .with("format", "google-fields"),
        };
        let parameter = Object::new()
            .with("name", name)
            .with("in", "query")
            .with("description", description)
            .with("schema", schema);
        all.put(component, parameter);
    }
    all
}

/// What a path refers to of them.
pub(super) fn references() -> Vec<Object> {
    let names = PARAMETERS.iter().map(|(component, _, _)| component);
    names
        .map(|name| Object::new().with("$ref", format!("#/components/parameters/{name}")))
        .collect()
}

/// The message that is the body of a request, where other forms than JSON can stand for it.
fn body(schema: &Schema, binding: &Binding, method: &Method) -> Option<MessageId> {
    if binding.raw_request || method.kind.client_streams() {
        return None;
    }
    let id = match &binding.body {
        BodyTarget::None => return None,
        BodyTarget::Whole => method.input,
        BodyTarget::Field(step) => {
            let field = schema.tables.message(step.message).by_number(step.number)?;
            let singular = field.cardinality == Cardinality::Singular;
            field.kind.message().filter(|_| singular)?
        }
    };
    Some(id)
}

/// The other media types of a body.
pub(super) fn media_types(
    schema: &Schema,
    binding: &Binding,
    method: &Method,
) -> Option<Vec<&'static str>> {
    let id = body(schema, binding, method)?;
    let mut all = Vec::new();
    // What has a form of its own in JSON has no fields that a form could name.
    if schema.tables.message(id).well_known.is_none() {
        all.push("application/x-www-form-urlencoded");
        all.push(MULTIPART);
    }
    all.push("application/x-protobuf");
    Some(all)
}

/// The parts of a body that holds a file.
pub(super) fn multipart(
    types: &mut Types<'_>,
    (binding, method): (&Binding, &Method),
    form: Form,
    without: &Without,
) -> Option<Object> {
    let schema = types.schema;
    let id = body(schema, binding, method)?;
    let message = schema.tables.message(id);
    let without: Without = match &binding.body {
        BodyTarget::Field(step) => super::types::below(without, step.number),
        BodyTarget::Whole | BodyTarget::None => without.clone(),
    };
    let is_bound = |field: &Field| without.iter().any(|path| *path == [field.number]);
    let files: Vec<&Field> = message
        .fields
        .iter()
        .filter(|field| is_file(schema, field) && !is_bound(field))
        .collect();
    let has_pages = files.iter().any(|field| is_page(schema, field));
    if !has_pages || message.well_known.is_some() {
        return None;
    }
    let mut parts = types.object(id, form, &without);
    let Some(Json::Object(properties)) = parts.get("properties") else {
        return None;
    };
    let mut properties = properties.clone();
    for field in files {
        let note = types.note(message, field);
        let file = Object::new()
            .with("type", "string")
            .with("format", "binary")
            .maybe(
                "description",
                Some(note.comment).filter(|text| !text.is_empty()),
            );
        let part = match field.cardinality {
            Cardinality::Repeated => Object::new().with("type", "array").with("items", file),
            Cardinality::Singular | Cardinality::Map => file,
        };
        properties.put(form.name_of(field).to_owned(), part);
    }
    parts.put("properties", properties);
    Some(parts)
}

/// Whether a part of a form can be a file here: bytes, in whatever way.
fn is_file(schema: &Schema, field: &Field) -> bool {
    if field.cardinality == Cardinality::Map {
        return false;
    }
    let message = field.kind.message().map(|id| schema.tables.message(id));
    field.kind == Kind::Bytes
        || message.is_some_and(|message| {
            let wrapped = message.well_known == Some(WellKnown::Wrapper)
                && message
                    .by_number(1)
                    .is_some_and(|inner| inner.kind == Kind::Bytes);
            wrapped || is_page(schema, field)
        })
}

/// Whether a field is bytes with their own content type.
fn is_page(schema: &Schema, field: &Field) -> bool {
    let message = field.kind.message().map(|id| schema.tables.message(id));
    message.is_some_and(|message| &*message.full_name == "google.api.HttpBody")
}
