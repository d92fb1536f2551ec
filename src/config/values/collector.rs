//! Where telemetry goes, and where it is asked for: [`CollectorUrl`] and [`ScrapeUrl`].

use std::fmt;

use http::Uri;

use super::place::PlaceName;
use super::{Refused, Typed};
use crate::export::http::Place;
use crate::export::otlp::{Collector, Protocol};
use crate::export::scrape;

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
        let (host, port, path) = place(rest).ok_or(Refused::Form)?;
        let at = |default| Place {
            host,
            port: port.unwrap_or(default),
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

/// What follows the scheme: a host, a port if there is one, and a path.
fn place(rest: &str) -> Option<(String, Option<u16>, String)> {
    let uri: Uri = format!("http://{rest}").parse().ok()?;
    let (host, port) = PlaceName::split(uri.authority()?)?;
    Some((host, port, uri.path_and_query()?.as_str().to_owned()))
}

impl fmt::Display for CollectorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The page of an application's metrics, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrapeUrl {
    text: Box<str>,
    /// What it means.
    pub params: scrape::Params,
}

/// The port of HTTP.
const WEB: u16 = 80;

impl Typed for ScrapeUrl {
    const FORMAT: &'static str = "sidegate-scrape";
    const EXPECTED: &'static str = "a URL such as `http://127.0.0.1:9100/metrics`";

    /// ```text
    /// scrape = "http://" host [ ":" port ] [ path ]
    /// ```
    fn read(text: &str) -> Result<Self, Refused> {
        let rest = text.strip_prefix("http://").ok_or(Refused::Form)?;
        let (host, port, path) = place(rest).ok_or(Refused::Form)?;
        let port = port.unwrap_or(WEB);
        let path = if path == "/" {
            "/metrics".to_owned()
        } else {
            path
        };
        Ok(Self {
            text: text.into(),
            params: scrape::Params {
                place: Place { host, port },
                path,
            },
        })
    }
}

impl fmt::Display for ScrapeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
