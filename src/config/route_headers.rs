//! Headers and cookies that a route binds to fields, and those of answers that say what fields say
//! (B14).

use std::sync::Arc;

use super::settings::RouteSettings;
use super::tree::Tree;
use super::values::{FieldName, Selector};
use crate::schema::policy::{BoundHeader, HeaderSource, Policy, SentHeader};

/// The headers and cookies that a route binds itself (B14).
pub(super) fn bound(selector: &Selector, route: &RouteSettings, tree: &Tree) -> Vec<BoundHeader> {
    let entry = |source: HeaderSource, key: &str, name: &str, field: &FieldName| BoundHeader {
        source,
        field: field.0.clone(),
        selector: selector.as_str().into(),
        place: tree.value_place(&["routes", selector.as_str(), key, name]),
    };
    let headers = route.bind_headers.iter().map(|(name, field)| {
        let source = HeaderSource::Header(name.0.clone());
        entry(source, "bind_headers", &name.0, field)
    });
    let cookies = route.bind_cookies.iter().map(|(name, field)| {
        let source = HeaderSource::Cookie(name.0.clone());
        entry(source, "bind_cookies", &name.0, field)
    });
    headers.chain(cookies).collect()
}

/// The headers and cookies that say what fields of answers say, by a route itself (B14).
pub(super) fn sent(selector: &Selector, route: &RouteSettings, tree: &Tree) -> Vec<SentHeader> {
    let sent = |source, key: &str, name: &str, field: &FieldName, attributes: &str| SentHeader {
        bound: BoundHeader {
            source,
            field: field.0.clone(),
            selector: selector.as_str().into(),
            place: tree.value_place(&["routes", selector.as_str(), key, name]),
        },
        attributes: attributes.into(),
    };
    let headers = route.response_headers.iter().map(|(name, field)| {
        let source = HeaderSource::Header(name.0.clone());
        sent(source, "response_headers", &name.0, field, "")
    });
    let cookies = route.response_cookies.iter().map(|(name, value)| {
        let source = HeaderSource::Cookie(name.0.clone());
        let attributes = &value.attributes;
        sent(
            source,
            "response_cookies",
            &name.0,
            &value.field,
            attributes,
        )
    });
    headers.chain(cookies).collect()
}

/// Lays what a route says of answers over what wider ones say.
pub(super) fn send(policy: &mut Policy, own: Vec<SentHeader>) {
    if own.is_empty() {
        return;
    }
    let mut rest = (*policy.rest).clone();
    let again = |wide: &SentHeader| own.iter().any(|own| own.bound.source == wide.bound.source);
    rest.sent_headers.retain(|wide| !again(wide));
    rest.sent_headers.extend(own);
    policy.rest = Arc::new(rest);
}
