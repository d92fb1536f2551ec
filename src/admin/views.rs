//! What the pages show: views of the schema, of problems and of readiness.
//!
//! Core types do not serialise themselves; what the world sees of them is decided here.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{WireType, encode_key, encode_varint};
use serde::Serialize;

use crate::life::drain::Drain;
use crate::life::ready::Ready;
use crate::schema::problem::{Location, Problem, Severity};
use crate::schema::{Idempotency, Method, Schema};
use crate::upstream::{Endpoint, Seen};

/// Whether work may be sent here, and what is missing if not.
#[derive(Debug, Serialize)]
pub struct ReadinessView {
    /// The answer.
    pub ready: bool,
    /// Conditions that do not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting_for: Vec<&'static str>,
    /// Whether the gateway is being taken out of service.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub draining: bool,
}

impl ReadinessView {
    /// The view of this moment.
    pub fn new(ready: &Ready, drain: &Drain) -> Self {
        let (waiting_for, draining) = (ready.missing(), drain.is_draining());
        Self {
            ready: waiting_for.is_empty() && !draining,
            waiting_for,
            draining,
        }
    }
}

/// What a schema offers.
#[derive(Debug, Serialize)]
pub struct SchemaView {
    /// Changes exactly when the schema does.
    pub digest: String,
    /// In order of their names.
    pub services: Vec<ServiceView>,
    /// Names of the descriptor files, imports first.
    pub files: Vec<String>,
}

/// A service and its methods.
#[derive(Debug, Serialize)]
pub struct ServiceView {
    /// Full name.
    pub name: String,
    /// In order of declaration.
    pub methods: Vec<MethodView>,
}

/// A method.
#[derive(Debug, Serialize)]
pub struct MethodView {
    /// Its name in the service.
    pub name: String,
    /// `/pkg.Service/Method`.
    pub path: String,
    /// `unary`, `client_stream`, `server_stream` or `bidi`.
    pub stream: String,
    /// Full name of the request type.
    pub input: String,
    /// Full name of the response type.
    pub output: String,
    /// `no_side_effects` or `idempotent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<&'static str>,
    /// Marked deprecated.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
}

impl SchemaView {
    /// The view of a schema.
    pub fn new(schema: &Schema) -> Self {
        let mut services: Vec<ServiceView> = Vec::new();
        for method in &schema.methods {
            let view = MethodView::new(schema, method);
            match services.last_mut() {
                Some(service) if *service.name == *method.service => service.methods.push(view),
                Some(_) | None => services.push(ServiceView {
                    name: method.service.to_string(),
                    methods: vec![view],
                }),
            }
        }
        Self {
            digest: format!("{:016x}", schema.digest),
            services,
            files: schema
                .files
                .files
                .iter()
                .map(|file| file.name.to_string())
                .collect(),
        }
    }
}

impl MethodView {
    fn new(schema: &Schema, method: &Method) -> Self {
        let type_name = |id| schema.tables.message(id).full_name.to_string();
        Self {
            name: method.name.to_string(),
            path: method.path.to_string(),
            stream: method.kind.to_string(),
            input: type_name(method.input),
            output: type_name(method.output),
            idempotency: match method.idempotency {
                Idempotency::Unknown => None,
                Idempotency::NoSideEffects => Some("no_side_effects"),
                Idempotency::Idempotent => Some("idempotent"),
            },
            deprecated: method.deprecated,
        }
    }
}

/// The files of a schema as an encoded `FileDescriptorSet`, every file as it came in.
pub fn descriptor_set(schema: &Schema) -> Bytes {
    let files = &schema.files.files;
    // A key and a length take at most six bytes.
    let size = files.iter().map(|file| file.bytes.len() + 6).sum();
    let mut set = BytesMut::with_capacity(size);
    for file in files {
        encode_key(1, WireType::LengthDelimited, &mut set);
        encode_varint(file.bytes.len() as u64, &mut set);
        set.put_slice(&file.bytes);
    }
    set.freeze()
}

/// A problem.
#[derive(Debug, Serialize)]
pub struct ProblemView<'problem> {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// Where it is.
    #[serde(flatten)]
    pub location: Option<LocationView<'problem>>,
    /// What is wrong.
    pub message: &'problem str,
    /// Other places that belong to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<NoteView<'problem>>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<&'problem str>,
}

/// Another place that belongs to a problem.
#[derive(Debug, Serialize)]
pub struct NoteView<'problem> {
    /// Where it is.
    #[serde(flatten)]
    pub location: Option<LocationView<'problem>>,
    /// Why it belongs to it.
    pub message: &'problem str,
}

/// A place in a file.
#[derive(Debug, Serialize)]
pub struct LocationView<'problem> {
    /// The file as the user named it.
    pub file: &'problem str,
    /// From 1.
    #[serde(skip_serializing_if = "is_unknown")]
    pub line: u32,
    /// From 1.
    #[serde(skip_serializing_if = "is_unknown")]
    pub column: u32,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
fn is_unknown(position: &u32) -> bool {
    *position == 0
}

impl<'problem> ProblemView<'problem> {
    /// The view of a problem.
    pub fn new(problem: &'problem Problem) -> Self {
        Self {
            severity: match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            location: problem.location.as_ref().map(LocationView::new),
            message: &problem.message,
            notes: problem
                .notes
                .iter()
                .map(|(location, message)| NoteView {
                    location: location.as_ref().map(LocationView::new),
                    message,
                })
                .collect(),
            help: problem.help.as_deref(),
        }
    }
}

impl<'problem> LocationView<'problem> {
    fn new(location: &'problem Location) -> Self {
        Self {
            file: &location.file,
            line: location.line,
            column: location.column,
        }
    }
}

/// The application, or another port of it, and the connections to it.
#[derive(Clone, Debug, Serialize)]
pub struct UpstreamView {
    /// Its name in the configuration.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// `connected`, or `unreachable` when the last attempt to connect failed and there is no
    /// connection, or `idle`.
    pub state: &'static str,
    /// Calls that are under way.
    pub in_flight: usize,
    /// Connections that were made so far.
    pub connections_made: u64,
    /// Attempts to connect that failed.
    pub connects_failed: u64,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<FailureView>,
    /// Who knows where it is, if anybody is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery: Option<DiscoveryView>,
    /// Its endpoints, where there are several or they are found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<EndpointView>,
    /// Its connections.
    pub connections: Vec<ConnectionView>,
}

/// Somebody who knows where an application is.
#[derive(Clone, Debug, Serialize)]
pub struct DiscoveryView {
    /// Who.
    pub source: String,
    /// `following`, `failing`, or `asking` before the first answer.
    pub state: &'static str,
    /// Why it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// How long ago it said something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_seconds_ago: Option<u64>,
    /// Answers that changed the endpoints.
    pub changes: u64,
    /// Times that it could not be asked or did not know.
    pub failures: u64,
}

/// One of several endpoints.
#[derive(Clone, Debug, Serialize)]
pub struct EndpointView {
    /// Where it is.
    pub address: String,
    /// `in`, `not_serving` as it says itself, `out` for a while, or `on_probation`: one call at a
    /// time until one succeeds.
    pub state: &'static str,
    /// How often it was left out lately.
    pub times_out: u32,
}

/// A failure to connect.
#[derive(Clone, Debug, Serialize)]
pub struct FailureView {
    /// Why.
    pub cause: String,
    /// How long ago it was.
    pub seconds_ago: u64,
}

/// A connection to the application.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectionView {
    /// Which calls it is for: `unary`, `answers` (server streams) or `streams`.
    pub lane: &'static str,
    /// Whether it takes new calls, or only ends those it has.
    pub open: bool,
    /// Calls that are under way on it.
    pub in_flight: usize,
    /// How old it is.
    pub age_seconds: u64,
}

impl UpstreamView {
    /// The view of what is seen at the moment.
    pub fn new(name: &str, url: String, seen: Seen) -> Self {
        let connections: Vec<ConnectionView> = seen
            .connections
            .iter()
            .map(|one| ConnectionView {
                lane: one.lane,
                open: one.open,
                in_flight: one.calls,
                age_seconds: one.age.as_secs(),
            })
            .collect();
        Self {
            name: name.to_owned(),
            url,
            state: if connections.iter().any(|one| one.open) {
                "connected"
            } else if seen.last_failure.is_some() {
                "unreachable"
            } else {
                "idle"
            },
            in_flight: connections.iter().map(|one| one.in_flight).sum(),
            connections_made: seen.made,
            connects_failed: seen.failed,
            last_failure: seen.last_failure.map(|(ago, cause)| FailureView {
                cause,
                seconds_ago: ago.as_secs(),
            }),
            discovery: None,
            endpoints: Vec::new(),
            connections,
        }
    }

    /// The same with who knows where it is.
    #[must_use]
    pub fn with_discovery(self, discovery: Option<DiscoveryView>) -> Self {
        Self { discovery, ..self }
    }

    /// The same with the endpoints, if there are several or they are found.
    #[must_use]
    pub fn with_endpoints(mut self, endpoints: &[Arc<Endpoint>]) -> Self {
        if endpoints.len() > 1 || self.discovery.is_some() {
            let views = endpoints.iter().map(|one| EndpointView::new(one));
            self.endpoints = views.collect();
        }
        self
    }
}

impl EndpointView {
    fn new(endpoint: &Endpoint) -> Self {
        Self {
            address: endpoint.name().to_string(),
            state: if !endpoint.serves() {
                "not_serving"
            } else if endpoint.is_out() {
                "out"
            } else if endpoint.is_on_probation() {
                "on_probation"
            } else {
                "in"
            },
            times_out: endpoint.times_out(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::{Endpoints, Target};

    #[test]
    fn endpoints_are_shown_where_there_are_several() {
        let view = |targets: &[&str]| {
            let targets = targets.iter().map(|text| Target::parse(text).unwrap());
            let view = UpstreamView::new("app", String::from("a:1"), Seen::default());
            let view = view.with_endpoints(&Endpoints::new(targets).load());
            serde_json::to_value(view).unwrap()
        };
        assert!(view(&["http://a:1"]).get("endpoints").is_none());
        let shown = view(&["http://a:1", "unix:/b"]);
        assert_eq!(
            shown["endpoints"],
            serde_json::json!([
                {"address": "a:1", "state": "in", "times_out": 0},
                {"address": "unix:/b", "state": "in", "times_out": 0},
            ])
        );
    }
}
