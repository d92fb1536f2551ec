//! What a verified token claims: whether its time is now, whether it is meant for us, and whether it
//! is good for what is asked.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::Issuer;
use super::token::Wrong;
use crate::call::{Blame, Code, Fault};
use crate::schema::access::Access;

type Claims = Map<String, Value>;

/// Whether the token counts at all at `now`. A token without an end does not.
pub(super) fn check(claims: &Claims, issuer: &Issuer, now: SystemTime) -> Result<(), Wrong> {
    let now = now
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64();
    #[allow(
        clippy::cast_precision_loss,
        reason = "a leeway is minutes at the most"
    )]
    let leeway = issuer.leeway as f64;
    let until = time(claims, "exp")?.ok_or(Wrong::Claim("exp"))?;
    if now >= until + leeway {
        return Err(Wrong::Expired);
    }
    if time(claims, "nbf")?.is_some_and(|from| now + leeway < from) {
        return Err(Wrong::Early);
    }
    time(claims, "iat")?;
    if claims.get("sub").is_some_and(|sub| !sub.is_string()) {
        return Err(Wrong::Claim("sub"));
    }
    let iss = claims.get("iss");
    if issuer.iss.is_some() && iss.and_then(Value::as_str) != issuer.iss.as_deref() {
        return Err(Wrong::Issuer);
    }
    if issuer.audiences.is_empty() {
        return Ok(());
    }
    let audience = claims.get("aud").ok_or(Wrong::Claim("aud"))?;
    let ours = |one: &str| issuer.audiences.iter().any(|audience| **audience == *one);
    if texts(audience).any(ours) {
        Ok(())
    } else {
        Err(Wrong::Audience)
    }
}

/// A moment in seconds since 1970. It is a number, whatever a lenient reader would take.
fn time(claims: &Claims, name: &'static str) -> Result<Option<f64>, Wrong> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => number
            .as_f64()
            .filter(|seconds| seconds.is_finite())
            .map(Some)
            .ok_or(Wrong::Claim(name)),
        Some(_) => Err(Wrong::Claim(name)),
    }
}

/// Whether a caller is good for what is asked, and claims what is asked. Who shows no token claims
/// nothing, so that a rule about claims lets in nobody but the bearers of tokens.
pub(super) fn satisfy(held: &[&str], claims: &Claims, access: &Access) -> Result<(), Fault> {
    good_for(held, access)?;
    for (name, wanted) in &access.claims {
        let found = find(claims, name);
        let fits = found.is_some_and(|found| holds(found, wanted));
        if !fits {
            let message = format!("the claim {name} of the token is not what it has to be");
            return Err(denied("CLAIM_MISSING", message));
        }
    }
    Ok(())
}

/// Whether who is good for this is good for what is asked.
fn good_for(held: &[&str], access: &Access) -> Result<(), Fault> {
    if access.scopes.iter().all(|scope| held.contains(&&**scope)) {
        return Ok(());
    }
    let all = access.scopes.join(" ");
    let message = format!("the caller has to be good for: {all}");
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{all}\"");
    Err(denied("SCOPE_MISSING", message).with_allow(challenge))
}

fn denied(reason: &'static str, message: String) -> Fault {
    Fault::new(Blame::Client, Code::PermissionDenied, reason, message)
}

/// What a token is good for: `scope` as OAuth has it, and what others make of it.
pub(super) fn scopes(claims: &Claims) -> impl Iterator<Item = &str> {
    let places = ["scope", "scp", "scopes"].into_iter();
    places
        .filter_map(|name| claims.get(name))
        .flat_map(texts)
        .flat_map(|text| text.split(' '))
        .filter(|scope| !scope.is_empty())
}

/// A claim by its name, or by a path with dots if there is none of that name.
pub(super) fn find<'c>(claims: &'c Claims, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| {
        let mut parts = name.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    })
}

fn holds(found: &Value, wanted: &[Box<str>]) -> bool {
    let is = |text: &str| wanted.iter().any(|wanted| **wanted == *text);
    match found {
        Value::Array(items) => items
            .iter()
            .any(|item| text(item).is_some_and(|text| is(&text))),
        value => text(value).is_some_and(|text| is(&text)),
    }
}

/// A single value as a text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A claim as a header has it: lists with commas, and what is no single value as JSON.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items = items
                .iter()
                .map(|item| text(item).unwrap_or_else(|| item.to_string()));
            items.collect::<Vec<_>>().join(",")
        }
        value => text(value).unwrap_or_else(|| value.to_string()),
    }
}

/// A text or a list of texts.
fn texts(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter().filter_map(Value::as_str)),
        value => Box::new(value.as_str().into_iter()),
    }
}
