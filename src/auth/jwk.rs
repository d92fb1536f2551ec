//! [`Keys`]: a set of keys as JSON has it (RFC 7517), each with the algorithms that it signs with.
//!
//! The algorithm belongs to the key and never to the token: an RSA key verifies no HMAC, whatever a
//! token says (RFC 8725, section 2.1).

use std::fmt;
use std::hash::Hasher;

use data_encoding::{BASE64URL_NOPAD, Encoding};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use ring::{hmac, signature::RsaParameters};
use rustc_hash::FxHasher;
use serde_json::{Map, Value};

/// The longest document that is read.
pub const MOST_BYTES: usize = 512 << 10;

/// The most keys of a document.
const MOST_KEYS: usize = 256;

/// A shared secret that is shorter can be guessed (RFC 7518, section 3.2).
const SHORTEST_SECRET: usize = 32;

const BASE64: Encoding = BASE64URL_NOPAD;

/// The keys of an issuer.
#[derive(Debug, Default)]
pub struct Keys {
    keys: Vec<Key>,
    digest: u64,
}

/// One key.
pub(super) struct Key {
    kid: Option<Box<str>>,
    algorithms: Vec<Algorithm>,
    material: Material,
}

enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point of a curve, as its verifier takes it.
    Curve(Vec<u8>),
    Secret(Vec<u8>),
}

/// How a token can be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of RFC 7518 and RFC 8037")]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
    Hs256,
    Hs384,
    Hs512,
}

const ALGORITHMS: [(&str, Algorithm); 12] = [
    ("RS256", Algorithm::Rs256),
    ("RS384", Algorithm::Rs384),
    ("RS512", Algorithm::Rs512),
    ("PS256", Algorithm::Ps256),
    ("PS384", Algorithm::Ps384),
    ("PS512", Algorithm::Ps512),
    ("ES256", Algorithm::Es256),
    ("ES384", Algorithm::Es384),
    ("EdDSA", Algorithm::EdDsa),
    ("HS256", Algorithm::Hs256),
    ("HS384", Algorithm::Hs384),
    ("HS512", Algorithm::Hs512),
];

const OF_RSA: [Algorithm; 6] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

const OF_SECRETS: [Algorithm; 3] = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];

impl Algorithm {
    pub(super) fn named(name: &str) -> Option<Self> {
        let mut all = ALGORITHMS.iter();
        all.find(|(known, _)| *known == name)
            .map(|(_, algorithm)| *algorithm)
    }
}

impl Keys {
    /// Reads a document. What verifies no signature is left out; secrets count only where nobody
    /// else can read them. The error says why there is no key at all.
    pub fn parse(document: &[u8], secrets: bool) -> Result<Self, String> {
        if document.len() > MOST_BYTES {
            return Err(format!("it has more than {MOST_BYTES} bytes"));
        }
        let mut hasher = FxHasher::default();
        hasher.write(document);
        let document: Value =
            serde_json::from_slice(document).map_err(|error| format!("it is no JSON: {error}"))?;
        let Some(Value::Array(keys)) = document.get("keys") else {
            return Err(String::from("it has no list `keys`"));
        };
        let keys = keys.iter().take(MOST_KEYS).filter_map(Value::as_object);
        let usable: Vec<Key> = keys
            .filter_map(Key::read)
            .filter(|key| secrets || !matches!(key.material, Material::Secret(_)))
            .collect();
        if usable.is_empty() {
            return Err(String::from("none of its keys can verify a signature"));
        }
        Ok(Self {
            keys: usable,
            digest: hasher.finish(),
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// A number that differs when the document does.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Those of a name; all of them if a token names none.
    pub(super) fn named(&self, kid: Option<&str>) -> impl Iterator<Item = &Key> {
        let fits = move |key: &&Key| kid.is_none() || key.kid.as_deref() == kid;
        self.keys.iter().filter(fits)
    }
}

impl Key {
    fn read(key: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| BASE64.decode(text(name)?.as_bytes()).ok();
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        if let Some(Value::Array(purposes)) = key.get("key_ops")
            && !purposes.iter().any(|purpose| purpose == "verify")
        {
            return None;
        }
        let (family, material): (&[Algorithm], Material) = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                (&OF_RSA, Material::Rsa { n, e })
            }
            ("EC", Some("P-256")) => (&[Algorithm::Es256], point(bytes("x")?, bytes("y")?, 32)?),
            ("EC", Some("P-384")) => (&[Algorithm::Es384], point(bytes("x")?, bytes("y")?, 48)?),
            ("OKP", Some("Ed25519")) => {
                let x = bytes("x").filter(|x| x.len() == 32)?;
                (&[Algorithm::EdDsa], Material::Curve(x))
            }
            ("oct", _) => {
                let secret = bytes("k").filter(|k| k.len() >= SHORTEST_SECRET)?;
                (&OF_SECRETS, Material::Secret(secret))
            }
            _ => return None,
        };
        let algorithms = match text("alg") {
            None => family.to_vec(),
            Some(name) => vec![Algorithm::named(name).filter(|one| family.contains(one))?],
        };
        Some(Self {
            kid: text("kid").map(Box::from),
            algorithms,
            material,
        })
    }

    /// Whether it is a key of this algorithm.
    pub(super) fn signs_with(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Whether it has signed a message.
    pub(super) fn has_signed(&self, algorithm: Algorithm, message: &[u8], signed: &[u8]) -> bool {
        match &self.material {
            Material::Rsa { n, e } => rsa(algorithm).is_some_and(|parameters| {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(parameters, message, signed).is_ok()
            }),
            Material::Curve(point) => curve(algorithm).is_some_and(|verifier| {
                let key = UnparsedPublicKey::new(verifier, point);
                key.verify(message, signed).is_ok()
            }),
            Material::Secret(secret) => secret_of(algorithm).is_some_and(|hash| {
                hmac::verify(&hmac::Key::new(hash, secret), message, signed).is_ok()
            }),
        }
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn curve(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::EdDsa => &signature::ED25519,
        _ => return None,
    })
}

fn secret_of(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    Some(match algorithm {
        Algorithm::Hs256 => hmac::HMAC_SHA256,
        Algorithm::Hs384 => hmac::HMAC_SHA384,
        Algorithm::Hs512 => hmac::HMAC_SHA512,
        _ => return None,
    })
}

/// A point in its uncompressed form.
fn point(x: Vec<u8>, y: Vec<u8>, length: usize) -> Option<Material> {
    let sound = x.len() == length && y.len() == length;
    sound.then(|| Material::Curve([vec![4], x, y].concat()))
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}
