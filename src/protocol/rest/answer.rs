//! What a REST answer depends on besides the app's words: fixed when the request came in.

use std::sync::Arc;

use http::header::{ACCEPT, TE};
use http::request::Parts;
use http::{Method, Version};

use super::media;
use super::packing::Packing;
use crate::call::metadata::lookup;
use crate::call::{Fault, Record};
use crate::protocol::Incoming;
use crate::schema::Schema;
use crate::schema::binding::{Binding, FieldStep, SentField};
use crate::schema::plan::{Cardinality, MessageId};
use crate::schema::policy::{Enums, ErrorShape, JsonOptions, Policy, StreamShape};
use crate::transcode::bind::{AltForm, System};
use crate::transcode::mask::Mask;

/// What every part of an answer needs to know.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) schema: Arc<Schema>,
    pub(super) policy: Arc<Policy>,
    pub(super) record: Record,
    /// How messages are written: the route's options, and what the request asks on top.
    pub(super) json: JsonOptions,
    /// The shape of error bodies.
    pub(super) errors: ErrorShape,
    /// The message type of the answer and the one field of it that is the body, once routed.
    pub(super) output: Option<(MessageId, Option<FieldStep>)>,
    /// The answer's body is bytes of any kind (S8).
    pub(super) raw: bool,
    pub(super) asked: Asked,
    /// How it may be compressed, once routed.
    pub(super) packing: Packing,
    /// Which fields are wanted; all if none.
    pub(super) mask: Option<Mask>,
    /// What headers say of the message, once routed (B14).
    pub(super) sent_headers: Option<Arc<[SentField]>>,
    /// A failure is told as in the middle of a stream of this shape.
    pub(super) failed_as: Option<StreamShape>,
    /// HTTP/2, where trailers need no announcement.
    pub(super) http2: bool,
    pub(super) reason_header: bool,
}

/// What the client asked of the answer besides its content.
#[allow(
    clippy::struct_excessive_bools,
    reason = "four independent wishes, each read by name"
)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// HEAD: everything but the body.
    pub(super) head_only: bool,
    /// `TE: trailers`: the status may stand in HTTP trailers too.
    pub(super) trailers: bool,
    /// `alt=sse`.
    pub(super) sse: bool,
    /// `alt=proto`: the message as it is on the wire.
    pub(super) proto: bool,
}

impl Answer {
    pub(super) fn new(incoming: &Incoming, reason_header: bool) -> Self {
        let policy = Arc::clone(&incoming.schema.default_policy);
        let head = &incoming.head;
        let te = head.headers.get(TE);
        Self {
            schema: Arc::clone(&incoming.schema),
            json: policy.json,
            errors: error_shape(head, &policy),
            output: None,
            raw: false,
            mask: None,
            sent_headers: None,
            failed_as: None,
            packing: Packing::OFF,
            asked: Asked {
                head_only: head.method == Method::HEAD,
                trailers: te.is_some_and(|te| mentions(te.as_bytes(), b"trailers")),
                sse: false,
                proto: false,
            },
            http2: head.version == Version::HTTP_2,
            record: incoming.record.clone(),
            reason_header,
            policy,
        }
    }

    /// The route is known: its policy counts from here on.
    pub(super) fn routed(&mut self, head: &Parts, binding: &Binding, policy: &Arc<Policy>) {
        self.errors = error_shape(head, policy);
        self.policy = Arc::clone(policy);
        self.json = policy.json;
        self.packing = Packing::of(&head.headers, &policy.rest);
        let method = self.schema.method(binding.method);
        self.output = Some((method.output, binding.response_body));
        self.raw = binding.raw_response;
        self.sent_headers.clone_from(&binding.sent_headers);
    }

    /// The shape of an error in the middle of a stream.
    pub(super) fn shape_within(&self, stream: StreamShape) -> ErrorShape {
        match (stream, self.errors) {
            // grpc-gateway's second version has a status in its lines, whatever else is asked.
            (StreamShape::Result, ErrorShape::Google | ErrorShape::None) => ErrorShape::Status,
            (_, shape) => shape,
        }
    }

    /// What the request's system parameters say about the answer (B8).
    pub(super) fn system(
        &mut self,
        head: &Parts,
        system: &System,
        streams: bool,
    ) -> Result<(), Fault> {
        if let Some(alt) = system.alt {
            self.asked.sse = alt.form == AltForm::Sse;
            self.asked.proto = alt.form == AltForm::Proto;
            if alt.enum_numbers {
                self.json.enums = Enums::Number;
            }
            let complaint = match alt.form {
                AltForm::Proto if streams => "a stream has no form as one protobuf message",
                AltForm::Proto if !self.is_message() => "the answer of this method is no message",
                AltForm::Media if !self.raw => "the answer of this method is no media",
                _ => "",
            };
            if !complaint.is_empty() {
                return Err(Fault::invalid("BAD_ALT", format!("alt: {complaint}")));
            }
        } else if !streams && !self.raw && self.is_message() {
            self.asked.proto = media::prefers_protobuf(&head.headers);
        }
        match system.pretty_print {
            Some(true) => self.json.indent = self.json.indent.max(2),
            Some(false) => self.json.indent = 0,
            None => {}
        }
        let header =
            lookup(&head.headers, "x-goog-fieldmask").and_then(|value| value.to_str().ok());
        if let (Some(wanted), Some((message, selection))) =
            (system.fields.as_deref().or(header), self.output)
        {
            self.mask = Mask::parse(&self.schema.tables, message, selection, wanted)
                .map_err(|error| Fault::invalid("BAD_FIELDS", format!("fields: {error}")))?;
        }
        Ok(())
    }

    /// Whether the body is a message, whole or the one field of it that is the body.
    fn is_message(&self) -> bool {
        let Some((_, Some(step))) = self.output else {
            return true;
        };
        let field = self
            .schema
            .tables
            .message(step.message)
            .by_number(step.number);
        field.is_some_and(|field| {
            field.cardinality == Cardinality::Singular && field.kind.message().is_some()
        })
    }
}

fn error_shape(head: &Parts, policy: &Policy) -> ErrorShape {
    let problem = head
        .headers
        .get_all(ACCEPT)
        .iter()
        .any(|accept| mentions(accept.as_bytes(), b"application/problem+json"));
    if problem {
        ErrorShape::Problem
    } else {
        policy.rest.errors
    }
}

/// Whether a comma-separated header value names `token`, parameters aside.
fn mentions(value: &[u8], token: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|part| {
        let name = part.split(|byte| *byte == b';').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(token)
    })
}
