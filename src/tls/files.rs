//! Reading PEM files: certificates with their keys, and bundles of those who sign.
//!
//! Everything that is wrong with a file is told with the place of the setting that names it.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::facts::{self, Facts};
use crate::schema::problem::{Location, Problem};

/// A file as a setting names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The name of the setting, such as `tls.cert`.
    pub key: String,
    /// Where it is.
    pub path: PathBuf,
    /// Where the setting stands.
    pub place: Option<Location>,
}

/// A certificate and its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The certificate, followed by those that lead to its root.
    pub cert: File,
    /// The private key.
    pub key: File,
}

/// A pair that was read and is sound.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) facts: Facts,
}

/// Files as they were when they were read, to see whether they have changed.
#[derive(Default)]
pub(super) struct Seen(Option<ring::digest::Context>);

impl File {
    pub(super) fn error(&self, what: impl std::fmt::Display) -> Problem {
        let message = format!("`{}`: `{}` {what}", self.key, self.path.display());
        Problem::error(self.place.clone(), message)
    }
}

impl Seen {
    /// Reads a file, but not more than any sound one has.
    fn read(&mut self, file: &File) -> Result<Vec<u8>, Problem> {
        const MOST: u64 = 4 << 20;
        let mut bytes = Vec::new();
        fs::File::open(&file.path)
            .and_then(|opened| opened.take(MOST).read_to_end(&mut bytes))
            .map_err(|error| file.error(format_args!("cannot be read: {error}")))?;
        let digest = self
            .0
            .get_or_insert_with(|| ring::digest::Context::new(&ring::digest::SHA256));
        digest.update(&bytes.len().to_le_bytes());
        digest.update(&bytes);
        Ok(bytes)
    }

    /// The same for the same bytes of the same files.
    pub(super) fn digest(self) -> Vec<u8> {
        let digest = self.0.map(ring::digest::Context::finish);
        digest.map_or_else(Vec::new, |digest| digest.as_ref().to_vec())
    }
}

/// Reads a pair; nothing when one of its files is wrong.
pub(super) fn pair(
    pair: &Pair,
    provider: &CryptoProvider,
    now: SystemTime,
    seen: &mut Seen,
    problems: &mut Vec<Problem>,
) -> Option<Loaded> {
    let chain = certificates(&pair.cert, seen)
        .and_then(|chain| Ok((leaf(&pair.cert, &chain, now)?, chain)));
    let key = private_key(&pair.key, seen).and_then(|key| {
        let loaded = provider.key_provider.load_private_key(key);
        loaded.map_err(|error| {
            pair.key
                .error(format_args!("holds a key that cannot be used: {error}"))
                .with_help("keys are RSA of 2048 bits or more, ECDSA on P-256 or P-384, or Ed25519")
        })
    });
    match (chain, key) {
        (Ok((facts, chain)), Ok(key)) => {
            let certified = CertifiedKey::new(chain, key);
            match certified.keys_match() {
                // A key that cannot say what it is has the benefit of the doubt.
                Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
                Err(Error::InconsistentKeys(_)) => {
                    problems.push(mismatch(pair, &certified));
                    return None;
                }
                Err(error) => {
                    let what = format!("holds a certificate that cannot be used: {error}");
                    problems.push(pair.cert.error(what));
                    return None;
                }
            }
            let key = Arc::new(certified);
            Some(Loaded { key, facts })
        }
        (chain, key) => {
            problems.extend(chain.err());
            problems.extend(key.err());
            None
        }
    }
}

/// The key is not that of the certificate; perhaps it is that of another one in the file.
fn mismatch(pair: &Pair, certified: &CertifiedKey) -> Problem {
    let what = format!(
        "does not match the certificate `{}`",
        pair.cert.path.display()
    );
    let problem = pair.key.error(what);
    let belongs = certified.cert.iter().skip(1).any(|other| {
        let other = CertifiedKey::new(vec![other.clone()], Arc::clone(&certified.key));
        other.keys_match().is_ok()
    });
    if belongs {
        return problem.with_help(
            "the certificate of the key has to stand first in the file, its issuers after it",
        );
    }
    problem.with_help("give the key that the certificate was asked for with")
}

/// All certificates of a file, of which there is at least one.
pub(super) fn certificates(
    file: &File,
    seen: &mut Seen,
) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let bytes = seen.read(file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| file.error(explain(&error)))?;
    if !found.is_empty() {
        return Ok(found);
    }
    let problem = file.error("holds no certificate");
    Err(if PrivateKeyDer::from_pem_slice(&bytes).is_ok() {
        problem.with_help("it holds a private key; perhaps the two files are exchanged")
    } else {
        problem.with_help("it has to be PEM: a part that begins with `-----BEGIN CERTIFICATE-----`")
    })
}

/// What the first certificate of a chain says, if a client would take it at all.
fn leaf(file: &File, chain: &[CertificateDer<'static>], now: SystemTime) -> Result<Facts, Problem> {
    let Some(first) = chain.first() else {
        return Err(file.error("holds no certificate"));
    };
    let facts = facts::read(first).map_err(|error| {
        file.error(format_args!(
            "holds a certificate that cannot be read: {error}"
        ))
    })?;
    if facts.not_after < now {
        return Err(file
            .error(format_args!(
                "has expired at {}",
                facts::date(facts.not_after)
            ))
            .with_help("renew the certificate"));
    }
    Ok(facts)
}

fn private_key(file: &File, seen: &mut Seen) -> Result<PrivateKeyDer<'static>, Problem> {
    let bytes = seen.read(file)?;
    let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    match PrivateKeyDer::from_pem_slice(&bytes) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => {
            let problem = file.error("holds no private key");
            Err(
                if bytes.windows(encrypted.len()).any(|part| part == encrypted) {
                    problem.with_help(
                        "it is encrypted; `openssl pkey -in FILE -out PLAIN` makes a plain one",
                    )
                } else if CertificateDer::from_pem_slice(&bytes).is_ok() {
                    problem.with_help("it holds a certificate; perhaps the two files are exchanged")
                } else {
                    problem.with_help(
                        "it has to be PEM: a part that begins with `-----BEGIN PRIVATE KEY-----`",
                    )
                },
            )
        }
        Err(error) => Err(file.error(explain(&error))),
    }
}

/// What is wrong with PEM text, in words.
fn explain(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            "is cut off: a part of it has no end line".to_owned()
        }
        pem::Error::IllegalSectionStart { .. } => {
            "is no sound PEM: the first line of a part is damaged".to_owned()
        }
        pem::Error::Base64Decode(_) => "is no sound PEM: a part of it is no base64".to_owned(),
        other => format!("is no sound PEM: {other}"),
    }
}
