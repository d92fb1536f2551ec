//! `auth`: who may call, for everybody and by route.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::values::{CookieName, HeaderName, Period, QueryName};
use crate::schema::access::Ways;

/// Who may call.
///
/// Whoever is let in is told to the application by `x-sidegate-caller` (the `sub` of a token, the
/// name of an API key or in a certificate), `x-sidegate-caller-by`, `x-sidegate-issuer` and `x-sidegate-scopes`.
/// Headers that begin with `x-sidegate-` never pass from outside, whether anybody is asked who he
/// is or not.
///
/// Who may not call is told so before anything of a body is read: 401 with `www-authenticate`, or
/// 403; UNAUTHENTICATED or PERMISSION_DENIED on gRPC.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct AuthSettings {
    /// What everybody has to show, unless `routes` says otherwise. Plain HTTP of `rest.fallback` is
    /// guarded by this alone, and so are methods that no schema knows, if no route names them.
    pub require: Require,

    /// Who may see `/openapi.json` and `/docs`.
    pub docs: OpenDocs,

    /// A cookie with a token, for browsers that open a WebSocket or an EventSource and can set no
    /// header. It counts for GET and for WebSockets only, as any page makes a browser send it.
    pub token_cookie: Option<CookieName>,

    /// A parameter of the query with a token, for the same. Logs never show it.
    pub token_query: Option<QueryName>,

    /// Whether the application gets the header `authorization` too, and that of API keys.
    pub forward_token: bool,

    /// Callers who have a key of their own.
    pub api_keys: ApiKeySettings,

    /// Who signs tokens, by a name of your choice. A token is looked at by the first one whose
    /// `issuer` it names, or that has none.
    pub jwt: BTreeMap<String, IssuerSettings>,
}

/// Callers who have a key of their own.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct ApiKeySettings {
    /// A file with a line for each: a name, the SHA-256 of the key in hexadecimal, and what it is good
    /// for, if anything, with spaces between; `#` begins a comment. The keys themselves are nowhere:
    /// let them be long and random, as `openssl rand -hex 32` makes them, and take the hash with
    /// `printf %s KEY | sha256sum`.
    pub file: Option<PathBuf>,

    /// The header that callers send it in.
    pub header: HeaderName,

    /// A parameter of the query that callers may send it in. Logs never show it.
    pub query: Option<QueryName>,
}

/// Somebody who signs JSON web tokens.
///
/// A token needs an `exp`, a number. It has to be signed with an algorithm of the key that it
/// names: RS256 to RS512, PS256 to PS512, ES256, ES384 or EdDSA; with a shared secret HS256 to
/// HS512, if `keys` is a file.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct IssuerSettings {
    /// Its keys: a file with a JSON Web Key Set, or the URL of one. Keys from a URL are asked for
    /// again when a token names one that is not known, but not oftener than every 30 s, and are
    /// kept as long as nothing better comes.
    pub keys: Option<String>,

    /// What its tokens say in `iss`. Not set: anything.
    pub issuer: Option<String>,

    /// What its tokens are meant for: one of these is in `aud`. Not set: anything.
    pub audiences: Vec<String>,

    /// How far its clock may differ from ours.
    ///
    /// Default: `30s`.
    pub leeway: Option<Period>,

    /// How often a URL is asked without a reason.
    ///
    /// Default: `5m`.
    pub refresh: Option<Period>,

    /// Who signs the certificate of a URL that begins with `https://`: PEM files. Not set: those
    /// whom the system trusts.
    pub ca: Vec<PathBuf>,

    /// Headers that tell the application a claim, as `x-user: sub` or `x-tenant: org.tenant`. They
    /// never pass from outside.
    #[schemars(extend("propertyNames" = {"format": "sidegate-header"}))]
    pub headers: BTreeMap<HeaderName, String>,
}

/// What is different for the methods of one selector. What is not given is as for everybody.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct RouteAuthSettings {
    /// What callers have to show.
    pub require: Option<Require>,

    /// What a token or an API key has to be good for, all of it: `scope`, `scp` or `scopes` of a token
    /// says so, or the line of a key.
    pub scopes: Option<Vec<String>>,

    /// Claims that a token has to have, each with the values of which one is enough, as
    /// `role: [admin, editor]` or `org.tenant: [acme]`.
    pub claims: BTreeMap<String, Vec<String>>,

    /// Who may call: the `sub` of a token, the name of an API key, or a SPIFFE id, another name or the subject of a
    /// certificate; `spiffe://example.org/ns/shop/*` for all that begin so. Not set: everybody who
    /// is known.
    pub callers: Option<Vec<String>>,
}

choice! {
    /// What a caller has to show.
    Require: Ways {
        /// Nothing.
        Off => Ways::default(),
        /// A token.
        Jwt => Ways { token: true, ..Ways::default() },
        /// An API key, see `auth.api_keys`.
        ApiKey => Ways { api_key: true, ..Ways::default() },
        /// A client certificate, see `tls.client_auth`.
        Certificate => Ways { certificate: true, ..Ways::default() },
        /// One of those above.
        Any => Ways { token: true, api_key: true, certificate: true },
    }
}

choice! {
    /// Who may see the pages of the gateway itself.
    OpenDocs: bool {
        /// Whoever has what everybody has to show.
        Guarded => false,
        /// Anybody.
        Open => true,
    }
}
