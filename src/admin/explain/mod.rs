//! `/explain` and `sidegate explain`: what would become of a request, and why.
//!
//! Nothing is sent anywhere. The answer is found with the very functions that serve requests: the
//! choice of the protocol, the route table, the binding of path and query.

mod near;
mod rest;
#[cfg(test)]
mod tests;
mod text;

use std::time::{Duration, Instant};

use http::request::Parts;
use http::{HeaderMap, Method, Request, Uri};
use serde::Serialize;
use serde_json::Value;

use super::routes_view::RouteView;
use crate::protocol::classify::Front;
use crate::protocol::{self, timeout};
use crate::schema::access::{Access, is_plain};
use crate::schema::policy::Policy;
use crate::schema::split::Split;
use crate::schema::{self, Idempotency, MethodId, Reflection, Schema, nearest};
pub use near::Near;

/// The head of a request that nobody has sent.
#[derive(Debug)]
pub struct Asked {
    head: Parts,
}

/// What a request meets.
pub struct World<'a> {
    /// The live schema.
    pub schema: &'a Schema,
    /// That of the services which the gateway answers itself.
    pub own: &'a Schema,
    /// Where the upstream of a name is; `None` is the application.
    pub upstream: &'a dyn Fn(Option<&str>) -> String,
    /// Where its plain HTTP is, if anywhere.
    pub fallback: Option<&'a str>,
    /// What holds for a method.
    pub settings: &'a dyn Fn(&schema::Method) -> Vec<Setting>,
}

/// A setting that holds, and who says so.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// The key of the configuration that says it.
    pub key: String,
    /// The value.
    pub value: Value,
    /// `default`, `compat`, `file`, `variable` or `flag`.
    pub source: &'static str,
    /// Where it is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is sent to the application.
    Served,
    /// The gateway answers it itself.
    Answered,
    /// It is refused.
    Refused,
}

/// What becomes of a request, and why.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The protocol it would be taken for: `rest`, `grpc`, `grpc_web`, `connect` or `http`.
    pub protocol: &'static str,
    /// What becomes of it.
    pub outcome: Outcome,
    /// The HTTP status of an answer that is known before the application is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The word of `x-sidegate-reason`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// All of it in sentences.
    pub why: Vec<String>,
    /// The route that takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<RouteView>,
    /// The method of the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc: Option<Rpc>,
    /// What path and query say, and which field hears it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<Bound>,
    /// Where it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// How long it may take, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<f64>,
    /// Deadlines, sizes, and the forms of JSON and REST.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<Setting>,
    /// The HTTP methods that lead somewhere from here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Allowed>,
    /// What is nearest, where nothing fits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nearest: Vec<Near>,
}

/// A method of the application.
#[derive(Debug, Serialize)]
pub struct Rpc {
    /// `pkg.Service/Method`.
    pub name: String,
    /// `unary`, `client_stream`, `server_stream` or `bidi`.
    pub stream: String,
    /// The type of the request.
    pub input: String,
    /// The type of the response.
    pub output: String,
    /// Whether repeating it is harmless: `no_side_effects`, `idempotent` or `unknown`.
    pub idempotency: &'static str,
}

/// A value and the field it goes to.
#[derive(Debug, PartialEq, Serialize)]
pub struct Bound {
    /// `path`, `query`, `header`, `cookie` or `body`.
    pub from: &'static str,
    /// The field.
    pub field: String,
    /// What is said of it.
    pub value: String,
}

/// An HTTP method and the rpc it leads to.
#[derive(Debug, PartialEq, Serialize)]
pub struct Allowed {
    /// The HTTP method.
    pub method: String,
    /// `pkg.Service/Method`.
    pub rpc: String,
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let upstream = (self.upstream)(None);
        f.debug_struct("World")
            .field("upstream", &upstream)
            .finish_non_exhaustive()
    }
}

impl Asked {
    /// A request of this method for this path, which may have a query. The error says what is wrong
    /// with them.
    pub fn new(method: &str, path: &str, headers: HeaderMap) -> Result<Self, String> {
        let method = Method::from_bytes(method.to_uppercase().as_bytes())
            .map_err(|_invalid| format!("`{method}` is no HTTP method"))?;
        if !path.starts_with('/') {
            return Err(format!("the path must begin with a slash, not `{path}`"));
        }
        let uri: Uri = path
            .parse()
            .map_err(|error| format!("`{path}` is no path of a request: {error}"))?;
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = method;
        head.uri = uri;
        head.headers = headers;
        Ok(Self { head })
    }
}

/// Says what would become of a request. `now` is what its deadline counts from.
pub fn explain(world: &World<'_>, asked: &Asked, now: Instant) -> Explanation {
    let head = &asked.head;
    let front = protocol::front(head, world.schema, world.own, world.fallback.is_some());
    let mut said = Explanation {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        protocol: front.name(),
        outcome: Outcome::Served,
        status: None,
        reason: None,
        why: Vec::new(),
        route: None,
        rpc: None,
        bindings: Vec::new(),
        upstream: None,
        deadline: None,
        settings: Vec::new(),
        allowed: Vec::new(),
        nearest: Vec::new(),
    };
    match front {
        Front::Rest | Front::WebSocket => rest::explain(world, head, now, &mut said),
        Front::Http => said.plain_http(world),
        Front::Grpc | Front::GrpcWeb | Front::Connect => said.rpc_protocol(world, head, now, front),
    }
    said
}

impl Explanation {
    fn say(&mut self, sentence: impl Into<String>) {
        self.why.push(sentence.into());
    }

    fn refuse(&mut self, status: u16, reason: &'static str, why: impl Into<String>) {
        self.outcome = Outcome::Refused;
        self.status = Some(status);
        self.reason = Some(reason);
        self.say(why);
    }

    /// The application is still to be asked what it serves.
    fn refuse_while_pending(&mut self) {
        self.refuse(
            503,
            "SCHEMA_PENDING",
            "the application has not been asked yet what it serves; `/upstreams` says whether it \
             can be reached",
        );
    }

    /// Who may have it.
    fn access(&mut self, schema: &Schema, access: Option<&Access>) {
        match access {
            Some(access) => self.say(access.describe()),
            None if schema.guarded => self.say("anybody may have it"),
            None => {}
        }
    }

    fn plain_http(&mut self, world: &World<'_>) {
        self.access(world.schema, world.schema.default_policy.access.as_deref());
        self.upstream = world.fallback.map(str::to_owned);
        self.say("no rule knows the path, so `rest.fallback` sends it on as plain HTTP");
    }

    fn rpc_protocol(&mut self, world: &World<'_>, head: &Parts, now: Instant, front: Front) {
        let protocol = match front {
            Front::GrpcWeb => "gRPC-Web",
            Front::Connect => "Connect",
            _ => "gRPC",
        };
        self.say(format!(
            "its headers are those of {protocol}, where the path is the method"
        ));
        let path = head.uri.path();
        if let Some(id) = world.schema.find(path) {
            self.found(world, id);
            self.deadline(world.schema.method(id), head, now, false);
        } else if world.own.find(path).is_some() {
            self.outcome = Outcome::Answered;
            self.access(
                world.schema,
                world.schema.policies.of_path(path).access.as_deref(),
            );
            self.say(
                "the gateway answers this method itself, unless the application says that it \
                 serves it",
            );
        } else if world.schema.reflection == Reflection::Pending {
            self.refuse_while_pending();
        } else if world.schema.allow_unknown_methods && (!world.schema.guarded || is_plain(path)) {
            let policy = world.schema.policies.of_path(path);
            self.goes_to(world, &policy);
            self.access(world.schema, policy.access.as_deref());
            self.say(
                "the schema does not know the method; it passes, in protobuf, because \
                 `schema.unknown_methods` is `allow`",
            );
            self.near_method(world.schema, path);
        } else {
            let why = "the schema does not know the method, and `schema.unknown_methods` is `deny`";
            self.refuse(
                if front == Front::Connect { 501 } else { 200 },
                "UNKNOWN_METHOD",
                why,
            );
            self.near_method(world.schema, path);
        }
    }

    fn near_method(&mut self, schema: &Schema, path: &str) {
        let known = schema.methods.iter().map(|method| &*method.path);
        if let Some(near) = nearest(path, known) {
            self.say(format!("the nearest method is {near}"));
        }
    }

    /// It leads to a method of the application.
    fn found(&mut self, world: &World<'_>, id: MethodId) {
        let schema = world.schema;
        let method = schema.method(id);
        let type_name = |id| schema.tables.message(id).full_name.to_string();
        self.goes_to(world, &method.policy);
        self.settings = (world.settings)(method);
        self.access(schema, method.policy.access.as_deref());
        for quota in &method.policy.quotas {
            self.say(quota.describe());
        }
        self.rpc = Some(Rpc {
            name: method.path.trim_start_matches('/').to_owned(),
            stream: method.kind.to_string(),
            input: type_name(method.input),
            output: type_name(method.output),
            idempotency: match method.idempotency {
                Idempotency::Unknown => "unknown",
                Idempotency::NoSideEffects => "no_side_effects",
                Idempotency::Idempotent => "idempotent",
            },
        });
        if method.deprecated {
            self.say("the method is deprecated");
        }
    }

    /// Where calls of a policy go.
    fn goes_to(&mut self, world: &World<'_>, policy: &Policy) {
        let traffic = policy.traffic.as_deref();
        let name = traffic.and_then(|traffic| traffic.upstream.as_deref());
        if let Some(split) = traffic.and_then(|traffic| traffic.split.as_deref()) {
            self.shared_out(split);
            return;
        }
        self.upstream = Some((world.upstream)(name));
        if let Some(name) = name {
            self.say(format!("its route sends it to the upstream `{name}`"));
        }
    }

    /// Calls of the route are shared out.
    fn shared_out(&mut self, split: &Split) {
        let sides = split.sides();
        let shares = sides.iter().map(|side| {
            let percent = side.share * 100.0;
            format!("{} {percent:.1} %", side.upstream)
        });
        let shares: Vec<String> = shares.collect();
        self.upstream = Some(shares.join(", "));
        let route = &split.plan.route;
        self.say(format!(
            "its calls are shared out by `routes.{route}.split`; `/split` has what became of it"
        ));
    }

    /// How long it may take, and whose word that is.
    fn deadline(&mut self, method: &schema::Method, head: &Parts, now: Instant, defaults: bool) {
        let timeouts = &method.policy.timeouts;
        let asked = match timeout::asked(&head.headers) {
            Ok(asked) => asked,
            Err(fault) => {
                self.refuse(fault.http().as_u16(), fault.reason(), fault.message());
                return;
            }
        };
        let deadline = timeout::deadline(now, timeouts, method.kind, asked, defaults);
        let left = deadline.remaining(now);
        self.deadline = left.map(|left| left.as_secs_f64());
        self.say(match (left, asked) {
            (None, _) => "it may last as long as it likes".to_owned(),
            (Some(left), Some(asked)) if left < asked => {
                format!("the client asks for {asked:?}, more than the {left:?} it may have")
            }
            (Some(left), Some(_)) => format!("the client gives it {left:?}"),
            (Some(left), None) => {
                format!("the client gives no deadline, so it has {}", period(left))
            }
        });
    }
}

/// A length of time as it is written in the configuration.
fn period(time: Duration) -> String {
    format!("{time:?}")
}
