//! [`Token`]: a JSON web token in its compact form, taken apart and verified (RFC 7519, RFC 8725).
//!
//! ```text
//! token = base64url(header) "." base64url(claims) "." base64url(signature)
//! ```
//!
//! What a token says of its own algorithm decides nothing: it has to be one that the key has.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use super::jwk::{Algorithm, Keys};

/// The longest token that is looked at.
const LONGEST: usize = 16 << 10;

/// A token without a `kid` is tried with no more keys than these.
const MOST_TRIED: usize = 4;

/// A token whose parts are there; nothing of it is believed before it is verified.
#[derive(Debug)]
pub(super) struct Token<'t> {
    signed: &'t [u8],
    algorithm: Algorithm,
    kid: Option<String>,
    claims: Map<String, Value>,
    signature: Vec<u8>,
}

/// What is wrong with a token; its text is for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is none, or there are several.
    Form,
    /// It names an algorithm that nothing here verifies, such as `none`.
    Algorithm,
    /// Nobody knows its key.
    UnknownKey,
    /// It was not signed with the key that it names, or not as that key signs.
    Signature,
    /// Nobody here vouches for who has signed it.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    Early,
    /// A claim is missing or has another type than it must.
    Claim(&'static str),
}

impl Wrong {
    /// The machine's word for it.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Expired => "TOKEN_EXPIRED",
            Self::UnknownKey => "UNKNOWN_KEY",
            _ => "BAD_TOKEN",
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("what was sent is not one JSON web token"),
            Self::Algorithm => f.write_str("the token names an algorithm that is not taken"),
            Self::UnknownKey => f.write_str("the key that has signed the token is not known"),
            Self::Signature => f.write_str("the signature of the token is wrong"),
            Self::Issuer => f.write_str("the issuer of the token is not known"),
            Self::Audience => f.write_str("the token is meant for another audience"),
            Self::Expired => f.write_str("the token has expired"),
            Self::Early => f.write_str("the token is not valid yet"),
            Self::Claim(name) => write!(f, "the claim {name} of the token is missing or wrong"),
        }
    }
}

impl<'t> Token<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Self, Wrong> {
        if text.len() > LONGEST {
            return Err(Wrong::Form);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Wrong::Form)?;
        let (header, claims) = signed.split_once('.').ok_or(Wrong::Form)?;
        let header = object(header)?;
        // What must be understood is not understood here.
        if header.contains_key("crit") || !is_usual(header.get("typ")) {
            return Err(Wrong::Form);
        }
        let algorithm = header.get("alg").and_then(Value::as_str);
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(Wrong::Form),
        };
        Ok(Self {
            signed: signed.as_bytes(),
            algorithm: algorithm
                .and_then(Algorithm::named)
                .ok_or(Wrong::Algorithm)?,
            kid,
            claims: object(claims)?,
            signature: decode(signature)?,
        })
    }

    /// What it says of who has made it, verified or not.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    pub(super) fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Whether one of the keys has signed it, in the way that this key signs.
    pub(super) fn verify(&self, keys: &Keys) -> Result<(), Wrong> {
        let kid = self.kid.as_deref();
        let mut named = keys.named(kid).peekable();
        if named.peek().is_none() {
            return Err(Wrong::UnknownKey);
        }
        let fitting = named.filter(|key| key.signs_with(self.algorithm));
        let signed = fitting
            .take(MOST_TRIED)
            .any(|key| key.has_signed(self.algorithm, self.signed, &self.signature));
        if signed {
            Ok(())
        } else {
            Err(Wrong::Signature)
        }
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Wrong> {
    BASE64URL_NOPAD
        .decode(part.as_bytes())
        .map_err(|_invalid| Wrong::Form)
}

fn object(part: &str) -> Result<Map<String, Value>, Wrong> {
    serde_json::from_slice(&decode(part)?).map_err(|_invalid| Wrong::Form)
}

/// Whether it may be a token for access, and not one for something else of the same issuer.
fn is_usual(kind: Option<&Value>) -> bool {
    let Some(kind) = kind else { return true };
    let Some(kind) = kind.as_str() else {
        return false;
    };
    let kind = kind.to_ascii_lowercase();
    let kind = kind.strip_prefix("application/").unwrap_or(&kind);
    matches!(kind, "jwt" | "at+jwt" | "jose")
}
