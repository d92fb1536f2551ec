//! The answers of failed calls, in each of the shapes of `rest.errors` (E3).

use super::json::{Json, Object};
use crate::schema::policy::ErrorShape;

/// The names of google.rpc's codes, which errors have as `status`.
const CODES: [&str; 16] = [
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// What the response and the schema of a shape are called.
pub(super) fn name(shape: ErrorShape) -> &'static str {
    match shape {
        ErrorShape::Google => "Error",
        ErrorShape::Status => "StatusError",
        ErrorShape::Problem => "ProblemError",
        ErrorShape::GatewayV1 => "GatewayError",
        ErrorShape::None => "BareError",
    }
}

/// The response of a failed call.
pub(super) fn response(shape: ErrorShape) -> Object {
    let response = Object::new().with("description", "The call failed.");
    let media = match shape {
        ErrorShape::None => return response,
        ErrorShape::Problem => "application/problem+json",
        ErrorShape::Google | ErrorShape::Status | ErrorShape::GatewayV1 => "application/json",
    };
    let reference = format!("#/components/schemas/{}", name(shape));
    let schema = Object::new().with("$ref", reference);
    let content = Object::new().with(media, Object::new().with("schema", schema));
    response.with("content", content)
}

/// The body of a failed call, if it has one.
pub(super) fn schema(shape: ErrorShape) -> Option<Object> {
    let http = || typed("integer", "The HTTP status.");
    let grpc = || typed("integer", "The gRPC status code.");
    let message = || typed("string", "What went wrong.");
    let code = || typed("string", "The name of the gRPC status code.").with("enum", CODES.to_vec());
    let body = match shape {
        ErrorShape::None => return None,
        ErrorShape::Google => {
            let error = object(
                [
                    ("code", http()),
                    ("message", message()),
                    ("status", code()),
                    ("details", details()),
                ],
                &["code", "message", "status"],
            );
            object([("error", error)], &["error"])
        }
        ErrorShape::Status => object(
            [
                ("code", grpc()),
                ("message", message()),
                ("details", details()),
            ],
            &["code", "message", "details"],
        ),
        ErrorShape::Problem => object(
            [
                (
                    "title",
                    typed("string", "The reason phrase of the HTTP status."),
                ),
                ("status", http()),
                ("detail", message()),
                ("code", code()),
                ("details", details()),
            ],
            &["title", "status", "detail", "code"],
        ),
        ErrorShape::GatewayV1 => object(
            [
                ("error", message()),
                ("message", message()),
                ("code", grpc()),
                ("details", details()),
            ],
            &["error", "message", "code"],
        ),
    };
    Some(body.with("description", "What a failed call answers."))
}

fn typed(kind: &str, description: &str) -> Object {
    Object::new()
        .with("type", kind)
        .with("description", description)
}

fn object<const N: usize>(members: [(&'static str, Object); N], required: &[&str]) -> Object {
    let members = members.into_iter();
    let properties: Object = members
        .map(|(name, schema)| (name.to_owned(), Json::from(schema)))
        .collect();
    Object::new()
        .with("type", "object")
        .with("properties", properties)
        .with("required", required.to_vec())
}

/// `google.rpc.Status.details`.
fn details() -> Object {
    let kind = typed(
        "string",
        "`type.googleapis.com/` and the type of the message.",
    );
    let detail = Object::new()
        .with("type", "object")
        .with("properties", Object::new().with("@type", kind))
        .with("required", vec!["@type"])
        .with("additionalProperties", true);
    typed(
        "array",
        "More about it, each a message with its type, such as google.rpc.BadRequest with the \
         fields that are wrong, or google.rpc.ErrorInfo with a reason.",
    )
    .with("items", detail)
}
