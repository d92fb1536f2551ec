//! CORS: what pages of other origins may do, for every front that a browser can speak.
//!
//! Preflights are answered before any adapter hears of them, by what is served at their path; the
//! headers of all other answers are added when these are complete. When it is off, nothing is done
//! and nothing costs.
//!
//! Source: the Fetch standard (fetch.spec.whatwg.org, "HTTP-CORS protocol").

mod origin;
mod preflight;

use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap,
    HeaderValue, ORIGIN, VARY,
};

pub use origin::{Origin, Origins, Page};
pub use preflight::Served;

/// What the configuration says about pages of other origins.
#[derive(Clone, Debug)]
pub struct Params {
    /// Who is allowed.
    pub origins: Origins,
    /// Whether browsers send cookies and other credentials along; never for all origins.
    pub credentials: bool,
    /// Which request headers may be sent; those that are asked for when `None`.
    pub headers: Option<Vec<Box<str>>>,
    /// Which answer headers can be read besides those of the protocols. Without credentials all
    /// can.
    pub expose: Vec<Box<str>>,
    /// How long a preflight need not be repeated.
    pub max_age: Duration,
    /// Whether pages of the public internet may ask a gateway in a private network.
    pub private_network: bool,
}

/// The same, as the answers need it.
#[derive(Clone, Debug)]
pub struct Cors {
    origins: Origins,
    /// Every page gets the same answer.
    constant: bool,
    credentials: bool,
    headers: Option<HeaderValue>,
    expose: HeaderValue,
    max_age: HeaderValue,
    private_network: bool,
}

/// Request headers of the protocols themselves, always allowed.
const PROTOCOL_HEADERS: &str = "content-type, grpc-timeout, x-grpc-web, x-user-agent, \
    connect-protocol-version, connect-timeout-ms, connect-accept-encoding, \
    connect-content-encoding, grpc-accept-encoding, grpc-encoding, x-server-timeout";

/// Answer headers of the protocols themselves, always readable.
const PROTOCOL_ANSWERS: &str = "grpc-status, grpc-message, grpc-status-details-bin, \
    grpc-encoding, grpc-accept-encoding, connect-content-encoding, connect-accept-encoding, \
    content-encoding, retry-after, allow, x-sidegate-reason";

/// What the answer to one request says about its origin.
#[derive(Debug)]
pub struct Grant {
    cors: Arc<Cors>,
    /// The origin, if it is allowed.
    origin: Option<HeaderValue>,
}

impl Cors {
    /// The rules; `None` when no origin is allowed, which turns it off.
    pub fn new(params: &Params) -> Option<Self> {
        if params.origins.is_empty() {
            return None;
        }
        // What everybody may read must not depend on who asks.
        let credentials = params.credentials && !params.origins.allow_all();
        let expose = list(PROTOCOL_ANSWERS, &params.expose);
        let expose = if credentials {
            expose
        } else {
            format!("*, {expose}")
        };
        let headers = params
            .headers
            .as_ref()
            .map(|names| list(PROTOCOL_HEADERS, names));
        // Names of headers are checked when the configuration is read.
        let value = |text: String| HeaderValue::try_from(text).ok();
        Some(Self {
            constant: params.origins.allow_all(),
            origins: params.origins.clone(),
            credentials,
            headers: headers.and_then(value),
            expose: value(expose)?,
            max_age: HeaderValue::from(params.max_age.as_secs()),
            private_network: params.private_network,
        })
    }

    /// The origins that are allowed.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// What the answer to a request with these headers will say.
    pub fn grant(self: &Arc<Self>, request: &HeaderMap) -> Grant {
        let origin = request.get(ORIGIN).filter(|it| self.origins.allows(it));
        Grant {
            origin: origin.cloned(),
            cors: Arc::clone(self),
        }
    }
}

impl Grant {
    /// Adds to a complete answer what its page may know. The application has no say in it: one
    /// place decides.
    pub fn write(&self, headers: &mut HeaderMap) {
        for name in [
            ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            ACCESS_CONTROL_ALLOW_METHODS,
            ACCESS_CONTROL_ALLOW_HEADERS,
            ACCESS_CONTROL_EXPOSE_HEADERS,
            ACCESS_CONTROL_MAX_AGE,
        ] {
            headers.remove(name);
        }
        if !self.cors.constant {
            // Caches must not give one origin's answer to another, nor one's that has none.
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        if self.write_origin(headers) {
            let expose = self.cors.expose.clone();
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose);
        }
    }

    /// Adds that the origin is allowed, if it is.
    fn write_origin(&self, headers: &mut HeaderMap) -> bool {
        let Some(origin) = &self.origin else {
            return false;
        };
        let value = if self.cors.constant {
            HeaderValue::from_static("*")
        } else {
            origin.clone()
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
        if self.cors.credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        true
    }
}

/// The names of the protocols and more.
fn list(own: &str, more: &[Box<str>]) -> String {
    more.iter().fold(own.to_owned(), |mut text, name| {
        text.push_str(", ");
        text.push_str(name);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str], credentials: bool) -> Option<Arc<Cors>> {
        let origins = origins.iter().map(|text| Origin::parse(text).unwrap());
        let params = Params {
            origins: Origins::new(origins.collect()),
            credentials,
            headers: None,
            expose: vec!["x-total".into()],
            max_age: Duration::from_secs(600),
            private_network: false,
        };
        Cors::new(&params).map(Arc::new)
    }

    #[test]
    fn cors_no_origin_turns_it_off() {
        assert!(cors(&[], true).is_none());
    }

    #[test]
    fn cors_credentials_never_go_with_every_origin() {
        for (origins, credentials, allowed, with) in [
            (&["*"][..], true, "*", false),
            (&["https://a"], true, "https://a", true),
            (&["https://a"], false, "https://a", false),
            (&["https://a", "*"], true, "*", false),
        ] {
            let mut request = HeaderMap::new();
            request.insert(ORIGIN, HeaderValue::from_static("https://a"));
            let cors = cors(origins, credentials).unwrap();
            let mut headers = HeaderMap::new();
            cors.grant(&request).write(&mut headers);
            assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], allowed);
            let given = headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS);
            assert_eq!(given, with, "{origins:?}");
            assert_eq!(headers.contains_key(VARY), allowed != "*");
            let exposed = headers[ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
            assert_eq!(exposed.starts_with('*'), !with);
            assert!(exposed.ends_with(", x-total"), "{exposed}");
        }
    }
}
