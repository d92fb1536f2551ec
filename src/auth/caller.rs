//! [`Caller`]: somebody who is known, and how the application is told of him.
//!
//! The application is told by headers that begin with `x-sidegate-`, and by those that the
//! configuration names; none of them passes from outside (fault 16).

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::api_key::ApiKey;
use super::{Issuer, claims};
use crate::call::Identity;

const CALLER: HeaderName = HeaderName::from_static("x-sidegate-caller");
const CALLER_BY: HeaderName = HeaderName::from_static("x-sidegate-caller-by");
const ISSUER: HeaderName = HeaderName::from_static("x-sidegate-issuer");
const SCOPES: HeaderName = HeaderName::from_static("x-sidegate-scopes");

/// Whether headers of this name are the gateway's own to set.
pub fn is_own_header(name: &str) -> bool {
    name.starts_with("x-sidegate-")
}

/// Somebody who is known.
#[derive(Clone, Debug)]
pub struct Caller {
    name: Arc<str>,
    /// What else he is known by.
    others: Vec<Box<str>>,
    by: &'static str,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Caller {
    /// The bearer of a token that was verified.
    pub(super) fn by_token(claims: &Map<String, Value>, issuer: &Issuer) -> Self {
        let mut names = ["sub", "client_id", "azp"].into_iter();
        let name = names.find_map(|name| claims.get(name)?.as_str());
        let scopes = claims::scopes(claims).collect::<Vec<_>>().join(" ");
        let mut headers = vec![(ISSUER, value(&issuer.name))];
        if !scopes.is_empty() {
            headers.push((SCOPES, value(&scopes)));
        }
        for (header, claim) in &issuer.headers {
            if let Some(found) = claims::find(claims, claim) {
                headers.push((header.clone(), value(&claims::shown(found))));
            }
        }
        Self {
            name: name.unwrap_or_default().into(),
            others: Vec::new(),
            by: "token",
            headers,
        }
    }

    /// The owner of an API key.
    pub(super) fn by_api_key(owner: &ApiKey) -> Self {
        let scopes = owner.scopes.join(" ");
        Self {
            name: Arc::clone(&owner.name),
            others: Vec::new(),
            by: "api_key",
            headers: Some((SCOPES, value(&scopes)))
                .filter(|_| !scopes.is_empty())
                .into_iter()
                .collect(),
        }
    }

    /// The bearer of a certificate that was verified.
    pub(super) fn by_certificate(client: &Identity) -> Self {
        let names = client.uris.iter().chain(&client.dns).cloned();
        Self {
            name: client.name().into(),
            others: names.chain([client.subject.clone()]).collect(),
            by: "certificate",
            headers: Vec::new(),
        }
    }

    /// What he is called.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Everything that he is called.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let others = self.others.iter().map(|name| &**name);
        std::iter::once(&*self.name).chain(others)
    }

    /// Tells the application of him.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert(CALLER, value(&self.name));
        headers.insert(CALLER_BY, HeaderValue::from_static(self.by));
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
    }
}

/// A text as metadata can hold it: what it cannot, and `%`, is percent-encoded.
fn value(text: &str) -> HeaderValue {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    HeaderValue::try_from(encoded.trim()).unwrap_or_else(|_| HeaderValue::from_static(""))
}
