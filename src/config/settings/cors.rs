//! `rest.cors`: pages of other origins.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::values::{HeaderName, OriginPattern, Period};

/// What pages of other origins may do.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct CorsSettings {
    /// Who is allowed: `https://app.example.com`, every host below one as
    /// `https://*.example.com`, every port as `http://localhost:*`, or everybody as `*`.
    pub origins: Vec<OriginPattern>,

    /// Whether browsers may send cookies and other credentials along. It needs origins by name.
    pub credentials: bool,

    /// Request headers that may be sent besides those of the protocols; `*` is all of them.
    pub headers: Vec<HeaderName>,

    /// Answer headers that pages can read besides those of the protocols. Without `credentials`
    /// they can read all.
    pub expose: Vec<HeaderName>,

    /// How long browsers need not ask again what is allowed.
    pub max_age: Period,

    /// Whether pages of the public internet may reach a gateway in a private network.
    pub private_network: bool,
}
