//! Messages as clients write them: protobuf as it is, or JSON.

use std::sync::Arc;

use bytes::Bytes;

use crate::call::{Blame, Code, Fault, Record};
use crate::schema::binding::BodyTarget;
use crate::schema::policy::{JsonOptions, UnknownFields};
use crate::schema::{MethodId, Schema};
use crate::transcode::bind::Bound;
use crate::transcode::json_to_wire::{self, Rejection};
use crate::transcode::wire_to_json;
use crate::wire::frame::{HEADER_BYTES, encode_header};

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) enum Codec {
    Proto,
    Json,
}

/// Writes and reads the messages of one method in the client's codec.
#[derive(Clone, Debug)]
pub(in crate::protocol) enum Translator {
    /// Messages stay what they are.
    Proto,
    /// JSON by the types of the method. No option of the configuration has a say in it, as these
    /// protocols fix their JSON.
    Json(Arc<Schema>, MethodId),
}

/// JSON as these protocols have it: what a newer client knows more is ignored.
fn json_options() -> JsonOptions {
    JsonOptions {
        unknown_fields: UnknownFields::Ignore,
        ..JsonOptions::default()
    }
}

impl Translator {
    /// One message of the client as a gRPC frame; its wire form has at most `limit` bytes.
    pub(in crate::protocol) fn request(
        &self,
        message: &[u8],
        limit: usize,
    ) -> Result<Bytes, Fault> {
        let mut frame = Vec::with_capacity(HEADER_BYTES + message.len());
        frame.resize(HEADER_BYTES, 0);
        match self {
            Self::Proto => frame.extend_from_slice(message),
            Self::Json(schema, method) => {
                if message.trim_ascii().is_empty() {
                    return Err(Fault::invalid("EMPTY_JSON", "the message is no JSON value"));
                }
                let options = json_options();
                let request = json_to_wire::Request {
                    tables: &schema.tables,
                    message: schema.method(*method).input,
                    target: &BodyTarget::Whole,
                    bound: &Bound::default(),
                    options: &options,
                    limit,
                };
                json_to_wire::transcode(&request, message, &mut frame).map_err(|rejection| {
                    match rejection {
                        Rejection::Invalid(violations) => Fault::violations(violations),
                        Rejection::TooLarge => too_large(limit),
                    }
                })?;
            }
        }
        seal(frame, 0, limit)
    }

    /// Appends one message of the app as the client wants it.
    pub(in crate::protocol) fn reply(
        &self,
        message: &[u8],
        limit: usize,
        record: &Record,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let Self::Json(schema, method) = self else {
            out.extend_from_slice(message);
            return Ok(());
        };
        let options = json_options();
        let response = wire_to_json::Response {
            tables: &schema.tables,
            message: schema.method(*method).output,
            selection: None,
            options: &options,
            limit: limit.saturating_mul(8),
        };
        match wire_to_json::transcode(&response, message, out) {
            Ok(written) => {
                record.note().unknown_fields += written.unknown_fields;
                Ok(())
            }
            Err(error) => Err(Fault::upstream(
                Code::Internal,
                "BAD_RESPONSE",
                "the response of the application cannot be written as JSON",
            )
            .with_cause(error)),
        }
    }
}

/// Writes the head of a frame into the five bytes that were left for it.
pub(in crate::protocol) fn seal(
    mut frame: Vec<u8>,
    flag: u8,
    limit: usize,
) -> Result<Bytes, Fault> {
    let length = frame.len().saturating_sub(HEADER_BYTES);
    let Some(length) = u32::try_from(length).ok().filter(|_| length <= limit) else {
        return Err(too_large(limit));
    };
    for (place, byte) in frame.iter_mut().zip(encode_header(flag, length)) {
        *place = byte;
    }
    Ok(frame.into())
}

/// The fault of a request message over its limit.
pub(in crate::protocol) fn too_large(limit: usize) -> Fault {
    Fault::new(
        Blame::Client,
        Code::ResourceExhausted,
        "MESSAGE_TOO_LARGE",
        format!("a request message is over the limit of {limit} bytes"),
    )
}
