//! One document from a neighbour, over HTTP or HTTPS, whole and no larger than was agreed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use tokio_rustls::TlsConnector;

use super::http::{NoAnswer, Place, exchange, exchange_on, within};
use crate::tls::{Client, ClientParams, File};

/// What is fetched.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// `http://` or `https://`.
    pub url: &'a Uri,
    /// Who signs the certificate there; those whom the system trusts if empty.
    pub authorities: &'a [PathBuf],
    /// The most bytes that are taken.
    pub limit: usize,
    /// How long it may take.
    pub patience: Duration,
    /// The time of day, which certificates are judged by.
    pub now: SystemTime,
}

/// Why there is no document, in words.
#[derive(Debug)]
pub struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Fetches it.
pub async fn fetch(document: &Document<'_>) -> Result<Bytes, Failed> {
    let asking = Box::pin(get(document));
    let answer = within(document.patience, asking).await;
    answer.map_err(|error| Failed(error.to_string()))
}

async fn get(document: &Document<'_>) -> Result<Bytes, NoAnswer> {
    let url = document.url;
    let secure = url.scheme_str() == Some("https");
    let host = url.host().unwrap_or_default();
    let place = Place {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port_u16().unwrap_or(if secure { 443 } else { 80 }),
    };
    let target = url.path_and_query().map_or("/", |target| target.as_str());
    let request = Request::get(target)
        .header("host", url.authority().map_or(host, |at| at.as_str()))
        .header("accept", "application/json")
        .header(
            "user-agent",
            concat!("sidegate/", env!("CARGO_PKG_VERSION")),
        )
        .body(Full::new(Bytes::new()))
        .map_err(NoAnswer::new)?;
    let answer = if secure {
        let client = client(document)?;
        // One request in the protocol that everybody has.
        let mut config = (*client.config()).clone();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        let name = client.name_at(&place.host);
        let name = name.ok_or_else(|| NoAnswer::new("no certificate can bear this name"))?;
        let stream = connector.connect(name, place.connect().await?);
        Box::pin(exchange_on(
            stream.await.map_err(NoAnswer::new)?,
            request,
            document.limit,
        ))
        .await?
    } else {
        exchange(&place, request, document.limit).await?
    };
    match answer.status() {
        StatusCode::OK => Ok(answer.into_body()),
        status => Err(NoAnswer::new(format!("HTTP {}", status.as_u16()))),
    }
}

fn client(document: &Document<'_>) -> Result<Client, NoAnswer> {
    let file = |path: &PathBuf| File {
        key: String::from("ca"),
        path: path.clone(),
        place: None,
    };
    let params = ClientParams {
        name: None,
        place: None,
        authorities: document.authorities.iter().map(file).collect(),
        own: None,
    };
    Client::load(params, document.now).map_err(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        NoAnswer::new(told.join("; "))
    })
}
