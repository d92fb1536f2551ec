//! `routes`: exceptions for methods, services and packages.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auth::RouteAuthSettings;
use super::json::JsonSettings;
use super::limits::RouteLimitSettings;
use super::rest::RouteRestSettings;
use super::retry::RetrySettings;
use super::split::SplitSettings;
use crate::config::values::{
    CookieName, CookieValue, FieldName, HeaderName, PeriodOrOff, UpstreamName,
};

/// What is different for the methods of one selector. What is not given is as for everybody.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct RouteSettings {
    /// The upstream that calls go to, by its name in `upstreams`.
    ///
    /// Default: `app`, or the only one there is.
    pub upstream: Option<UpstreamName>,

    /// The calls shared out between upstreams, instead of `upstream`.
    pub split: Option<SplitSettings>,

    /// How long a call may take: used when the client gives no deadline, and a client that asks
    /// for more gets no more, unless `max_timeout` stands beside it.
    pub timeout: Option<PeriodOrOff>,

    /// The longest deadline that a client can ask for.
    pub max_timeout: Option<PeriodOrOff>,

    /// Headers of requests that go to a field, as `x-tenant: tenant_id` or `x-user: caller.name`.
    ///
    /// The field is one that a path could bind: a single value, of the request or of a message in
    /// it. The header is read like a path variable. Path, query and body may say the same of the
    /// field; another value is refused with 400, and so is a header that comes twice with different
    /// values. A selector of several methods counts for those that have the field.
    #[schemars(extend("propertyNames" = {"format": "sidegate-header"}))]
    pub bind_headers: BTreeMap<HeaderName, FieldName>,

    /// Cookies of requests that go to a field, as headers do. Of two cookies of one name the first
    /// counts.
    #[schemars(extend("propertyNames" = {"format": "sidegate-cookie"}))]
    pub bind_cookies: BTreeMap<CookieName, FieldName>,

    /// Headers of answers that say what a field of the answer says, as `etag: etag` or
    /// `x-total: page.total_size`.
    ///
    /// The field is a single value or a list of values, of the answer or of a message in it; it
    /// stays in the body. A field that JSON leaves out makes no header, a list one for each value. Of
    /// a stream the first message counts. What the application says by metadata of that name is
    /// replaced. A selector of several methods counts for those that have the field.
    #[schemars(extend("propertyNames" = {"format": "sidegate-header"}))]
    pub response_headers: BTreeMap<HeaderName, FieldName>,

    /// Cookies that answers set to what a field of the answer says, with attributes of your choice, as
    /// `session: session_id; Path=/; HttpOnly; Secure`. A value that no cookie can hold is left out.
    #[schemars(extend("propertyNames" = {"format": "sidegate-cookie"}))]
    pub response_cookies: BTreeMap<CookieName, CookieValue>,

    /// Who may call, as `auth` has it, and what has to be true of him.
    pub auth: RouteAuthSettings,

    /// When a call that failed is sent again.
    pub retry: Option<RetrySettings>,

    /// The JSON form, as `json` has it.
    pub json: JsonSettings,

    /// What of `rest` may differ by route.
    pub rest: RouteRestSettings,

    /// What of `limits` may differ by route.
    pub limits: RouteLimitSettings,
}
