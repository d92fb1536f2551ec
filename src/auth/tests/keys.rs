//! Keys of all kinds, documents of them, and sets that outlive a reload.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::super::*;
use super::{Signer, auth, check, claims, keys, unsigned};
use crate::call::{Identity, Peer};
use crate::schema::access::Ways;

#[test]
fn each_kind_of_key_verifies_what_it_has_signed() {
    let random = SystemRandom::new();
    let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let edward = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let secret = [7; 32];
    let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let auth = auth(keys(&[
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "e", "x": encode(edward.public_key().as_ref())}),
        json!({"kty": "oct", "kid": "s", "alg": "HS384", "k": encode(&secret)}),
        json!({"kty": "oct", "kid": "short", "k": encode(&[7; 31])}),
        json!({"kty": "EC", "crv": "P-256", "kid": "enc", "use": "enc", "x": "", "y": ""}),
        json!("nonsense"),
    ]));
    assert_eq!(auth.issuers[0].keys.keys().count(), 2);
    let claims = claims(|_| ());
    let signed = unsigned(&json!({"alg": "EdDSA", "kid": "e"}), &claims);
    let token = format!(
        "{signed}.{}",
        encode(edward.sign(signed.as_bytes()).as_ref())
    );
    check(&auth, &token, "admitted");
    let by_secret = |algorithm: &str, hash| {
        let signed = unsigned(&json!({"alg": algorithm, "kid": "s"}), &claims);
        let tag = hmac::sign(&hmac::Key::new(hash, &secret), signed.as_bytes());
        format!("{signed}.{}", encode(tag.as_ref()))
    };
    check(&auth, &by_secret("HS384", hmac::HMAC_SHA384), "admitted");
    check(
        &auth,
        &by_secret("HS256", hmac::HMAC_SHA256),
        "BAD_TOKEN the signature",
    );
    // A token that names no key is tried with those of its algorithm.
    let signed = unsigned(&json!({"alg": "EdDSA"}), &claims);
    let token = format!(
        "{signed}.{}",
        encode(edward.sign(signed.as_bytes()).as_ref())
    );
    check(&auth, &token, "admitted");
}

#[test]
fn the_example_of_rfc_7515_is_verified() {
    let key = json!({"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"});
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let mut auth = auth(keys(&[key]));
    auth.issuers[0].iss = Some("joe".into());
    // It is of 2011.
    check(&auth, token, "TOKEN_EXPIRED");
    check(
        &auth,
        &token.replace("NPvk", "NPvl"),
        "BAD_TOKEN the signature",
    );
}

#[test]
fn f46_documents_that_hold_no_keys_are_told() {
    for (document, secrets, why) in [
        ("", true, "it is no JSON"),
        ("{}", true, "no list `keys`"),
        ("{\"keys\": []}", true, "none of its keys"),
        (
            "{\"keys\": [{\"kty\": \"oct\", \"k\": \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
            false,
            "none of its keys",
        ),
    ] {
        let error = Keys::parse(document.as_bytes(), secrets).unwrap_err();
        assert!(error.contains(why), "{document}: {error}");
    }
    let huge = vec![b' '; MOST_BYTES + 1];
    assert!(Keys::parse(&huge, true).unwrap_err().contains("bytes"));
}

#[test]
fn keys_that_are_known_outlive_a_reload() {
    let remote = |url: &str| Remote {
        url: url.parse().unwrap(),
        authorities: Vec::new(),
        refresh: Duration::from_secs(300),
    };
    let of = |url: &str| {
        let mut auth = auth(Keys::default());
        auth.issuers[0].keys = KeySet::at(remote(url));
        auth
    };
    let before = of("http://a.test/");
    before.issuers[0]
        .keys
        .close(Ok(keys(&[Signer::new("a").jwk()])));
    assert!(
        before.issuers[0].keys.want().is_none(),
        "nobody waits in vain"
    );
    let same = of("http://a.test/").inheriting(&before);
    assert!(Arc::ptr_eq(&same.issuers[0].keys, &before.issuers[0].keys));
    let other = of("http://b.test/").inheriting(&before);
    assert_eq!(other.issuers[0].keys.keys().count(), 0);
    // What fails takes nothing away.
    before.issuers[0].keys.close(Err(()));
    assert_eq!(before.issuers[0].keys.keys().count(), 1);
    assert_eq!(before.issuers[0].keys.tries(), (2, 1));
}

/// What becomes of somebody with a certificate, or with the key `password`.
fn known(access: &Access, by_key: bool) -> Result<(), &'static str> {
    let file = "a 5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8 read";
    let auth = Auth {
        api_keys: Arc::new(ApiKeys::parse(file).unwrap()),
        places: Places {
            key_header: Some("x-api-key".parse().unwrap()),
            ..Places::default()
        },
        ..Auth::default()
    };
    let request = http::Request::get("/").header("x-api-key", "password");
    let (mut head, ()) = request.body(()).unwrap().into_parts();
    let address = "127.0.0.1:1".parse().unwrap();
    let client = Identity::new("CN=a", &["spiffe://a.test/a".to_owned()], &[], "00");
    let peer = Peer::new(address, address, true).with_client(Some(client));
    if !by_key {
        head.headers.clear();
    }
    #[allow(clippy::disallowed_methods, reason = "records begin at some time")]
    let record = CallRecord::new(std::time::Instant::now(), std::rc::Rc::new(peer), &head);
    match auth.look(access, &head.headers, &record, SystemTime::UNIX_EPOCH) {
        Verdict::Admitted(_) => Ok(()),
        Verdict::Refused(fault) => Err(fault.reason()),
        Verdict::Unknown(_) => Err("UNKNOWN_KEY"),
    }
}

#[test]
fn who_shows_no_token_claims_nothing() {
    let ways = Ways {
        token: true,
        api_key: true,
        certificate: true,
    };
    let any = Access {
        ways,
        ..Access::default()
    };
    let reading = Access {
        scopes: vec!["read".into()],
        ..any.clone()
    };
    let editing = Access {
        claims: vec![("role".into(), vec!["editor".into()])],
        ..any.clone()
    };
    for (access, by_key, by_certificate) in [
        (&any, Ok(()), Ok(())),
        (&reading, Ok(()), Err("SCOPE_MISSING")),
        (&editing, Err("CLAIM_MISSING"), Err("CLAIM_MISSING")),
    ] {
        assert_eq!(known(access, true), by_key, "{access:?}");
        assert_eq!(known(access, false), by_certificate, "{access:?}");
    }
}
