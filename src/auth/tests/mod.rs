//! Tokens that are good, and all the ways in which they are not (fault 46).

mod keys;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, Request};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use super::*;
use crate::call::Peer;
use crate::schema::access::Ways;

const NOW: u64 = 1_800_000_000;

/// A key that signs, and what its issuer publishes of it.
struct Signer {
    kid: &'static str,
    pair: EcdsaKeyPair,
}

impl Signer {
    fn new(kid: &'static str) -> Self {
        let random = SystemRandom::new();
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random);
        Self {
            kid,
            pair: pair.unwrap(),
        }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let coordinate = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        json!({
            "kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig",
            "x": coordinate(&point[1..33]), "y": coordinate(&point[33..]),
        })
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": self.kid});
        self.sign_as(&header, claims)
    }

    fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        format!(
            "{signed}.{}",
            BASE64URL_NOPAD.encode(signature.unwrap().as_ref())
        )
    }
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}

fn keys(keys: &[Value]) -> Keys {
    Keys::parse(json!({ "keys": keys }).to_string().as_bytes(), true).unwrap()
}

fn auth(known: Keys) -> Auth {
    Auth {
        issuers: vec![Issuer {
            name: "test".into(),
            iss: Some("https://issuer.test".into()),
            audiences: vec!["shelf".into(), "books".into()],
            leeway: 30,
            headers: vec![("x-tenant".parse().unwrap(), "org.tenant".into())],
            keys: KeySet::of(known),
        }],
        api_keys: Arc::default(),
        places: Places {
            cookie: Some("session".into()),
            query: Some("token".into()),
            ..Places::default()
        },
        forwards_tokens: true,
    }
}

fn access() -> Access {
    Access {
        ways: Ways {
            token: true,
            ..Ways::default()
        },
        ..Access::default()
    }
}

fn claims(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.test", "aud": "shelf", "sub": "alice", "exp": NOW + 60,
        "scope": "books.read books.write", "role": ["reader", "editor"],
        "org": {"tenant": "a%c\u{fc}"},
    });
    change(&mut claims);
    claims
}

/// The caller and what the application is told, or the reason.
fn look(auth: &Auth, access: &Access, request: &Request<()>) -> Result<HeaderMap, String> {
    let address = "127.0.0.1:1".parse().unwrap();
    let peer = std::rc::Rc::new(Peer::new(address, address, false));
    let (head, ()) = request.clone().into_parts();
    #[allow(clippy::disallowed_methods, reason = "records begin at some time")]
    let record = CallRecord::new(std::time::Instant::now(), peer, &head);
    let now: SystemTime = UNIX_EPOCH + Duration::from_secs(NOW);
    match auth.look(access, &head.headers, &record, now) {
        Verdict::Admitted(caller) => {
            let mut headers = HeaderMap::new();
            caller.write(&mut headers);
            Ok(headers)
        }
        Verdict::Refused(fault) => Err(format!("{} {}", fault.reason(), fault.message())),
        Verdict::Unknown(_) => Err(String::from("UNKNOWN_KEY")),
    }
}

fn bearer(token: &str) -> Request<()> {
    let request = Request::post("/").header("authorization", format!("Bearer {token}"));
    request.body(()).unwrap()
}

fn check(auth: &Auth, token: &str, expected: &str) {
    let found = look(auth, &access(), &bearer(token));
    let found = found.map_or_else(|reason| reason, |_| String::from("admitted"));
    assert!(found.starts_with(expected), "{found} is not {expected}");
}

#[test]
fn a_sound_token_is_taken_and_told_of() {
    let signer = Signer::new("a");
    let auth = auth(keys(&[signer.jwk()]));
    let token = signer.sign(&claims(|_| ()));
    let told = look(&auth, &access(), &bearer(&token)).unwrap();
    for (name, value) in [
        ("x-sidegate-caller", "alice"),
        ("x-sidegate-caller-by", "token"),
        ("x-sidegate-issuer", "test"),
        ("x-sidegate-scopes", "books.read books.write"),
        ("x-tenant", "a%25c%C3%BC"),
    ] {
        assert_eq!(told.get(name).unwrap(), value, "{name}");
    }
}

#[test]
fn f46_what_a_token_says_of_its_algorithm_decides_nothing() {
    let signer = Signer::new("a");
    let jwk = signer.jwk();
    let auth = auth(keys(std::slice::from_ref(&jwk)));
    let claims = claims(|_| ());
    for none in ["none", "None", "NONE", ""] {
        let header = json!({"alg": none, "kid": "a"});
        check(
            &auth,
            &format!("{}.", unsigned(&header, &claims)),
            "BAD_TOKEN",
        );
    }
    // The public key as a shared secret.
    for public in [jwk["x"].as_str().unwrap().to_owned(), jwk.to_string()] {
        let signed = unsigned(&json!({"alg": "HS256", "kid": "a"}), &claims);
        let secret = hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes());
        let tag = BASE64URL_NOPAD.encode(hmac::sign(&secret, signed.as_bytes()).as_ref());
        check(&auth, &format!("{signed}.{tag}"), "BAD_TOKEN the signature");
    }
    for other in ["RS256", "ES384", "EdDSA", "HS512"] {
        let header = json!({"alg": other, "kid": "a"});
        check(
            &auth,
            &signer.sign_as(&header, &claims),
            "BAD_TOKEN the signature",
        );
    }
    let pinned = Keys::parse(
        json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES384", "x": jwk["x"], "y": jwk["y"]}]})
            .to_string()
            .as_bytes(),
        true,
    );
    assert!(
        pinned.is_err(),
        "a key cannot have the algorithm of another kind"
    );
}

#[test]
fn f46_claims_have_to_be_there_and_to_be_true() {
    let signer = Signer::new("a");
    let auth = auth(keys(&[signer.jwk()]));
    let set =
        |name: &'static str, value: Value| signer.sign(&claims(move |claims| claims[name] = value));
    for (name, value, expected) in [
        (
            "exp",
            json!((NOW + 60).to_string()),
            "BAD_TOKEN the claim exp",
        ),
        ("exp", json!(null), "BAD_TOKEN the claim exp"),
        ("exp", json!(NOW - 29), "admitted"),
        ("exp", json!(NOW - 30), "TOKEN_EXPIRED"),
        ("exp", json!(1e300), "admitted"),
        (
            "nbf",
            json!(NOW + 31),
            "BAD_TOKEN the token is not valid yet",
        ),
        ("nbf", json!(NOW + 30), "admitted"),
        ("nbf", json!("0"), "BAD_TOKEN the claim nbf"),
        ("iat", json!([]), "BAD_TOKEN the claim iat"),
        ("iss", json!("https://issuer.test/"), "BAD_TOKEN the issuer"),
        (
            "iss",
            json!(["https://issuer.test"]),
            "BAD_TOKEN the issuer",
        ),
        ("aud", json!("others"), "BAD_TOKEN the token is meant"),
        ("aud", json!(["others", "books"]), "admitted"),
        ("aud", json!({"shelf": 1}), "BAD_TOKEN the token is meant"),
        ("sub", json!(7), "BAD_TOKEN the claim sub"),
    ] {
        let token = set(name, value.clone());
        let found = look(&auth, &access(), &bearer(&token));
        let found = found.map_or_else(|reason| reason, |_| String::from("admitted"));
        assert!(found.starts_with(expected), "{name}: {value}: {found}");
    }
    let without = signer.sign(&claims(|claims| {
        claims.as_object_mut().unwrap().remove("exp");
    }));
    check(&auth, &without, "BAD_TOKEN the claim exp");
}

#[test]
fn f46_what_is_no_token_is_refused() {
    let signer = Signer::new("a");
    let auth = auth(keys(&[signer.jwk()]));
    let sound = signer.sign(&claims(|_| ()));
    let (head, signature) = sound.rsplit_once('.').unwrap();
    for wrong in [
        String::new(),
        String::from("a.b.c"),
        head.to_owned(),
        format!("{head}."),
        format!("{sound}="),
        format!("{sound}.x"),
        format!("{head}.{}", signature.to_uppercase()),
        "x".repeat(20_000),
        signer.sign_as(
            &json!({"alg": "ES256", "kid": "a", "crit": ["b64"]}),
            &claims(|_| ()),
        ),
        signer.sign_as(
            &json!({"alg": "ES256", "kid": "a", "typ": "logout+jwt"}),
            &claims(|_| ()),
        ),
        signer.sign_as(&json!({"alg": "ES256", "kid": 1}), &claims(|_| ())),
    ] {
        check(&auth, &wrong, "BAD_TOKEN");
    }
    check(
        &auth,
        &Signer::new("b").sign(&claims(|_| ())),
        "UNKNOWN_KEY",
    );
    check(
        &auth,
        &Signer::new("a").sign(&claims(|_| ())),
        "BAD_TOKEN the signature",
    );
    let mut twice = bearer(&sound);
    twice
        .headers_mut()
        .append("authorization", "Basic x".parse().unwrap());
    assert!(
        look(&auth, &access(), &twice)
            .unwrap_err()
            .starts_with("BAD_TOKEN")
    );
    let basic = Request::get("/")
        .header("authorization", "Basic YTpi")
        .body(());
    let nobody = look(&auth, &access(), &basic.unwrap()).unwrap_err();
    assert!(nobody.starts_with("NO_CREDENTIALS"), "{nobody}");
}

#[test]
fn browsers_bring_a_token_where_they_can() {
    let signer = Signer::new("a");
    let auth = auth(keys(&[signer.jwk()]));
    let token = signer.sign(&claims(|_| ()));
    let cookie = format!("a=b; session={token}");
    let (target, bare) = (format!("/x?a=1&token={token}"), "/x");
    for (method, target, cookie, admitted) in [
        ("GET", bare, &*cookie, true),
        ("HEAD", bare, &cookie, true),
        ("CONNECT", bare, &cookie, true),
        ("POST", bare, &cookie, false),
        ("GET", &target, "", true),
        ("POST", &target, "", false),
        ("GET", bare, "sessions=x", false),
    ] {
        let request = Request::builder().method(method).uri(target);
        let request = request.header("cookie", cookie).body(()).unwrap();
        let found = look(&auth, &access(), &request);
        assert_eq!(
            found.is_ok(),
            admitted,
            "{method} {target} {cookie}: {found:?}"
        );
    }
}

#[test]
fn a_token_has_to_be_good_for_what_is_asked() {
    let signer = Signer::new("a");
    let auth = auth(keys(&[signer.jwk()]));
    let token = bearer(&signer.sign(&claims(|_| ())));
    let boxed = |texts: &[&str]| {
        texts
            .iter()
            .map(|&text| text.into())
            .collect::<Vec<Box<str>>>()
    };
    let asking = |scopes: &[&str], claims: &[(&str, &[&str])], callers: &[&str]| Access {
        scopes: boxed(scopes),
        claims: claims
            .iter()
            .map(|(name, values)| ((*name).into(), boxed(values)))
            .collect(),
        callers: boxed(callers),
        ..access()
    };
    for (access, expected) in [
        (asking(&["books.read"], &[], &[]), "admitted"),
        (
            asking(&["books.read", "books.write"], &[], &["alice"]),
            "admitted",
        ),
        (asking(&["books.read", "books"], &[], &[]), "SCOPE_MISSING"),
        (
            asking(&[], &[("role", &["admin", "editor"])], &[]),
            "admitted",
        ),
        (asking(&[], &[("role", &["admin"])], &[]), "CLAIM_MISSING"),
        (
            asking(&[], &[("org.tenant", &["a%c\u{fc}"])], &[]),
            "admitted",
        ),
        (asking(&[], &[("org", &["tenant"])], &[]), "CLAIM_MISSING"),
        (asking(&[], &[("missing", &[""])], &[]), "CLAIM_MISSING"),
        (asking(&[], &[], &["bob", "al*"]), "admitted"),
        (asking(&[], &[], &["bob"]), "CALLER_REFUSED"),
    ] {
        let found = look(&auth, &access, &token);
        let found = found.map_or_else(|reason| reason, |_| String::from("admitted"));
        assert!(found.starts_with(expected), "{access:?}: {found}");
    }
}
