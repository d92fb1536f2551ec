//! `rest`: the REST front.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cors::CorsSettings;
use crate::config::values::{
    HeaderName, MetadataPrefix, Network, Period, PeriodOrZero, QueryPattern, Size, UpstreamUrl,
};
use crate::schema::{compile, policy};
use crate::wire::compress::Encoding;

/// How REST behaves.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct RestSettings {
    /// Another gateway that answers are to be like, for clients and applications that come from
    /// it: this word gives many keys of `json` and `rest` other defaults, which `/config` on the
    /// admin port shows, each with where it comes from. Keys of your own win.
    pub compat: Option<Compat>,

    /// What may differ by route.
    #[serde(flatten)]
    pub common: RouteRestSettings,

    /// Whether `/a/` is found by the rule of `/a`.
    pub trailing_slash: TrailingSlash,

    /// Whether a POST is taken for the method that its header `X-HTTP-Method-Override` names, for
    /// clients and proxies that know nothing but GET and POST. It counts before routing; `HEAD` and
    /// `CONNECT` are refused.
    pub method_override: bool,

    /// Methods without a rule of their own: `POST /pkg.Service/Method` with body `*`.
    pub auto: Auto,

    /// What becomes of two methods that claim one path.
    pub conflicts: Conflicts,

    /// Whose JSON is that is posted to `/pkg.Service/Method` where no rule has that path and
    /// `connect-protocol-version` is not said.
    pub method_paths: MethodPaths,

    /// How rules of the files in `schema.http_rules` go together with annotations.
    pub rules_mode: RulesMode,

    /// Whether the REST API is described at `/openapi.json`, and shown at `/docs` as a page that can
    /// try it. Rules of the application's own for these paths win.
    pub docs: Docs,

    /// Where requests go whose path no rule knows: a plain HTTP port of the application, such as
    /// `http://127.0.0.1:8080`. Both bodies are streamed, and `Upgrade` passes. Not set: they are
    /// answered with 404.
    pub fallback: Option<UpstreamUrl>,

    /// Which headers reach the application and who is believed.
    pub headers: HeaderSettings,

    /// Pages of other origins, whichever protocol they speak. Off as long as `origins` is empty.
    pub cors: CorsSettings,
}

/// What of `rest` may differ by route.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct RouteRestSettings {
    /// Which escapes are undone in a variable of several path segments.
    pub unescape: Option<Unescape>,

    /// The field mask of a PATCH that the client does not give: where the body is one field of
    /// the request, and beside it there is exactly one `google.protobuf.FieldMask`.
    pub update_mask: Option<UpdateMask>,

    /// Query parameters that no field has.
    pub unknown_query: Option<UnknownQuery>,

    /// Query parameters that are ignored where no field has their name, such as `utm_*`.
    pub ignored_query: Option<Vec<QueryPattern>>,

    /// What a `+` in a query means.
    pub query_plus: Option<QueryPlus>,

    /// The shape of error bodies.
    pub errors: Option<ErrorShape>,

    /// Whether `grpc-status` and `grpc-message` are headers of answers that are no streams, where
    /// no error body tells them.
    pub status_headers: Option<bool>,

    /// How the answer of a stream is written when the client does not say.
    pub stream: Option<StreamShape>,

    /// When an event stream sends its head without a first event. An error that comes earlier
    /// still has its own HTTP status.
    pub sse_early: Option<PeriodOrZero>,

    /// How often a silent event stream sends a comment, and a WebSocket a ping, so that nothing
    /// between closes them.
    pub sse_keep_alive: Option<Period>,

    /// What the `id` of an event is. Browsers send the last one again as `last-event-id`, which
    /// reaches the application.
    pub sse_id: Option<SseId>,

    /// Whether `google.rpc.DebugInfo` in errors reaches the client.
    pub debug_info: Option<bool>,

    /// What is put before the names of the application's metadata when they become headers, such
    /// as `Grpc-Metadata-`. Headers of requests that begin with it lose it when they become
    /// metadata; what may not pass does not pass with it either. Not set, or `""`: nothing.
    pub metadata_prefix: Option<MetadataPrefix>,

    /// HTTP's own request headers, such as `cookie` and `user-agent`, reach the application under
    /// names with this before them as well, such as `grpcgateway-`. Not set, or `""`: they do not.
    pub header_prefix: Option<MetadataPrefix>,

    /// How answers are compressed for clients that take it, the one liked best first; an empty
    /// list turns it off.
    pub compression: Option<Vec<Compression>>,

    /// Answers below this size are sent as they are. Streams are compressed whatever their size,
    /// and flushed with every message.
    pub compression_from: Option<Size>,
}

/// `rest.headers`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct HeaderSettings {
    /// Headers of requests that never reach the application.
    pub deny: Vec<HeaderName>,

    /// How the names of the metadata begin that tell the application which path and method were
    /// asked for.
    pub original: HeaderName,

    /// Peers whose `x-forwarded-*` headers are believed. What others send is replaced.
    pub trusted_proxies: Vec<Network>,
}

choice! {
    /// `rest.compat`.
    Compat: &'static str {
        /// Google's own API servers, as their public documentation has them.
        Google => "google",
        /// The defaults of Envoy's `grpc_json_transcoder`.
        Envoy => "envoy",
        /// The defaults of grpc-gateway, version 2.
        #[serde(rename = "grpc-gateway")]
        GrpcGateway => "grpc-gateway",
    }
}

choice! {
    /// `rest.method_paths`.
    MethodPaths: bool {
        /// Connect's.
        Connect => true,
        /// REST's, which has no rule for it: 404.
        Rest => false,
    }
}

choice! {
    /// `rest.query_plus`.
    QueryPlus: bool {
        /// A space, as in forms.
        Space => false,
        /// A plus.
        Plus => true,
    }
}

choice! {
    /// `rest.trailing_slash`.
    TrailingSlash: bool {
        /// `/a/` is not `/a`.
        Strict => false,
        /// `/a/` is found by the rule of `/a`.
        Ignore => true,
    }
}

choice! {
    /// `rest.docs`.
    Docs: bool {
        /// Served.
        On => true,
        /// Paths like all others.
        Off => false,
    }
}

choice! {
    /// `rest.auto`.
    Auto: compile::AutoMapping {
        /// Methods without any rule get it.
        Unannotated => compile::AutoMapping::Unannotated,
        /// All methods get it besides their rules.
        Always => compile::AutoMapping::Always,
        /// None gets it.
        Off => compile::AutoMapping::Off,
    }
}

choice! {
    /// `rest.conflicts`.
    Conflicts: compile::Conflicts {
        /// Neither is served (501 naming both), everything else is.
        Error => compile::Conflicts::Error,
        /// The one declared first is served.
        First => compile::Conflicts::First,
        /// The one declared last is served.
        Last => compile::Conflicts::Last,
    }
}

choice! {
    /// `rest.rules_mode`.
    RulesMode: compile::RulesMode {
        /// A method that a rule of a file selects loses its annotation.
        Override => compile::RulesMode::Override,
        /// Both stand.
        Add => compile::RulesMode::Add,
    }
}

choice! {
    /// `rest.unescape`.
    Unescape: policy::Unescape {
        /// All but `%2F`.
        Spec => policy::Unescape::Spec,
        /// All but the reserved characters of RFC 6570.
        AllExceptReserved => policy::Unescape::AllExceptReserved,
        /// All.
        All => policy::Unescape::All,
    }
}

choice! {
    /// `rest.update_mask`.
    UpdateMask: bool {
        /// It is filled with the keys of the JSON body, down into messages but not into lists, maps
        /// and well-known types. `null` and `{}` count, what the path says does not.
        Infer => true,
        /// It stays empty.
        Off => false,
    }
}

choice! {
    /// `rest.unknown_query`.
    UnknownQuery: bool {
        /// The request is refused with 400, which names the parameter and the nearest field.
        Reject => false,
        /// Ignored.
        Ignore => true,
    }
}

choice! {
    /// `rest.errors`.
    ErrorShape: policy::ErrorShape {
        /// `{"error":{"code":404,"message":"…","status":"NOT_FOUND","details":[…]}}`
        Google => policy::ErrorShape::Google,
        /// `{"code":5,"message":"…","details":[…]}`
        Status => policy::ErrorShape::Status,
        /// RFC 9457, `application/problem+json`.
        Problem => policy::ErrorShape::Problem,
        /// `{"error":"…","message":"…","code":5}`
        GatewayV1 => policy::ErrorShape::GatewayV1,
        /// No body. What fails in the middle of a stream is told as with `status`.
        None => policy::ErrorShape::None,
    }
}

choice! {
    /// `rest.sse_id`.
    SseId: bool {
        /// There is none.
        Off => false,
        /// Its number in the stream, from 1 on.
        Number => true,
    }
}

choice! {
    /// `rest.compression`.
    Compression: Encoding {
        /// RFC 8878.
        Zstd => Encoding::Zstd,
        /// RFC 7932.
        Br => Encoding::Brotli,
        /// RFC 1952.
        Gzip => Encoding::Gzip,
    }
}

choice! {
    /// `rest.stream`.
    StreamShape: policy::StreamShape {
        /// One JSON array.
        Array => policy::StreamShape::Array,
        /// One JSON value a line.
        Ndjson => policy::StreamShape::Ndjson,
        /// Server-sent events.
        Sse => policy::StreamShape::Sse,
        /// grpc-gateway's lines `{"result":…}` and `{"error":…}`.
        Result => policy::StreamShape::Result,
    }
}

impl RouteRestSettings {
    /// These settings, and `base` where they say nothing.
    pub fn onto(&self, base: &policy::RestOptions) -> policy::RestOptions {
        let ignored = |patterns: &Vec<QueryPattern>| patterns.iter().map(|p| p.0.clone()).collect();
        policy::RestOptions {
            unescape: self.unescape.map_or(base.unescape, Into::into),
            infer_update_mask: self.update_mask.map_or(base.infer_update_mask, Into::into),
            bound_headers: base.bound_headers.clone(),
            sent_headers: base.sent_headers.clone(),
            ignore_unknown_query: self
                .unknown_query
                .map_or(base.ignore_unknown_query, Into::into),
            ignored_query: self
                .ignored_query
                .as_ref()
                .map_or_else(|| base.ignored_query.clone(), ignored),
            errors: self.errors.map_or(base.errors, Into::into),
            stream: self.stream.map_or(base.stream, Into::into),
            sse_early: self.sse_early.map_or(base.sse_early, |period| period.0),
            sse_keep_alive: self
                .sse_keep_alive
                .map_or(base.sse_keep_alive, |period| period.0),
            sse_ids: self.sse_id.map_or(base.sse_ids, Into::into),
            debug_info: self.debug_info.unwrap_or(base.debug_info),
            metadata_prefix: prefix(
                self.metadata_prefix.as_ref(),
                base.metadata_prefix.as_deref(),
            ),
            header_prefix: prefix(self.header_prefix.as_ref(), base.header_prefix.as_deref()),
            status_headers: self.status_headers.unwrap_or(base.status_headers),
            plus_in_query: self.query_plus.map_or(base.plus_in_query, Into::into),
            compression: match &self.compression {
                Some(words) => words.iter().map(|word| (*word).into()).collect(),
                None => base.compression.clone(),
            },
            compression_from: self
                .compression_from
                .map_or(base.compression_from, |size| size.0),
            open_docs: base.open_docs,
            ignore_trailing_slash: base.ignore_trailing_slash,
            method_override: base.method_override,
            docs: base.docs,
            connect_by_path: base.connect_by_path,
            original_prefix: base.original_prefix.clone(),
            denied_headers: base.denied_headers.clone(),
        }
    }
}

/// A prefix as given, an empty one being none, or what holds else.
fn prefix(given: Option<&MetadataPrefix>, base: Option<&str>) -> Option<Box<str>> {
    match given {
        Some(prefix) => Some(prefix.0.clone()).filter(|prefix| !prefix.is_empty()),
        None => base.map(Into::into),
    }
}
