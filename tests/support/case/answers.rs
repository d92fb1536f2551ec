//! `answers`: from a row to the script of the application.

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use prost_reflect::MethodDescriptor;
use serde_json::{Map, Value};

use crate::support::schema::{self, TestSchema};
use crate::support::upstream::{Script, Step};

/// What the application does in a row.
pub(super) fn script(
    schema: &TestSchema,
    method: Option<&MethodDescriptor>,
    answers: Option<&Value>,
) -> Result<Script, String> {
    let writer = Writer { schema, method };
    match answers {
        None => Ok(one(writer.default_answer())),
        Some(Value::Object(map)) => Ok(one(writer.whole(map)?)),
        Some(Value::Array(steps)) => {
            let mut calls = vec![Vec::new()];
            for step in steps {
                if step == "next_call" {
                    calls.push(Vec::new());
                } else if let Some(last) = calls.last_mut() {
                    last.push(writer.step(step)?);
                }
            }
            Ok(Script { calls })
        }
        Some(other) => Err(format!("`answers` is a mapping or a list, not {other}")),
    }
}

fn one(steps: Vec<Step>) -> Script {
    Script { calls: vec![steps] }
}

struct Writer<'a> {
    schema: &'a TestSchema,
    method: Option<&'a MethodDescriptor>,
}

impl Writer<'_> {
    fn default_answer(&self) -> Vec<Step> {
        let streams = self
            .method
            .is_some_and(MethodDescriptor::is_server_streaming);
        if streams {
            Vec::new()
        } else {
            vec![Step::Send(Bytes::new())]
        }
    }

    /// `{headers, message | messages, status, text, details, trailers, only}`.
    fn whole(&self, map: &Map<String, Value>) -> Result<Vec<Step>, String> {
        const KEYS: [&str; 8] = [
            "headers", "message", "messages", "status", "text", "details", "trailers", "only",
        ];
        if let Some(key) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(format!("`answers` has no key {key}"));
        }
        let status = self.trailers(map)?;
        if map.get("only") == Some(&Value::Bool(true)) {
            let mut head = headers(map.get("headers"))?;
            head.extend(status);
            return Ok(vec![Step::ReceiveEnd, Step::TrailersOnly(head)]);
        }
        let mut steps = Vec::new();
        if let Some(value) = map.get("headers") {
            steps.push(Step::Headers(headers(Some(value))?));
        }
        match (map.get("message"), map.get("messages")) {
            (Some(message), None) => steps.push(Step::Send(self.message(message)?)),
            (None, Some(Value::Array(messages))) => {
                for message in messages {
                    steps.push(Step::Send(self.message(message)?));
                }
            }
            (None, None) if map.contains_key("status") => {}
            (None, None) => steps.extend(self.default_answer()),
            _ => return Err("`message` is one, `messages` is a list".to_owned()),
        }
        steps.push(Step::Trailers(status));
        Ok(steps)
    }

    fn step(&self, step: &Value) -> Result<Step, String> {
        if let Some(word) = step.as_str() {
            return match word {
                "receive" => Ok(Step::Receive),
                "receive_end" => Ok(Step::ReceiveEnd),
                "stall" => Ok(Step::Stall),
                "no_trailers" => Ok(Step::NoTrailers),
                _ => Err(format!("there is no step {word}")),
            };
        }
        let (key, value) = step
            .as_object()
            .and_then(|map| map.iter().next())
            .ok_or_else(|| format!("{step} is no step"))?;
        let text = || value.as_str().ok_or_else(|| format!("`{key}` is a text"));
        let map = || {
            value
                .as_object()
                .ok_or_else(|| format!("`{key}` is a mapping"))
        };
        Ok(match key.as_str() {
            "headers" => Step::Headers(headers(Some(value))?),
            "send" => Step::Send(self.message(value)?),
            "envelope" => Step::Raw(super::encoding::envelope(step)?),
            "raw" => Step::Raw(schema::from_hex(text()?)?.into()),
            "client_has" => Step::ClientHas(text()?.to_owned()),
            "trailers" => Step::Trailers(self.trailers(map()?)?),
            "trailers_only" => Step::TrailersOnly(self.trailers(map()?)?),
            "reset" => Step::Reset(reason(text()?)?),
            "goaway" => Step::GoAway(reason(text()?)?),
            "flood" => Step::Flood(self.message(value)?),
            "http" => web_server(map()?)?,
            _ => return Err(format!("there is no step {key}")),
        })
    }

    fn message(&self, value: &Value) -> Result<Bytes, String> {
        let method = self
            .method
            .ok_or("an answer needs `sees` to name the method")?;
        Ok(schema::message_bytes(&method.output(), value)?.into())
    }

    /// `{status, text, details, trailers}` as trailers; OK when there is no status.
    fn trailers(&self, map: &Map<String, Value>) -> Result<HeaderMap, String> {
        let number = map.get("status").map_or(Ok(0), code)?;
        let mut trailers = headers(map.get("trailers"))?;
        trailers.insert("grpc-status", HeaderValue::from(number));
        let text = map.get("text").and_then(Value::as_str).unwrap_or_default();
        if !text.is_empty() {
            trailers.insert("grpc-message", value(&percent_encoded(text))?);
        }
        if let Some(details) = map.get("details") {
            let encoded = self.details(number, text, details)?;
            trailers.insert("grpc-status-details-bin", value(&encoded)?);
        }
        Ok(trailers)
    }

    /// A serialized `google.rpc.Status` in base64; a text is taken as it is.
    fn details(&self, code: u32, text: &str, details: &Value) -> Result<String, String> {
        if let Some(raw) = details.as_str() {
            return Ok(raw.to_owned());
        }
        let mut encoded = Vec::new();
        put_varint_field(&mut encoded, 1, u64::from(code));
        put_bytes_field(&mut encoded, 2, text.as_bytes());
        for detail in details.as_array().ok_or("`details` is a list or a text")? {
            let url = detail["@type"].as_str().ok_or("a detail has an `@type`")?;
            let name = url.rsplit('/').next().unwrap_or(url);
            let mut fields = detail.clone();
            if let Some(map) = fields.as_object_mut() {
                map.remove("@type");
            }
            let body = match fields.get("$wire") {
                Some(_) => schema::from_hex(fields["$wire"].as_str().unwrap_or_default())?,
                None => schema::message_bytes(&self.schema.message(name)?, &fields)?,
            };
            let any = prost_types::Any {
                type_url: url.to_owned(),
                value: body,
            };
            put_bytes_field(&mut encoded, 3, &any.encode_to_vec());
        }
        Ok(data_encoding::BASE64_NOPAD.encode(&encoded))
    }
}

fn put_varint_field(out: &mut Vec<u8>, number: u32, value: u64) {
    prost::encoding::uint64::encode(number, &value, out);
}

fn put_bytes_field(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    prost::encoding::bytes::encode(number, &value.to_vec(), out);
}

fn web_server(map: &Map<String, Value>) -> Result<Step, String> {
    let status = map.get("status").and_then(Value::as_u64).unwrap_or(200);
    let text = |key: &str| {
        map.get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Ok(Step::Http {
        status: u16::try_from(status).map_err(|error| error.to_string())?,
        content_type: text("content_type"),
        body: text("body").into(),
    })
}

/// A header map from a mapping; a list is several values.
fn headers(map: Option<&Value>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let Some(map) = map else { return Ok(headers) };
    for (name, values) in map.as_object().ok_or("headers are a mapping")? {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
        let single = std::slice::from_ref(values);
        for one in values.as_array().map_or(single, Vec::as_slice) {
            let text = one.as_str().map_or_else(|| one.to_string(), str::to_owned);
            headers.append(name.clone(), value(&text)?);
        }
    }
    Ok(headers)
}

fn value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|error| format!("{text:?}: {error}"))
}

/// grpc-message as PROTOCOL-HTTP2.md has it; what is escaped already stays so.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

pub(super) const CODES: [(&str, u16); 17] = [
    ("OK", 200),
    ("CANCELLED", 499),
    ("UNKNOWN", 500),
    ("INVALID_ARGUMENT", 400),
    ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404),
    ("ALREADY_EXISTS", 409),
    ("PERMISSION_DENIED", 403),
    ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409),
    ("OUT_OF_RANGE", 400),
    ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DATA_LOSS", 500),
    ("UNAUTHENTICATED", 401),
];

fn code(value: &Value) -> Result<u32, String> {
    if let Some(number) = value.as_u64() {
        return u32::try_from(number).map_err(|error| error.to_string());
    }
    let name = value.as_str().unwrap_or_default();
    CODES
        .iter()
        .position(|(known, _)| *known == name)
        .and_then(|at| u32::try_from(at).ok())
        .ok_or_else(|| format!("{value} is no status"))
}

fn reason(name: &str) -> Result<Reason, String> {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    NAMES
        .iter()
        .position(|known| *known == name)
        .and_then(|at| u32::try_from(at).ok())
        .map(Reason::from)
        .ok_or_else(|| format!("{name} is no error code of HTTP/2"))
}
