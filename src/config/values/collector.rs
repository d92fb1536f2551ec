//! Where telemetry goes, and where it is asked for: [`CollectorUrl`].

use std::fmt;

use http::Uri;

use super::{Refused, Typed};
use crate::export::http::Place;
use crate::export::otlp::{Collector, Protocol};

/// The place of a collector of traces, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorUrl {
    text: Box<str>,
    /// What it means.
    pub collector: Collector,
}

/// Where OTLP over HTTP wants traces, below a URL without a path.
const TRACES: &str = "/v1/traces";

/// The ports that OTLP has for HTTP and for gRPC.
const HTTP_PORT: u16 = 4318;
const GRPC_PORT: u16 = 4317;

impl Typed for CollectorUrl {
    const FORMAT: &'static str = "sidegate-collector";
    const EXPECTED: &'static str =
        "a URL such as `http://127.0.0.1:4318` or `grpc://127.0.0.1:4317`";

    /// ```text
    /// collector = "http://" host [ ":" port ] [ path ] | "grpc://" host [ ":" port ]
    /// ```
    fn read(text: &str) -> Result<Self, Refused> {
        let (scheme, rest) = text.split_once("://").ok_or(Refused::Form)?;
        if scheme == "https" || scheme == "grpcs" {
            let why =
                "would need TLS, which is not available towards a collector; use one on this host";
            return Err(Refused::Because(why.to_owned()));
        }
        let (place, path) = place(rest).ok_or(Refused::Form)?;
        let at = |default| Place {
            port: place.port.unwrap_or(default),
            host: place.host.clone(),
        };
        let collector = match (scheme, path.as_str()) {
            ("http", "/") => Collector {
                place: at(HTTP_PORT),
                protocol: Protocol::Http(TRACES.to_owned()),
            },
            ("http", _) => Collector {
                place: at(HTTP_PORT),
                protocol: Protocol::Http(path),
            },
            ("grpc", "/") => Collector {
                place: at(GRPC_PORT),
                protocol: Protocol::Grpc,
            },
            _ => return Err(Refused::Form),
        };
        Ok(Self {
            text: text.into(),
            collector,
        })
    }
}

/// A host, and a port if there is one.
struct Named {
    host: String,
    port: Option<u16>,
}

/// What follows the scheme, as a place and a path.
fn place(rest: &str) -> Option<(Named, String)> {
    let uri: Uri = format!("http://{rest}").parse().ok()?;
    let authority = uri.authority()?;
    let host = authority.host();
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let named = Named {
        host: bare.unwrap_or(host).to_owned(),
        port: authority.port_u16(),
    };
    // Anything after the host that is no port was meant otherwise.
    let port = named
        .port
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let plain = authority.as_str() == format!("{host}{port}");
    let path = uri.path_and_query()?.as_str().to_owned();
    (plain && !host.is_empty()).then_some((named, path))
}

impl fmt::Display for CollectorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
