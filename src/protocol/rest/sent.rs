//! What a request body is: its media type and how it is compressed (B13).

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use http_body::Body as _;

use super::media::{MediaType, PROTOBUF};
use crate::call::{Blame, Body, Code, Fault};
use crate::protocol::reader::too_large;
use crate::schema::binding::{Binding, BodyTarget};
use crate::schema::plan::Tables;
use crate::wire::compress::{CompressError, Encoding, decompress};

/// A request body, before anything of it is read.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) form: Form,
    pub(super) encoding: Encoding,
}

/// What the body of a unary request is.
#[derive(Debug)]
pub(super) enum Form {
    Json,
    /// `application/x-www-form-urlencoded`.
    Urlencoded,
    /// `multipart/form-data`, with its boundary.
    Multipart(Box<str>),
    /// One message.
    Protobuf,
    /// Bytes of this type, which are passed as they are (S8).
    Raw(Option<HeaderValue>),
}

impl Sent {
    const JSON: Self = Self {
        form: Form::Json,
        encoding: Encoding::Identity,
    };

    /// What the headers say of a body, refused when nobody here can read it. A request without a
    /// body may say what it likes about it, as may one whose rule has no use for a body.
    pub(super) fn of(
        headers: &HeaderMap,
        body: &Body,
        (binding, tables): (&Binding, &Tables),
        streams: bool,
    ) -> Result<Self, Fault> {
        let content_type = headers.get(CONTENT_TYPE);
        if binding.raw_request {
            let encoding = if body.is_end_stream() {
                Encoding::Identity
            } else {
                encoding(headers, streams)?
            };
            return Ok(Self {
                form: Form::Raw(content_type.cloned()),
                encoding,
            });
        }
        if body.is_end_stream() || binding.body == BodyTarget::None {
            return Ok(Self::JSON);
        }
        let form = match content_type {
            None => Form::Json,
            Some(value) => {
                let value = value
                    .to_str()
                    .map_err(|_not_text| unsupported("the content type is not readable"))?;
                form(value, (binding, tables), streams)?
            }
        };
        Ok(Self {
            form,
            encoding: encoding(headers, streams)?,
        })
    }
}

fn form(value: &str, (binding, tables): (&Binding, &Tables), streams: bool) -> Result<Form, Fault> {
    let media = MediaType::parse(value);
    let form = if media.is_json() || media.is_lines() {
        Form::Json
    } else {
        match media.essence.to_ascii_lowercase().as_str() {
            "application/x-www-form-urlencoded" => Form::Urlencoded,
            "multipart/form-data" => Form::Multipart(boundary(value)?),
            essence if PROTOBUF.contains(&essence) => Form::Protobuf,
            _ => {
                return Err(unsupported(format!(
                    "a request body of type {} is not understood here; send application/json",
                    media.essence
                )));
            }
        }
    };
    check_place(&form, (binding, tables), streams)?;
    if !media.is_utf8() {
        return Err(unsupported(
            "text is written in UTF-8 here, not in another charset",
        ));
    }
    Ok(form)
}

/// Forms and protobuf can fill one message, and nothing else.
fn check_place(
    form: &Form,
    (binding, tables): (&Binding, &Tables),
    streams: bool,
) -> Result<(), Fault> {
    let needs_fields = match form {
        Form::Json | Form::Raw(_) => return Ok(()),
        Form::Protobuf => false,
        Form::Urlencoded | Form::Multipart(_) => binding.body != BodyTarget::Whole,
    };
    let message = binding.body_message.map(|id| tables.message(id));
    let fits = message.is_some_and(|message| !needs_fields || message.well_known.is_none());
    if fits && !streams {
        return Ok(());
    }
    Err(unsupported(if streams {
        "a stream of messages is JSON, not a form or one protobuf message"
    } else {
        "the body of this route is no message with fields; send application/json"
    }))
}

/// The boundary of a multipart body (RFC 2046).
fn boundary(value: &str) -> Result<Box<str>, Fault> {
    let boundary = value.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_it = name.trim().eq_ignore_ascii_case("boundary");
        is_it.then(|| value.trim().trim_matches('"'))
    });
    boundary
        .filter(|boundary| (1..=70).contains(&boundary.len()))
        .map(Into::into)
        .ok_or_else(|| {
            Fault::invalid(
                "BAD_BOUNDARY",
                "a multipart body needs a boundary of 1 to 70 characters in its content type",
            )
        })
}

/// The encodings of a body that is read whole.
const OF_BODIES: &str = "gzip, deflate, br, zstd";
/// Those of a stream.
const OF_STREAMS: &str = "gzip, deflate, zstd";

fn encoding(headers: &HeaderMap, streams: bool) -> Result<Encoding, Fault> {
    let mut found = Encoding::Identity;
    let values = headers.get_all(CONTENT_ENCODING).iter();
    for name in values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
        let name = match name.trim_ascii() {
            b"x-gzip" => b"gzip",
            name => name,
        };
        let encoding = Encoding::parse(name).filter(|_| found == Encoding::Identity);
        // What a few bytes of br become knows no bound that a stream could be held to.
        let encoding = encoding.filter(|encoding| !streams || *encoding != Encoding::Brotli);
        let accepted = if streams { OF_STREAMS } else { OF_BODIES };
        found = encoding.ok_or_else(|| {
            unsupported(format!(
                "this request body is compressed once, by one of {accepted}"
            ))
            // RFC 9110, section 15.5.16: by this a client tells it from a type that is not taken.
            .with_allow(accepted)
        })?;
    }
    Ok(found)
}

/// The body as it was before it was compressed, of at most so many bytes.
pub(super) fn decoded(encoding: Encoding, body: Bytes, limit: usize) -> Result<Bytes, Fault> {
    if encoding == Encoding::Identity || body.is_empty() {
        return Ok(body);
    }
    decompress(encoding, &body, limit).map_err(refused)
}

/// What a client is told of a body that cannot be decompressed.
pub(super) fn refused(error: CompressError) -> Fault {
    match error {
        CompressError::TooLarge { limit } => too_large(limit),
        CompressError::Malformed(encoding) => Fault::invalid(
            "BAD_COMPRESSION",
            format!("the request body is not valid {encoding}"),
        ),
    }
}

fn unsupported(message: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new(
        Blame::Client,
        Code::InvalidArgument,
        "UNSUPPORTED_MEDIA_TYPE",
        message,
    )
    .with_http(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}
