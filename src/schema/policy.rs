//! [`Policy`]: what the configuration says about a call, resolved per method at load.
//!
//! Policy is data. The layers read it; none of it is parsed or looked up at request time.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

pub use crate::route::path::Unescape;
use crate::schema::access::Access;
use crate::schema::problem::Location;
use crate::schema::quota::Quota;
use crate::schema::traffic::Traffic;
use crate::wire::compress::Encoding;

/// Everything that configuration decides about the calls of one method.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Deadlines.
    pub timeouts: Timeouts,
    /// Sizes, in bytes.
    pub limits: Limits,
    /// How messages are written as JSON and read from it.
    pub json: JsonOptions,
    /// How the REST front behaves.
    pub rest: Arc<RestOptions>,
    /// When a call that failed is sent again; `None` for never.
    pub retry: Option<Arc<RetryPolicy>>,
    /// Where calls go; `None` for the application and nowhere else.
    pub traffic: Option<Arc<Traffic>>,
    /// What callers have to show; `None` if nothing.
    pub access: Option<Arc<Access>>,
    /// How many calls there may be.
    pub quotas: Vec<Arc<Quota>>,
}

/// When a call that the application answered with a failure is sent again (gRFC A6).
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// How often a call is sent at most, the first time included.
    pub attempts: u32,
    /// The pause before the second attempt, give or take a fifth.
    pub initial_backoff: Duration,
    /// The longest pause.
    pub max_backoff: Duration,
    /// What a pause is multiplied by for the next one.
    pub multiplier: f64,
    /// The numbers of the gRPC codes that speak for another attempt.
    pub codes: Vec<u8>,
    /// Whether calls are sent again that are not known to be harmless to repeat.
    pub all_methods: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 3,
            initial_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(1),
            multiplier: 2.0,
            codes: vec![14],
            all_methods: false,
        }
    }
}

/// Deadlines of a call (M4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Used for unary calls when the client gave none and the front is REST.
    pub unary_default: Option<Duration>,
    /// Used for streaming calls when the client gave none and the front is REST.
    pub stream_default: Option<Duration>,
    /// Never longer than this, whatever the client asks.
    pub max: Option<Duration>,
    /// How long a request body of a unary call may send nothing.
    pub body_idle: Duration,
    /// How long a client may leave an answer unread.
    pub response_stall: Duration,
}

/// Sizes of a call, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A whole request body of a unary call.
    pub request_bytes: usize,
    /// One request message, uncompressed.
    pub message_bytes: usize,
    /// One response message, uncompressed, and what it becomes as JSON times eight.
    pub response_message_bytes: usize,
}

/// Options of the JSON form (J2, J3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonOptions {
    /// Field names on output.
    pub names: FieldNames,
    /// 64-bit integers on output.
    pub int64: Int64,
    /// Fields without presence that hold their default, on output.
    pub defaults: Defaults,
    /// Enums on output.
    pub enums: Enums,
    /// Spaces to indent by; 0 writes compact JSON.
    pub indent: u8,
    /// Unknown keys on input.
    pub unknown_fields: UnknownFields,
    /// How enum names compare on input.
    pub enum_case: EnumCase,
}

/// `json.names`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldNames {
    /// lowerCamelCase or the field's `json_name`.
    Camel,
    /// The name in the proto file.
    Proto,
}

/// `json.int64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Int64 {
    /// A quoted string, as ProtoJSON has it.
    String,
    /// A number.
    Number,
}

/// `json.defaults`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defaults {
    /// Left out, as ProtoJSON has it.
    Omit,
    /// Written.
    Emit,
    /// Written, and `null` for what is not set and would show it.
    EmitNull,
}

/// `json.enums`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enums {
    /// By name; unknown numbers as numbers.
    Name,
    /// By number.
    Number,
}

/// `json.unknown_fields`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFields {
    /// 400 with the path and the nearest name.
    Reject,
    /// Skipped (and still checked for being JSON).
    Ignore,
}

/// `json.enum_case`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnumCase {
    /// Letter by letter.
    Exact,
    /// ASCII case does not matter.
    Insensitive,
}

/// Options of the REST front.
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent switches of the configuration, each read by name"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestOptions {
    /// `rest.unescape` (R6).
    pub unescape: Unescape,
    /// `rest.trailing_slash` (R7): whether `/a/` is found by the rule of `/a`.
    pub ignore_trailing_slash: bool,
    /// `rest.method_override` (B12): whether a POST may say that it is another method.
    pub method_override: bool,
    /// `rest.update_mask: infer` (B11).
    pub infer_update_mask: bool,
    /// `routes.*.bind_headers` and `bind_cookies` (B14).
    pub bound_headers: Vec<BoundHeader>,
    /// `routes.*.response_headers` and `response_cookies` (B14).
    pub sent_headers: Vec<SentHeader>,
    /// `rest.unknown_query: ignore` (B7).
    pub ignore_unknown_query: bool,
    /// `rest.docs` (D1): whether `/openapi.json` and `/docs` are served.
    pub docs: bool,
    /// `auth.docs: open`: whether these need nothing that calls need.
    pub open_docs: bool,
    /// `rest.ignored_query` (B7): names, or prefixes that end in `*`.
    pub ignored_query: Vec<Box<str>>,
    /// `rest.errors` (E3).
    pub errors: ErrorShape,
    /// `rest.stream` (S1): the framing when the client names none.
    pub stream: StreamShape,
    /// `rest.sse_early` (S3): when an event stream sends its head without a first message.
    pub sse_early: Duration,
    /// `rest.sse_keep_alive` (S1): how often a silent event stream sends a comment.
    pub sse_keep_alive: Duration,
    /// `rest.sse_id` (S1): whether events have a number as their id.
    pub sse_ids: bool,
    /// `rest.debug_info` (E4): whether `google.rpc.DebugInfo` reaches the client.
    pub debug_info: bool,
    /// `rest.headers.deny` (M1): lower-case names that never reach the app.
    pub denied_headers: Vec<Box<str>>,
    /// `rest.metadata_prefix` (M2): put before the names of the app's metadata, and taken off
    /// those of request headers.
    pub metadata_prefix: Option<Box<str>>,
    /// `rest.header_prefix` (M1): HTTP's own request headers reach the app under it too.
    pub header_prefix: Option<Box<str>>,
    /// `rest.headers.original` (M3), where it is not `x-original-`.
    pub original_prefix: Option<Box<str>>,
    /// `rest.status_headers`: whether gRPC's status is told by headers where no body tells it.
    pub status_headers: bool,
    /// `rest.query_plus: plus` (R6): whether `+` is a plus in a query.
    pub plus_in_query: bool,
    /// `rest.method_paths: connect`: whether JSON for a path of a method that no rule has is
    /// Connect's, though it does not say so.
    pub connect_by_path: bool,
    /// `rest.compression` (M5): how answers may be compressed, the one liked best first.
    pub compression: Vec<Encoding>,
    /// `rest.compression_from` (M5): answers below this many bytes are sent as they are.
    pub compression_from: usize,
}

/// One entry of `routes.*.bind_headers` or `bind_cookies` (B14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundHeader {
    /// Where the value comes from.
    pub source: HeaderSource,
    /// The field it goes to, by names with dots between.
    pub field: Box<str>,
    /// The selector that says so, and where.
    pub selector: Box<str>,
    /// Where it stands in the configuration.
    pub place: Option<Location>,
}

/// One entry of `routes.*.response_headers` or `response_cookies` (B14): a field that goes the other
/// way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentHeader {
    /// The header or cookie, and the field that it says.
    pub bound: BoundHeader,
    /// What is said of a cookie besides, such as `; Path=/; HttpOnly`.
    pub attributes: Box<str>,
}

/// Where in a head a value stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HeaderSource {
    /// The header of this lower-case name.
    Header(Box<str>),
    /// The cookie of this name.
    Cookie(Box<str>),
}

impl std::fmt::Display for HeaderSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header `{name}`"),
            Self::Cookie(name) => write!(f, "cookie `{name}`"),
        }
    }
}

/// `rest.errors` (E3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorShape {
    /// `{"error":{"code":404,"message":…,"status":"NOT_FOUND","details":[…]}}`.
    Google,
    /// `{"code":5,"message":…,"details":[…]}`.
    Status,
    /// RFC 9457.
    Problem,
    /// `{"error":…,"message":…,"code":5}`.
    GatewayV1,
    /// No body.
    None,
}

/// `rest.stream` (S1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamShape {
    /// A JSON array.
    Array,
    /// One JSON value a line.
    Ndjson,
    /// Server-sent events.
    Sse,
    /// grpc-gateway's `{"result":…}` and `{"error":…}` lines.
    Result,
}

impl Default for JsonOptions {
    /// ProtoJSON as the specification has it.
    fn default() -> Self {
        Self {
            names: FieldNames::Camel,
            int64: Int64::String,
            defaults: Defaults::Omit,
            enums: Enums::Name,
            indent: 0,
            unknown_fields: UnknownFields::Reject,
            enum_case: EnumCase::Exact,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            unary_default: Some(Duration::from_secs(30)),
            stream_default: None,
            max: None,
            body_idle: Duration::from_secs(30),
            response_stall: Duration::from_secs(30),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        const DEFAULT_BYTES: usize = 4 << 20;
        Self {
            request_bytes: DEFAULT_BYTES,
            message_bytes: DEFAULT_BYTES,
            response_message_bytes: DEFAULT_BYTES,
        }
    }
}

impl Default for RestOptions {
    fn default() -> Self {
        Self {
            unescape: Unescape::Spec,
            ignore_trailing_slash: false,
            method_override: false,
            infer_update_mask: true,
            bound_headers: Vec::new(),
            sent_headers: Vec::new(),
            ignore_unknown_query: false,
            docs: true,
            open_docs: false,
            ignored_query: Vec::new(),
            errors: ErrorShape::Google,
            stream: StreamShape::Array,
            sse_early: Duration::from_secs(1),
            sse_keep_alive: Duration::from_secs(15),
            sse_ids: false,
            debug_info: false,
            denied_headers: Vec::new(),
            metadata_prefix: None,
            header_prefix: None,
            original_prefix: None,
            status_headers: false,
            plus_in_query: false,
            connect_by_path: true,
            compression: vec![Encoding::Zstd, Encoding::Brotli, Encoding::Gzip],
            compression_from: 1024,
        }
    }
}

impl Default for Policy {
    /// The safe defaults of the product.
    fn default() -> Self {
        Self {
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            json: JsonOptions::default(),
            rest: Arc::new(RestOptions::default()),
            retry: None,
            traffic: None,
            access: None,
            quotas: Vec::new(),
        }
    }
}

/// The policies of a configuration: one for everybody and exceptions by service or method.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// What holds where nothing else is said.
    pub default: Arc<Policy>,
    /// Exceptions, already merged onto the default: a selector `pkg.Service.Method`,
    /// `pkg.Service`, `pkg.*` or `*`, and the policy. The most specific (longest) one wins.
    pub exceptions: Vec<(Box<str>, Arc<Policy>)>,
}

impl Policies {
    /// Whether callers of anything have to show something.
    pub fn guard(&self) -> bool {
        let exceptions = self.exceptions.iter().map(|(_, policy)| policy);
        let mut all = exceptions.chain([&self.default]);
        all.any(|policy| policy.access.is_some())
    }

    /// The policy of a method that no schema knows, by its path; a server may not care for the
    /// case of letters, so that nothing here does.
    pub fn of_path(&self, path: &str) -> Arc<Policy> {
        let lower = path.to_ascii_lowercase();
        let name = lower
            .strip_prefix('/')
            .and_then(|path| path.split_once('/'));
        match name {
            Some((service, method)) if !self.exceptions.is_empty() => {
                self.find(service, method, |selector| {
                    selector.to_ascii_lowercase().into()
                })
            }
            Some(_) | None => Arc::clone(&self.default),
        }
    }

    /// The policy of one method.
    pub fn of(&self, service: &str, method: &str) -> Arc<Policy> {
        self.find(service, method, |selector| Cow::Borrowed(selector))
    }

    fn find(&self, service: &str, method: &str, form: fn(&str) -> Cow<'_, str>) -> Arc<Policy> {
        let fits = |selector: &str| {
            if let Some(prefix) = selector.strip_suffix('*') {
                // `pkg.Service.*` are the methods of a service, as `google.api.Service` has it.
                return prefix.is_empty()
                    || (prefix.ends_with('.') && service.starts_with(prefix))
                    || prefix.strip_suffix('.') == Some(service);
            }
            selector == service
                || selector
                    .strip_prefix(service)
                    .and_then(|rest| rest.strip_prefix('.'))
                    .is_some_and(|rest| rest == method)
        };
        self.exceptions
            .iter()
            .filter(|(selector, _)| fits(&form(selector)))
            .max_by_key(|(selector, _)| selector.len())
            .map_or_else(
                || Arc::clone(&self.default),
                |(_, policy)| Arc::clone(policy),
            )
    }
}
