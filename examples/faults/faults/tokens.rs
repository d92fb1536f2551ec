//! Tokens that are no proof of anything, and keys that cannot be fetched (46).

use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::{Fault, Found};
use crate::Result;
use crate::client::http1;
use crate::scene::Scene;

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            46,
            "JWT none, HS/ES confusion, string exp, unknown kid flood, JWKS away and huge",
            "auth: {jwt: {issuer: {issuer: me, keys: \"http://{keys}/keys\", refresh: 1s}}}\n\
             routes: {faults.v1.Faults.Put: {auth: {require: jwt}}}",
            |scene| Box::pin(tokens(scene)),
        )
        .keyed(),
    ]
}

async fn put(scene: &Scene, token: Option<&str>) -> Result<u16> {
    let authorization = token.map_or_else(String::new, |token| {
        format!("authorization: Bearer {token}\r\n")
    });
    let request = format!(
        "POST /v1/put HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{authorization}\
         content-length: 2\r\nconnection: close\r\n\r\n{{}}"
    );
    Ok(http1::once(scene.gateway.listen, request.as_bytes())
        .await?
        .status)
}

/// Passes when: 401; stale keys used; <= 1 fetch / 30 s.
async fn tokens(scene: &mut Scene) -> Result<Found> {
    let lasts = Duration::from_secs(scene.count(30, 3));
    let keys = scene.keys.as_ref().ok_or("no keys")?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_secs();
    let head = json!({"alg": "ES256", "kid": "one", "typ": "JWT"});
    let claims = json!({"iss": "me", "sub": "x", "exp": now + 3600});
    let good = keys.token(&head, &claims)?;
    let mut wrong = Vec::new();
    let status = put(scene, Some(&good)).await?;
    if status != 200 {
        wrong.push(format!("a good token: {status}"));
    }
    let tokens = worthless(scene, (&head, &claims, &good), now)?;
    for token in &tokens {
        let status = put(scene, Some(token)).await?;
        if status != 401 {
            wrong.push(format!("{token}: {status}"));
        }
    }
    if put(scene, None).await? != 401 {
        wrong.push("no token was let through".to_owned());
    }
    let memory = scene.gateway.peak();
    let mut told = Vec::new();
    for manner in ["away", "huge"] {
        match manner {
            "away" => keys.go_away(),
            _ => keys.be_huge(),
        }
        let (fetches, unknown) = flood(scene, lasts, (&head, &claims, &good), &mut wrong).await?;
        told.push(format!(
            "{manner}: {fetches} fetches for {unknown} unknown keys"
        ));
    }
    wrong.truncate(4);
    let grown = scene.gateway.peak().saturating_sub(memory) >> 10;
    if grown > 8 {
        wrong.push(format!("RSS + {grown} MiB"));
    }
    Ok(Found::of(
        &wrong,
        format!(
            "{} refused, stale keys used; {}",
            tokens.len() + 1,
            told.join(", ")
        ),
    ))
}

/// A flood of keys that nobody knows, and good tokens among it: how often keys were fetched, and for
/// how many.
async fn flood(
    scene: &Scene,
    lasts: Duration,
    (head, claims, good): (&Value, &Value, &str),
    wrong: &mut Vec<String>,
) -> Result<(usize, usize)> {
    let keys = scene.keys.as_ref().ok_or("no keys")?;
    let before = keys.asked();
    let begun = Instant::now();
    let mut number = 0;
    while begun.elapsed() < lasts {
        let mut unknown = head.clone();
        unknown["kid"] = json!(format!("k{number}"));
        let status = put(scene, Some(&keys.token(&unknown, claims)?)).await?;
        let stale = put(scene, Some(good)).await?;
        if (status, stale) != (401, 200) {
            wrong.push(format!("unknown {status}, stale {stale}"));
        }
        number += 1;
    }
    Ok((keys.asked() - before, number))
}

/// Tokens that prove nothing.
fn worthless(
    scene: &Scene,
    (head, claims, good): (&Value, &Value, &str),
    now: u64,
) -> Result<Vec<String>> {
    let keys = scene.keys.as_ref().ok_or("no keys")?;
    let with = |key: &str, value: Value, of: &Value| {
        let mut changed = of.clone();
        changed[key] = value;
        changed
    };
    let bad_heads = [
        with("alg", json!("none"), head),
        with("alg", json!("HS256"), head),
        with("alg", json!("RS256"), head),
        with("kid", json!("other"), head),
    ];
    let bad_claims = [
        with("exp", json!((now + 3600).to_string()), claims),
        with("exp", json!(now - 3600), claims),
        with("exp", Value::Null, claims),
        with("nbf", json!(now + 3600), claims),
        with("iss", json!("you"), claims),
    ];
    let mut tokens = vec![
        good.replacen("ey", "ez", 1),
        format!("{good}x"),
        String::new(),
    ];
    for bad in &bad_heads {
        tokens.push(keys.token(bad, claims)?);
    }
    for bad in &bad_claims {
        tokens.push(keys.token(head, bad)?);
    }
    Ok(tokens)
}
